"""The edge of the application: what every request passes, whatever it asks for.

Bodies are limited in size and time, HEAD is GET without its body, and each request leaves a line in
the log and its mark in the metrics.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import BYTES, REQUESTS, SECONDS, UNDER_WAY

# In which all of a request must have come.
BODY_SECONDS = 60.0
_LOG = logging.getLogger("nightlake.access")
_LONGEST_QUERY = 400
_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
]


class Edge:
    """ASGI middleware.

    Parameters
    ----------
    max_body_bytes : of a request; more is answered by 413.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app, self._most = app, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, receive, send, self._most)
        UNDER_WAY.inc()
        try:
            await self._app(passage.scope, passage.receive, passage.send)
        except Exception:
            passage.fail()
            raise
        finally:
            UNDER_WAY.dec()
            passage.tell()


class _Passage:
    """One request on its way."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._most = receive, send, most
        self._begin = time.perf_counter()
        self._is_head = scope["method"] == "HEAD"
        self._method = scope["method"]
        self.scope = {**scope, "method": "GET"} if self._is_head else scope
        self._status, self._n_bytes, self._n_read, self._body_over = 0, 0, 0, False

    async def receive(self) -> Message:
        """The next message of the client."""
        if self._body_over:
            return await self._receive()
        try:
            left = self._begin + BODY_SECONDS - time.perf_counter()
            message = await asyncio.wait_for(self._receive(), max(left, 0.0))
        except TimeoutError:
            raise HTTPException(408, "the request did not come in time") from None
        if message["type"] == "http.request":
            self._n_read += len(message.get("body", b""))
            self._body_over = not message.get("more_body", False)
            if self._n_read > self._most:
                raise HTTPException(413, f"the request is longer than {self._most:,} bytes")
        return message

    async def send(self, message: Message) -> None:
        """A message to the client."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message = {**message, "headers": [*message.get("headers", []), *_SECURITY]}
        elif message["type"] == "http.response.body":
            self._n_bytes += len(message.get("body", b""))
            if self._is_head:
                message = {**message, "body": b""}
        await self._send(message)

    def fail(self) -> None:
        """Note an error that nobody foresaw: what is outside of this answers it by 500."""
        self._status = self._status or 500

    def tell(self) -> None:
        """Leave a line in the log, and a mark in the metrics."""
        seconds = time.perf_counter() - self._begin
        route = getattr(self.scope.get("route"), "path", "") or _path_of(self.scope)
        status = self._status or 499  # it was gone before it heard anything
        REQUESTS.labels(self._method, route, str(status)).inc()
        SECONDS.labels(route).observe(seconds)
        BYTES.labels(route).inc(self._n_bytes)
        if _LOG.isEnabledFor(logging.INFO):
            _LOG.info(self._line(route, status, seconds))

    def _line(self, route: str, status: int, seconds: float) -> str:
        client = self.scope.get("client") or ("",)
        told: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "client": client[0],
            "method": self._method,
            "path": self.scope["path"],
            "query": self.scope["query_string"][:_LONGEST_QUERY].decode("latin-1"),
            "route": route,
            "status": status,
            "bytes": self._n_bytes,
            "ms": round(seconds * 1000, 2),
        }
        return json.dumps(told)


def _path_of(scope: Scope) -> str:
    """The path of a route that keeps none in the scope; others go together, for there is no end."""
    endpoint = scope.get("endpoint")
    return "other" if endpoint is None else getattr(endpoint, "__name__", "other")
