"""Runs of sorted records as tables in the order of the contract, part by part."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pyarrow as pa

from ingest.records import ImageKey, Records
from ingest.row_groups import RowGroups
from ingest.runs import Run, RunReader, parts
from transforms.sorting import Keys, Order, RadixSorter


class Merger(threading.local):
    """What a worker keeps from pixel to pixel, each thread its own: the buffers of a merge."""

    def __init__(self) -> None:
        self._reader = RunReader()
        self._sorter = RadixSorter()
        self._row_groups = RowGroups()

    def tables(self, runs: Sequence[Run], low: int, past: int) -> Iterator[pa.Table]:
        """All rows in the schema of `detections`, sorted, as row groups.

        Parameters
        ----------
        runs : of rows whose index is from `low` to before `past`.

        Yields
        ------
        Tables of at most `ROW_GROUP_ROWS`, each good until the next is made.
        """
        for some in parts(runs, low, past):
            records, images = self._reader.read(some)
            order, index = self._sorter.sort(records["_healpix_29"])
            break_ties(order, index, records, images)
            yield from self._row_groups.tables(records, order, images)


@cache
def merger() -> Merger:
    """This process's."""
    return Merger()


def break_ties(order: Order, index: Keys, records: Records, images: Sequence[ImageKey]) -> None:
    """Put rows of one index into the contract's order: by expid, rcid, sourceid; in place.

    Parameters
    ----------
    order, index : int32, int64 (n,): where the records go, and their sorted `_healpix_29`.
    """
    same = index[1:] == index[:-1]
    if not same.any():
        return
    # Few rows share an index of order 29 (0.4 mas): only those are sorted by the rest.
    tied = np.flatnonzero(np.concatenate(([False], same)) | np.concatenate((same, [False])))
    rows = records[order[tied]]
    pid = np.array([image.pid for image in images])[rows["image"]]
    order[tied] = order[tied][np.lexsort((rows["sourceid"], pid, rows["_healpix_29"]))]
