"""What is published of a pixel already, as a run of records: merged like any shard's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.records import NULLS, OF_IMAGE, OF_ROW, RECORD, ImageKey, Records
from ingest.runs import Run
from ingest.shards import write_records
from store import disk
from store.atomic import partial_of
from store.columns import ROW_GROUP_ROWS


@contextmanager
def standing_run(path: Path, replaced: Sequence[int], staging: Path) -> Iterator[list[Run]]:
    """The rows of a published file without those of the images `replaced` (as pid).

    They are written to a file of their own, which is gone at the end: a pixel may hold more rows
    than should be in memory. No run if none is left.
    """
    images: dict[int, ImageKey] = {}
    gone = np.asarray(replaced, dtype=np.int64)
    spilled = partial_of(staging / path.stem)
    try:
        rows = 0
        with disk.File(spilled) as file, pq.ParquetFile(path) as published:
            for batch in published.iter_batches(ROW_GROUP_ROWS):
                records = _records(batch, gone, images)
                write_records(file, records)
                rows += len(records)
        yield [Run(spilled, 0, rows, tuple(images.values()))] if rows else []
    finally:
        disk.discard(spilled)


def _records(
    batch: pa.RecordBatch, replaced: NDArray[np.int64], images: dict[int, ImageKey]
) -> Records:
    """Rows as records, their images added to `images` under their pid."""
    columns = {name: batch.column(name).to_numpy() for name in OF_IMAGE}
    pids = columns["expid"] * 10_000 + columns["rcid"].astype(np.int64) * 100 + 15
    distinct, first, image = np.unique(pids, return_index=True, return_inverse=True)
    has_flags = batch.column("catflags").is_valid().to_numpy(zero_copy_only=False)
    for pid, row in zip(distinct.tolist(), first.tolist(), strict=True):
        of_image = {name: columns[name][row].item() for name in OF_IMAGE}
        key = ImageKey(**of_image, has_flags=bool(has_flags[row]))
        images.setdefault(pid, key)
    number = {pid: i for i, pid in enumerate(images)}
    records = np.empty(len(pids), dtype=RECORD)
    records["image"] = np.array([number[pid] for pid in distinct.tolist()])[image]
    for column in OF_ROW:
        values = batch.column(column.name)
        if values.null_count and not pa.types.is_floating(values.type):
            values = values.fill_null(NULLS.get(column.name, 0))
        # Floats that are null become NaN.
        records[column.name] = values.to_numpy(zero_copy_only=False)
    return records[~np.isin(pids, replaced)]
