"""Worker processes that start clean: without the caller's threads, or its script run again.

They are forked by a server: a process of one thread that has paid for imports and compiled kernels
once, while the caller goes on. A fork of the caller itself would copy the locks of Arrow's and
polars' threads as they are; spawned processes would each pay for themselves, on the same cores.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver, get_context
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


# Read by libraries as they are loaded: parallel work is by process, and a fork loses threads.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class CleanPool(ProcessPoolExecutor):
    """A pool of processes for functions that modules define.

    A process that is not forked from the caller would run the script that started it once more, up
    to its `if __name__ == "__main__"`; a plain script has none. These do not look at it.

    Parameters
    ----------
    ready : the module that the server imports before it forks: what it loads, all processes have.
        One server serves all pools of a program, and knows the module of the first.
    """

    def __init__(self, workers: int, ready: str | None = None) -> None:
        context = get_context("forkserver")
        # Not __main__, which is in the list that Python itself would load.
        context.set_forkserver_preload([ready] if ready else [])
        super().__init__(workers, mp_context=context, initializer=_begin, initargs=(ready,))

    def start(self) -> None:
        """Start the server; whoever submits a task would wait until it is ready."""
        with _main_hidden(), _one_thread():
            forkserver.ensure_running()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a task to a process; the first one starts them all."""
        with _main_hidden(), _one_thread():
            return super().submit(fn, *args, **kwargs)


def _begin(ready: str | None) -> None:
    """A worker leaves Ctrl-C to the process that started it, and ends when that does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if ready is not None:
        importlib.import_module(ready)


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


@contextmanager
def _one_thread() -> Iterator[None]:
    """What a process that is started now finds in its environment, unless the user has said."""
    added = [name for name in _ONE_THREAD if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
