"""A connection whose client is slow, or says no end: one that makes no way is hung up on.

uvicorn alone would wait for ever for a request, and for who does not read an answer, which holds
a published state; and it would keep the head of a request in memory, however long it is.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# From the beginning of a request to the end of its head, and the most bytes of that.
HEAD_SECONDS = 30.0
HEAD_BYTES = 64 << 10
# Within which a client takes what was sent to it; the next piece of an answer is some 256 KB.
TAKE_SECONDS = 60.0


class _Patience:
    """A time in which something should happen, or else the connection ends."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        return self._timer is not None

    def begin(self, seconds: float, transport: asyncio.Transport) -> None:
        self.end()
        # Not `close`, which waits until all has been taken.
        self._timer = asyncio.get_running_loop().call_later(seconds, transport.abort)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Connection(HttpToolsProtocol):
    """uvicorn's own, with an end of its patience."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head, self._taking = _Patience(), _Patience()
        self._in_head, self._head_bytes = False, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, and should ask."""
        super().connection_made(transport)
        self._head.begin(HEAD_SECONDS, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._head.end()
        self._taking.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A part of a request."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        if not self._head.waits:
            self._head.begin(HEAD_SECONDS, self.transport)

    def on_headers_complete(self) -> None:
        """Its head is there; its body has a time of its own, see `service.edge`."""
        self._head.end()
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._head.end()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered; the rest of a body that nobody waits for should come soon."""
        super().on_response_complete()
        if self.cycle.more_body and not self.transport.is_closing():
            self._head.begin(HEAD_SECONDS, self.transport)

    def pause_writing(self) -> None:
        """The client does not keep up."""
        super().pause_writing()
        self._taking.begin(TAKE_SECONDS, self.transport)

    def resume_writing(self) -> None:
        """It does again."""
        self._taking.end()
        super().resume_writing()
