"""IPAC tables: text in columns of fixed width, which the header's bars mark.

https://irsa.ipac.caltech.edu/applications/DDGEN/Doc/ipac_tbl.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from products.fields import Field, as_fields
from products.separated import plain

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

    def rows(self, frame: pl.DataFrame) -> bytes:
        """A line each."""
        frame = plain(as_fields(frame, self._fields), self._fields)
        written = frame.select(
            self._cell(field, width)
            for field, width in zip(self._fields, self._widths, strict=True)
        )
        edge = pl.lit("").alias("")
        lines = written.select(edge, pl.all(), edge.alias(" "))
        return lines.write_csv(separator=" ", include_header=False, quote_style="never").encode()

    def tail(self) -> bytes:
        """Nothing."""
        return b""

    def _cell(self, field: Field, width: int) -> pl.Expr:
        text = pl.col(field.name).cast(pl.String).fill_null(NULL)
        if field.is_text:
            return text.str.replace_all(r"[\r\n\t]", " ").str.slice(0, width).str.pad_end(width)
        return text.str.pad_start(width)
