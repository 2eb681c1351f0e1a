"""IPAC tables: text in columns of fixed width, which the header's bars mark.

https://irsa.ipac.caltech.edu/applications/DDGEN/Doc/ipac_tbl.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from products.arrow_text import arrays, joined, plain, texts
from products.fields import Field

MEDIA_TYPE = "text/plain"
NULL = "null"
_TEXT_WIDTH = 32
_TYPES: dict[Any, tuple[str, int]] = {
    pl.UInt8: ("int", 4),
    pl.Int16: ("int", 6),
    pl.Int32: ("int", 11),
    pl.Int64: ("long", 20),
    pl.Float32: ("float", 14),
    pl.Float64: ("double", 24),
    pl.Boolean: ("char", 5),
}


class IpacTable:
    """Right-aligned numbers, left-aligned texts; what is longer than its column is cut."""

    def __init__(self, fields: list[Field], comments: Mapping[str, str] | None = None) -> None:
        self._fields, self._comments = fields, comments or {}
        self._kinds = [
            _TYPES.get(field.dtype, ("char", field.width or _TEXT_WIDTH)) for field in fields
        ]
        self._widths = [
            max(width, len(field.name), len(field.unit), len(NULL))
            for field, (_, width) in zip(fields, self._kinds, strict=True)
        ]

    def head(self) -> bytes:
        """Keywords, comments, and four lines: names, types, units, nulls."""
        lines = ["\\fixlen = T"]
        lines += [f"\\{key} = '{value}'" for key, value in self._comments.items()]
        lines += [f"\\ {f.name}: {f.description}" for f in self._fields if f.description]
        for words in (
            [field.name for field in self._fields],
            [kind for kind, _ in self._kinds],
            [field.unit for field in self._fields],
            [NULL for _ in self._fields],
        ):
            padded = [word.rjust(width) for word, width in zip(words, self._widths, strict=True)]
            lines.append("|" + "|".join(padded) + "|")
        return ("\n".join(lines) + "\n").encode()

    def rows(self, frame: pl.DataFrame | pa.Table) -> bytes:
        """A line each."""
        found = zip(self._fields, arrays(frame, self._fields), self._widths, strict=True)
        cells = [_cell(field, column, width) for field, column, width in found]
        space = pa.scalar(" ", pa.string())
        edge = pa.scalar("", pa.string())
        rows = pc.binary_join_element_wise(edge, *cells, edge, space)
        return joined(rows, "\n") + b"\n"

    def tail(self) -> bytes:
        """Nothing."""
        return b""


def _cell(field: Field, column: pa.Array, width: int) -> pa.Array:
    if not field.is_text:
        return pc.ascii_lpad(texts(column, NULL), width)  # numbers are ASCII
    text = pc.replace_substring_regex(plain(texts(column, NULL)), pattern=r"\s", replacement=" ")
    return pc.cast(pc.utf8_rpad(pc.utf8_slice_codeunits(text, 0, width), width), pa.string())
