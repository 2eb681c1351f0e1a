"""What is published of a pixel already, as a run of records: merged like any shard's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.records import NULLS, OF_IMAGE, OF_ROW, RECORD, ImageKey, Records, day_number
from ingest.runs import Run
from ingest.shards import write_records
from store import disk
from store.arrow import as_numpy
from store.atomic import partial_of
from store.columns import ROW_GROUP_ROWS


@dataclass(frozen=True, slots=True)
class Gone:
    """Rows that are left out: those of some images (as pid) and of some nights."""

    pids: tuple[int, ...] = ()
    nights: tuple[date, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pids or self.nights)


NOTHING = Gone()


@contextmanager
def standing_run(path: Path, gone: Gone, staging: Path) -> Iterator[list[Run]]:
    """The rows of a published file, of detections or of their margin, without those that are gone.

    They are written to a file of their own, which is gone at the end: a pixel may hold more rows
    than should be in memory. No run if none is left.
    """
    spilled = partial_of(staging / path.stem)
    try:
        run = _spill(path, gone, spilled)
        yield [run] if run.rows else []
    finally:
        disk.discard(spilled)


def _spill(path: Path, gone: Gone, spilled: Path) -> Run:
    # A function of its own: the last batch must not stay in memory as long as the run is of use.
    images: dict[int, ImageKey] = {}
    rows = 0
    with disk.File(spilled) as file, pq.ParquetFile(path) as published:
        for batch in published.iter_batches(ROW_GROUP_ROWS):
            records = published_records(batch, gone, images)
            write_records(file, records)
            rows += len(records)
    return Run(spilled, 0, rows, tuple(images.values()))


def published_records(batch: pa.RecordBatch, gone: Gone, images: dict[int, ImageKey]) -> Records:
    """Rows as records, their images added to `images` under their pid, and counted in its order."""
    columns = {name: _of_image(batch, name) for name in OF_IMAGE}
    pids = columns["expid"] * 10_000 + columns["rcid"].astype(np.int64) * 100 + 15
    distinct, first, image = np.unique(pids, return_index=True, return_inverse=True)
    has_flags = as_numpy(batch.column("catflags").is_valid())
    for pid, row in zip(distinct.tolist(), first.tolist(), strict=True):
        of_image = {name: columns[name][row].item() for name in OF_IMAGE}
        key = ImageKey(**of_image, has_flags=bool(has_flags[row]))
        images.setdefault(pid, key)
    number = {pid: i for i, pid in enumerate(images)}
    records = np.empty(len(pids), dtype=RECORD)
    records["image"] = np.array([number[pid] for pid in distinct.tolist()])[image]
    for column in OF_ROW:
        null = NULLS.get(column.name, 0)
        records[column.name] = as_numpy(batch.column(column.name), null)
    left_out = np.isin(pids, np.array(gone.pids, dtype=np.int64))
    left_out |= np.isin(columns["night"], [day_number(night) for night in gone.nights])
    return records[~left_out]


def _of_image(batch: pa.RecordBatch, name: str) -> NDArray[Any]:
    """A column of whole numbers; nights are days."""
    values = batch.column(name)
    return as_numpy(values.cast(pa.int32()) if name == "night" else values)
