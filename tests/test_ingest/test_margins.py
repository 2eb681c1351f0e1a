"""Margins of ingested nights, judged row by row with discs of points that healpy places."""

from dataclasses import replace

import healpy
import numpy as np
import polars as pl
import pytest
from archives import cluster
from catalogues import write_psfcat

from ingest.pipeline import ingest
from store.borders import WIDER
from store.contract import DETECTIONS, DETECTIONS_MARGIN
from store.layout import MARGIN
from store.manifest import Manifest
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

RADIUS = 5.0
NIGHT = "nights/20240110"
ORDER = 5
# A pole, corners where three pixels meet and where four do, an edge of a base pixel, an edge.
PLACES = [
    (10.0, 90.0),
    (200.0, -90.0),
    (90.0, np.degrees(np.arcsin(2 / 3))),
    (45.0, 0.0),
    (0.0, 30.0),
    (33.75, np.degrees(np.arcsin(1 / 3))),
]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Two visits to each place."""
    folder = tmp_path_factory.mktemp("raw")
    for i, (ra, dec) in enumerate(PLACES):
        for visit in range(2):
            places = cluster(ra, dec, n=60, spread_arcsec=14, seed=10 * i + visit)
            write_psfcat(folder, *places, obsmjd=60319.2 + visit / 50 + i / 500, field=600 + i)
    return folder


def archive(root, margin=RADIUS):
    create_archive(root, ArchiveSettings("test", partition_order=ORDER, margin_arcsec=margin))
    return root


@pytest.fixture(scope="module")
def published(raw, tmp_path_factory):
    root = archive(tmp_path_factory.mktemp("published") / "archive")
    ingest(root, [raw], workers=1)
    return root


def files(root, table):
    return {
        entry.pixel: entry
        for entry in open_snapshot(root).manifest(NIGHT).files
        if entry.table == table
    }


def rows_of(root, entry):
    return pl.read_parquet(root / entry.path)


def pixels_about(rows, radius):
    """(row, pixel) of every pixel that a circle about the row touches, but the row's own."""
    xyz = healpy.ang2vec(rows["ra"].to_numpy(), rows["dec"].to_numpy(), lonlat=True)
    away = np.where(np.abs(xyz[:, 2:]) < 0.9, [[0, 0, 1.0]], [[1.0, 0, 0]])
    a = np.cross(away, xyz)
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b = np.cross(xyz, a)
    theta = np.arange(1440)[:, None, None] * np.pi / 720
    r = np.radians(radius / 3600)
    circle = np.cos(r) * xyz + np.sin(r) * (np.cos(theta) * a + np.sin(theta) * b)
    pixel = healpy.vec2pix(2**ORDER, *np.moveaxis(circle, -1, 0), nest=True)
    own = rows["_healpix_29"].to_numpy() >> 2 * (29 - ORDER)
    touched = {(row, int(p)) for row in range(len(rows)) for p in np.unique(pixel[:, row])}
    return touched - set(enumerate(own.tolist()))


def test_every_row_near_another_pixel_stands_beside_it_and_no_other(published):
    detections = pl.concat(rows_of(published, e) for e in files(published, "detections").values())
    assert len(detections) == 2 * 60 * len(PLACES)
    margins = files(published, MARGIN)
    number = {row: i for i, row in enumerate(detections.rows())}
    found = {
        (number[row], pixel.npix)
        for pixel, entry in margins.items()
        for row in rows_of(published, entry).rows()
    }
    assert sum(entry.rows for entry in margins.values()) == len(found)
    must, may = (pixels_about(detections, r) for r in (RADIUS, WIDER * RADIUS + 1e-6))
    assert must <= found <= may
    assert len(must) > 500
    # Four pixels meet at the pole: a row there stands in three margins.
    assert max(np.bincount([row for row, _ in found])) == 3
    assert verify(published) == []


def test_margins_are_sorted_and_of_the_schema_of_detections(published):
    assert DETECTIONS_MARGIN.columns == DETECTIONS.columns
    for entry in files(published, MARGIN).values():
        rows = rows_of(published, entry)
        assert rows.equals(rows.sort(DETECTIONS.sort))
        assert entry.cells is None


def test_counts_of_rows_do_not_count_margins(published):
    snapshot = open_snapshot(published)
    assert snapshot.rows("detections") == 2 * 60 * len(PLACES)
    assert snapshot.rows(MARGIN) == sum(e.rows for e in files(published, MARGIN).values()) > 0
    nights = pl.read_parquet(snapshot.files("nights"))
    assert nights["n_published"].to_list() == [2 * 60 * len(PLACES)]


def test_margins_are_the_same_bytes_however_the_night_came(published, raw, tmp_path):
    root = archive(tmp_path / "archive")
    paths = sorted(raw.iterdir())
    # An image that is in between given with other rows, at all places.
    first = paths[0]
    places = cluster(*PLACES[0], n=40, spread_arcsec=14, seed=99)
    other = write_psfcat(tmp_path / "other", *places, obsmjd=60319.2, field=600, name=first.name)
    for some in ([other], paths[::-2], [paths[0]], paths):
        ingest(root, some, workers=2)
    assert files(root, MARGIN) == files(published, MARGIN)
    assert files(root, "detections") == files(published, "detections")
    assert verify(root) == []


def test_an_archive_may_do_without(raw, tmp_path):
    root = archive(tmp_path / "archive", margin=0)
    ingest(root, [raw], workers=1)
    assert files(root, MARGIN) == {}
    assert verify(root) == []


@pytest.mark.parametrize("damage", ["lost", "short", "elsewhere", "of another image"])
def test_margins_that_are_not_those_of_the_detections_are_found(raw, tmp_path, damage):
    root = archive(tmp_path / "archive")
    ingest(root, [raw], workers=1)
    snapshot = open_snapshot(root)
    entries = list(snapshot.manifest(NIGHT).files)
    at = next(i for i, e in enumerate(entries) if e.table == MARGIN and e.rows > 20)
    pixel, rows = entries[at].pixel, pl.read_parquet(root / entries[at].path)
    if damage == "lost":
        del entries[at]
    else:
        if damage == "short":
            rows = rows[1:]
        elif damage == "elsewhere":
            pixel = replace(pixel, npix=7)
        else:
            rows = rows.with_columns(pl.col("ra") + 1e-9)
        entries[at] = written(snapshot.layout, rows, pixel)
    publish(root, {NIGHT: Manifest.of(NIGHT, entries)}, "damage")
    assert {finding.code for finding in verify(root)} == {"margin"}


def written(layout, rows, pixel):
    from store.files import write_table

    return write_table(
        layout,
        DETECTIONS_MARGIN,
        rows.to_arrow().cast(DETECTIONS_MARGIN.schema()),
        "20240110",
        pixel,
    )
