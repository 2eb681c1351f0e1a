"""Worker processes that start clean: spawned, and without running the caller's script again."""

from __future__ import annotations

import ctypes
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

    Spawned, not forked: a fork copies the locks of Arrow's and polars' threads as they are. A
    spawned process would run the script that started it once more, up to its
    `if __name__ == "__main__"`; a plain script has none. These do not look at it.

    Parameters
    ----------
    prepare : what each process calls before its first task.
    """

    def __init__(self, workers: int, prepare: Callable[[], None] | None = None) -> None:
        super().__init__(
            workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(prepare,)
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a task to a process; the first one starts them all."""
        with _main_hidden():
            return super().submit(fn, *args, **kwargs)


def _begin(prepare: Callable[[], None] | None) -> None:
    """A worker leaves Ctrl-C to the process that started it, and ends when that does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if prepare is not None:
        prepare()


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
