"""Rows that are to stand group by group, each in order of time: where they go, and the going.

Rows come in long runs of one group, from files that have an order of their own: to count the rows
of each group first is all the sorting that they need, and a value is moved once, from where it was
read to where it stays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.sorting import RadixSorter

Numbers = NDArray[np.int32]

# Groups of rows that stand behind all others, in the order in which they came, and of none.
LAST, NOWHERE = -1, -2


class Places(NamedTuple):
    """Where rows go."""

    place: Numbers
    """int32 (n,), a row's new place; −1 of one that goes nowhere."""
    starts: NDArray[np.int64]
    """int64 (groups + 1,), where each group begins, and where the last one ends: there the rows of
    `LAST` begin."""
    size: int
    """How many rows there are, with those."""
    moved: bool
    """Whether a row's place is another than it has."""


def places(group: Numbers, time: Numbers, groups: int) -> Places:
    """The places of rows that are ordered by group and time; of equal ones the first comes first.

    Parameters
    ----------
    group : int32 (n,), 0 to groups − 1, or `LAST`, or `NOWHERE`.
    time : int32 (n,), numbers of the times from 0 on.

    Raises
    ------
    TransformError : the lengths differ.
    """
    if group.shape != time.shape:
        raise TransformError(f"{group.size} groups, but {time.size} times")
    starts = np.zeros(groups + 1, dtype=np.int64)
    place = np.empty(group.size, dtype=np.int32)
    size, in_order, moved = _place(group, time, starts, place)
    if not in_order:
        most = int(time.max()) + 1
        rows = np.flatnonzero(group >= 0)
        order, _ = RadixSorter().sort(group[rows] * np.int64(most) + time[rows])
        place[rows[order]] = np.arange(rows.size, dtype=np.int32)
    return Places(place, starts, size, moved or not in_order)


def put(values: NDArray[Any], place: Numbers, column: NDArray[Any]) -> None:
    """Take values to their places: column[place] = values, but for the rows that go nowhere.

    Parameters
    ----------
    values : (n,), of the type of the column, 8, 4 or 2 bytes wide.
    place : int32 (n,), −1 of a row that goes nowhere.

    Raises
    ------
    TransformError : types or lengths differ.
    """
    if values.dtype != column.dtype or values.shape != place.shape:
        raise TransformError(
            f"{values.size} values of {values.dtype} for {place.size} places of {column.dtype}"
        )
    word = f"i{column.dtype.itemsize}"
    given = values.view(word)
    # Of one type for the kernel, whoever the values belong to.
    given.flags.writeable = False
    _put(given, place, column.view(word))


@kernel
def _place(
    group: Numbers, time: Numbers, starts: NDArray[np.int64], place: Numbers
) -> tuple[int, bool, bool]:
    """Count the rows of each group, and give each row the next place of its own."""
    groups = starts.size - 1
    last = 0
    for i in range(group.size):
        if group[i] >= 0:
            starts[group[i] + 1] += 1
        elif group[i] == LAST:
            last += 1
    for g in range(groups):
        starts[g + 1] += starts[g]
    free = starts.copy()
    free_last = starts[groups]
    latest = np.full(groups, -1, dtype=np.int32)
    in_order, moved = True, False
    for i in range(group.size):
        g = group[i]
        if g >= 0:
            place[i] = free[g]
            free[g] += 1
            in_order &= time[i] >= latest[g]
            latest[g] = time[i]
        elif g == LAST:
            place[i] = free_last
            free_last += 1
        else:
            place[i] = -1
            continue
        moved |= place[i] != i
    return starts[groups] + last, in_order, moved


@kernel
def _put(
    values: NDArray[np.integer[Any]], place: Numbers, column: NDArray[np.integer[Any]]
) -> None:
    for i in range(place.size):
        if place[i] >= 0:
            column[place[i]] = values[i]
