"""Nights whose truth is known: what should be matched is, no isolated source has a wrong id."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from realdata import REAL, needs_real

from ingest.pipeline import ingest
from ingest.references import add_references
from simulate.plan import SurveyPlan
from simulate.survey import simulate_survey
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

REAL_REFERENCE = REAL / "psfcat" / "ztf_000633_zr_c07_q4_refpsfcat.fits"
NIGHTS = (date(2024, 5, 10), date(2024, 5, 11))


def ingested(tmp_path, plan):
    summary = simulate_survey(tmp_path / "raw", plan, workers=1)
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings(name="test"))
    assert not add_references(root, [tmp_path / "raw"], workers=1).refusals
    report = ingest(root, [tmp_path / "raw"], workers=1)
    assert not report.refusals
    assert report.rows == summary.n_rows
    assert verify(root) == []
    rows = pl.read_parquet(open_snapshot(root).files("detections"))
    truth = pl.read_parquet(tmp_path / "raw" / "truth" / "detections.parquet")
    return rows.join(truth, on=["expid", "rcid", "sourceid"], how="inner", validate="1:1")


def check_ids(both):
    """The promises about ids, on detections joined with their truth."""
    given = (pl.col("oid") % 100_000_000).cast(pl.Int32)
    real = both.filter(pl.col("ref_sourceid").is_not_null() & (pl.col("snr") > 10))
    assert len(real) > 1000
    matched = real.filter(given == pl.col("ref_sourceid"))
    assert len(matched) >= 0.99 * len(real)
    isolated = both.filter(pl.col("isolated") & pl.col("oid").is_not_null())
    assert len(isolated) > 1000
    wrong = isolated.filter(
        (given != pl.col("ref_sourceid")) & pl.col("ref_sourceid").is_not_null()
    )
    assert wrong.is_empty()


@needs_real
def test_nights_on_the_real_sky_are_matched_to_the_real_reference(tmp_path):
    plan = SurveyPlan(nights=NIGHTS, sky=REAL_REFERENCE, filters=(2,), exposures_per_night=2)
    both = ingested(tmp_path, plan)
    assert both["field"].unique().to_list() == [633]
    check_ids(both)


@pytest.mark.parametrize("header", ["full", "minimal"])
def test_simulated_quadrants_are_matched_whatever_their_headers_lack(tmp_path, header):
    plan = SurveyPlan(
        nights=NIGHTS[:1], fields=(633,), channels=(27, 0), sources_per_quadrant=4000,
        exposures_per_night=1, header=header, bad_fraction=0.5, seed=3,
    )  # fmt: skip
    both = ingested(tmp_path, plan)
    check_ids(both)
    # The calibrated magnitude is the truth's within its error.
    good = both.filter((pl.col("catflags") == 0) & pl.col("isolated") & (pl.col("snr") > 10))
    pull = (good["mag"] - good["mag_expected"]) / good["magerr"]
    assert abs(float(np.median(pull))) < 0.5


def test_the_date_of_a_variable_is_that_of_the_simulator(tmp_path):
    plan = SurveyPlan(
        nights=NIGHTS[:1], fields=(633,), channels=(27,), sources_per_quadrant=3000,
        variable_fraction=0.2, seed=4,
    )  # fmt: skip
    both = ingested(tmp_path, plan).filter(pl.col("hmjd_true").is_not_null())
    # The truth is at the true place: an arcsecond off it the date differs by up to 2.4 ms.
    bright = both.filter(pl.col("snr") > 50)
    assert len(bright) > 50
    off_ms = (bright["hmjd"] - bright["hmjd_true"]).abs() * 86400e3
    assert off_ms.max() < 0.3


def test_the_colour_term_leads_to_the_true_magnitude_of_every_colour(tmp_path):
    plan = SurveyPlan(
        nights=NIGHTS[:1], fields=(633,), channels=(27,), sources_per_quadrant=8000,
        exposures_per_night=1, filters=(1, 2), seed=5,
    )  # fmt: skip
    both = ingested(tmp_path, plan)
    sources = pl.read_parquet(tmp_path / "raw" / "truth" / "sources.parquet")
    good = both.join(sources.select("source_id", "mag_g", "mag_r", "kind"), on="source_id").filter(
        (pl.col("catflags") == 0) & pl.col("isolated") & (pl.col("snr") > 30)
        & pl.col("clrcorr").is_not_null() & (pl.col("kind") == "constant")
    )  # fmt: skip
    for fid in (1, 2):
        rows = good.filter(pl.col("fid") == fid)
        assert len(rows) > 200
        colour = (rows["mag_g"] - rows["mag_r"]).to_numpy()
        off = (rows["mag"] + rows["clrcorr"] - rows["mag_true"]).to_numpy()
        slope, _ = np.polyfit(colour, off, 1)
        assert abs(slope) < 0.01
        # The term is a small part of the slope's noise; without the references' own terms it is
        # larger by a quarter.
        clrcoeff = {1: -0.048079, 2: 0.085749}[fid]
        ratio = float(np.median(rows["clrcorr"].to_numpy() / (clrcoeff * colour)))
        assert ratio == pytest.approx(1, abs=0.01)
