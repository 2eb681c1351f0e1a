"""Columns between Arrow and numpy without pandas: numbers, truths, days; and words to Arrow.

Arrow's own `to_numpy`, and `pa.array` of an array, import pandas where it is installed: half a
second of every process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # commands that only ask need the store, but not pyarrow's half second
    import pyarrow as pa


def as_numpy(column: pa.Array | pa.ChunkedArray, null: int | None = None) -> NDArray[Any]:
    """A column of numbers or truths.

    Parameters
    ----------
    null : what stands for null among whole numbers and truths; among floats it is NaN.

    Returns
    -------
    (n,), of the column's type; not to be written to: it may be the column's own memory.

    Raises
    ------
    ValueError : there are nulls among whole numbers or truths, and nothing to stand for them.
    TypeError : the column is neither of numbers nor of truths.
    """
    import pyarrow as pa

    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [_of_chunk(chunk, null) for chunk in chunks]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([np.empty(0, _of_chunk(pa.nulls(0, column.type), null).dtype), *parts])


def _of_chunk(chunk: pa.Array, null: int | None) -> NDArray[Any]:
    import pyarrow as pa

    kind = chunk.type
    if pa.types.is_boolean(kind):  # bits, where numpy has bytes
        return _of_chunk(chunk.cast(pa.uint8()), null).view(bool)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise TypeError(f"a column of {kind} is neither of numbers nor of truths")
    if not chunk.null_count:
        return _known(chunk)
    missing = np.nan if pa.types.is_floating(kind) else null
    if missing is None:
        raise ValueError(f"{chunk.null_count} nulls of {kind}, and nothing to stand for them")
    # Not `fill_null`: a scalar imports pandas too.
    bits, numbers = chunk.buffers()
    valid = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little").view(bool)
    all_known = pa.Array.from_buffers(kind, len(chunk), [None, numbers], offset=chunk.offset)
    values = _known(all_known).copy()
    values[~valid[chunk.offset : chunk.offset + len(chunk)]] = missing
    return values


def _known(chunk: pa.Array) -> NDArray[Any]:
    """Numbers without null, in the memory where they are."""
    kind: np.dtype[Any] = np.dtype(chunk.type.to_pandas_dtype())
    if not len(chunk):
        return np.empty(0, kind)
    # Not by DLPack: that never gives writeable memory, and kernels are made for no other: each
    # would have it copied first.
    return np.frombuffer(chunk.buffers()[1], kind, len(chunk), chunk.offset * kind.itemsize)


def as_arrow(
    values: NDArray[Any], kind: pa.DataType | None = None, known: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Numbers, truths or days (datetime64[D]) as an Arrow array of a type, else of their own.

    Parameters
    ----------
    known : (n,), false where the array is null; without it nothing is.
    """
    import pyarrow as pa

    kind = kind or pa.from_numpy_dtype(values.dtype)
    if pa.types.is_boolean(kind):
        buffer = _bits(values)
    else:
        dtype = np.int32 if pa.types.is_date32(kind) else kind.to_pandas_dtype()
        buffer = pa.py_buffer(np.ascontiguousarray(values, dtype=dtype))
    valid = None if known is None or known.all() else _bits(known)
    return pa.Array.from_buffers(kind, len(values), [valid, buffer])


def repeated(value: str | float, kind: pa.DataType, n: int) -> pa.Array:
    """An Arrow array of `n` times the same."""
    one = texts([value]) if isinstance(value, str) else as_arrow(np.array([value]))
    return one.cast(kind).take(as_arrow(np.zeros(n, dtype=np.int64)))


def texts(values: list[str]) -> pa.StringArray:
    """Words as an Arrow array."""
    import pyarrow as pa

    builder = pa.lib.StringBuilder()
    builder.append_values(values)
    return builder.finish()


def _bits(truths: NDArray[np.bool_]) -> pa.Buffer:
    import pyarrow as pa

    return pa.py_buffer(np.packbits(truths, bitorder="little"))
