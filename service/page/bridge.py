"""Flask behind ASGI: a request is read whole, answered in a thread, and sent whole.

No thread waits for a client or for the event loop: whoever goes away leaves nothing behind, and
what is at work for the answer finds its job as `service.desk.job_here`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any
from urllib.parse import quote

import xxhash
from flask import Flask
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from werkzeug.test import EnvironBuilder, run_wsgi_app

from service.answers import watch
from service.compression import Encoder, encoder_for
from service.desk import Desk, Job

_THREADS, _MOST_WAITING = 4, 64
# Fewer bytes are not worth it.
_SHORTEST = 1000
_TEXTS = ("text/", "application/json", "application/javascript", "application/x-votable+xml")
# Dash's own files: they stay as they are as long as the process does.
_PACKAGES = "/_dash-component-suites/"


class Bridge:
    """An ASGI application that a Flask one answers.

    Parameters
    ----------
    max_seconds : for one answer.
    """

    def __init__(self, flask: Flask, max_seconds: float) -> None:
        self._flask, self._seconds = flask, max_seconds
        self._desk = Desk("pages", _THREADS, _MOST_WAITING)
        # plotly is 5 MB: it is compressed once. By content, as a file has many names.
        self._compressed: dict[tuple[str, str], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Raises
        ------
        BusyError, ClientGoneError, TimeLimitError
        """
        request = Request(scope, receive)
        work = partial(self._answer, request, await request.body())
        job = Job(self._seconds)
        gone = asyncio.create_task(watch(receive, job))
        try:
            response = await self._desk.run(job, work)
        finally:
            gone.cancel()
        await response(scope, receive, send)

    def _answer(self, request: Request, body: bytes) -> Response:
        """What Flask answers; text is compressed."""
        pieces, status, headers = run_wsgi_app(
            self._flask.wsgi_app, _environ(request, body), buffered=True
        )
        data = b"".join(pieces)
        headers.remove("content-length")
        is_text = headers.get("content-type", "").startswith(_TEXTS)
        encoder = encoder_for(
            request.headers.get("accept-encoding", ""), is_text and len(data) >= _SHORTEST
        )
        if encoder.name:
            data = self._encoded(request.scope["path"], data, encoder)
            headers["content-encoding"], headers["vary"] = encoder.name, "Accept-Encoding"
        return Response(data, int(status.partition(" ")[0]), dict(headers))

    def _encoded(self, path: str, data: bytes, encoder: Encoder) -> bytes:
        if not path.startswith(_PACKAGES):
            return encoder.all(data)
        key = (xxhash.xxh3_128_hexdigest(data), encoder.name)
        if key not in self._compressed:
            self._compressed[key] = encoder.all(data)
        return self._compressed[key]


def _environ(request: Request, body: bytes) -> dict[str, Any]:
    """A request as WSGI (PEP 3333) has it."""
    builder = EnvironBuilder(
        path=quote(request.scope["path"]),
        base_url=f"{request.url.scheme}://{request.url.netloc}",
        query_string=request.url.query,
        method=request.method,
        headers=request.headers.items(),
        data=body,
    )
    return dict(builder.get_environ())
