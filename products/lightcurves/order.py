"""The order of light curves: objects by place, each one's rows by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    sorter = RadixSorter()
    place = columns["object_healpix_29"]
    parts = [_sorted(columns, rows, sorter) for rows in _parts(place)]
    return np.concatenate([np.empty(0, np.int32), *parts])


def _parts(place: NDArray[np.int64]) -> Sequence[Rows]:
    """Rows in parts that may be sorted one by one: no place of one is beyond one of the next."""
    n = len(place)
    if n <= SORTED_ROWS:
        return [np.arange(n, dtype=np.int32)]
    low, most = int(place.min()), int(place.max())
    shift = max(0, int(most - low).bit_length() - CELLS.bit_length() + 1)
    cell = ((place - low) >> shift).astype(np.int16)
    filled = np.cumsum(np.bincount(cell, minlength=CELLS + 1))
    part = ((filled - 1) // SORTED_ROWS)[cell]
    return [np.flatnonzero(part == k).astype(np.int32) for k in np.unique(part).tolist()]


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
