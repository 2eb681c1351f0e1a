"""A table as a catalogue: written once more, each piece of it in the order of its HEALPix index.

One file, of 32 bytes a row (more where ids are text), mapped into memory: any ranges of the sky
are then a few contiguous places in each piece, and what is in memory of it is the kernel's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from products.crossmatch.rows import Block, Catalogue, Keys, Ranges, Rows, overlapping
from products.crossmatch.tables import Piece, Table
from products.crossmatch.threads import ordered_map


@dataclass(frozen=True, slots=True, eq=False)
class SpooledPiece:
    """One piece; its columns are views of the file."""

    rows: Rows

    @property
    def first(self) -> int:
        """Least index."""
        return int(self.rows.key[0])

    @property
    def last(self) -> int:
        """Greatest index."""
        return int(self.rows.key[-1])

    @property
    def n_rows(self) -> int:
        """How many rows it holds."""
        return len(self.rows)

    def count(self, first: int, past: int) -> float:
        """Rows of index first ≤ i < past, exactly."""
        low, high = np.searchsorted(self.rows.key, [first, past])
        return float(high - low)

    def load(self) -> Rows:
        """The rows."""
        return self.rows


class SpooledCatalogue(Catalogue):
    """A table that was spooled to the file at `path`."""

    def __init__(self, table: Table, path: Path) -> None:
        self.name, self.id_name, self.id_type = table.name, table.columns.id, table.id_type
        file = pa.ipc.open_file(pa.memory_map(str(path)))
        self.pieces = [_piece(file.get_batch(i)) for i in range(file.num_record_batches)]
        self._first: Keys = np.array([piece.first for piece in self.pieces], dtype=np.int64)
        self._last: Keys = np.array([piece.last for piece in self.pieces], dtype=np.int64)

    def blocks_in(self, ranges: Ranges) -> Sequence[Block]:
        """The pieces that may hold rows of the ranges."""
        return [self.pieces[i] for i in overlapping(self._first, self._last, ranges)]


def _piece(batch: pa.RecordBatch) -> SpooledPiece:
    key, ra, dec = (batch.column(i).to_numpy() for i in range(3))
    return SpooledPiece(Rows(key, ra, dec, batch.column(3)))


def spool(
    table: Table, path: Path, workers: int, progress: Callable[[int], None] | None = None
) -> SpooledCatalogue:
    """Read `table` once and write it to `path` as a catalogue.

    Parameters
    ----------
    progress : told how many rows were read.
    """
    schema = pa.schema(
        {"key": pa.int64(), "ra": pa.float64(), "dec": pa.float64(), "id": table.id_type}
    )
    done = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for rows in ordered_map(_sorted, table.pieces(), workers):
            if len(rows):
                writer.write_batch(
                    pa.record_batch([rows.key, rows.ra, rows.dec, rows.ids], schema=schema)
                )
            done += len(rows)
            if progress:
                progress(done)
    return SpooledCatalogue(table, path)


def _sorted(piece: Piece) -> Rows:
    return Rows.sort(piece.ra, piece.dec, piece.ids)
