"""The order of light curves: objects by place, each one's rows by time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.sorting import RadixSorter

# Rows that are sorted at once, at 80 bytes each.
SORTED_ROWS = 1_000_000
CELLS = 1 << 12

Rows = NDArray[np.int32]
Columns = Mapping[str, NDArray[Any]]
# After the object's place; an id that is not there is −1, and comes last.
KEYS = ("oid", "hmjd", "expid", "rcid", "sourceid")


class _Kept(threading.local):
    """What a worker keeps from pixel to pixel, each thread its own: the buffers of a sort."""

    def __init__(self) -> None:
        self.sorter = RadixSorter()


_kept = _Kept()


def in_order(columns: Columns) -> Rows:
    """The order that sorts rows as `lightcurves` is sorted.

    Parameters
    ----------
    columns : object_healpix_29 and `KEYS`, (n,) each; n < 2³¹. Ids of −1 come last among the rows
        of one place, dates that are NaN among those of one object.

    Returns
    -------
    int32 (n,).
    """
    place = columns["object_healpix_29"]
    order = np.empty(len(place), np.int32)
    start = 0
    for rows in _parts(place):
        order[start : start + len(rows)] = _sorted(columns, rows, _kept.sorter)
        start += len(rows)
    return order


class Runs(NamedTuple):
    """Rows of one object, or without one, that follow each other in the order: (m,) each.

    Attributes
    ----------
    oid : −1 where the rows have none.
    place : their object_healpix_29.
    start : where each begins among all rows; and, as the last of m + 1, where all end.
    own_start : the same among the pixel's own rows.
    """

    oid: NDArray[np.int64]
    place: NDArray[np.int64]
    start: NDArray[np.int64]
    own_start: NDArray[np.int64]


def runs_of(columns: Columns, order: Rows, n_own: int) -> Runs:
    """The runs of rows in their order, of which those below `n_own` are the pixel's own."""
    found: list[tuple[NDArray[Any], ...]] = []
    last = (-1, -1)
    own = 0
    for start in range(0, len(order), SORTED_ROWS):
        rows = order[start : start + SORTED_ROWS]
        oid, place = (columns[name][rows] for name in ("oid", "object_healpix_29"))
        begins = np.empty(len(rows), np.bool_)
        begins[0] = start == 0 or (oid[0], place[0]) != last
        begins[1:] = (oid[1:] != oid[:-1]) | (place[1:] != place[:-1])
        first = np.flatnonzero(begins)
        before = np.cumsum(rows < n_own)
        found.append(
            (oid[first], place[first], first + start, own + before[first] - (rows[first] < n_own))
        )
        last, own = (oid[-1], place[-1]), own + int(before[-1])
    found.append((*[np.empty(0, np.int64)] * 2, np.array([len(order)]), np.array([own])))
    return Runs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _parts(place: NDArray[np.int64]) -> Iterator[Rows]:
    """Rows in parts that may be sorted one by one: no place of one is beyond one of the next."""
    n = len(place)
    if n <= SORTED_ROWS:
        yield np.arange(n, dtype=np.int32)
        return
    low, most = int(place.min()), int(place.max())
    shift = max(0, int(most - low).bit_length() - CELLS.bit_length() + 1)
    cell, filled = np.empty(n, np.int16), np.zeros(CELLS + 1, np.int64)
    for start in range(0, n, SORTED_ROWS):
        some = slice(start, start + SORTED_ROWS)
        cell[some] = (place[some] - low) >> shift
        filled += np.bincount(cell[some], minlength=CELLS + 1)
    part_of_cell = (np.cumsum(filled) - 1) // SORTED_ROWS
    part = part_of_cell.astype(np.int16)[cell]
    for k in np.unique(part_of_cell).tolist():
        yield np.flatnonzero(part == k).astype(np.int32)


def _sorted(columns: Columns, rows: Rows, sorter: RadixSorter) -> Rows:
    # Bits of floats that are not negative are in the order of the floats, NaN last.
    times = columns["hmjd"].view(np.int64)[rows]
    order, _ = sorter.sort(times)
    rows = rows[order]
    order, place = sorter.sort(columns["object_healpix_29"][rows])
    rows = rows[order]
    return _untied(columns, rows, place)


def _untied(columns: Columns, rows: Rows, place: NDArray[np.int64]) -> Rows:
    """`rows`, sorted by place and time, with those of one place sorted by the other keys too."""
    oid, hmjd = columns["oid"][rows], columns["hmjd"].view(np.int64)[rows]
    same = place[1:] == place[:-1]
    tied = same & ((oid[1:] != oid[:-1]) | (hmjd[1:] == hmjd[:-1]))
    if not tied.any():
        return rows
    # Few places have two objects, or two rows of one time: all their rows are sorted by all keys.
    run = np.cumsum(np.concatenate([[False], ~same]))
    at = np.flatnonzero(np.isin(run, run[1:][tied]))
    chosen = rows[at]
    keys = [columns[name][chosen] for name in reversed(KEYS[2:])]
    keys += [hmjd[at], oid[at].view(np.uint64), run[at]]
    rows = rows.copy()
    rows[at] = chosen[np.lexsort(keys)]
    return rows
