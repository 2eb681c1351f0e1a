"""Frames as astropy's tables and time series, with what is known of each column.

Unit and description are the column's own, its UCD stands in `meta["ucd"]`; null is masked.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from astropy.table import MaskedColumn, QTable, Table
from astropy.time import Time
from astropy.timeseries import TimeSeries

from products.errors import NoTimesError
from store.columns import Column

Columns = Mapping[str, Column]

TIME = "hmjd"


def to_table(
    frame: pl.DataFrame,
    columns: Columns,
    description: str = "",
    wider: Mapping[Any, Any] | None = None,
) -> Table:
    """The frame as a table of masked columns.

    Parameters
    ----------
    wider : polars types that are kept as others, for a format that lacks them.
    """
    table = Table([masked_column(frame[name], wider or {}) for name in frame.columns])
    if description:
        table.meta["description"] = description
    for name, column in columns.items():
        if name in table.colnames:
            table[name].description = column.description
            table[name].unit = column.unit or None
            if column.ucd:
                table[name].meta["ucd"] = column.ucd
    return table


def to_qtable(frame: pl.DataFrame, columns: Columns, description: str = "") -> QTable:
    """The same, its columns with units as quantities."""
    return QTable(to_table(frame, columns, description))


def to_timeseries(frame: pl.DataFrame, columns: Columns, description: str = "") -> TimeSeries:
    """The same as a time series: its `time` is hmjd, a modified Julian date, the scale UTC.

    These dates are heliocentric, as seen from the Sun's centre. astropy's `Time` has no word for
    that: `meta["time_reference"]` says it.

    Raises
    ------
    NoTimesError : a row has no hmjd, or the frame no such column.
    """
    if TIME not in frame.columns:
        raise NoTimesError(f"there is no column {TIME}")
    if frame[TIME].null_count():
        raise NoTimesError(f"{frame[TIME].null_count()} rows have no {TIME}")
    time = Time(frame[TIME].to_numpy(), format="mjd", scale="utc")
    if TIME in columns:
        time.info.description = columns[TIME].description
    data = to_qtable(frame.drop(TIME), columns, description)
    series = TimeSeries(time=time, data=data)
    series.meta["time_reference"] = "HELIOCENTER"
    return series


def encode_ecsv(frame: pl.DataFrame, columns: Columns, description: str) -> bytes:
    """The frame as ECSV 1.0: text with units, descriptions and UCDs in its header."""
    text = io.StringIO()
    to_table(frame, columns, description).write(text, format="ascii.ecsv")
    return text.getvalue().encode()


def masked_column(series: pl.Series, wider: Mapping[Any, Any]) -> MaskedColumn:
    """A masked column: null is masked, a float's null is NaN as well."""
    mask = series.is_null().to_numpy()
    if series.dtype in wider:
        series = series.cast(wider[series.dtype])
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
