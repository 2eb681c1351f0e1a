"""VOTable 1.4, through astropy: the Virtual Observatory's table (https://ivoa.net/documents/VOTable)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from astropy.io.votable import tree
from astropy.table import MaskedColumn, Table

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
    table = Table([_column(frame[name]) for name in frame.columns])
    for name, column in columns.items():
        if name in table.colnames:
            table[name].description = column.description
            if column.unit:
                table[name].unit = column.unit
    votable = tree.VOTableFile.from_table(table)
    votable.version = VERSION
    votable.description = description or None
    for field in votable.get_first_table().fields:
        if field.name in columns:
            field.ucd = columns[field.name].ucd or None
    sink = io.BytesIO()
    votable.to_xml(sink, tabledata_format="binary2")
    return sink.getvalue()


def _column(series: pl.Series) -> MaskedColumn:
    """A masked astropy column: null is masked, a float's null is NaN as well."""
    mask = series.is_null().to_numpy()
    if series.dtype in _WIDER:
        series = series.cast(_WIDER[series.dtype])
    if series.dtype.is_integer():
        values = series.fill_null(0).to_numpy()
    elif series.dtype.is_float():
        values = series.fill_null(float("nan")).to_numpy()
    elif series.dtype == pl.Boolean:
        values = series.fill_null(value=False).to_numpy()
    else:
        values = np.array(series.cast(pl.String).fill_null("").to_list(), dtype=str)
        if values.dtype.itemsize == 0:
            values = values.astype("U1")
    return MaskedColumn(values, name=series.name, mask=mask)
