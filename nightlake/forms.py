"""Answers as other libraries hold tables.

    from nightlake import Archive, as_timeseries

    with Archive("/data/archive") as archive:
        series = as_timeseries(archive.lightcurve(oid=633207400012345))

Each takes a frame of an `Archive`, and says of its columns what the column contract says: unit, UCD
and description. Of columns that the contract does not know nothing is claimed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.columns import describe

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from astropy.table import QTable, Table
    from astropy.timeseries import TimeSeries

__all__ = ["as_arrow", "as_pandas", "as_qtable", "as_table", "as_timeseries"]


def as_arrow(frame: pl.DataFrame) -> pa.Table:
    """An Arrow table; unit, UCD and description stand in the metadata of its fields."""
    from products.arrow_tables import to_arrow

    return to_arrow(frame, describe(frame.columns))


def as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """A pandas frame of Arrow's types; what is known of columns stands in `attrs["columns"]`.

    Raises
    ------
    ImportError : pandas is not installed.
    """
    from products.arrow_tables import to_pandas

    return to_pandas(frame, describe(frame.columns))


def as_table(frame: pl.DataFrame) -> Table:
    """An astropy table, null masked, with units; a column's UCD is `meta["ucd"]` of it."""
    from products.astropy_tables import to_table

    return to_table(frame, describe(frame.columns))


def as_qtable(frame: pl.DataFrame) -> QTable:
    """The same, its columns with units as quantities."""
    from products.astropy_tables import to_qtable

    return to_qtable(frame, describe(frame.columns))


def as_timeseries(frame: pl.DataFrame) -> TimeSeries:
    """An astropy time series of a light curve; its `time` is hmjd: heliocentric, MJD, UTC.

    Raises
    ------
    products.errors.NoTimesError : a row has no hmjd.
    """
    from products.astropy_tables import to_timeseries

    return to_timeseries(frame, describe(frame.columns))
