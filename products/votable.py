"""VOTable 1.4, through astropy: the Virtual Observatory's table (https://ivoa.net/documents/VOTable)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import polars as pl
from astropy.io.votable import tree

from products.astropy_tables import to_table
from store.columns import Column

VERSION = "1.4"
# VOTable has no signed byte and no unsigned 16-bit integer: the next wider one holds them.
_WIDER: dict[Any, Any] = {
    pl.Int8: pl.Int16,
    pl.UInt16: pl.Int32,
    pl.UInt32: pl.Int64,
}


def encode_votable(frame: pl.DataFrame, columns: Mapping[str, Column], description: str) -> bytes:
    """`frame` as a VOTable, its cells BINARY2: nulls and every digit of a float survive."""
    votable = tree.VOTableFile.from_table(to_table(frame, columns, wider=_WIDER))
    votable.version = VERSION
    votable.description = description or None
    for field in votable.get_first_table().fields:
        if field.name in columns:
            field.ucd = columns[field.name].ucd or None
    sink = io.BytesIO()
    votable.to_xml(sink, tabledata_format="binary2")
    return sink.getvalue()
