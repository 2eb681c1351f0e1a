"""What the queries of the library compute, against the same from the tables with polars."""

import astropy.units as u
import numpy as np
import polars as pl
import pytest
from astropy.coordinates import SkyCoord
from polars import col
from polars.testing import assert_frame_equal
from surveys import CHANNELS, NEW_PLACES, Survey, survey

from queries.answers import answer
from queries.connection import Session, connect

GOOD = ~col("is_bad")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return survey(tmp_path_factory.mktemp("survey") / "A", n_nights=8)


@pytest.fixture(scope="module")
def session(made: Survey):
    with connect(made.snapshot) as session:
        yield session


def ask(session: Session, name: str, **params: object) -> pl.DataFrame:
    return answer(session, name, params)


def assert_same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert_frame_equal(
        found.select(expected.columns), expected, check_dtypes=False, rel_tol=1e-9, abs_tol=1e-9
    )
    assert found.height > 0


def on_sky(frame: pl.DataFrame) -> SkyCoord:
    return SkyCoord(frame["ra"].to_numpy(), frame["dec"].to_numpy(), unit="deg")


def test_night_summary(made: Survey, session: Session) -> None:
    expected = (
        made.images.group_by("night", "filtercode")
        .agg(
            n_exposures=col("expid").n_unique(),
            n_images=pl.len(),
            n_bad_images=col("is_bad").sum(),
            n_without_reference=(col("reference_state") == "no_reference").sum(),
            n_published=col("n_published").sum(),
            n_refused=col("n_refused").sum(),
            n_matched=col("n_matched").sum(),
            matched_fraction=col("n_matched").sum() / col("n_published").sum(),
            first_obsmjd=col("obsmjd").min(),
            last_obsmjd=col("obsmjd").max(),
            median_airmass=col("airmass").filter(GOOD).median(),
            median_seeing=col("seeing").filter(GOOD).median(),
            median_limitmag=col("limitmag").filter(GOOD).median(),
            median_magzp=col("magzp").filter(GOOD).median(),
        )
        .sort("night", "filtercode")
    )
    assert_same(ask(session, "night_summary"), expected)
    night = expected["night"][5]
    assert_same(ask(session, "night_summary", night=night), expected.filter(night=night))


def test_zero_point_trend(made: Survey, session: Session) -> None:
    change = col("magzp") - col("magzp").median().over("field", "fid", "rcid")
    good = made.images.filter(GOOD, col("magzp").is_not_null()).with_columns(change=change)
    expected = (
        good.group_by("night", "filtercode")
        .agg(
            n_images=pl.len(),
            median_magzp=col("magzp").median(),
            magzp_change=col("change").median(),
            magzp_scatter=1.4826 * (col("change") - col("change").median()).abs().median(),
            median_magzprms=col("magzprms").median(),
            median_clrcoeff=col("clrcoeff").median(),
            median_airmass=col("airmass").median(),
        )
        .sort("night", "filtercode")
    )
    assert_same(ask(session, "zero_point_trend"), expected)
    night = expected["night"][7]
    assert_same(
        ask(session, "zero_point_trend", first_night=night, filtercode="zr"),
        expected.filter(col("night") >= night, filtercode="zr"),
    )


def test_depth_map(made: Survey, session: Session) -> None:
    depth = col("limitmag").filter(GOOD)
    expected = (
        made.images.group_by("field", "fid", "filtercode", "ccdid", "qid", "rcid")
        .agg(
            ra=col("ra").sort_by("pid").first(),
            dec=col("dec").sort_by("pid").first(),
            n_images=pl.len(),
            n_bad_images=col("is_bad").sum(),
            total_exptime=col("exptime").filter(GOOD).sum(),
            median_limitmag=depth.median(),
            best_limitmag=depth.max(),
            first_night=col("night").min(),
            last_night=col("night").max(),
        )
        .sort("field", "fid", "rcid")
        .drop("fid")
    )
    found = ask(session, "depth_map")
    assert_same(found, expected)
    # Noise of one image in units of a source's flux, 5 sigma; a weighted mean of independent ones.
    for row in found.iter_rows(named=True):
        own = made.images.filter(filtercode=row["filtercode"], rcid=row["rcid"])
        sigma = 10 ** (-0.4 * own.filter(GOOD)["limitmag"].drop_nulls().to_numpy()) / 5
        stacked = 1 / np.sqrt(np.sum(1 / sigma**2))
        assert row["stacked_limitmag"] == pytest.approx(-2.5 * np.log10(5 * stacked), abs=1e-9)
        assert row["stacked_limitmag"] > row["best_limitmag"]


