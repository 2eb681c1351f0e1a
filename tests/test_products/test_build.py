"""Light curves as they are built: the detections, object by object, whatever came before."""

import os
import signal
from datetime import date, timedelta
from multiprocessing import parent_process

import astropy.units as u
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from archives import FIRST_NIGHT, Channel
from astropy.coordinates import SkyCoord
from corners import ORDER, add_night, add_references, corner_archive, stars

import products.lightcurves.job as job
from ingest.compact import compact
from ingest.withdraw import withdraw
from products.lightcurves.job import build
from store.contract import DETECTIONS, LIGHTCURVE_IMAGES, LIGHTCURVES
from store.errors import ArchiveBusyError, WorkerDiedError
from store.layout import LIGHTCURVE_TABLES, Layout
from store.lightcurve_files import LightcurveFiles
from store.locks import locked
from store.settings import read_settings
from store.snapshot import open_snapshot
from store.verify import verify
from store.verify_lightcurves import check_lightcurves

LAST = FIRST_NIGHT + timedelta(days=2)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("built") / "archive"
    corner_archive(root)
    build(root, workers=1)
    return root


@pytest.fixture
def root(tmp_path):
    corner_archive(tmp_path / "archive")
    return tmp_path / "archive"


def rows_of(root, table, pixel=None):
    files = open_snapshot(root).files(table, None if pixel is None else [pixel])
    return pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in files])


def assert_is_what_is_published(root):
    """Every pixel has the rows of its detections, and objects those of their ids."""
    snapshot = open_snapshot(root)
    assert snapshot.pixels("lightcurves") == snapshot.pixels("detections")
    for pixel in snapshot.pixels("detections"):
        curves = rows_of(root, "lightcurves", pixel)
        order = pl.col(*LIGHTCURVES.sort)
        assert curves.equals(curves.sort(order, nulls_last=True))
        wanted = rows_of(root, "detections", pixel).sort(*DETECTIONS.sort)
        found = curves.drop("object_healpix_29").sort(*DETECTIONS.sort)
        assert found.equals(wanted, null_equal=True)
    assert_places_are_those_of_the_reference_sources(root)
    assert_index_leads_to_the_rows(root)
    assert_images_are_those_of_the_rows(root)
    assert_objects_have_their_rows(root)
    assert faults(root) == []


def assert_places_are_those_of_the_reference_sources(root):
    curves = rows_of(root, "lightcurves")
    sources = rows_of(root, "reference_sources")
    joined = curves.join(
        sources.select("oid", "_healpix_29", "ra", "dec"), on="oid", how="left", suffix="_source"
    )
    here, there = (
        SkyCoord(
            *(joined[f"{name}{end}"].fill_null(0).to_numpy() for name in ("ra", "dec")), unit="deg"
        )
        for end in ("", "_source")
    )
    limit = (read_settings(root).match_radius_arcsec + 0.01) * u.arcsec
    near = (here.separation(there) <= limit) & joined["ra_source"].is_not_null().to_numpy()
    own, its = (joined[name].to_numpy() for name in ("_healpix_29", "_healpix_29_source"))
    assert (joined["object_healpix_29"].to_numpy() == np.where(near, its, own)).all()


def assert_index_leads_to_the_rows(root):
    snapshot = open_snapshot(root)
    for pixel in snapshot.pixels("lightcurves"):
        curves = rows_of(root, "lightcurves", pixel)
        index = rows_of(root, "lightcurve_index", pixel)
        assert index.equals(index.sort("oid", "object_healpix_29"))
        assert index["n_rows"].sum() == curves["oid"].is_not_null().sum()
        for oid, place, first, n in index.iter_rows():
            some = curves.slice(first, n)
            assert (some["oid"] == oid).all()
            assert (some["object_healpix_29"] == place).all()


def assert_images_are_those_of_the_rows(root):
    images = rows_of(root, "images").select(LIGHTCURVE_IMAGES.names)
    for pixel in open_snapshot(root).pixels("lightcurves"):
        rows = rows_of(root, "lightcurves", pixel)
        wanted = images.join(rows, on=["expid", "rcid"], how="semi")
        found = rows_of(root, "lightcurve_images", pixel)
        assert found.equals(wanted.sort(*LIGHTCURVE_IMAGES.sort), null_equal=True)


def assert_objects_have_their_rows(root):
    """A source counts all rows that lie at it, on whatever side of a border."""
    curves = rows_of(root, "lightcurves")
    sources = rows_of(root, "reference_sources")
    at_home = curves.join(
        sources.select("oid", object_healpix_29="_healpix_29"),
        on=["oid", "object_healpix_29"],
        how="semi",
    )
    wanted = at_home.group_by("oid").agg(
        nobs=pl.len().cast(pl.Int32), ngoodobs=(pl.col("catflags") == 0).sum().cast(pl.Int32)
    )
    objects = rows_of(root, "objects")
    assert sorted(objects["oid"]) == sorted(sources["oid"])
    measured = objects.filter(pl.col("nobs") > 0).select("oid", "nobs", "ngoodobs").sort("oid")
    assert measured.equals(wanted.sort("oid"))


