"""Worker processes that start clean: spawned, and without running the caller's script again."""

from __future__ import annotations

import atexit
import ctypes
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class CleanPool(ProcessPoolExecutor):
    """A pool of spawned processes for functions that modules define.

    Spawned, not forked: a fork copies the locks of Arrow's and polars' threads as they are, and
    Python's server of forks needs a socket. A spawned process would run the script that started it
    once more, up to its `if __name__ == "__main__"`; a plain script has none. These do not look at
    it.

    Parameters
    ----------
    ready : the module that each process imports before its first task, for all that it loads.
    """

    def __init__(self, workers: int, ready: str | None = None) -> None:
        super().__init__(
            workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(ready,)
        )
        self._workers = workers

    def start(self) -> None:
        """Start all processes, which would each wait for a task to start with."""
        for _ in range(self._workers):
            self.submit(_nothing)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a task to a process; one is started if none is idle."""
        with _main_hidden():
            return super().submit(fn, *args, **kwargs)


def _begin(ready: str | None) -> None:
    """A worker leaves Ctrl-C to the process that started it, and ends when that does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if ready is not None:
        importlib.import_module(ready)
    # All that it did is in files and has been told. To take an interpreter apart with all that it
    # has loaded takes a fifth of a second, which whoever closes the pool would wait for.
    atexit.register(os._exit, 0)


@contextmanager
def _main_hidden() -> Iterator[None]:
    main = sys.modules["__main__"]
    kept = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    main.__spec__ = None
    main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)


def _nothing() -> None:
    """A first task."""
