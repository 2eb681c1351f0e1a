"""The application: its parts, what every request passes, and errors in one shape.

Each part is a module with `add(app)`; a page is one too.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.core import Service
from service.edge import Edge
from service.errors import INTERNAL, Problem, problem_of
from service.settings import Settings
from store.errors import NightlakeError

# What is mounted, in this order: the last may take `/` and all that nobody else takes.
PARTS = (
    "service.status",
    "service.ztf.routes",
    "service.snad",
    "service.scs",
    "service.api.routes",
    "service.page.app",
)
_EXPOSED = ["ETag", "Link", "X-Nightlake-Publication", "Content-Disposition"]
_TAKEN = "See /api/v1/openapi.json for what it takes."
_HINTS = {
    "not_found": "See /api/v1/openapi.json for what there is.",
    "method_not_allowed": _TAKEN,
    "body_too_large": "Send it in several parts.",
}
_CODES = {404: "not_found", 405: "method_not_allowed", 408: "too_slow", 413: "body_too_large"}


def make_app(settings: Settings) -> FastAPI:
    """The application that serves one archive.

    Raises
    ------
    NightlakeError : there is none to serve.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(service.follow())
        yield
        following.cancel()
        service.close()

    app = FastAPI(
        title="Nightlake",
        version=version("nightlake"),
        summary="Light curves, objects, images and nights of one archive.",
        description="Every answer comes from one published state of the archive; `ETag` names it.",
        openapi_url="/api/v1/openapi.json",
        # Their pages come from other hosts.
        docs_url=None,
        redoc_url=None,
        root_path=settings.root_path,
        lifespan=lifespan,
    )
    app.state.service = service
    app.add_exception_handler(NightlakeError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)
    for part in PARTS:
        importlib.import_module(part).add(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["Content-Type", "If-None-Match"],
        expose_headers=_EXPOSED,
        max_age=86_400,
    )
    app.add_middleware(Edge, max_body_bytes=settings.max_body_bytes)
    return app


def of_environment() -> FastAPI:
    """The application of a worker: its settings are variables NIGHTLAKE_NAME."""
    # A thread that reads gives way to the one that speaks HTTP after a millisecond, not five.
    sys.setswitchinterval(0.001)
    app = make_app(Settings.of_environment())
    # What is there now stays: garbage is looked for among what comes later, and so more often.
    gc.collect()
    gc.freeze()
    return app


def respond(problem: Problem) -> Response:
    """A problem as the one shape of all errors."""
    headers = {"cache-control": "no-store"}
    if problem.status == 503:
        headers["retry-after"] = "2"
    return JSONResponse(problem.document(), problem.status, headers=headers)


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, NightlakeError)
    return respond(problem_of(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][min(1, len(first["loc"]) - 1)])
    if first["type"] == "missing":
        message = f"{name} is missing"
    elif first["msg"].startswith("Input "):
        # As "Input should be a valid integer, unable to parse string as an integer".
        should = first["msg"].removeprefix("Input ").partition(",")[0]
        message = f"{name} cannot be {str(first['input'])[:40]!r}: it {should}"
    else:
        message = f"{name}: {first['msg'].removeprefix('Value error, ')}"
    return respond(Problem(422, "bad_request", message, _TAKEN))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "bad_request")
    message = (
        f"there is nothing at {request.url.path[:100]}" if code == "not_found" else error.detail
    )
    response = respond(Problem(error.status_code, code, str(message), _HINTS.get(code, "")))
    if error.status_code in (408, 413):
        # Or else what is left of the body would be read, however long it is.
        response.headers["connection"] = "close"
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def _internal(request: Request, error: Exception) -> Response:
    # The server puts it into the log.
    return respond(INTERNAL)
