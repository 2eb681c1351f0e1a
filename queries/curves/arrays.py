"""Arrow columns as numpy arrays and back, without copies.

Arrow's own ways import pandas wherever it is installed: 0.4 s that a one-shot command would pay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_DTYPES = {
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint16": np.uint16,
    "float": np.float32,
    "double": np.float64,
    "date32[day]": np.int32,
}
_TYPES = {
    np.dtype(np.bool_): pa.bool_(),
    np.dtype(np.int8): pa.int8(),
    np.dtype(np.int64): pa.int64(),
    np.dtype(np.float64): pa.float64(),
}


def values(column: pa.Array, null: float | None = None) -> NDArray[Any]:
    """A column of numbers, (n,); dates are days since 1970. What null holds is `null`."""
    kind = _DTYPES[str(column.type)]
    if not len(column):
        return np.empty(0, kind)
    begin = column.offset * column.type.bit_width // 8
    found: NDArray[Any] = np.frombuffer(column.buffers()[1], kind, len(column), begin)
    if null is None or not column.null_count:
        return found
    return np.where(valid(column), found, np.array(null, kind))


def valid(column: pa.Array) -> Mask:
    """Which of a column's values are not null, (n,)."""
    return _bits(column.buffers()[0], column) if column.null_count else np.ones(len(column), bool)


def truths(column: pa.Array) -> Mask:
    """A column of truth values, (n,); null is False."""
    return _bits(column.buffers()[1], column) & valid(column)


def arrow(numbers: NDArray[Any], missing: Mask | None = None) -> pa.Array:
    """Numbers or truth values, (n,), as a column, null where they are missing."""
    kind = _TYPES[numbers.dtype]
    bits = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    data = np.packbits(numbers, bitorder="little") if kind == pa.bool_() else numbers
    return pa.Array.from_buffers(
        kind, len(numbers), [bits, pa.py_buffer(np.ascontiguousarray(data))]
    )


def _bits(buffer: pa.Buffer, column: pa.Array) -> Mask:
    begin, end = column.offset, column.offset + len(column)
    first = begin // 8
    packed = np.frombuffer(buffer, np.uint8, (end + 7) // 8 - first, first)
    return np.unpackbits(packed, bitorder="little")[begin - 8 * first : end - 8 * first].astype(
        bool
    )
