"""One pixel of one night: its pieces of all shards, and what is published already, as one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.shards import Piece, read_pieces, sort_order
from store.contract import DETECTIONS
from store.files import write_table
from store.layout import HealpixPixel, Layout
from store.manifest import FileEntry


@dataclass(frozen=True, slots=True)
class MergeTask:
    """What goes into one pixel's file.

    `standing` is the night's published file of the pixel, whose rows of the images `replaced`
    (as pid) are left out.
    """

    root: Path
    part: str
    pixel: HealpixPixel
    staging: Path
    pieces: tuple[Piece, ...]
    standing: str | None = None
    replaced: tuple[int, ...] = ()


def image_ids(rows: pa.Table) -> NDArray[np.int64]:
    """The pid of each row: expid·1e4 + rcid·100 + 15. int64 (n,)."""
    rcid = rows["rcid"].to_numpy().astype(np.int64)
    pid: NDArray[np.int64] = rows["expid"].to_numpy() * 10_000 + rcid * 100 + 15
    return pid


def merge_pixel(task: MergeTask) -> FileEntry | None:
    """Write the pixel's file and describe it; None if no row is left."""
    layout = Layout(task.root)
    rows = read_pieces(task.staging, task.pieces)
    if task.standing is not None:
        standing = pq.ParquetFile(task.root / task.standing).read().cast(DETECTIONS.schema())
        kept = ~np.isin(image_ids(standing), np.asarray(task.replaced, dtype=np.int64))
        rows = pa.concat_tables([standing.filter(pa.array(kept)), rows])
    if not rows.num_rows:
        return None
    ordered = rows.combine_chunks().take(pa.array(sort_order(rows)))
    return write_table(layout, DETECTIONS, ordered, task.part, task.pixel)
