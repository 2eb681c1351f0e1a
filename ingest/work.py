"""Work dealt out: items cut into tasks, tasks run by whoever runs them, results in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def cut(items: Sequence[Item], rows: Sequence[int], workers: int) -> list[list[Item]]:
    """Items in the order given, in batches: large ones, then smaller, so that no worker waits long.

    Parameters
    ----------
    rows : of each item.
    """
    left = sum(rows)
    batches: list[list[Item]] = []
    filled = most = 0
    for item, n in zip(items, rows, strict=True):
        if not batches or filled >= most or len(batches[-1]) >= BATCH_ITEMS:
            most = min(BATCH_ROWS, max(LEAST_ROWS, left // (2 * workers)))
            batches.append([])
            filled = 0
        batches[-1].append(item)
        filled += n
        left -= n
    return batches


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
