"""Rows as JSON: what is known of the columns, then one object a row."""

from __future__ import annotations

import json

import polars as pl
import pyarrow as pa

from products.arrow_text import arrays, joined, json_objects
from products.fields import Field

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

    def rows(self, frame: pl.DataFrame | pa.Table) -> bytes:
        """An object each."""
        names = [field.name for field in self._fields]
        objects = json_objects(list(zip(names, arrays(frame, self._fields), strict=True)))
        between = b",\n" if self._any else b"\n"
        self._any = True
        return between + joined(objects, ",\n")

    def tail(self) -> bytes:
        """What closes the document."""
        return b"\n]}\n"
