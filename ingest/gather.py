"""Rows of published images, gathered from the files of all pixels that hold them.

A night's rows lie pixel by pixel; who needs them image by image reads each file once and has the
rows of the images that are asked for as runs of a shard, as `ingest.shards` makes them the other
way round. What is gathered is marked as whole, so that an interrupted run goes on from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.batch import BatchResult, read_marker, write_marker
from ingest.records import ImageKey, Records
from ingest.shards import Piece, write_records
from ingest.standing import Gone, published_records
from ingest.version import code_version, recipe
from store import disk
from store.arrow import as_arrow, as_numpy
from store.columns import ROW_GROUP_ROWS
from store.files import check_intact
from store.layout import Layout
from store.manifest import FileEntry

# Rows that are sorted by image in memory, at 96 bytes twice.
GATHERED_ROWS = 500_000


@dataclass(frozen=True, slots=True)
class GatherTask:
    """Some published files of detections, and the images (as pid) whose rows are wanted.

    `fields` are the survey fields of these images: what holds none of them is not read.
    """

    root: Path
    staging: Path
    files: tuple[FileEntry, ...]
    pids: tuple[int, ...]
    fields: frozenset[int]

    @property
    def key(self) -> str:
        """What is gathered, and from what: its marker's name."""
        return recipe(
            code=code_version(),
            files=[entry.checksum for entry in self.files],
            pids=self.pids,
        )[:16]


def gather_rows(task: GatherTask) -> BatchResult:
    """Write the images' rows as a shard; the pieces of an image may be several, in any order.

    Raises
    ------
    DamagedArchiveError : a file is not what was published.
    """
    marker = task.staging / f"{task.key}.json"
    shard = task.staging / f"{task.key}.records"
    if (made := read_marker(marker, shard)) is not None:
        return made
    result = BatchResult()
    images: dict[int, ImageKey] = {}
    row = 0
    with disk.File(shard) as file:
        for npix, records in _gathered(task, images):
            keys = list(images.values())
            cuts = np.flatnonzero(np.diff(records["image"], prepend=-1, append=-1))
            for start, end in pairwise(cuts.tolist()):
                key = keys[records["image"][start]]
                result.pieces.append(Piece(shard.name, npix, row + start, end - start, key))
            write_records(file, records)
            row += len(records)
    write_marker(marker, result)
    return result


def _gathered(task: GatherTask, images: dict[int, ImageKey]) -> Iterator[tuple[int, Records]]:
    """The images' rows of each file, some at a time, sorted by image; and the file's pixel."""
    layout = Layout(task.root)
    wanted = np.array(task.pids, dtype=np.int64)
    for entry in task.files:
        assert entry.npix is not None
        found: list[Records] = []
        for batch in _batches(layout, entry, task.fields):
            rows = _of_images(batch, wanted)
            if rows.num_rows:
                found.append(published_records(rows, Gone(), images))
            if sum(map(len, found)) >= GATHERED_ROWS:
                yield entry.npix, _by_image(found)
                found = []
        if found:
            yield entry.npix, _by_image(found)


def _batches(layout: Layout, entry: FileEntry, fields: Collection[int]) -> Iterator[pa.RecordBatch]:
    """Those row groups of a file that may hold rows of some survey fields."""
    path = layout.root / entry.path
    try:
        with pq.ParquetFile(path) as file:
            chosen = _row_groups(file.metadata, fields)
    except (OSError, pa.ArrowException):
        check_intact(layout, entry)  # says what is wrong with it
        raise
    if chosen:
        with pq.ParquetFile(check_intact(layout, entry)) as file:
            yield from file.iter_batches(ROW_GROUP_ROWS, row_groups=chosen)


def _row_groups(metadata: pq.FileMetaData, fields: Collection[int]) -> list[int]:
    column = metadata.schema.names.index("field")
    chosen = []
    for number in range(metadata.num_row_groups):
        known = metadata.row_group(number).column(column).statistics
        if any(known.min <= field <= known.max for field in fields):
            chosen.append(number)
    return chosen


def _of_images(batch: pa.RecordBatch, wanted: np.ndarray) -> pa.RecordBatch:
    """The rows of the images `wanted`."""
    expid, rcid = (as_numpy(batch.column(name)) for name in ("expid", "rcid"))
    mask = np.isin(expid * 10_000 + rcid.astype(np.int64) * 100 + 15, wanted)
    return batch.filter(as_arrow(mask))


def _by_image(found: list[Records]) -> Records:
    records = np.concatenate(found)
    return records[np.argsort(records["image"], kind="stable")]
