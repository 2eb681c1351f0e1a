"""What stands in the tables of a matchfile, against what it was made from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from light_curve_statistics import of_one
from matchskies import CHANNEL, MAGZP, formal_error, sky

from products.matchfile.build import Match, build
from products.matchfile.columns import Inputs, Making
from store.matchfile import MATCHIDS, SOURCES

PLAIN = Making(relative=False)


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    return sky()


@pytest.fixture(scope="module")
def match(inputs: Inputs) -> Match:
    return build(inputs, PLAIN)


def first_exposures(inputs: Inputs, count: int) -> Inputs:
    """The same channel when only so many exposures had been taken."""
    keep = np.isin(inputs.detections["expid"], inputs.images["expid"][:count])
    return replace(
        inputs,
        detections={name: column[keep] for name, column in inputs.detections.items()},
        images={name: column[:count] for name, column in inputs.images.items()},
    )


def test_every_matched_detection_stands_once(inputs: Inputs, match: Match) -> None:
    given = inputs.detections
    matched = given["source"] >= 0
    key = np.stack([given["expid"], given["sourceid"]], axis=1)[matched]
    found = np.stack([match.sourcedata["expid"], match.sourcedata["sourceid"]], axis=1)
    assert sorted(map(tuple, key)) == sorted(map(tuple, found))
    place = {tuple(row): i for i, row in enumerate(key.tolist())}
    rows = np.flatnonzero(matched)[[place[tuple(row)] for row in found.tolist()]]
    for ours, theirs in [
        ("ra", "ra"), ("dec", "dec"), ("mag", "mag"), ("psfflux", "flux"),
        ("psffluxerr", "fluxerr"),
        ("magerrmodel", "magerr"), ("chi", "chi"), ("sharp", "sharp"), ("catflags", "catflags"),
        ("xpos", "xpos"), ("ypos", "ypos"), ("matchid", "source"),
    ]:  # fmt: skip
        np.testing.assert_array_equal(match.sourcedata[ours], given[theirs][rows])


def test_rows_are_grouped_by_matchid_in_order_of_time(match: Match) -> None:
    matchid, hjd = match.sourcedata["matchid"].astype(int), match.sourcedata["hjd"]
    assert (np.diff(matchid) >= 0).all()
    assert (np.diff(hjd)[np.diff(matchid) == 0] > 0).all()
    assert (match.sources["matchid"] == np.unique(matchid)).all()
    assert match.sources["matchid"].max() < MATCHIDS


def test_dates_are_of_mid_exposure(inputs: Inputs, match: Match) -> None:
    start = dict(zip(inputs.images["expid"], inputs.images["obsmjd"], strict=True))
    expected = np.array([start[e] for e in match.sourcedata["expid"]]) + 15 / 86400
    np.testing.assert_array_equal(match.sourcedata["mjd"], expected)
    late = match.sourcedata["hjd"] - 2400000.5 - match.sourcedata["mjd"]
    np.testing.assert_allclose(late, 0.004, atol=1e-9)
    np.testing.assert_allclose(
        match.exposures["obshjd"] - 2400000.5 - match.exposures["obsmjd"], 0.004, atol=1e-9
    )


def test_errors_are_of_the_model_and_the_formal_ones_stand_beside(match: Match) -> None:
    A, B, C, D = match.model.coefficients
    mag = match.sourcedata["mag"].astype(float)
    near = mag < match.model.limit_mag
    expected = A + B * mag + C * 10 ** (0.4 * mag) + D * 10 ** (0.8 * mag)
    np.testing.assert_allclose(match.sourcedata["magerr"][near], expected[near], rtol=1e-6)
    assert near.mean() > 0.9
    ratio = match.sourcedata["psffluxerr"][:] / match.sourcedata["psfflux"][:]
    np.testing.assert_allclose(match.sourcedata["magerrmodel"], 1.0857 * ratio, rtol=1e-5)
    # The model is the scatter that was simulated.
    typical = np.arange(14.5, 20.0, 0.5)
    np.testing.assert_allclose(match.model.errors(typical), formal_error(typical), rtol=0.15)


def test_statistics_are_those_of_the_rows_that_stand_in_the_file(match: Match) -> None:
    rows = match.sourcedata
    for matchid in (0, 7, 123, 399):
        of = rows["matchid"] == matchid
        expected = of_one(
            rows["hjd"][of],
            rows["mag"][of].astype(float),
            rows["magerr"][of].astype(float),
            rows["catflags"][of] == 0,
        )
        [source] = match.sources[match.sources["matchid"] == matchid]
        shared = [name for name in SOURCES.dtype.names if name in expected]
        assert len(shared) > 25
        for name in shared:
            np.testing.assert_allclose(source[name], expected[name], rtol=3e-6, err_msg=name)


def test_what_the_reference_says_is_in_sources(inputs: Inputs, match: Match) -> None:
    at = match.sources["matchid"]
    for name in ("mag", "magerr", "chi", "sharp"):
        np.testing.assert_array_equal(match.sources[f"ref{name}"], inputs.references[name][at])
    np.testing.assert_array_equal(match.sources["ra"], inputs.references["ra"][at])
    np.testing.assert_allclose(
        match.sources["z"], np.sin(np.radians(match.sources["dec"])), rtol=1e-15
    )
    assert (match.exposures["nsources"].sum(), len(match.exposures)) == (
        match.sourcedata["matchid"].size,
        30,
    )
    assert match.exposures["ntransients"].sum() == match.transientdata["matchid"].size
    assert match.exposures["pcolor"][0] == b"g-R"


def test_what_is_not_known_is_the_formats_own_missing_value() -> None:
    inputs = sky(stars=30, exposures=4, strays=0, transients=0)
    flagged = np.where(inputs.detections["source"] == 3, 1, 0).astype(np.uint16)
    gone = inputs.detections["source"] == 5
    detections = inputs.detections | {"catflags": flagged}
    detections = {name: column[~gone] for name, column in detections.items()}
    unknown = {"airmass": np.full(4, np.nan), "programid": np.full(4, -1, np.int8)}
    images = {**inputs.images, **unknown}
    made = build(
        replace(inputs, detections=detections, images=images), replace(PLAIN, all_references=True)
    )
    assert (made.sources["matchid"] == np.arange(30)).all()
    bad, unseen = made.sources[3], made.sources[5]
    assert (bad["nobs"] > 0, bad["ngoodobs"], unseen["nobs"]) == (True, 0, 0)
    for row in (bad, unseen):
        assert all(
            np.all(row[name] == 0)
            for name in ("meanmag", "percentiles", "skewness", "stetsonj", "weightedmeanmag")
        )
        assert np.isnan(row["chisq"])
    assert np.isnan(unseen["medmagerr"])
    assert bad["medmagerr"] > 0
    assert (made.exposures["airmass"] == 0).all()
    assert (made.exposures["programid"] == 0).all()
    without = build(replace(inputs, detections=detections), PLAIN)
    assert 5 not in without.sources["matchid"]
    assert 3 in without.sources["matchid"]


def test_an_exposure_that_saw_nothing_has_a_row() -> None:
    inputs = sky(stars=30, exposures=4, strays=0)
    keep = inputs.detections["expid"] != inputs.images["expid"][2]
    made = build(
        replace(inputs, detections={k: v[keep] for k, v in inputs.detections.items()}), PLAIN
    )
    assert made.exposures["nsources"][2] == 0
    late = made.exposures["obshjd"] - made.exposures["obsmjd"] - 2400000.5
    np.testing.assert_allclose(late, 345.6 / 86400, atol=1e-9)


def test_a_channel_without_a_detection_has_empty_tables() -> None:
    inputs = sky(stars=5, exposures=2)
    empty = {name: column[:0] for name, column in inputs.detections.items()}
    made = build(replace(inputs, detections=empty), Making())
    assert (made.sources.size, made.transients.size, made.exposures.size) == (0, 0, 2)
    assert np.isnan(made.model.A)


def test_ids_stay_when_later_exposures_come(inputs: Inputs) -> None:
    early, late = build(first_exposures(inputs, 12), PLAIN), build(inputs, PLAIN)
    assert set(early.sources["matchid"]) <= set(late.sources["matchid"])
    for table in ("sourcedata", "transientdata"):
        rows = [
            {
                (int(e), int(s)): int(m)
                for e, s, m in zip(t["expid"], t["sourceid"], t["matchid"], strict=True)
            }
            for t in (getattr(early, table), getattr(late, table))
        ]
        assert rows[0].items() <= rows[1].items()
        assert rows[0]


def test_transients_are_groups_of_detections_without_a_reference(
    inputs: Inputs, match: Match
) -> None:
    # Three places were seen in every exposure; a stray row meets another by chance.
    often = np.flatnonzero(match.transients["nobs"] > 2)
    assert len(often) == 3
    assert (match.transients["nobs"][often] == 30).all()
    assert (match.transients["nobs"] >= 2).all()
    data = match.transientdata
    assert np.isin(data["expid"], inputs.images["expid"]).all()
    np.testing.assert_array_equal(
        data["sid"],
        (data["expid"].astype(np.uint64) * 10_000 + CHANNEL.rcid * 100 + 15) * 1_000_000
        + data["sourceid"].astype(np.uint64),
    )
    for number in often:
        of = data["matchid"] == match.transients["matchid"][number]
        assert abs(data["ra"][of].mean() - match.transients["ra"][number]) < 1e-8
        assert np.unique(data["expid"][of]).size == 30
    np.testing.assert_allclose(data["snr"], data["psfflux"] / data["psffluxerr"])
    lone = build(inputs, replace(PLAIN, transient_detections=1))
    assert lone.transientdata["ra"].size == inputs.detections["is_unmatched"].sum()


def bright_scatter(match: Match) -> Any:
    """Median rms of the stars brighter than 16.5 that do not vary."""
    bright = (match.sources["refmag"] < 16.5) & (match.sources["matchid"] >= 20)
    return np.median(match.sources["magrms"][bright])


def test_clouds_are_taken_out_of_the_scatter_of_bright_stars() -> None:
    rng = np.random.default_rng(5)
    clouds = np.where(rng.random(60) < 0.4, rng.exponential(0.08, 60), 0.0)
    inputs = sky(exposures=60, clouds=clouds, variables=20)
    raw, refined = build(inputs, PLAIN), build(inputs, Making())
    floor = bright_scatter(build(sky(exposures=60, variables=20), PLAIN))
    assert bright_scatter(raw) > 3 * floor
    assert bright_scatter(refined) < 1.03 * floor
    # Each exposure by as much as its cloud, but for the one level that nobody can know.
    row = {e: i for i, e in enumerate(inputs.images["expid"].tolist())}
    number = np.array([row[e] for e in refined.sourcedata["expid"][:].tolist()])
    uncalibrated = MAGZP - 2.5 * np.log10(refined.sourcedata["psfflux"][:].astype(float))
    added = refined.sourcedata["mag"] - uncalibrated
    correction = np.array([np.median(added[number == k]) for k in range(60)])
    residual = correction + clouds
    assert np.ptp(residual) < 0.01
    assert np.std(residual) < 0.002
    # Stars that vary go on varying.
    assert refined.sources["magrms"][:20].min() > 0.15
    source = refined.sources
    assert (source["nobsrel"] == source["nobs"]).all()
    np.testing.assert_allclose(source["uncalibmeanmag"], raw.sources["meanmag"], atol=3e-6)
    assert refined.attributes["nCalibrationSources"] > 50
    assert raw.attributes["nCalibrationSources"] == 0
    assert (raw.sources["nobsrel"] == 0).all()
