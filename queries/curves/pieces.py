"""Pieces of rows: which of a piece a place holds, and which row groups are read at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import arrow
from queries.curves.places import Place, Ranges

Index = NDArray[np.int64]

# Rows: below, a run is not worth a slice of its own.
_SHORT_RUN = 64


class Seen(NamedTuple):
    """The images of some rows: all there are, and which of them each row is of; null is none."""

    images: pa.RecordBatch
    number: pa.Array


class Found(NamedTuple):
    """Some rows, and the target that each is of; None is the only one.

    Where `seen` is there, the columns of the rows' images are still to come: of many rows they
    would be half of what is copied.
    """

    rows: pa.RecordBatch
    target: Index | None
    seen: Seen | None = None

    def with_images(self) -> Found:
        """The same with the columns of the images in the rows."""
        if self.seen is None:
            return self
        columns = [*self.rows.columns, *self.seen.images.take(self.seen.number).columns]
        names = [*self.rows.schema.names, *self.seen.images.schema.names]
        return Found(pa.RecordBatch.from_arrays(columns, names=names), self.target)


def pick(rows: pa.RecordBatch, index: Index, place: Place, ranges: Ranges) -> Found | None:
    """The rows that a place holds, a row as many times as targets hold it; None without.

    Parameters
    ----------
    index : int64 (n,), ascending: what the ranges speak of.
    """
    found = held(rows, index, place, ranges)
    if found is None:
        return None
    row, target = found
    return Found(cut(rows, row), target)


def held(
    judged: pa.RecordBatch, index: Index, place: Place, ranges: Ranges
) -> tuple[Index, Index] | None:
    """Which rows those are, by number, and the target of each.

    Parameters
    ----------
    judged : the columns of the rows that the place judges by, or more.
    """
    start = np.searchsorted(index, ranges.first)
    length = np.searchsorted(index, ranges.past) - start
    total = int(length.sum())
    if not total:
        return None
    if len(length) == 1:
        row = np.arange(start[0], start[0] + total)
        target = np.full(total, ranges.target[0])
    else:
        row = np.arange(total) + np.repeat(start - (np.cumsum(length) - length), length)
        target = np.repeat(ranges.target, length)
    holds = place.holds(judged, row, target)
    if not holds.all():
        row, target = row[holds], target[holds]
    return (row, target) if row.size else None


def segments(row: Index) -> list[tuple[int, int]]:
    """Runs of rows that follow each other: first, and one past the last."""
    ends = np.flatnonzero(np.diff(row) != 1)
    if not ends.size:
        return [(int(row[0]), int(row[-1]) + 1)]
    first, last = row[np.append(0, ends + 1)], row[np.append(ends, row.size - 1)]
    return list(zip(first.tolist(), (last + 1).tolist(), strict=True))


def cut(rows: pa.RecordBatch, row: Index) -> pa.RecordBatch:
    """Some of some rows; one whole run of them is not copied."""
    runs = segments(row)
    if len(runs) == 1:
        ((first, past),) = runs
        return rows.slice(first, past - first)
    if row.size < _SHORT_RUN * len(runs):
        return rows.take(arrow(row))
    return pa.concat_batches([rows.slice(first, past - first) for first, past in runs])


def spans(low: Index, high: Index, most: int) -> Iterator[tuple[tuple[int, int], slice]]:
    """Row groups that are read at once, and which of the wanted parts lie in them.

    Parameters
    ----------
    low, high : int64 (n,), first row group of each part and one past its last; `low` ascending.
    most : row groups at once, unless one part has more.

    Yields
    ------
    first and one past the last row group; the slice of parts that lie in these.
    """
    begin = 0
    while begin < low.size:
        first, past, end = int(low[begin]), int(high[begin]), begin + 1
        # A gap is not read over.
        while end < low.size and low[end] <= past and max(past, int(high[end])) - first <= most:
            past = max(past, int(high[end]))
            end += 1
        yield (first, past), slice(begin, end)
        begin = end
