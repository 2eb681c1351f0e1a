"""Rows to bytes over HTTP: at once if they are few, else as a stream; never the same bytes twice.

A client that goes away ends the work for it. One that reads slowly holds a published state and
one piece of its answer, no thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import polars as pl
import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from products.fields import Writer
from service.archive import State
from service.compression import Encoder, encoder_for
from service.core import Service
from service.desk import Desk, Job
from service.errors import ClientGoneError, LimitError
from store.errors import NightlakeError

# Rows of an answer: frames, or Arrow tables where the format's writer takes these.
Rows: TypeAlias = pl.DataFrame | pa.Table
Frames = Callable[[State, Job], Iterator[Rows]]

_LOG = logging.getLogger("nightlake.service")
# Pieces are gathered to this: each is a trip to a thread and back.
_PIECE_BYTES = 256 << 10


@dataclass(frozen=True)
class Form:
    """A format: how it is announced, and what writes it, given the first rows."""

    media_type: str
    writer: Callable[[Any], Writer]
    compressible: bool = True
    suffix: str = ""


@dataclass
class _Begun:
    """An answer of which the first bytes are there, and perhaps all."""

    data: bytes
    rest: Iterator[bytes] | None
    headers: dict[str, str] = field(default_factory=dict)


async def answer(
    request: Request,
    frames: Frames,
    form: Form,
    *,
    name: str = "nightlake",
    heavy: bool = False,
) -> Response:
    """The rows that `frames` gives, as `form`, from what is published now.

    Parameters
    ----------
    name : of the file that a browser would save.
    heavy : whether SQL is asked, for which there are other threads.

    Raises
    ------
    NightlakeError : before the first byte is sent.
    """
    service = Service.of(request)
    desk = service.queries if heavy else service.curves
    state = await service.acquire()
    headers = _headers(request, state, form, name)
    if request.method in ("GET", "HEAD") and _known(request, headers["etag"]):
        state.leave()
        return Response(status_code=304, headers=headers)
    encoder = encoder_for(request.headers.get("accept-encoding", ""), form.compressible)
    job = service.job()
    gone = asyncio.create_task(watch(request.receive, job))
    try:
        most = service.settings.max_rows
        begun = await desk.run(job, lambda: _begin(frames(state, job), form, most, encoder))
    except BaseException:
        gone.cancel()
        state.leave()
        raise
    if encoder.name:
        headers["content-encoding"] = encoder.name
    if begun.rest is None:
        gone.cancel()
        state.leave()
        return Response(begun.data, headers=headers, media_type=form.media_type)
    stream = _stream(begun, desk, job)
    return _Streamed(stream, form.media_type, headers, state, job, gone)


class _Streamed(StreamingResponse):
    """A stream that lets go of its state whatever becomes of it."""

    def __init__(
        self,
        stream: AsyncIterator[bytes],
        media_type: str,
        headers: Mapping[str, str],
        state: State,
        job: Job,
        gone: asyncio.Task[None],
    ) -> None:
        super().__init__(stream, headers=headers, media_type=media_type)
        self._state, self._job, self._gone = state, job, gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all, unless the client goes away.

        An answer that ends early for another reason is left without its end, which breaks the
        connection: its client knows that it has not all of it.
        """
        try:
            await self.stream_response(send)
        except (OSError, ClientGoneError):
            pass
        except NightlakeError as error:
            _LOG.warning("%s: an answer ended early: %s", scope["path"], error)
        finally:
            self._gone.cancel()
            self._job.cancel()
            self._state.leave()


def _begin(frames: Iterator[Rows], form: Form, most_rows: int, encoder: Encoder) -> _Begun:
    """The first bytes, and all if there is no more than one piece."""
    counted = _at_most(frames, most_rows)
    first = next(counted)
    writer = form.writer(first)
    written = _written(writer, first, counted)
    data, whole = _gathered(written)
    if whole:
        return _Begun(encoder.all(data), None)
    return _Begun(encoder.piece(data), _encoded(written, encoder))


def _at_most(frames: Iterator[Rows], most_rows: int) -> Iterator[Rows]:
    n = 0
    for frame in frames:
        n += len(frame)
        if n > most_rows:
            raise LimitError("too many rows", most_rows)
        yield frame


def _written(writer: Writer, first: Rows, frames: Iterator[Rows]) -> Iterator[bytes]:
    yield writer.head()
    if len(first):
        yield writer.rows(first)
    for frame in frames:
        if len(frame):
            yield writer.rows(frame)
    yield writer.tail()


def _gathered(written: Iterator[bytes]) -> tuple[bytes, bool]:
    """Some pieces as one, and whether they are the last."""
    pieces, n = [], 0
    for piece in written:
        pieces.append(piece)
        n += len(piece)
        if n >= _PIECE_BYTES:
            return b"".join(pieces), False
    return b"".join(pieces), True


def _encoded(written: Iterator[bytes], encoder: Encoder) -> Iterator[bytes]:
    whole = False
    while not whole:
        data, whole = _gathered(written)
        yield encoder.piece(data)
    yield encoder.end()


async def _stream(begun: _Begun, desk: Desk, job: Job) -> AsyncIterator[bytes]:
    """The bytes of an answer; the next piece is made when the former was taken."""
    if begun.data:
        yield begun.data
    rest = begun.rest
    assert rest is not None
    while (piece := await desk.run(job, lambda: next(rest, None))) is not None:
        if piece:
            yield piece


async def watch(receive: Receive, job: Job) -> None:
    """End the job when its client goes away."""
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
        job.cancel()


def _headers(request: Request, state: State, form: Form, name: str) -> dict[str, str]:
    headers = {
        "etag": f'W/"{state.version}"',
        "cache-control": "no-cache",
        "vary": "Accept, Accept-Encoding",
        "x-nightlake-publication": str(state.snapshot.number),
    }
    if form.suffix:
        headers["content-disposition"] = f'inline; filename="{name}{form.suffix}"'
    return headers


def _known(request: Request, etag: str) -> bool:
    """Whether the client has this answer already."""
    known = request.headers.get("if-none-match", "")
    return etag.removeprefix("W/") in (one.strip().removeprefix("W/") for one in known.split(","))
