"""A service that runs in a thread of the test, and clients of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from service.app import make_app
from service.settings import Settings


@contextmanager
def serving(archive: Path, **settings: Any) -> Iterator[str]:
    """The address of a service of an archive."""
    app = make_app(Settings(archive, **settings))
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="on", server_header=False)
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    started = threading.Event()
    startup = server.startup

    async def told(sockets: Any = None) -> None:
        await startup(sockets)
        started.set()

    server.startup = told  # type: ignore[method-assign]
    thread.start()
    try:
        assert started.wait(60)
        yield "http://{}:{}".format(*socket.getsockname()[:2])
    finally:
        server.should_exit = True
        thread.join(60)
        socket.close()
