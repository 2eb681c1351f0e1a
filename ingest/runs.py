"""Runs of sorted records in files: what a pixel is merged from, a range of it at a time.

A pixel of a crowded field, or one that was visited all night, holds more rows than should be in
memory. Its range of HEALPix indices is then quartered, and again, until each part fits. Where it
is cut depends on the rows alone, so that equal rows give equal files.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from ingest.records import RECORD, ImageKey, Records
from ingest.shards import read_records

# These take 48 MB while they are sorted: 96 bytes a record, 24 in the sorter. A million, whose
# memory is neither in the processor's cache nor used lately, take a tenth longer a row.
MERGE_ROWS = 400_000


@dataclass(frozen=True, slots=True)
class Run:
    """Records `start` to `end` of a file, sorted by index; their `image` counts in `images`."""

    path: Path
    start: int
    end: int
    images: tuple[ImageKey, ...]

    @property
    def rows(self) -> int:
        """Number of records."""
        return self.end - self.start


def parts(runs: Sequence[Run], low: int, past: int) -> Iterator[Sequence[Run]]:
    """Cut runs of the indices `low` to `past` into parts that fit in memory, in ascending order.

    One index is never cut, however many rows it has.
    """
    if sum(run.rows for run in runs) <= MERGE_ROWS or past - low < 4:
        if runs:
            yield runs
        return
    bounds = [low + (past - low) * quarter // 4 for quarter in (1, 2, 3)]
    edges = pairwise([low, *bounds, past])
    for quarter, (first, last) in zip(_cut(runs, bounds), edges, strict=True):
        yield from parts(quarter, first, last)


def within(runs: Sequence[Run], low: int, past: int) -> list[Run]:
    """Of some runs, the records whose index is from `low` to before `past`."""
    return _cut(runs, [low, past])[1]


def _cut(runs: Sequence[Run], bounds: Sequence[int]) -> list[list[Run]]:
    """The runs below the first of the bounds, between them, and from the last one on."""
    pieces: list[list[Run]] = [[] for _ in range(len(bounds) + 1)]
    for path, of_file in groupby(runs, key=lambda run: run.path):
        with FileIO(path) as file:
            for run in of_file:
                cuts = [_first_from(file, run, bound) for bound in bounds]
                edges = zip([run.start, *cuts], [*cuts, run.end], strict=True)
                for piece, (start, end) in zip(pieces, edges, strict=True):
                    if start < end:
                        piece.append(replace(run, start=start, end=end))
    return pieces


def _first_from(file: FileIO, run: Run, bound: int) -> int:
    """The first record of a run whose index is `bound` or more."""
    one = np.empty(1, dtype=RECORD)

    def index_of(row: int) -> int:
        read_records(file, row, one)
        return int(one["_healpix_29"][0])

    return bisect_left(range(run.end), bound, run.start, run.end, key=index_of)


class RunReader:
    """Reads runs into one buffer, which grows to the largest part and is used again."""

    def __init__(self) -> None:
        self._records = np.empty(0, dtype=RECORD)

    def read(self, runs: Sequence[Run]) -> tuple[Records, list[ImageKey]]:
        """The records of all runs, one after the other, and the images they count in.

        The records are good until the next call.
        """
        n = sum(run.rows for run in runs)
        if len(self._records) < n:
            self._records = np.empty(n, dtype=RECORD)
        images: list[ImageKey] = []
        row = 0
        for path, of_file in groupby(runs, key=lambda run: run.path):
            with FileIO(path) as file:
                for run in of_file:
                    records = self._records[row : row + run.rows]
                    read_records(file, run.start, records)
                    records["image"] += len(images)
                    images += run.images
                    row += run.rows
        return self._records[:n], images