def faults(root):
    """What verify finds; and of light curves, what it finds when it looks deep.

    (The nights here have no exposures, which all else that is deep is about.)
    """
    snapshot = open_snapshot(root)
    entries = [entry for group in snapshot.groups for entry in snapshot.manifest(group).files]
    return [*verify(root), *check_lightcurves(snapshot, entries, entries, deep=True)]


def content(root):
    """The files of the light curves that are published, by name, without those folders."""
    snapshot = open_snapshot(root)
    return {
        (table, path.resolve().name): path.read_bytes()
        for table in LIGHTCURVE_TABLES
        for path in snapshot.files(table)
    }


def others(root):
    """The files of detections that a reader needs beside the light curves."""
    snapshot = open_snapshot(root)
    files = LightcurveFiles(snapshot)
    return {path.stem for pixel in snapshot.pixels("detections") for path in files.of(pixel).others}


# --- what is built ------------------------------------------------------------------------------


def test_every_pixel_has_the_rows_of_its_detections(built):
    assert_is_what_is_published(built)
    assert others(built) == set()


def test_some_objects_have_rows_in_several_pixels(built):
    # Else the tests of borders say nothing.
    curves = rows_of(built, "lightcurves")
    of_row, of_object = (
        curves[name].to_numpy() >> 2 * (29 - ORDER) for name in ("_healpix_29", "object_healpix_29")
    )
    elsewhere = of_row != of_object
    assert elsewhere.sum() > 20


def test_a_second_build_changes_nothing(built):
    number = open_snapshot(built).number
    report = build(built, workers=1)
    assert report.nothing_done
    assert report.unchanged > 4
    assert report.publication == number


def test_an_archive_without_margins_gives_the_same_objects(tmp_path, built):
    corner_archive(tmp_path / "archive", margin_arcsec=0.0)
    build(tmp_path / "archive", workers=1)
    assert_is_what_is_published(tmp_path / "archive")
    found, wanted = (rows_of(one, "objects") for one in (tmp_path / "archive", built))
    assert found.equals(wanted, null_equal=True)


def test_workers_do_not_change_a_byte(tmp_path, built):
    corner_archive(tmp_path / "archive")
    build(tmp_path / "archive", workers=2)
    assert content(tmp_path / "archive") == content(built)


def test_a_full_rebuild_gives_the_same_bytes(tmp_path, root):
    build(root, workers=1)
    wanted = content(root)
    assert build(root, workers=1, rebuild=True).pixels > 4
    assert content(root) == wanted


# --- what comes later ---------------------------------------------------------------------------


def test_a_night_that_comes_is_read_from_its_own_files_until_the_next_build(root):
    build(root, workers=1)
    before = content(root)
    ra, dec = stars()
    add_night(root, FIRST_NIGHT + timedelta(days=3), ra[:30], dec[:30])
    assert others(root) == {"20240113"}
    report = build(root, workers=1)
    assert report.pixels == 4  # about the corner; the others are as they were
    assert report.unchanged > 4
    assert others(root) == set()
    after = content(root)
    same = set(before) & set(after)
    assert len({name for table, name in same if table == "lightcurves"}) == report.unchanged
    assert_is_what_is_published(root)


def test_a_night_that_is_replaced_is_stale(root):
    build(root, workers=1)
    add_night(root, LAST, *stars(), seed=1)
    snapshot = open_snapshot(root)
    files = LightcurveFiles(snapshot)
    assert all(LAST in files.of(pixel).stale for pixel in snapshot.pixels("lightcurves"))
    assert others(root) == {"20240112"}
    assert build(root, workers=1).unchanged == 0
    assert_is_what_is_published(root)


def test_a_night_that_is_withdrawn_is_stale_and_leaves_with_the_next_build(root):
    build(root, workers=1)
    withdraw(root, [LAST], workers=1)
    snapshot = open_snapshot(root)
    files = LightcurveFiles(snapshot)
    assert all(LAST in files.of(pixel).stale for pixel in snapshot.pixels("lightcurves"))
    assert others(root) == set()
    build(root, workers=1)
    assert date(2024, 1, 12) not in set(rows_of(root, "lightcurves")["night"])
    assert_is_what_is_published(root)


