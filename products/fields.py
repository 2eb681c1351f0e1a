"""The columns of an answer as a writer needs them: type, width, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from store.columns import Column

# Longest text of columns that are codes: what has a fixed width is written and read faster.
WIDTHS = {"filtercode": 2, "night": 10, "ccdid": 4, "qid": 4}
# Formats know no narrower integer without a sign, or with one, than these.
_WIDER: dict[Any, Any] = {
    pl.Int8: pl.Int16,
    pl.UInt16: pl.Int32,
    pl.UInt32: pl.Int64,
    pl.UInt64: pl.Int64,
}


@dataclass(frozen=True)
class Field:
    """One column of an answer: its name and type there, and what the contract says of it.

    `width` is the fixed number of characters of a text, or None.
    """

    name: str
    dtype: pl.DataType
    unit: str = ""
    ucd: str = ""
    description: str = ""
    width: int | None = None

    @property
    def is_text(self) -> bool:
        """Whether its values are texts, as all are that are no numbers and no truth values."""
        return not (self.dtype.is_numeric() or self.dtype == pl.Boolean)


def fields_of(schema: Mapping[str, pl.DataType], columns: Mapping[str, Column]) -> list[Field]:
    """The columns of a frame, with what is known of them."""
    fields = []
    for name, dtype in schema.items():
        known = columns.get(name)
        said = (known.unit, known.ucd, known.description) if known else ("", "", "")
        fields.append(Field(name, _WIDER.get(dtype, dtype), *said, width=_width(name, dtype)))
    return fields


def _width(name: str, dtype: pl.DataType) -> int | None:
    if dtype.is_numeric() or dtype == pl.Boolean:
        return None
    return 10 if dtype == pl.Date else WIDTHS.get(name)


def as_fields(frame: pl.DataFrame, fields: list[Field]) -> pl.DataFrame:
    """A frame of exactly these columns, their types those of the fields, all others as text.

    Column by column: a query of polars costs half a millisecond, however few the rows.
    """
    columns = []
    for field in fields:
        column = frame.get_column(field.name)
        kind = pl.String if field.is_text else field.dtype
        columns.append(column if column.dtype == kind else column.cast(kind))
    return pl.DataFrame(columns)


class Writer(Protocol):
    """A format that is written piece by piece: `head`, `rows` as often as need be, `tail`.

    Each gives the bytes that are ready; together they are one document.
    """

    def head(self) -> bytes:
        """What stands before the rows."""

    def rows(self, frame: Any, /) -> bytes:
        """Some rows, of the columns that were announced: a frame, of some an Arrow table too."""

    def tail(self) -> bytes:
        """What stands behind them."""


def whole(writer: Writer, *frames: pl.DataFrame) -> bytes:
    """All of a document at once."""
    return b"".join(pieces(writer, iter(frames)))


def pieces(writer: Writer, frames: Iterator[pl.DataFrame]) -> Iterator[bytes]:
    """A document piece by piece."""
    yield writer.head()
    for frame in frames:
        if frame.height:
            yield writer.rows(frame)
    yield writer.tail()
