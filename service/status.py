"""How the service is: `/health` for whoever keeps it running, `/metrics` for Prometheus."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.core import Service
from service.metrics import CONTENT_TYPE, exposed


async def health(request: Request) -> Response:
    """Whether questions are answered, and from which publication."""
    service = Service.of(request)
    state = await service.acquire()
    try:
        wrong = service.served.health()
        told = {"status": wrong or "ok", "publication": state.snapshot.number}
    finally:
        state.leave()
    return JSONResponse(told, 503 if wrong else 200, headers={"cache-control": "no-store"})


async def metrics(request: Request) -> Response:
    """Counters and times."""
    service = Service.of(request)
    state = await service.acquire()
    service.observe()
    state.leave()
    return Response(await asyncio.to_thread(exposed), headers={"content-type": CONTENT_TYPE})


def add(app: FastAPI) -> None:
    """Add both to the application."""
    app.add_route("/health", health, include_in_schema=False)
    app.add_route("/metrics", metrics, include_in_schema=False)
