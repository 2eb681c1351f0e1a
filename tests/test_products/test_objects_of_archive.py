"""`objects` and upper limits of a simulated archive, against detections, truth, and astropy."""

from datetime import date, timedelta
from types import SimpleNamespace

import light_curve_statistics
import numpy as np
import polars as pl
import pytest
from wcscards import astropy_wcs

from ingest.pipeline import ingest
from ingest.references import add_references
from products.lightcurves.job import build
from queries.curves.cache import ByteCache
from queries.curves.channels import References
from queries.curves.limits import Near, upper_limits
from queries.curves.places import Objects
from queries.curves.reader import CurveReader
from queries.selection import Selection
from simulate.plan import SurveyPlan
from simulate.survey import simulate_survey
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.statistics_columns import PERCENTS, SIGMAS, STATISTICS
from transforms.chip import CHIP_PX

NIGHTS = tuple(date(2024, 5, 10) + timedelta(days=k) for k in range(5))
NO_ROWS = Near(*np.empty((6, 0), np.int64))
MILLISECOND = 1e-3 / 86_400


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """An archive with light curves, its tables, and the truth of its sources."""
    folder = tmp_path_factory.mktemp("objects")
    plan = SurveyPlan(
        nights=NIGHTS, fields=(633,), channels=(27,), filters=(1, 2), exposures_per_night=3,
        sources_per_quadrant=700, variable_fraction=0.15, bad_fraction=0.2, seed=3,
    )  # fmt: skip
    simulate_survey(folder / "raw", plan, workers=1)
    root = folder / "archive"
    create_archive(root, ArchiveSettings(name="test"))
    add_references(root, [folder / "raw"], workers=1)
    ingest(root, [folder / "raw"], workers=1)
    build(root, workers=1)
    snapshot = open_snapshot(root)
    tables = ("objects", "detections", "images", "reference_sources")
    found = {name: pl.read_parquet(snapshot.files(name)) for name in tables}
    truth = pl.read_parquet(folder / "raw" / "truth" / "sources.parquet")
    return SimpleNamespace(root=root, snapshot=snapshot, truth=truth, **found)


@pytest.fixture(scope="module")
def covered(survey):
    """Whether astropy puts each object on each image of its channel: (objects, images)."""
    objects, images = survey.objects, survey.images
    found = np.zeros((len(objects), len(images)), bool)
    for i, image in enumerate(images.iter_rows(named=True)):
        rows = np.flatnonzero((objects["fid"] == image["fid"]).to_numpy())
        sky = objects[rows].select("ra", "dec").to_numpy()
        x, y = astropy_wcs(image["wcs_cards"]).all_world2pix(sky, 1, quiet=True).T
        inside = (np.abs(x - (CHIP_PX[0] + 1) / 2) <= CHIP_PX[0] / 2) & (
            np.abs(y - (CHIP_PX[1] + 1) / 2) <= CHIP_PX[1] / 2
        )
        found[rows[inside], i] = True
    return found


def test_every_reference_source_has_one_row(survey):
    assert sorted(survey.objects["oid"]) == sorted(survey.reference_sources["oid"])
    assert len(set(survey.objects["oid"])) > 1000
    assert (survey.objects["nobs"] == 0).sum() > 100
    index = survey.objects["_healpix_29"].to_numpy()
    assert index.size == survey.reference_sources.height


def test_statistics_are_those_of_the_detections_that_carry_the_id(survey):
    by_oid = {
        oid: rows
        for (oid,), rows in survey.detections.filter(pl.col("oid").is_not_null()).group_by("oid")
    }
    assert set(by_oid) <= set(survey.objects["oid"])
    compared = flagged = 0
    for ours in survey.objects.iter_rows(named=True):
        rows = by_oid.get(ours["oid"])
        if rows is None:
            assert (ours["nobs"], ours["ngoodobs"], ours["meanmag"]) == (0, 0, None)
            continue
        columns = [
            rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
            for name in ("hmjd", "mag", "magerr")
        ]
        good = rows["catflags"].to_numpy() == 0
        flagged += (~good).sum()
        expected = light_curve_statistics.of_one(*columns, good)
        for k, percent in enumerate(PERCENTS):
            expected[f"magquantile_{percent}"] = expected["magquantiles"][k]
        for name in light_curve_statistics.EXCURSIONS:
            for k, sigma in enumerate(SIGMAS):
                expected[f"{name}_{sigma}"] = expected[name][k]
        for column in STATISTICS:
            if column.name in {"n_covered", "astrometricrms"}:
                continue
            theirs, mine = expected[column.name], ours[column.name]
            if theirs == -1 if column.dtype == "int32" else np.isnan(theirs):
                assert mine is None, column.name
            elif column.dtype == "int32":
                assert mine == theirs, column.name
            else:
                # Of magnitudes that are float32 themselves; trends cancel.
                assert mine == pytest.approx(theirs, rel=1e-6, abs=1e-7), column.name
                compared += 1
    assert compared > 10_000
    assert flagged > 500


