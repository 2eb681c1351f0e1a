"""Where tasks run: in this process, or in a pool of processes that pay imports once each.

Tasks are pure functions of paths that return small results, so that another executor (a cluster's)
can take the pool's place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Protocol, Self, TypeVar

from store.errors import WorkerDiedError
from store.processes import CleanPool

Task = TypeVar("Task")
Result = TypeVar("Result")

# Called with (done, total, what): what is being done, for example "2024-01-10 images".
Progress = Callable[[int, int, str], None]


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


class Tasks(Protocol):
    """Whatever runs tasks: the pool of this machine, or a cluster's workers."""

    workers: int

    def start(self) -> None:
        """Tasks are coming: whoever has processes to start begins now."""

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Results with their task's position, in the order they are done."""


class Executor:
    """Runs tasks on `workers` processes; 1 runs them here.

    Processes, not threads: reading FITS and calling ERFA hold the interpreter's lock.

    Parameters
    ----------
    ready : the module that a process imports before its first task, for all that it loads.
    """

    def __init__(self, workers: int | None = None, ready: str | None = None) -> None:
        self.workers = workers or available_cores()
        self._ready = ready
        self._pool: CleanPool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self) -> None:
        """Start the processes: they prepare themselves while other things are done here."""
        if self.workers > 1:
            self._processes().start()

    def _processes(self) -> CleanPool:
        if self._pool is None:
            self._pool = CleanPool(self.workers, self._ready)
        return self._pool

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Results with their task's position, in the order they are done."""
        if self.workers == 1 or len(tasks) <= 1:
            for position, task in enumerate(tasks):
                yield position, function(task)
            return
        pool = self._processes()
        futures = {pool.submit(function, task): i for i, task in enumerate(tasks)}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise WorkerDiedError from error
        finally:
            for future in futures:
                future.cancel()
