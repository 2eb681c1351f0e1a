"""Work that is cut in tasks, on as many threads as there are cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

Result = TypeVar("Result")
Task = TypeVar("Task")


def mapped(look: Callable[[Task], Result], tasks: Sequence[Task], *, at_once: bool) -> list[Result]:
    """`look` at every task, in their order; on several threads if `at_once`.

    A task must not map tasks of its own: all threads might wait for each other.
    """
    if not at_once:
        return [look(task) for task in tasks]
    return list(_threads().map(look, tasks))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="nightlake-read")
