"""Some pixels of one night: their runs of all shards, and what is published already, as files."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np

from ingest.margins import BorderRows, MarginRule
from ingest.records import ImageKey, Records
from ingest.row_groups import RowGroups
from ingest.runs import Run, RunReader, parts
from ingest.shards import Piece
from ingest.standing import standing_run
from store.contract import DETECTIONS
from store.files import TableWriter, check_intact
from store.layout import HealpixPixel, Layout
from store.manifest import FileEntry
from transforms.sorting import Keys, Order, RadixSorter


@dataclass(frozen=True, slots=True)
class PixelTask:
    """What goes into one pixel's file: pieces of shards, and the night's published file of it."""

    pixel: HealpixPixel
    pieces: tuple[Piece, ...]
    standing: FileEntry | None = None

    @property
    def rows(self) -> int:
        """Rows to be read."""
        standing = 0 if self.standing is None else self.standing.rows
        return standing + sum(piece.rows for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class MergeTask:
    """Some pixels of a night; what stands of the images `replaced` (as pid) is left out."""

    root: Path
    part: str
    night: date
    staging: Path
    pixels: tuple[PixelTask, ...]
    margins: MarginRule
    replaced: tuple[int, ...] = ()


def merge_pixels(task: MergeTask) -> list[FileEntry]:
    """Write the file of each pixel that has a row left, and describe it."""
    tools = _tools()
    files = []
    # A file is synced and named while the next one is made: the disk does not wait for the
    # processor, nor the processor for the disk.
    with ThreadPoolExecutor(1) as syncing:
        for one in task.pixels:
            borders = BorderRows(task.margins, one.pixel)
            with TableWriter(Layout(task.root), DETECTIONS, task.part, one.pixel) as writer:
                tools.merge(task, one, writer, borders)
                if writer.rows:
                    files.append(syncing.submit(writer.finish()))
            borders.save(task.staging)
    return [file.result() for file in files]


class _Tools(threading.local):
    """What a worker keeps from pixel to pixel, each thread its own: the buffers of a merge."""

    def __init__(self) -> None:
        self._reader = RunReader()
        self._sorter = RadixSorter()
        self._row_groups = RowGroups()

    def merge(
        self, task: MergeTask, one: PixelTask, writer: TableWriter, borders: BorderRows
    ) -> None:
        """Write a pixel's rows in the order of the contract."""
        runs = [
            Run(task.staging / piece.shard, piece.start, piece.start + piece.rows, (piece.image,))
            for piece in one.pieces
        ]
        if one.standing is None:
            self._write(runs, one.pixel, task.night, writer, borders)
            return
        # Damage must not be merged into a new file, whose checksum would vouch for it.
        path = check_intact(Layout(task.root), one.standing)
        with standing_run(path, task.replaced, task.staging) as standing:
            self._write([*standing, *runs], one.pixel, task.night, writer, borders)

    def _write(
        self,
        runs: Sequence[Run],
        pixel: HealpixPixel,
        night: date,
        writer: TableWriter,
        borders: BorderRows,
    ) -> None:
        for some in parts(runs, *pixel.index_range):
            records, images = self._reader.read(some)
            order, index = self._sorter.sort(records["_healpix_29"])
            break_ties(order, index, records, images)
            for table in self._row_groups.tables(records, order, images, night):
                writer.write(table)
                borders.add(table)


@cache
def _tools() -> _Tools:
    return _Tools()


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
