"""Shards: a batch of images as one Arrow file, a record batch a pixel.

A night's rows come image by image and are kept pixel by pixel. Each worker writes one shard a
batch of images, its rows sorted by HEALPix index and cut at the pixels; a pixel's file is then
merged from its pieces of all shards. So a night makes two intermediate files a batch, not one
for each image and pixel.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
from numpy.typing import NDArray

from store.contract import DETECTIONS
from store.layout import HEALPIX_ORDER


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of one pixel in one shard."""

    shard: str
    npix: int
    batch: int
    rows: int


def write_shard(path: Path, rows: pa.Table, order: int) -> list[Piece]:
    """Write `rows` (schema of detections, sorted by `_healpix_29`), cut at pixels of `order`."""
    index = rows["_healpix_29"].to_numpy()
    npix = index >> (2 * (HEALPIX_ORDER - order))
    cuts = np.flatnonzero(np.diff(npix)) + 1
    starts = np.concatenate(([0], cuts, [len(npix)])) if len(npix) else np.zeros(1, int)
    combined = rows.combine_chunks()
    pieces = []
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with pa.OSFile(str(partial), "wb") as sink, ipc.new_file(sink, rows.schema) as writer:
        for number, (start, end) in enumerate(pairwise(starts)):
            length = int(end - start)
            writer.write_table(combined.slice(int(start), length))
            pieces.append(Piece(path.name, int(npix[start]), number, length))
    partial.replace(path)
    return pieces


def read_pieces(folder: Path, pieces: Iterable[Piece]) -> pa.Table:
    """The rows of some pieces, in their order; memory-mapped, so that nothing else is read."""
    schema = DETECTIONS.schema()
    batches = []
    for piece in pieces:
        with pa.memory_map(str(folder / piece.shard)) as source:
            batches.append(ipc.open_file(source).get_batch(piece.batch))
    return pa.Table.from_batches(batches, schema=schema)


def sort_order(rows: pa.Table) -> NDArray[np.int64]:
    """The order of the contract: by `_healpix_29`, then expid, rcid, sourceid. int64 (n,)."""
    index = rows["_healpix_29"].to_numpy()
    order: NDArray[np.int64] = np.argsort(index, kind="stable")
    ordered = index[order]
    same = ordered[1:] == ordered[:-1]
    if same.any():
        # Few rows share an index of order 29 (0.4 mas): only those are sorted by the rest.
        tied = np.flatnonzero(np.concatenate(([False], same)) | np.concatenate((same, [False])))
        among = order[tied]
        keys = [rows[name].to_numpy()[among] for name in ("sourceid", "rcid", "expid")]
        order[tied] = among[np.lexsort((*keys, index[among]))]
    return order