def test_n_covered_is_what_astropy_counts(survey, covered):
    ours = survey.objects["n_covered"].to_numpy()
    np.testing.assert_array_equal(ours, covered.sum(axis=1))
    assert len(set(ours.tolist())) >= 3
    assert (survey.objects["nobs"].to_numpy() <= ours).all()


def test_variable_stars_stand_out(survey):
    truth = survey.truth.filter((pl.col("kind") == "rrlyrae") & (pl.col("amplitude_mag") > 0.5))
    variables = {
        633 * 10**12 + fid * 10**11 + 7 * 10**9 + 4 * 10**8 + number
        for fid, band in ((1, "g"), (2, "r"))
        for number in truth[f"ref_sourceid_{band}"].drop_nulls()
    }
    reduced = pl.col("chi2") / (pl.col("ngoodobs") - 1)
    ranked = survey.objects.filter((pl.col("ngoodobs") >= 8) & (pl.col("meanmag") < 19)).sort(
        reduced, descending=True
    )
    seen = variables & set(ranked["oid"])
    assert len(seen) >= 5
    assert seen <= set(ranked["oid"].head(2 * len(seen)))
    assert len(ranked) > 10 * len(seen)
    # Most of the others are about as noisy as their errors say.
    assert 0.5 < float(ranked.select(reduced.median()).item()) < 2.5


def test_the_filters_of_a_star_are_one_group(survey):
    group = dict(survey.objects.select("oid", "group_id").iter_rows())
    base = 633 * 10**12 + 7 * 10**9 + 4 * 10**8
    pairs = survey.truth.drop_nulls(["ref_sourceid_g", "ref_sourceid_r"])
    of_g = [group[base + 10**11 + k] for k in pairs["ref_sourceid_g"].to_list()]
    of_r = [group[base + 2 * 10**11 + k] for k in pairs["ref_sourceid_r"].to_list()]
    assert len(pairs) > 300
    # But for blends, whose positions differ from filter to filter.
    assert np.mean(np.array(of_g) == np.array(of_r)) > 0.98
    sizes = survey.objects.group_by("group_id").agg(
        pl.len(), pl.col("fid").n_unique().alias("fids")
    )
    assert (sizes["len"] == sizes["fids"]).all()
    # A second build changes no group.
    build(survey.root, workers=1, rebuild=True)
    again = pl.read_parquet(open_snapshot(survey.root).files("objects"))
    assert again.equals(survey.objects)


def near(survey, objects):
    """All detections near objects, as a reader of light curves finds them."""
    found = []
    rows = survey.detections
    for k, (ra, dec) in enumerate(zip(objects.ra_deg, objects.dec_deg, strict=True)):
        x = (pl.col("ra") - ra) * np.cos(np.radians(dec))
        some = rows.filter((x**2 + (pl.col("dec") - dec) ** 2).sqrt() * 3600 <= 1.5)
        for row in some.iter_rows(named=True):
            oid = -1 if row["oid"] is None else row["oid"]
            found.append((k, oid, row["field"], row["fid"], row["rcid"], row["expid"]))
    return Near(*np.array(found, np.int64).reshape(-1, 6).T)


