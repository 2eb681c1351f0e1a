"""The server: one socket, some workers; one that dies or hangs is replaced.

The parent only watches. It takes SIGTERM and Ctrl-C: workers then answer what is under way, and
end; and SIGHUP, on which they are replaced one after the other.
"""

from __future__ import annotations

import logging
import logging.config
import os
import shutil
import tempfile
import time
from pathlib import Path
from socket import AF_INET, AF_INET6, create_server
from socket import socket as Socket  # noqa: N812

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from service.connection import Connection
from service.errors import AddressError, NoWorkerError
from service.metrics import FOLDER_VARIABLE

# What is under way when the service is stopped may take so long to its end.
GRACE_S = 30
# Then a worker ends at once; one that does not is not waited for.
ENDS_S = 5
# A worker that says nothing for so long hangs. Meanwhile it is asked again and again: whoever
# waited for one answer so long would hear no signal.
HANGS_S = 60
ASKED_S = 1
# Workers that end before any has come up: what ends them would end the next one too.
MOST_ENDS = 3
_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(message)s"},
        "line": {"format": "%(message)s"},
    },
    "handlers": {
        "err": {"class": "logging.StreamHandler", "formatter": "plain"},
        "out": {
            "class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stdout",
        },
    },
    "loggers": {
        "uvicorn": {"handlers": ["err"], "level": "WARNING", "propagate": False},
        "nightlake.service": {"handlers": ["err"], "level": "INFO", "propagate": False},
        "nightlake.access": {"handlers": ["out"], "level": "INFO", "propagate": False},
    },
}  # fmt: skip


def run(host: str, port: int, workers: int, *, access_log: bool = True, ready: str = "") -> None:
    """Serve until it is told to stop; settings are taken from the environment.

    Parameters
    ----------
    port : 0 is any that is free.
    ready : printed when the socket is open; `{address}` in it is where.

    Raises
    ------
    AddressError : the address is taken, or is none.
    NoWorkerError : workers end one after the other, and none has come up.
    """
    config = uvicorn.Config(
        "service.app:of_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=Connection,
        access_log=False,
        log_config=_logging(access_log),
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_S,
        timeout_worker_healthcheck=HANGS_S,
        limit_concurrency=1000,
        proxy_headers=True,
        forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1"),
    )
    # Of the parent alone: workers that die, and those that are replaced.
    logging.getLogger("uvicorn").setLevel(logging.INFO)
    # It listens: whoever comes before a worker is there waits for it, and is not refused.
    socket = _listening(host, port, config.backlog)
    # Each request has a thread of the worker's own: those of polars would wait for each other.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    folder = Path(tempfile.mkdtemp(prefix="nightlake-metrics-"))
    os.environ[FOLDER_VARIABLE] = str(folder)
    if ready:
        at, bound = socket.getsockname()[:2]
        shown = f"[{at}]" if ":" in at else at
        print(ready.format(address=f"http://{shown}:{bound}"), flush=True)
    parent = _Parent(config, sockets=[socket])
    try:
        parent.run()
    finally:
        socket.close()
        shutil.rmtree(folder, ignore_errors=True)
    if parent.failed:
        raise NoWorkerError


class _Parent(Multiprocess):
    """Uvicorn's, which hears at once of a worker's end, and gives up if none has ever come up."""

    def __init__(self, config: uvicorn.Config, sockets: list[Socket]) -> None:
        super().__init__(config, sockets)
        self._has_come_up = False
        self._ended = 0
        self._heard: dict[int | None, float] = {}

    @property
    def failed(self) -> bool:
        """Whether workers end one after the other, and none has come up."""
        return self._ended >= MOST_ENDS and not self._has_come_up

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have ended, or say nothing."""
        for worker in self.processes:
            # The worker's own end of the pipe: as long as it is open here too, a worker that ends
            # amid a question is waited for as if it thought.
            worker.child_conn.close()
        if not self._has_come_up:
            self._has_come_up = any(worker.is_ready(timeout=1) for worker in self.processes)
        before = list(self.processes)
        ended = [self._has_ended(worker) for worker in before]  # all of them are asked
        if any(ended):
            super().keep_subprocess_alive()
        self._ended += sum(worker not in self.processes for worker in before)
        if self.failed:
            self.should_exit.set()

    def join_all(self) -> None:
        """Wait for the workers' last answers, but for no worker that hangs."""
        until = time.monotonic() + GRACE_S + ENDS_S
        for worker in self.processes:
            worker.process.join(max(until - time.monotonic(), 0.0))
            if worker.process.is_alive():
                worker.process.kill()
            worker.join()

    def _has_ended(self, worker: Process) -> bool:
        """Whether a worker is there no longer; one that hangs is ended."""
        now = time.monotonic()
        if worker.process.is_alive():
            if worker.ping(ASKED_S):
                self._heard[worker.pid] = now
            elif now - self._heard.setdefault(worker.pid, now) > HANGS_S:
                worker.process.kill()
                worker.process.join()
        return not worker.process.is_alive()


def _listening(host: str, port: int, backlog: int) -> Socket:
    """The socket that all workers take connections from. Uvicorn's own would say errno and exit."""
    family = AF_INET6 if ":" in host else AF_INET
    try:
        return create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        # Python adds the address, which is told already.
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise AddressError(host, port, reason) from error


def _logging(access_log: bool) -> dict[str, object]:
    if not access_log:
        _LOGGING["loggers"]["nightlake.access"]["level"] = "WARNING"  # type: ignore[index]
    logging.config.dictConfig(_LOGGING)
    return _LOGGING
