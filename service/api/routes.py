"""The parts of `/api/v1`, with errors of one shape."""

from __future__ import annotations

from fastapi import FastAPI

from service.api import lightcurves, tables


def add(app: FastAPI) -> None:
    """Add them to the application."""
    app.include_router(lightcurves.router)
    app.include_router(tables.router)
