"""The rows of a pixel gathered from many files, column by column, to be read in another order.

A pixel may hold more rows than should be in memory: then its columns are files that are mapped,
and the pages that were read are given back from time to time.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store import disk
from store.columns import Column, Table
from transforms.sorting import validity

Array = NDArray[Any]

# Of 90 bytes each in memory; more are mapped.
ROWS_IN_MEMORY = 2_000_000

# What stands for null in whole numbers; NaN does in floats.
NULL = -1
# Wider than the contract's, to have room for it.
_WIDER = {"catflags": np.dtype(np.int32)}


class Gathered:
    """Room for `rows` rows of some columns of a table.

    Parameters
    ----------
    folder : where columns are kept that are too large for memory.
    """

    def __init__(self, table: Table, names: Sequence[str], rows: int, folder: Path) -> None:
        self._columns = {name: table[name] for name in names}
        self._maps: list[mmap.mmap] = []
        self._used = 0
        self.values: dict[str, Array] = {}
        for name, column in self._columns.items():
            kind = held_as(column)
            if rows <= ROWS_IN_MEMORY:
                self.values[name] = np.empty(rows, kind)
            else:
                self.values[name] = self._mapped(folder / f"{name}.column", rows, kind)

    def _mapped(self, path: Path, rows: int, kind: np.dtype[Any]) -> Array:
        with disk.File(path):
            pass
        with path.open("r+b") as file:
            file.truncate(rows * kind.itemsize)
            mapped = mmap.mmap(file.fileno(), rows * kind.itemsize)
        # It has no name any more: it goes with this process, however that ends.
        disk.remove(path)
        self._maps.append(mapped)
        return np.frombuffer(mapped, kind)

    def __len__(self) -> int:
        return self._used

    def add(self, batch: pa.RecordBatch) -> Mapping[str, Array]:
        """Append rows; returns them as they are held, to fill in what the batch does not have."""
        end = self._used + batch.num_rows
        added = {name: values[self._used : end] for name, values in self.values.items()}
        for name in batch.schema.names:
            added[name][:] = as_numbers(batch.column(name))
        self._used = end
        return added

    def take(self, order: NDArray[np.int32], schema: pa.Schema) -> pa.Table:
        """Rows as a table of a schema that has some of the columns."""
        arrays = []
        for field in schema:
            # Whatever stands beyond the end would be a fault of ours.
            values = np.take(self.values[field.name], order)
            arrays.append(as_arrow(values, field))
        return pa.Table.from_arrays(arrays, schema=schema)

    def give_back(self) -> None:
        """Let go of the pages that are mapped; what they hold stays in the files."""
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)


def held_as(column: Column) -> np.dtype[Any]:
    """How a column is held: days for dates, and null as a number."""
    if column.dtype == "date32":
        return np.dtype(np.int32)
    return _WIDER.get(column.name, np.dtype(column.dtype))


def as_numbers(values: pa.Array) -> Array:
    """An Arrow column as numbers: `NULL` or NaN for null, days for dates."""
    if pa.types.is_date32(values.type):
        values = values.view(pa.int32())
    if values.null_count and not pa.types.is_floating(values.type):
        if pa.types.is_unsigned_integer(values.type):
            values = values.cast(pa.int32())
        values = values.fill_null(NULL)
    numbers: Array = values.to_numpy(zero_copy_only=False)
    return numbers


def as_arrow(values: Array, field: pa.Field) -> pa.Array:
    """Numbers as an Arrow column, null where `NULL` or NaN stands and the field may be null."""
    nulls, bitmap = 0, None
    if field.nullable:
        bits = np.empty((len(values) + 7) // 8, np.uint8)
        null = math.nan if values.dtype.kind == "f" else NULL
        nulls = validity(values, null, bits)
        bitmap = pa.py_buffer(bits) if nulls else None
    if pa.types.is_unsigned_integer(field.type):
        values = values.astype(field.type.to_pandas_dtype())
    # Not `pa.array`: that imports pandas, where it is installed.
    buffers = [bitmap, pa.py_buffer(values)]
    return pa.Array.from_buffers(field.type, len(values), buffers, nulls)
