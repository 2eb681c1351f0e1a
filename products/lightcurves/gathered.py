"""The rows of a pixel gathered from many files, column by column, to be read in another order.

Memory that is touched for the first time costs more than what is done with it, so that a worker
keeps the columns from pixel to pixel. A pixel may hold more rows than should be in memory: then
its columns are files that are mapped, and the pages that were read are given back now and then.
"""

from __future__ import annotations

import math
import mmap
import threading
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

# Of 120 bytes each: what `compact` leaves in a pixel is in memory, more is mapped.
ROWS_IN_MEMORY = 5_000_000

# What stands for null in whole numbers; NaN does in floats.
NULL = -1
# Wider than the contract's, to have room for it.
_WIDER = {"catflags": np.dtype(np.int32)}


class _Kept(threading.local):
    """The columns that a worker keeps, each thread its own."""

    def __init__(self) -> None:
        self.columns: dict[str, Array] = {}


_kept = _Kept()


def let_go() -> None:
    """Give back the memory that this thread keeps."""
    _kept.columns.clear()


class Gathered:
    """Room for `rows` rows of some columns of a table; for one pixel at a time.

    Parameters
    ----------
    folder : where columns are kept that are too large for memory.
    """

    def __init__(self, table: Table, names: Sequence[str], rows: int, folder: Path) -> None:
        self._maps: list[mmap.mmap] = []
        self._used = 0
        self.values: dict[str, Array] = {}
        for name in names:
            kind = held_as(table[name])
            if rows <= ROWS_IN_MEMORY:
                self.values[name] = _in_memory(name, rows, kind)
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
            put_numbers(batch.column(name), added[name])
        self._used = end
        return added

    def take(self, order: NDArray[np.int32], schema: pa.Schema) -> pa.Table:
        """Rows as a table of a schema that has some of the columns."""
        rows = order.astype(np.intp)
        arrays = [as_column(self.values[field.name].take(rows), field) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)

    def give_back(self) -> None:
        """Let go of the pages that are mapped; what they hold stays in the files."""
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)


def _in_memory(name: str, rows: int, kind: np.dtype[Any]) -> Array:
    standing = _kept.columns.get(name)
    if standing is None or len(standing) < rows or standing.dtype != kind:
        _kept.columns.pop(name, None)
        del standing  # before there is another
        # Some room for the next pixel, so that not each needs a little more.
        _kept.columns[name] = standing = np.empty(min(rows * 5 // 4, ROWS_IN_MEMORY), kind)
    return standing[:rows]


def held_as(column: Column) -> np.dtype[Any]:
    """How a column is held: days for dates, and null as a number."""
    if column.dtype == "date32":
        return np.dtype(np.int32)
    return _WIDER.get(column.name, np.dtype(column.dtype))


def put_numbers(values: pa.Array, numbers: Array) -> None:
    """Write an Arrow column as numbers: `NULL` or NaN for null, days for dates."""
    kind = numbers.dtype
    if pa.types.is_unsigned_integer(values.type):
        kind = np.dtype(values.type.to_pandas_dtype())
    bitmap, data = values.buffers()
    numbers[:] = np.frombuffer(data, kind, len(values), values.offset * kind.itemsize)
    if values.null_count:
        first, bits = values.offset, np.frombuffer(bitmap, np.uint8)
        valid = np.unpackbits(bits, count=first + len(values), bitorder="little")[first:]
        numbers[valid == 0] = NULL if numbers.dtype.kind == "i" else math.nan


def as_column(values: Array, field: pa.Field) -> pa.Array:
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