def test_match_rate(made: Survey, session: Session) -> None:
    expected = []
    for (night, field, fid), images in made.images.group_by(
        "night", "field", "fid", maintain_order=True
    ):
        judged = images.filter(col("reference_state") != "no_reference").with_columns(
            fraction=col("n_matched") / col("n_published")
        )
        worst = judged.sort("fraction", "pid").head(1)
        expected.append(
            {
                "night": night, "field": field, "fid": fid, "n_images": images.height,
                "n_bad_images": images["is_bad"].sum(),
                "n_without_reference": images.height - judged.height,
                "n_published": judged["n_published"].sum() if judged.height else None,
                "matched_fraction": judged["n_matched"].sum() / judged["n_published"].sum()
                if judged.height else None,
                "min_matched_fraction": worst["fraction"].item() if judged.height else None,
                "worst_pid": worst["pid"].item() if judged.height else None,
            }
        )  # fmt: skip
    frame = pl.DataFrame(expected).sort("night", "field", "fid").drop("fid")
    assert_same(ask(session, "match_rate"), frame)


def test_repeatability(made: Survey, session: Session) -> None:
    expected = (
        made.detections.filter(col("catflags") == 0, col("oid").is_not_null())
        .with_columns(col("mag", "magerr").cast(pl.Float64))
        .group_by("oid", "fid")
        .agg(
            n=pl.len(),
            mean=col("mag").mean(),
            rms=col("mag").std(),
            magerr=(col("magerr") ** 2).mean().sqrt(),
        )
        .filter(col("n") >= 6)
        .with_columns(mag_bin=(col("mean") / 0.5).floor() * 0.5, ratio=col("rms") / col("magerr"))
        .group_by("fid", "mag_bin")
        .agg(
            n_objects=pl.len(),
            n_epochs=col("n").sum(),
            median_rms=col("rms").median(),
            p16_rms=col("rms").quantile(0.16, "linear"),
            p84_rms=col("rms").quantile(0.84, "linear"),
            median_magerr=col("magerr").median(),
            rms_over_magerr=col("ratio").median(),
        )
        .sort("fid", "mag_bin")
    )
    found = ask(session, "repeatability", min_epochs=6)
    assert_same(found, expected.drop("fid"))
    assert set(found["filtercode"]) == {"zg", "zr"}


def test_images_by_quality(made: Survey, session: Session) -> None:
    depth = col("limitmag") - col("limitmag").filter(GOOD).median().over("fid")
    expected = made.images.with_columns(limitmag_change=depth).sort(
        "is_bad", "limitmag_change", "pid", descending=[True, False, False], nulls_last=True
    )
    columns = ["pid", "night", "is_bad", "limitmag", "limitmag_change"]
    assert_same(ask(session, "images_by_quality", limit=100), expected.select(columns))
    assert_same(ask(session, "images_by_quality", limit=7), expected.select(columns).head(7))
    night = expected["night"][-1]
    assert_same(
        ask(session, "images_by_quality", night=night, filtercode="zg"),
        expected.filter(night=night, filtercode="zg").select(columns),
    )


def test_hjd_fit_residuals(made: Survey, session: Session) -> None:
    residual = col("hjd_residual_us")
    expected = (
        made.images.sort("pid")
        .group_by("night", "fid")
        .agg(
            n_images=pl.len(),
            n_fitted=residual.count(),
            median_residual_us=residual.median(),
            max_residual_us=residual.max(),
            worst_pid=col("pid").sort_by(residual.fill_null(-1)).last(),
            any_fit=residual.count() > 0,
            n_iers_extrapolated=col("iers_extrapolated").sum(),
        )
        .with_columns(worst_pid=pl.when("any_fit").then("worst_pid"))
        .sort("night", "fid")
        .drop("fid", "any_fit")
    )
    assert_same(ask(session, "hjd_fit_residuals"), expected)


