"""A service that runs in a thread of the test, and clients of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from service.app import make_app
from service.connection import Connection
from service.settings import Settings


@contextmanager
def serving(archive: Path, **settings: Any) -> Iterator[str]:
    """The address of a service of an archive; a loaded machine is no reason to give up."""
    with listening(make_app(Settings(archive, **{"max_seconds": 600.0, **settings}))) as address:
        yield address


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """The address of an application that runs in a thread."""
    config = uvicorn.Config(
        app, port=0, http=Connection, log_level="error", lifespan="on", server_header=False,
        # A client that rests between two tests must not be hung up on just as it asks again.
        timeout_graceful_shutdown=5, timeout_keep_alive=3600,
    )  # fmt: skip
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    # As a daemon it holds up nobody who leaves, whatever it still waits for.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    started = threading.Event()
    startup = server.startup

    async def told(sockets: Any = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = told  # type: ignore[method-assign]
    thread.start()
    try:
        assert started.wait(300)
        yield "http://{}:{}".format(*socket.getsockname()[:2])
    finally:
        server.should_exit = True
        thread.join(300)
        socket.close()