def test_compaction_leaves_light_curves_right(root):
    build(root, workers=1)
    compact(root, workers=1)
    assert others(root) == set()
    assert build(root, workers=1).nothing_done
    assert_is_what_is_published(root)
    # A night that is replaced in a period is read from both files that hold its rows.
    add_night(root, LAST, *stars(), seed=1)
    assert others(root) == {"20240112", "20240110-20240112"}


def test_pixels_that_are_split_are_built_anew(root):
    build(root, workers=1)
    compact(root, max_rows=100, workers=1)
    snapshot = open_snapshot(root)
    files = LightcurveFiles(snapshot)
    split = [pixel for pixel in snapshot.pixels("detections") if pixel.order > ORDER]
    assert split
    assert all(files.of(pixel).made_of is None for pixel in split)
    report = build(root, workers=1)
    assert report.gone > 0
    assert report.unchanged > 0
    assert_is_what_is_published(root)


def test_rows_of_a_former_reference_lie_at_their_own_place(root):
    ra, dec = stars()
    add_references(root, ra[::-1], dec[::-1])  # the same ids, at other stars
    build(root, workers=1)
    curves = rows_of(root, "lightcurves").filter(pl.col("oid").is_not_null())
    assert (curves["object_healpix_29"] == curves["_healpix_29"]).all()
    assert rows_of(root, "objects")["nobs"].sum() == 0
    assert_is_what_is_published(root)


def test_references_that_change_concern_pixels_that_hold_them(root):
    build(root, workers=1)
    ra, dec = stars()
    add_references(root, ra[:30], dec[:30])
    assert others(root) == set()  # rows are what they were, until they are matched again
    assert build(root, workers=1).pixels > 0
    assert_is_what_is_published(root)


def test_objects_without_a_detection_are_listed(tmp_path):
    root = tmp_path / "archive"
    corner_archive(root, n_nights=1)
    ra, dec = stars()
    add_references(root, ra + 10, dec, channels=[Channel(field=700)])
    build(root, workers=1)
    snapshot = open_snapshot(root)
    alone = set(snapshot.pixels("objects")) - set(snapshot.pixels("lightcurves"))
    assert alone
    objects = pl.concat([rows_of(root, "objects", pixel) for pixel in alone])
    assert objects["nobs"].sum() == 0
    assert all(LightcurveFiles(snapshot).of(pixel).made_of for pixel in alone)
    assert faults(root) == []


# --- while others write, and when something goes wrong ------------------------------------------


def test_a_night_that_comes_during_a_build_is_not_lost(root, monkeypatch):
    whole = job.build_pixel
    came = []

    def meanwhile(task):
        if not came:
            came.append(add_night(root, FIRST_NIGHT + timedelta(days=3), *stars()))
        return whole(task)

    meanwhile.__module__ = whole.__module__
    monkeypatch.setattr(job, "build_pixel", meanwhile)
    report = build(root, workers=1)
    assert report.publication == came[0].number + 1
    assert others(root) == {"20240113"}
    assert faults(root) == []


def test_a_compaction_that_splits_pixels_during_a_build_is_built_upon(root, monkeypatch):
    whole = job.build_pixel
    came = []

    def meanwhile(task):
        if not came:
            came.append(compact(root, max_rows=100, workers=1))
        return whole(task)

    meanwhile.__module__ = whole.__module__
    monkeypatch.setattr(job, "build_pixel", meanwhile)
    build(root, workers=1)
    assert_is_what_is_published(root)


def test_a_build_is_refused_while_another_builds(root):
    with (
        locked(Layout(root), job.LOCK, wait=False),
        pytest.raises(ArchiveBusyError, match="lightcurves"),
    ):
        build(root, workers=1)


def test_a_worker_that_dies_leaves_the_former_light_curves(root, monkeypatch):
    build(root, workers=1)
    before, number = content(root), open_snapshot(root).number
    add_night(root, FIRST_NIGHT + timedelta(days=3), *stars())
    monkeypatch.setattr(job, "build_pixel", die)
    with pytest.raises(WorkerDiedError):
        build(root, workers=2)
    assert content(root) == before
    assert open_snapshot(root).number == number + 1
    monkeypatch.undo()
    build(root, workers=1)
    assert_is_what_is_published(root)
    assert not any((root / "staging").iterdir())


BUILD_PIXEL = job.build_pixel


def die(task):
    """End a worker; this process, which takes tasks too, does them."""
    if parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return BUILD_PIXEL(task)


def test_a_damaged_file_of_detections_is_not_vouched_for(root):
    path = next(iter(open_snapshot(root).files("detections"))).resolve()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="not what was published"):
        build(root, workers=1)
    assert open_snapshot(root).pixels("lightcurves") == []


def test_files_say_what_they_were_made_of(built):
    for table in LIGHTCURVE_TABLES:
        for path in open_snapshot(built).files(table):
            assert b"nightlake.made_of" in pq.read_schema(path).metadata
