"""Where tasks run: in this process and in a pool of others, which pay imports once each.

Tasks are pure functions of paths that return small results, so that another executor (a cluster's)
can take the pool's place.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
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
    """Runs tasks on `workers` processes, of which this is one; 1 runs them here alone.

    Processes, not threads: reading FITS and calling ERFA hold the interpreter's lock. This one has
    loaded already what another would take half a second for, and has nothing to do but wait.

    Parameters
    ----------
    ready : the module that a process imports before its first task, for all that it loads.
    """

    def __init__(self, workers: int | None = None, ready: str | None = None) -> None:
        self.workers = workers or available_cores()
        self._ready = ready
        self._pool: CleanPool | None = None
        # One thread for all tasks: what a task keeps for the next is kept by thread.
        self._here = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._here.shutdown()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self) -> None:
        """Start the processes: they prepare themselves while other things are done here."""
        if self.workers > 1:
            self._processes().start()

    def _processes(self) -> CleanPool:
        if self._pool is None:
            self._pool = CleanPool(self.workers - 1, self._ready)
        return self._pool

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Results with their task's position, in the order they are done."""
        if self.workers == 1 or len(tasks) <= 1:
            for position, task in enumerate(tasks):
                yield position, function(task)
            return
        waiting = deque(enumerate(tasks))
        here: dict[Future[Result], int] = {}
        there: dict[Future[Result], int] = {}
        try:
            while waiting or here or there:
                while waiting:
                    if len(there) < self.workers - 1:
                        running, submit = there, self._processes().submit
                    elif not here:
                        running, submit = here, self._here.submit
                    else:
                        break
                    position, task = waiting.popleft()
                    running[submit(function, task)] = position
                done, _ = wait([*here, *there], return_when=FIRST_COMPLETED)
                for future in done:
                    position = (here if future in here else there).pop(future)
                    yield position, future.result()
        except BrokenProcessPool as error:
            raise WorkerDiedError from error
        finally:
            for future in [*here, *there]:
                future.cancel()
            wait(here)  # it may hold what the caller is about to let go