def some_objects(survey, n=60):
    rows = survey.objects.sort("oid")[:: survey.objects.height // n]
    return rows, Objects(*(rows[name].to_numpy() for name in ("oid", "ra", "dec")))


def test_upper_limits_are_of_images_that_covered_an_object_and_did_not_measure_it(survey, covered):
    rows, objects = some_objects(survey)
    references = References(survey.snapshot, ByteCache())
    expected = set()
    pairs = set(survey.detections.select("oid", "expid").iter_rows())
    place = {oid: i for i, oid in enumerate(survey.objects["oid"].to_list())}
    bad = survey.images["is_bad"].to_numpy()
    assert bad.any()
    for oid in rows["oid"]:
        for i in np.flatnonzero(covered[place[oid]]):
            expid = survey.images["expid"][int(i)]
            if (oid, expid) not in pairs:
                expected.add((oid, expid, bool(bad[i])))
    found = upper_limits(
        survey.snapshot, objects, near(survey, objects), references, all_images=True
    )
    table = pl.from_arrow(found)
    assert set(table.select("oid", "expid", "is_bad").iter_rows()) == expected
    assert len(expected) == len(table)
    assert len(expected) > 100
    good = upper_limits(survey.snapshot, objects, near(survey, objects), references)
    assert set(pl.from_arrow(good).select("oid", "expid").iter_rows()) == {
        (oid, expid) for oid, expid, is_bad in expected if not is_bad
    }
    # With the image's own depth and times, in the order of object and time.
    joined = table.join(survey.images, on="pid", suffix="_image")
    for name in ("limitmag", "obsmjd", "exptime", "seeing", "filtercode", "night", "rcid"):
        assert joined[name].equals(joined[f"{name}_image"].alias(name)), name
    assert table.equals(table.sort("oid", "hmjd"))


def test_times_of_upper_limits_are_those_of_detections(survey):
    _, objects = some_objects(survey)
    references = References(survey.snapshot, ByteCache())
    # As if nothing had been measured.
    every = pl.from_arrow(
        upper_limits(survey.snapshot, objects, NO_ROWS, references, all_images=True)
    )
    both = every.join(survey.detections, on=["oid", "expid"], suffix="_measured")
    assert len(both) > 100
    # A source off its reference by an arcsecond is 2.4 ms off at most.
    away = (both["hmjd"] - both["hmjd_measured"]).abs().max()
    assert away < 2.5 * MILLISECOND
    assert (both["hmjd"] - both["obsmjd"]).abs().max() > 10 * 2.5 * MILLISECOND
    first, last = every["hmjd"].quantile(0.3), every["hmjd"].quantile(0.6)
    some = upper_limits(
        survey.snapshot, objects, NO_ROWS, references, hmjd=(first, last), all_images=True
    )
    assert pl.from_arrow(some).equals(every.filter(pl.col("hmjd").is_between(first, last)))


def test_an_image_of_a_former_reference_measured_what_lies_at_the_place(survey):
    _, objects = some_objects(survey)
    here = near(survey, objects)
    unnamed = here._replace(oid=np.full(here.oid.size, -1))
    stands = References(survey.snapshot, ByteCache())
    gone = SimpleNamespace(checksum=lambda channel: None)

    def limits(near, references):
        table = upper_limits(survey.snapshot, objects, near, references, all_images=True)
        return set(pl.from_arrow(table).select("oid", "expid").iter_rows())

    assert limits(unnamed, stands) == limits(NO_ROWS, stands)
    assert limits(unnamed, gone) < limits(NO_ROWS, gone)
    at_place = {
        (int(objects.oid[k]), int(expid))
        for k, fid, expid in zip(here.target, here.fid, here.expid, strict=True)
        if fid == objects.oid[k] // 10**11 % 10
    }
    assert limits(NO_ROWS, gone) - limits(unnamed, gone) == at_place & limits(NO_ROWS, gone)


def test_nothing_is_asked_for_and_nothing_comes(survey):
    nothing = Objects(*np.empty((3, 0), np.int64))
    references = References(survey.snapshot, ByteCache())
    assert upper_limits(survey.snapshot, nothing, NO_ROWS, references).num_rows == 0


def test_light_curves_have_upper_limits_between_their_detections(survey):
    rows, objects = some_objects(survey, 20)
    reader = CurveReader(survey.snapshot)
    references = References(survey.snapshot, ByteCache())
    limits = pl.from_arrow(
        upper_limits(survey.snapshot, objects, near(survey, objects), references)
    )
    assert len(limits) > 10
    by_id = Selection.of_objects(rows["oid"].to_list())
    both = reader.lightcurves(by_id.narrowed(upper_limits=True))
    plain = reader.lightcurves(by_id)
    is_limit = pl.col("is_upper_limit")
    assert both.filter(~is_limit).drop("is_upper_limit").equals(plain)
    found = both.filter(is_limit)
    key = ["oid", "expid", "hmjd", "limitmag", "filtercode", "ra", "dec"]
    assert found.select(key).sort("oid", "expid").equals(limits.select(key).sort("oid", "expid"))
    assert found["mag"].null_count() == len(found)
    assert both.equals(both.sort("fid", "oid", "hmjd", nulls_last=True))
    # An upper limit is no epoch.
    few = reader.lightcurves(by_id.narrowed(upper_limits=True, min_epochs=5))
    counts = few.group_by("oid").agg((~is_limit).sum())
    assert counts["is_upper_limit"].min() >= 5
    # By place, of the objects in it; each as often as circles hold it.
    k = int(np.argmax([len(limits.filter(pl.col("oid") == oid)) for oid in rows["oid"]]))
    ra, dec = float(objects.ra_deg[k]), float(objects.dec_deg[k])
    in_cone = reader.lightcurves(
        Selection.of_positions([ra, ra], [dec, dec], [0.5, 2.0]).narrowed(upper_limits=True)
    )
    expected = limits.filter(pl.col("oid") == int(objects.oid[k]))
    for position in (0, 1):
        mine = in_cone.filter(
            is_limit & (pl.col("position") == position) & (pl.col("oid") == int(objects.oid[k]))
        )
        assert sorted(mine["expid"]) == sorted(expected["expid"])
    other = "zr" if expected["fid"][0] == 1 else "zg"
    narrowed = Selection.of_cone(ra, dec, 0.1).narrowed(upper_limits=True, filters=[other])
    assert int(objects.oid[k]) not in reader.lightcurves(narrowed)["oid"]


def test_an_id_stands_for_the_objects_of_its_group(survey):
    reader = CurveReader(survey.snapshot)
    pairs = survey.objects.filter(pl.col("nobs") > 0).group_by("group_id").agg("oid")
    pairs = pairs.filter(pl.col("oid").list.len() == 2).sort("group_id")
    assert len(pairs) > 50
    one, other = pairs["oid"][3]
    curve = reader.lightcurves(Selection.of_objects(one).narrowed(group=True))
    assert set(curve["oid"]) == {one, other}
    assert set(curve["group_id"]) == {pairs["group_id"][3]}
    both = reader.lightcurves(Selection.of_objects([one, other]))
    assert curve.drop("group_id").equals(both)
