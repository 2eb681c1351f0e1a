"""Columns as text, by Arrow's kernels: whole columns at once, on the thread that asks.

polars writes CSV and JSON too, but on threads of its own which call back into Python: asked from
several threads at once it stood still for seconds.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from products.fields import Field, as_fields

# Stands between cells until it is replaced: no text may hold it, see `plain`.
_UNIT_SEPARATOR = "\x1f"
_FORBIDDEN = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]"
_TYPES = {
    str(dtype): kind
    for dtype, kind in (
        (pl.UInt8(), pa.uint8()), (pl.Int16(), pa.int16()), (pl.Int32(), pa.int32()),
        (pl.Int64(), pa.int64()), (pl.Float32(), pa.float32()), (pl.Float64(), pa.float64()),
        (pl.Boolean(), pa.bool_()),
    )
}  # fmt: skip
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;"}


def arrays(frame: pl.DataFrame | pa.Table, fields: list[Field]) -> list[pa.Array]:
    """The columns that were announced, in their types; texts are large strings."""
    if isinstance(frame, pa.Table):
        return [_array(frame.column(field.name), field) for field in fields]
    found = as_fields(frame, fields)
    return [
        column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        for column in found.iter_columns()
    ]


def lines(columns: list[pa.Array], separator: str, quoting: str) -> bytes:
    """Rows as CSV without a header; null is nothing."""
    table = pa.table(columns, names=[str(i) for i in range(len(columns))])
    sink = pa.BufferOutputStream()
    options = pcsv.WriteOptions(
        include_header=False, delimiter=separator, quoting_style=quoting, batch_size=8192
    )
    pcsv.write_csv(table, sink, options)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def cells(columns: list[pa.Array], between: bytes, row_end: bytes) -> bytes:
    """All cells with `between` between those of a row, and `row_end` behind each row.

    Texts must have been `escaped`.
    """
    text = lines(columns, _UNIT_SEPARATOR, "none")
    return text.replace(_UNIT_SEPARATOR.encode(), between).replace(b"\n", row_end)


def escaped(columns: list[pa.Array]) -> list[pa.Array]:
    """Columns whose texts hold no character that XML forbids or gives a meaning to."""
    return [_escaped(plain(column)) if _is_text(column) else column for column in columns]


def plain(column: pa.Array) -> pa.Array:
    """Texts without characters that XML forbids, or that separate cells."""
    return pc.replace_substring_regex(column, pattern=_FORBIDDEN, replacement="\ufffd")


def infinities(columns: list[pa.Array], words: dict[str, str]) -> list[pa.Array]:
    """Columns of which those with NaN or infinite numbers are texts: `words` for nan, inf, -inf."""
    return [
        _in_words(column, words)
        if pa.types.is_floating(column.type) and _is_odd(column)
        else column
        for column in columns
    ]


def texts(column: pa.Array, null: str) -> pa.Array:
    """A column as text, its shortest digits; null is `null`."""
    text = column if _is_text(column) else pc.cast(column, pa.string())
    return pc.fill_null(text, null)


def json_values(column: pa.Array) -> pa.Array:
    """A column as values of JSON, large strings; what is no finite number is null."""
    if _is_text(column):
        # Few differ, mostly: each is written once.
        coded = column.dictionary_encode()
        written = [json.dumps(one, ensure_ascii=False) for one in coded.dictionary.to_pylist()]
        text = pa.array(written, pa.large_string()).take(coded.indices)
    else:
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
        text = pc.cast(column, pa.large_string())
    return pc.fill_null(text, "null")


def json_objects(columns: list[tuple[str, pa.Array]]) -> pa.Array:
    """An object of JSON a row, large strings, of columns of the same length."""
    parts: list[Any] = []
    for i, (name, column) in enumerate(columns):
        key = json.dumps(name, ensure_ascii=False)
        parts += [pa.scalar(f"{',' if i else '{'}{key}:", pa.large_string()), json_values(column)]
    end = pa.scalar("}", pa.large_string())
    return pc.binary_join_element_wise(*parts, end, pa.scalar("", pa.large_string()))


def joined(rows: pa.Array, between: str) -> bytes:
    """Rows of text as one."""
    if not len(rows):
        return b""
    whole = pa.LargeListArray.from_arrays(pa.array([0, len(rows)], pa.int64()), rows)
    text = pc.binary_join(whole, pa.scalar(between, rows.type))[0]
    return bytes(text.as_buffer())


def _array(column: pa.ChunkedArray, field: Field) -> pa.Array:
    kind = pa.large_string() if field.is_text else _TYPES[str(field.dtype)]
    whole = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return whole if whole.type == kind else pc.cast(whole, kind)


def _is_text(column: pa.Array) -> bool:
    return bool(pa.types.is_large_string(column.type) or pa.types.is_string(column.type))


def _escaped(column: pa.Array) -> pa.Array:
    for character, entity in _ENTITIES.items():
        column = pc.replace_substring(column, pattern=character, replacement=entity)
    return column


def _is_odd(column: pa.Array) -> bool:
    if not pa.types.is_floating(column.type):
        return False
    return bool(pc.any(pc.invert(pc.is_finite(column)), min_count=0).as_py())


def _in_words(column: pa.Array, words: dict[str, str]) -> pa.Array:
    text = pc.cast(column, pa.string())
    for spelled, word in words.items():
        text = pc.if_else(pc.equal(text, spelled), word, text)
    return text
