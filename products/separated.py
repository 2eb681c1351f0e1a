"""Rows as text with separators, column by column: CSV and TSV, and the cells of XML and HTML.

polars writes a million rows of two dozen columns a second on one core; what other formats put
between the cells takes the place of the comma.
"""

from __future__ import annotations

import polars as pl

from products.fields import Field, as_fields

# Stands between cells until it is replaced: no text may hold it, see `plain`.
_UNIT_SEPARATOR = "\x1f"
_FORBIDDEN = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{fffe}\x{ffff}]"


class Separated:
    """CSV or TSV: names in the first line, null is nothing."""

    def __init__(self, fields: list[Field], separator: str = ",") -> None:
        self._fields, self._separator = fields, separator

    def head(self) -> bytes:
        """The line of names."""
        names = pl.DataFrame(schema=[field.name for field in self._fields])
        return names.write_csv(separator=self._separator).encode()

    def rows(self, frame: pl.DataFrame) -> bytes:
        """A line each."""
        frame = as_fields(frame, self._fields)
        return frame.write_csv(separator=self._separator, include_header=False).encode()

    def tail(self) -> bytes:
        """Nothing."""
        return b""


def cells(frame: pl.DataFrame, between: bytes, row_end: str) -> bytes:
    """All cells of a frame with `between` between those of a row, and `row_end` behind each row.

    Texts are written as they stand: they must have been made `plain` and escaped.
    """
    text = frame.write_csv(
        separator=_UNIT_SEPARATOR, line_terminator=row_end, include_header=False,
        quote_style="never",
    )  # fmt: skip
    return text.encode().replace(_UNIT_SEPARATOR.encode(), between)


def plain(frame: pl.DataFrame, fields: list[Field]) -> pl.DataFrame:
    """A frame whose texts hold no character that XML forbids, or that separates cells."""
    texts = [field.name for field in fields if field.is_text]
    return frame.with_columns(pl.col(texts).str.replace_all(_FORBIDDEN, "\ufffd"))


def escaped(frame: pl.DataFrame, fields: list[Field]) -> pl.DataFrame:
    """The same, what XML gives a meaning to written as entities."""
    texts = [field.name for field in fields if field.is_text]
    return plain(frame, fields).with_columns(
        pl.col(texts).str.replace_many(["&", "<", ">"], ["&amp;", "&lt;", "&gt;"])
    )
