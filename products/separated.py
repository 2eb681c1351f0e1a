"""CSV and TSV: names in the first line, null is nothing."""

from __future__ import annotations

import csv
import io

import polars as pl
import pyarrow as pa

from products.arrow_text import arrays, lines
from products.fields import Field


class Separated:
    """Rows as text with a separator; texts are quoted where they must be."""

    def __init__(self, fields: list[Field], separator: str = ",") -> None:
        self._fields, self._separator = fields, separator

    def head(self) -> bytes:
        """The line of names."""
        line = io.StringIO()
        names = [field.name for field in self._fields]
        csv.writer(line, delimiter=self._separator, lineterminator="\n").writerow(names)
        return line.getvalue().encode()

    def rows(self, frame: pl.DataFrame | pa.Table) -> bytes:
        """A line each."""
        columns = arrays(frame, self._fields)
        texts = any(field.is_text and field.width is None for field in self._fields)
        # Codes need no quotes, and to look for what does takes as long as to write.
        return lines(columns, self._separator, "needed" if texts else "none")

    def tail(self) -> bytes:
        """Nothing."""
        return b""
