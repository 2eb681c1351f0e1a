"""The same seed, the sky of a file, variables and blends, and what is refused."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from astropy.io import fits
from realdata import REAL, needs_real

from simulate import (
    PlanError,
    SkyFileError,
    SurveyPlan,
    SurveySummary,
    UnwritableTargetError,
    simulate_survey,
    variables,
)
from simulate.blends import merge
from simulate.neighbours import pairs_within

REAL_SKY = REAL / "psfcat" / "ztf_000633_zr_c07_q4_refpsfcat.fits"
NIGHT = date(2024, 1, 10)


def checksums(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def small_plan(**changes: object) -> SurveyPlan:
    chosen: dict[str, object] = {
        "nights": (NIGHT,), "fields": (655,), "channels": (3, 50), "filters": (2,),
        "exposures_per_night": 1, "sources_per_quadrant": 100,
    }  # fmt: skip
    return SurveyPlan(**{**chosen, **changes})  # type: ignore[arg-type]


def test_same_seed_gives_same_bytes_with_one_and_two_workers(tmp_path: Path) -> None:
    simulate_survey(tmp_path / "one", small_plan(), workers=1)
    simulate_survey(tmp_path / "two", small_plan(), workers=2)
    simulate_survey(tmp_path / "other", small_plan(seed=2), workers=1)
    one = checksums(tmp_path / "one")
    assert one == checksums(tmp_path / "two")
    assert not set(one.values()) & set(checksums(tmp_path / "other").values())


def test_progress_ends_at_the_number_of_images(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulate_survey(
        tmp_path, small_plan(), workers=1, progress=lambda done, of: seen.append((done, of))
    )
    assert seen == [(1, 2), (2, 2)]


def test_truth_tells_of_every_row(survey: SurveySummary) -> None:
    assert survey.detections_truth is not None
    rows = pl.read_parquet(survey.detections_truth)
    sources = pl.read_parquet(survey.sources_truth)
    assert rows.height == survey.n_rows
    assert sources["source_id"].n_unique() == sources.height
    known = rows.drop_nulls("source_id").join(sources, on="source_id", how="inner")
    assert known.height == rows.height - rows["source_id"].null_count()
    assert 0 < rows["source_id"].null_count() < 0.1 * rows.height
    assert (known["ra_true"] == known["ra"]).all()
    # A row's reference is that of its filter.
    for fid, band in ((1, "g"), (2, "r")):
        part = known.filter(pl.col("fid") == fid)
        assert part["ref_sourceid"].equals(part[f"ref_sourceid_{band}"], null_equal=True)


def joined(survey: SurveySummary) -> pl.DataFrame:
    """Every measured row beside its truth."""
    assert survey.detections_truth is not None
    truth = pl.read_parquet(survey.detections_truth)
    parts = []
    for path in survey.directory.glob("sci/*/*/*/*_psfcat.fits"):
        header, table = fits.getheader(path), fits.getdata(path)
        columns = {name: table[name].astype(np.float64) for name in table.names[1:]}
        parts.append(
            pl.DataFrame(columns).with_columns(
                sourceid=pl.Series(table["sourceid"].astype(np.int32)),
                expid=pl.lit(header["EXPID"], pl.Int64),
                rcid=pl.lit(header["RCID"], pl.Int8),
                calibrated=columns["mag"] + header["MAGZP"],
                seeing=pl.lit(header["SEEING"]),
            )
        )
    return pl.concat(parts).join(truth, on=["expid", "rcid", "sourceid"], suffix="_t")


def test_errors_are_what_the_columns_say(survey: SurveySummary) -> None:
    rows = joined(survey).filter(
        pl.col("isolated")
        & (pl.col("flags") >= 0)
        & (pl.col("flags") != 256)
        & (pl.col("snr") > 15)
    )
    pull = ((rows["calibrated"] - rows["mag_expected"]) / rows["sigmag"]).to_numpy()
    assert np.median(pull) == pytest.approx(0, abs=0.15)
    assert 1.4826 * np.median(np.abs(pull - np.median(pull))) == pytest.approx(1, abs=0.12)
    east = (rows["ra"] - rows["ra_true"]).to_numpy() * np.cos(np.radians(rows["dec"].to_numpy()))
    blur = (rows["seeing"] * 1.0125 / 2.35 / rows["snr"]).to_numpy()
    expected = np.hypot(blur, 0.02) / 3600
    assert np.std(east / expected) == pytest.approx(1, abs=0.15)


def test_isolated_rows_lie_nearest_to_their_own_reference(survey: SurveySummary) -> None:
    rows = joined(survey).filter(
        pl.col("isolated") & pl.col("ref_sourceid").is_not_null() & (pl.col("snr") > 10)
    )
    checked = 0
    for path in survey.directory.glob("ref/*/*.fits"):
        header, table = fits.getheader(path), fits.getdata(path)
        part = rows.filter(
            (pl.col("fid") == header["FILTERID"]) & (pl.col("rcid") == header["RCID"])
        )
        scale = np.cos(np.radians(table["dec"].mean()))
        for ra, dec, own in part.select("ra", "dec", "ref_sourceid").sample(40, seed=1).rows():
            distance = np.hypot((table["ra"] - ra) * scale, table["dec"] - dec) * 3600
            assert int(np.argmin(distance)) == own
            assert distance[own] < 1.5
            checked += 1
    assert checked == 160


def test_transients_are_not_in_the_reference(survey: SurveySummary) -> None:
    sources = pl.read_parquet(survey.sources_truth)
    transients = sources.filter(pl.col("kind") == "transient")
    assert transients.height >= 2
    for band in "gr":
        assert transients[f"ref_sourceid_{band}"].null_count() == transients.height
        stars = sources.filter(
            (pl.col("kind") == "constant") & (pl.col(f"mag_{band}").is_between(16, 20))
        )
        assert stars[f"ref_sourceid_{band}"].null_count() < 0.15 * stars.height


def test_every_quadrant_has_a_bright_rr_lyrae_that_folds_onto_its_truth(tmp_path: Path) -> None:
    nights = tuple(date(2024, 1, day) for day in (10, 12, 13, 15))
    plan = small_plan(nights=nights, exposures_per_night=12, channels=(50,), seed=5)
    survey = simulate_survey(tmp_path, plan, workers=1)
    rows = joined(survey)
    star = (
        pl.read_parquet(survey.sources_truth)
        .filter((pl.col("kind") == "rrlyrae") & (pl.col("mag_r") < 17.0))
        .sort("mag_r")
        .row(0, named=True)
    )
    curve = rows.filter(pl.col("source_id") == star["source_id"])
    assert curve.height >= 44
    assert curve["ref_sourceid"].null_count() == 0
    phase = ((curve["hmjd_true"] - star["epoch_hmjd"]) / star["period_d"] % 1).to_numpy()
    mag = curve["calibrated"].to_numpy()
    # Folded, neighbours in phase agree; folded with a wrong period they do not.
    wrong = ((curve["hmjd_true"] - star["epoch_hmjd"]) / (1.37 * star["period_d"]) % 1).to_numpy()
    roughness = [np.abs(np.diff(mag[np.argsort(p)])).mean() for p in (phase, wrong)]
    assert roughness[0] < 0.5 * roughness[1]
    assert abs(phase[np.argmin(mag)] - np.round(phase[np.argmin(mag)])) < 0.15
    assert np.ptp(mag) == pytest.approx(0.72 * star["amplitude_mag"], abs=0.15)
    residual = mag - curve["mag_expected"].to_numpy()
    assert np.std(residual) < 0.05


@needs_real
def test_sky_of_a_real_reference_gives_its_positions_back(tmp_path: Path) -> None:
    plan = SurveyPlan(nights=(date(2024, 6, 10),), sky=REAL_SKY, exposures_per_night=1)
    survey = simulate_survey(tmp_path, plan, workers=1)
    written = tmp_path / "ref" / "000633" / REAL_SKY.name
    assert written.read_bytes() == REAL_SKY.read_bytes()
    real = fits.getdata(REAL_SKY)
    rows = joined(survey).filter(
        (pl.col("fid") == 2) & pl.col("isolated") & pl.col("ref_sourceid").is_not_null()
        & (pl.col("snr") > 10)
    )  # fmt: skip
    assert rows.height > 1000
    own = rows["ref_sourceid"].to_numpy()
    east = (rows["ra"].to_numpy() - real["ra"][own]) * np.cos(np.radians(real["dec"][own]))
    distance = np.hypot(east, rows["dec"].to_numpy() - real["dec"][own]) * 3600
    assert np.quantile(distance, 0.99) < 0.5
    assert distance.max() < 1.5
    constant = pl.read_parquet(survey.sources_truth).filter(pl.col("kind") == "constant")
    mag = constant["mag_r"].to_numpy() - real["mag"][constant["ref_sourceid_r"].to_numpy()]
    np.testing.assert_allclose(mag, 26.275, atol=1e-5)


def test_merged_sources_keep_their_flux_and_centroid() -> None:
    flux, x, y = np.array([10.0, 30.0, 5.0, 1.0]), np.array([0.0, 4.0, 9.0, 50.0]), np.zeros(4)
    hosts, total, centre, _ = merge(flux, x, y, np.array([0, 1]), np.array([1, 2]))
    assert hosts.tolist() == [1, 3]
    assert total.tolist() == [45, 1]
    np.testing.assert_allclose(centre, [(30 * 4 + 5 * 9) / 45, 50])


def test_pairs_equal_brute_force() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-50, 50, (2, 400))
    first, second, distance = pairs_within(x, y, 6.0)
    everything = np.hypot(x[:, None] - x, y[:, None] - y)
    expected = {(i, j) for i, j in zip(*np.nonzero(everything <= 6), strict=True) if i < j}
    found = {(min(p), max(p)) for p in zip(first.tolist(), second.tolist(), strict=True)}
    assert found == expected
    assert len(first) == len(expected)
    np.testing.assert_allclose(distance, everything[first, second])
    assert len(pairs_within(x[:1], y[:1], 6.0)[0]) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": (900,)}, "field 900 is not a field"),
        ({"fields": ()}, "no field was chosen"),
        ({"channels": (64,)}, "channel 64 does not exist"),
        ({"filters": (4,)}, "filter 4 does not exist"),
        ({"nights": (date(1999, 1, 1),)}, "night 1999-01-01 lies outside"),
        ({"nights": ()}, "no night was chosen"),
        ({"channels": (3, 3)}, "named twice"),
        ({"seed": -1}, "seed = -1 is out of range"),
        ({"header": "none"}, "unknown"),
    ],
)
def test_impossible_plans_are_refused_when_made(changes: dict[str, object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        small_plan(**changes)


def test_field_that_never_rises_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="field 1 does not rise"):
        simulate_survey(tmp_path, small_plan(fields=(1,)), workers=1)


def test_fields_at_ra_zero_and_at_the_pole_are_whole(tmp_path: Path) -> None:
    plan = small_plan(
        nights=(date(2024, 10, 10),), fields=(648, 878), channels=(28, 35), sources_per_quadrant=300
    )
    survey = simulate_survey(tmp_path, plan, workers=1)
    assert survey.n_rows > 4 * 60
    rows = joined(survey)
    assert rows["ra"].is_between(0, 360, closed="left").all()
    known = rows.filter(pl.col("isolated"))
    east = (known["ra"] - known["ra_true"] + 180) % 360 - 180
    east = east.to_numpy() * np.cos(np.radians(known["dec"].to_numpy()))
    assert np.abs(east).max() * 3600 < 2
    # The sky reaches every corner of the chip.
    for path in survey.directory.glob("sci/*/*/*/*_psfcat.fits"):
        table = fits.getdata(path)
        assert min(table["xpos"].min(), table["ypos"].min()) < 150
        assert min(table["xpos"].max(), table["ypos"].max()) > 2920


def test_light_curves_have_their_shapes() -> None:
    cycles = np.linspace(0, 1, 1001)
    rr = variables.rr_lyrae(cycles)
    assert np.ptp(rr) == pytest.approx(1, abs=1e-3)
    assert rr[0] == pytest.approx(-0.5, abs=1e-3)
    assert cycles[np.argmax(rr)] > 0.7  # a slow fall, a steep rise
    eclipse = variables.eclipsing(cycles)
    assert eclipse[0] == pytest.approx(1)
    assert eclipse[500] == pytest.approx(0.4)
    assert np.median(eclipse) == pytest.approx(0, abs=0.02)
    burst = variables.eruptive(np.linspace(-20, 20, 4001), np.full(4001, 40.0))
    assert burst.min() == -1
    assert burst[0] == pytest.approx(0, abs=0.01)
    flare = variables.transient(np.array([-100.0, 0.0, 25.0]))
    np.testing.assert_allclose(flare, [40, 0, 1.0857], atol=1e-3)


def test_too_many_exposures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="do not fit"):
        simulate_survey(tmp_path, small_plan(exposures_per_night=800, filters=(1, 2)), workers=1)


def test_sky_must_be_a_reference_catalogue(tmp_path: Path, survey: SurveySummary) -> None:
    single = next(survey.directory.glob("sci/*/*/*/*_psfcat.fits"))
    nonsense = tmp_path / "nonsense.fits"
    nonsense.write_bytes(b"not FITS at all")
    for path, message in (
        (single, "no RFID"), (tmp_path / "absent.fits", "absent.fits"), (nonsense, "nonsense"),
    ):  # fmt: skip
        with pytest.raises(SkyFileError, match=message) as caught:
            simulate_survey(tmp_path / "out", small_plan(sky=path), workers=1)
        assert "\n" not in str(caught.value)


def test_sky_of_another_field_is_refused(tmp_path: Path, survey: SurveySummary) -> None:
    sky = next(survey.directory.glob("ref/*/*_c13_q3_refpsfcat.fits"))
    with pytest.raises(PlanError, match="the sky is that of field 655"):
        simulate_survey(tmp_path, small_plan(sky=sky, fields=(656,), channels=()), workers=1)


def test_target_that_is_a_file_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("occupied")
    with pytest.raises(UnwritableTargetError, match="cannot write"):
        simulate_survey(target, small_plan(), workers=1)
