"""The parts of `/api/v1`, with errors of one shape."""

from __future__ import annotations

from fastapi import Depends, FastAPI

from service.api import lightcurves, tables
from service.api.narrowing import refuse_others


def add(app: FastAPI) -> None:
    """Add them to the application."""
    for router in (lightcurves.router, tables.router):
        app.include_router(router, dependencies=[Depends(refuse_others)])
    # What a query takes, it knows itself.
    app.include_router(tables.by_name)
