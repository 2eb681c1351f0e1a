"""Work dealt out: items cut into tasks, tasks run by whoever runs them, results in their order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from ingest.report import Progress
from store.executor import Tasks

Item = TypeVar("Item")
Task = TypeVar("Task")
Result = TypeVar("Result")

# What an interrupted ingest has to do again; a batch is never in memory.
BATCH_ROWS = 1_500_000
BATCH_ITEMS = 256
# What is worth a task.
LEAST_ROWS = 150_000


def cut(
    items: Sequence[Item],
    rows: Sequence[int],
    workers: int,
    share: Sequence[Hashable] | None = None,
) -> list[list[Item]]:
    """Items in the order given, in batches: large ones, then smaller, so that no worker waits long.

    Parameters
    ----------
    rows : of each item.
    share : what an item shares with those before and after it, as the references of a channel: a
        batch ends where that changes, unless much shares it.
    """
    left = sum(rows)
    batches: list[list[Item]] = []
    filled = most = 0
    for same in _alike(range(len(items)) if share is None else share):
        few = max(min(2 * LEAST_ROWS, BATCH_ROWS), _due(left, workers) // 2)
        whole = len(same) <= BATCH_ITEMS and sum(rows[i] for i in same) <= few
        for run in [same] if whole else [[i] for i in same]:
            size = sum(rows[i] for i in run)
            # At the border that is nearest to where the batch is due to end.
            is_due = filled + size / 2 >= most
            if not batches or is_due or len(batches[-1]) + len(run) > BATCH_ITEMS:
                most = _due(left, workers)
                batches.append([])
                filled = 0
            batches[-1] += [items[i] for i in run]
            filled += size
            left -= size
    return batches


def _due(left: int, workers: int) -> int:
    """Rows of a batch, of what is left."""
    return min(BATCH_ROWS, max(LEAST_ROWS, left // (2 * workers)))


def _alike(share: Sequence[Hashable]) -> Iterator[list[int]]:
    """The places of what shares the same, one run after the other."""
    for _, same in groupby(range(len(share)), key=lambda i: share[i]):
        yield list(same)


def run_in_order(
    executor: Tasks,
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    sizes: Sequence[int],
    what: str,
    progress: Progress | None,
) -> list[Result]:
    """The result of each task, in the order of the tasks, however they are done.

    Parameters
    ----------
    sizes : how many items are in each task, which `progress` counts as `what`.
    """
    results: dict[int, Result] = {}
    done = 0
    for position, result in executor.run(function, tasks):
        results[position] = result
        done += sizes[position]
        if progress:
            progress(done, sum(sizes), what)
    return [results[position] for position in range(len(tasks))]
