"""Rows as JSON: what is known of the columns, then one object a row."""

from __future__ import annotations

import json

import polars as pl

from products.fields import Field, as_fields

MEDIA_TYPE = "application/json"


class JsonRows:
    """`{"columns": [{name, unit, ucd, description}], "rows": [{…}]}`; null and NaN are null."""

    def __init__(self, fields: list[Field], **more: object) -> None:
        self._fields, self._more = fields, more
        self._any = False

    def head(self) -> bytes:
        """All up to the first row."""
        said = [
            {"name": f.name, "unit": f.unit, "ucd": f.ucd, "description": f.description}
            for f in self._fields
        ]
        opening = json.dumps({**self._more, "columns": said}, ensure_ascii=False)
        return f'{opening.removesuffix("}")}, "rows": ['.encode()

    def rows(self, frame: pl.DataFrame) -> bytes:
        """An object each."""
        frame = _numbers(as_fields(frame, self._fields))
        between = b",\n" if self._any else b"\n"
        self._any = True
        return between + frame.write_ndjson().encode().removesuffix(b"\n").replace(b"\n", b",\n")

    def tail(self) -> bytes:
        """What closes the document."""
        return b"\n]}\n"


def _numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """JSON has no word for what is no finite number."""
    floats = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    if not floats:
        return frame
    finite = pl.col(floats)
    return frame.with_columns(pl.when(finite.is_finite()).then(finite).name.keep())