def test_lightcurve(made: Survey, session: Session) -> None:
    oid = int(CHANNELS[1].oids(4)[3])
    shown = made.images.select("night", "expid", "rcid", "is_bad", "magzp", "obsmjd")
    rows = made.detections.filter(oid=oid).join(shown, on=["night", "expid", "rcid"]).sort("hmjd")
    columns = ["oid", "hmjd", "mag", "catflags", "is_bad", "magzp", "obsmjd"]
    found = ask(session, "lightcurve", oid=oid, all_images=True)
    assert_same(found, rows.select(columns))
    assert found["is_bad"].any()
    assert_same(ask(session, "lightcurve", oid=oid), rows.filter(GOOD).select(columns))
    assert (found["hjd"] - found["hmjd"] - 2400000.5).abs().max() < 1e-9


def test_cone_search(made: Survey, session: Session) -> None:
    found = ask(session, "cone_search", ra=10.003, dec=45.002, radius_arcsec=40)
    centre = SkyCoord(10.003, 45.002, unit="deg")
    sources = session.sql("select oid, ra, dec from reference_sources")
    away = centre.separation(on_sky(sources)).to_value(u.arcsec)
    near = sources.with_columns(away=away).filter(col("away") <= 40).sort("away", "oid")
    assert found["oid"].to_list() == near["oid"].to_list()
    assert found.height > 5
    assert np.abs(found["separation_arcsec"] - near["away"]).max() < 1e-7
    clean = made.detections.filter(col("catflags") == 0, col("oid").is_not_null())
    expected = clean.group_by("oid").agg(
        n_epochs=pl.len(),
        median_mag=col("mag").cast(pl.Float64).median(),
        mag_rms=col("mag").cast(pl.Float64).std(),
        first_hmjd=col("hmjd").min(),
        last_hmjd=col("hmjd").max(),
    )
    assert_same(found, near.select("oid").join(expected, on="oid", how="left"))


def test_brightest_variables(made: Survey, session: Session) -> None:
    eligible = made.objects.filter(col("ngoodobs") >= 10).with_columns(
        rms_ratio=col("magrms").cast(pl.Float64)
        / col("magrms").median().over((col("medianmag") * 2).floor()),
        reduced_chi2=col("chi2").cast(pl.Float64) / (col("ngoodobs") - 1),
    )
    expected = eligible.filter(col("rms_ratio") >= 3).sort("medianmag")
    found = ask(session, "brightest_variables")
    assert found.height >= 3
    assert found["oid"].to_list() == expected["oid"].to_list()
    assert_frame_equal(
        found.select("rms_ratio", "reduced_chi2"),
        expected.select("rms_ratio", "reduced_chi2"),
        rel_tol=1e-6,
    )
    assert set(found["filtercode"]) == {"zr"}
    assert ask(session, "brightest_variables", filtercode="zg").is_empty()
    assert ask(session, "brightest_variables", limit=2).height == 2


def test_new_sources(made: Survey, session: Session) -> None:
    """Every planted place is found, with its detections, and nothing else."""
    rows = made.detections.join(
        made.images.select("night", "expid", "rcid", "reference_state"),
        on=["night", "expid", "rcid"],
    ).filter(col("catflags") == 0, col("oid").is_null(), col("reference_state") != "no_reference")
    found = ask(session, "new_sources")
    assert found.height == len(NEW_PLACES)
    places = on_sky(found)
    everything = on_sky(rows)
    for ra, dec in NEW_PLACES:
        planted = SkyCoord(ra, dec, unit="deg")
        away = planted.separation(places).to_value(u.arcsec)
        assert away.min() < 0.3
        source = found.row(int(away.argmin()), named=True)
        own = rows.filter(planted.separation(everything).to_value(u.arcsec) < 1.3)
        assert source["n_detections"] == own.height
        assert source["n_exposures"] == own["expid"].n_unique()
        assert source["n_nights"] == own["night"].n_unique()
        assert source["filters"] == "zr"
        assert source["brightest_mag"] == own["mag"].min()
        assert source["first_hmjd"] == own["hmjd"].min()
        assert source["last_hmjd"] == own["hmjd"].max()
        assert 0.15 < source["scatter_arcsec"] < 0.5
    night = made.images["night"][0]
    assert ask(session, "new_sources", first_night=night, last_night=night).height <= 4
    assert ask(session, "new_sources", min_exposures=1).height > found.height
