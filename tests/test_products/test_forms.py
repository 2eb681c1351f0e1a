"""Light curves in every form that they are given in, each read back by another program."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from archives import Channel, cluster, nightly
from astropy import units as u
from astropy.io.votable import parse_single_table
from astropy.table import QTable, Table
from astropy.time import Time
from astropy.timeseries import LombScargle, TimeSeries

import nightlake
from nightlake import Archive, as_arrow, as_pandas, as_qtable, as_table, as_timeseries
from nightlake.cli import run
from products.errors import NoTimesError

OID = int(Channel().oids(12)[3])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a") / "A"
    nightly(path, *cluster(10, 45), n_nights=5)
    return path


@pytest.fixture(scope="module")
def curve(root: Path) -> pl.DataFrame:
    with Archive(root) as archive:
        return archive.lightcurve(OID)


def test_all_forms_are_offered() -> None:
    assert {name for name in dir(nightlake.forms) if name.startswith("as_")} <= set(
        nightlake.__all__
    )


def test_arrow_says_what_columns_mean(curve: pl.DataFrame) -> None:
    table = as_arrow(curve)
    assert pl.from_arrow(table).equals(curve)
    said = table.schema.field("mag").metadata
    assert (said[b"unit"], said[b"ucd"]) == (b"mag", b"phot.mag")
    assert b"Calibrated magnitude" in said[b"description"]


def test_pandas_keeps_whole_numbers_and_nulls(curve: pl.DataFrame) -> None:
    frame = as_pandas(curve)
    assert frame["oid"].tolist() == curve["oid"].to_list()
    assert str(frame.dtypes["catflags"]) == "uint16[pyarrow]"
    assert frame["filefracday"].isna().all()
    assert frame.attrs["columns"]["hmjd"]["unit"] == "d"
    assert pl.from_pandas(frame).equals(curve)


def test_astropy_tables_have_units_and_masks(curve: pl.DataFrame) -> None:
    table, quantities = as_table(curve), as_qtable(curve)
    assert isinstance(quantities, QTable)
    assert table["mag"].unit == u.mag
    assert table["ra"].meta["ucd"] == "pos.eq.ra;meta.main"
    assert table["seeing"].mask.all()
    assert table["catflags"].dtype == np.uint16
    first = quantities["ra"][0]
    assert first.unmasked.to_value(u.arcsec) == pytest.approx(curve["ra"][0] * 3600)
    assert quantities["limitmag"].unit == u.mag


def test_a_time_series_is_one_that_astropy_works_with(curve: pl.DataFrame) -> None:
    series = as_timeseries(curve)
    assert isinstance(series, TimeSeries)
    assert (series.time.format, series.time.scale) == ("mjd", "utc")
    assert series.meta["time_reference"] == "HELIOCENTER"
    assert series.time.mjd.tolist() == curve["hmjd"].to_list()
    assert (series.time[0] - Time(curve["hjd"][0], format="jd", scale="utc")).to_value(u.us) < 50
    folded = series.fold(period=0.56 * u.day)
    assert len(folded) == curve.height
    periodogram = LombScargle(series.time, series["mag"].unmasked)
    assert periodogram.power(1 / (0.56 * u.day)).unit == u.dimensionless_unscaled


def test_rows_without_times_are_no_time_series(curve: pl.DataFrame) -> None:
    without = curve.with_columns(hmjd=pl.lit(None, pl.Float64))
    with pytest.raises(NoTimesError, match="5 rows have no hmjd"):
        as_timeseries(without)
    with pytest.raises(NoTimesError, match="no column hmjd"):
        as_timeseries(curve.drop("hmjd"))


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "parquet", "vot"])
def test_files_are_read_by_other_programs(
    root: Path, curve: pl.DataFrame, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"curve.{suffix}"
    assert run(["lightcurve", str(root), "--oid", str(OID), "--out", str(out)]) == 0
    if suffix == "csv":
        table = pd.read_csv(out)
    elif suffix == "parquet":
        table = pq.read_table(out).to_pandas()
        said = pq.read_schema(out)
        assert said.field("ra").metadata[b"unit"] == b"deg"
        assert said.field("ra").metadata[b"ucd"] == b"pos.eq.ra;meta.main"
        assert said.metadata[b"description"].startswith(b"Light curve, object")
    else:
        table = Table.read(out, format="votable" if suffix == "vot" else "ascii.ecsv")
        assert table["mag"].unit == u.mag
        assert "Calibrated magnitude" in table["mag"].description
        ucd = (
            table["mag"].meta["ucd"]
            if suffix == "ecsv"
            else parse_single_table(out).get_field_by_id("mag").ucd
        )
        assert ucd == "phot.mag"
    assert list(table.columns if suffix in ("csv", "parquet") else table.colnames) == curve.columns
    for name in ("oid", "hmjd", "mag", "ra", "catflags"):
        assert (
            np.asarray(table[name], curve[name].to_numpy().dtype) == curve[name].to_numpy()
        ).all()
    assert len(table) == curve.height
