"""Where tasks run when one machine is not enough: the workers of a Dask cluster.

The same tasks as the pool's: pure functions of paths that return small results. What they read and
write lies on a file system that all workers share, under the same paths; the archive's bytes are
those that the pool would make. A worker that dies costs its task another try, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from ingest.errors import ClusterError
from store.errors import WorkerDiedError

Task = TypeVar("Task")
Result = TypeVar("Result")

# A task that was lost with its worker is given to another this often.
RETRIES = 3


class DaskExecutor:
    """Runs tasks on the workers of a Dask scheduler.

    Parameters
    ----------
    address : of the scheduler, for example tcp://10.0.0.5:8786. Its workers have Nightlake
        installed, one thread each, and see the same paths.

    Raises
    ------
    ClusterError : dask.distributed is not installed, nobody answers, or there is no worker.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise ClusterError(
                "dask.distributed is not installed", address, "pip install 'nightlake[dask]'"
            ) from error
        try:
            self._client: Any = Client(address, timeout="10s", set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                "no scheduler answers", address, "Start one, or correct the address."
            ) from error
        self.workers = sum(self._client.nthreads().values())
        if not self.workers:
            self._client.close()
            raise ClusterError("the scheduler has no workers", address, "Start some.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def start(self) -> None:
        """The cluster's workers run already."""

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Results with their task's position, in the order they are done."""
        from distributed import KilledWorker, as_completed

        futures = [
            # Not pure: the same task may be asked again after the archive has changed.
            self._client.submit(function, task, pure=False, retries=RETRIES)
            for task in tasks
        ]
        positions = {future.key: position for position, future in enumerate(futures)}
        try:
            for future in as_completed(futures, loop=self._client.loop):
                yield positions[future.key], future.result()
        except KilledWorker as error:
            raise WorkerDiedError from error
        finally:
            self._client.cancel(futures)
