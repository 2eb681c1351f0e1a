"""Where rows lie on the sky: counted as they are written, and again by verify."""

from dataclasses import replace
from datetime import date

import healpy
import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from skies import detections, night_manifest

from store.contract import DETECTIONS
from store.files import TableWriter, write_table
from store.layout import HealpixPixel
from store.manifest import FileEntry, Manifest
from store.point_map import (
    CELLS,
    MAP_ORDER,
    count_cells,
    decode_map,
    encode_map,
    read_point_map,
    sum_cells,
)
from store.publication import create_archive, publish, republish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHT = date(2024, 1, 10)
NIGHTS = [date(2024, 1, 10 + day) for day in range(3)]
BASE = 5


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings(name="test", partition_order=BASE))
    return root


@pytest.mark.parametrize("order", [0, 5, 7, 8, 10])
def test_cells_of_a_pixel_are_counted_as_healpy_counts_them(order):
    rng = np.random.default_rng(order)
    pixel = HealpixPixel(order, 7)
    low, past = pixel.index_range
    index = np.sort(rng.integers(low, past, 3000))
    index[:2], index[-1] = low, past - 1
    ra, dec = healpy.pix2ang(2**29, index, nest=True, lonlat=True)
    cells = healpy.ang2pix(2**MAP_ORDER, ra, dec, nest=True, lonlat=True)
    expected = np.bincount(cells, minlength=12 * 4**MAP_ORDER)
    first = low >> 2 * (29 - MAP_ORDER)
    counted = count_cells(index, pixel)
    assert len(counted) == max(1, 4 ** (MAP_ORDER - order))
    assert counted.tolist() == expected[first : first + len(counted)].tolist()
    assert count_cells(index[:0], pixel).tolist() == [0] * len(counted)


def test_a_file_written_in_pieces_is_counted_like_one_written_whole(root):
    layout = open_snapshot(root).layout
    pixel = HealpixPixel(BASE, 100)
    rows = detections(np.random.default_rng(1), pixel, NIGHT, 1000)
    whole = write_table(layout, DETECTIONS, rows, "20240110", pixel)
    with TableWriter(layout, DETECTIONS, "20240110", pixel) as writer:
        for start in (0, 100, 700):
            writer.write(rows.slice(start, {0: 100, 100: 600, 700: 300}[start]))
        pieces = writer.finish()()
    assert whole.cells == pieces.cells
    assert sum(pieces.cells) == 1000


def test_cells_that_a_manifest_states_wrong_are_found(root):
    manifest = night_manifest(open_snapshot(root).layout, NIGHT, [HealpixPixel(BASE, 3)])
    entry, *margins = manifest.files
    moved = replace(entry, cells=(*entry.cells[1:], entry.cells[0]))
    publish(root, {manifest.group: Manifest.of(manifest.group, [moved, *margins])}, "test")
    assert {finding.code for finding in verify(root)} == {"cells"}


def counted_by_healpy(root):
    """Rows by cell, from the coordinates in every published file."""
    counts = np.zeros(CELLS, dtype=np.int64)
    for path in open_snapshot(root).files("detections"):
        rows = pq.read_table(path, columns=["ra", "dec"], partitioning=None)
        ra, dec = (rows[name].to_numpy() for name in ("ra", "dec"))
        cells = healpy.ang2pix(2**MAP_ORDER, ra, dec, nest=True, lonlat=True)
        counts += np.bincount(cells, minlength=CELLS)
    return counts


def test_the_map_is_kept_through_nights_replacements_and_withdrawals(root):
    layout = open_snapshot(root).layout
    pixels = [HealpixPixel(BASE, npix) for npix in (0, 3, 100, 12_287)]
    seen = []

    def check():
        snapshot = open_snapshot(root)
        counts = read_point_map(snapshot.catalogue("detections"))
        assert counts.sum() == snapshot.rows("detections")
        assert np.array_equal(counts, counted_by_healpy(root))
        assert verify(root) == []
        seen.append(counts.sum())

    check()
    for day, night in enumerate(NIGHTS):
        manifest = night_manifest(layout, night, pixels[day:], n=200, seed=day)
        publish(root, {manifest.group: manifest}, "ingest")
        check()
    replaced = night_manifest(layout, NIGHTS[1], pixels[:1], n=77, seed=9)
    publish(root, {replaced.group: replaced}, "replacement")
    check()
    for night in NIGHTS:
        group = night_manifest(layout, night, []).group
        publish(root, {group: Manifest.of(group, ())}, "withdrawal")
        check()
    assert seen == [0, 800, 1400, 1800, 1277, 477, 400, 0]


@pytest.mark.parametrize("damage", ["lost", "cut", "wrong", "none"])
def test_a_damaged_map_is_found_counted_anew_by_the_next_night_and_mended(root, damage):
    layout = open_snapshot(root).layout
    first, second = (night_manifest(layout, night, [HealpixPixel(5, 3)]) for night in NIGHTS[:2])
    snapshot = publish(root, {first.group: first}, "test")
    path = snapshot.catalogue("detections") / "point_map.fits"
    content = path.read_bytes()
    if damage == "lost":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-2880])
    elif damage == "wrong":
        counts = decode_map(content)
        path.write_bytes(encode_map(counts * 2))
    else:
        path.write_bytes(b"no map".ljust(9000))
    assert {finding.code for finding in verify(root)} == {
        "lost": {"hats"},
        "cut": {"hats"},
        "wrong": {"point_map"},
        "none": {"hats"},
    }[damage]
    assert publish(root, {second.group: second}, "test").rows("detections") == 200
    assert verify(root) == []
    assert republish(root).rows("detections") == 200
    assert verify(root) == []


def test_rows_in_another_cell_of_the_same_number_are_found(root):
    manifest = night_manifest(open_snapshot(root).layout, NIGHT, [HealpixPixel(BASE, 3)])
    snapshot = publish(root, {manifest.group: manifest}, "test")
    path = snapshot.catalogue("detections") / "point_map.fits"
    path.write_bytes(encode_map(np.roll(decode_map(path.read_bytes()), 1)))
    assert {finding.code for finding in verify(root)} == {"point_map"}
    republish(root)
    assert verify(root) == []


@pytest.mark.parametrize("filled", [0, 1, 1000, CELLS // 2, CELLS])
@pytest.mark.parametrize("most", [5, 2**31, 2**40])
def test_maps_are_fits_that_give_back_their_counts(filled, most, tmp_path):
    rng = np.random.default_rng(filled)
    counts = np.zeros(CELLS, dtype=np.int64)
    counts[rng.choice(CELLS, filled, replace=False)] = rng.integers(1, most, filled)
    counts[:1] += most * (filled > 0)
    data = encode_map(counts)
    assert np.array_equal(decode_map(data), counts)
    # 8 bytes a filled cell, or 4 a cell; twice that beyond 31 bits.
    assert len(data) <= 4 * 2880 + min(8 * filled, 4 * CELLS) * (1 if most < 2**31 else 2)
    (tmp_path / "map.fits").write_bytes(data)
    with fits.open(tmp_path / "map.fits") as found:
        found.verify("exception")
        table = found[1].data
        cells = table["PIXEL"] if "PIXEL" in table.names else slice(None)
        assert np.array_equal(counts[cells], table["VALUE"])
        assert counts.sum() == table["VALUE"].sum()


def test_deep_pixels_share_a_cell_and_coarse_ones_hold_many():
    def entry(pixel, *cells):
        return FileEntry("detections", "x", "", sum(cells), 0, "", pixel.order, pixel.npix, cells)

    parts = [
        entry(HealpixPixel(10, 16 * 77 + 3), 5),
        entry(HealpixPixel(10, 16 * 77 + 4), 6),
        entry(HealpixPixel(8, 77), 1),
        entry(HealpixPixel(7, 20), 1, 2, 3, 4),
    ]
    counts = sum_cells(parts)
    assert {int(k): int(counts[k]) for k in np.flatnonzero(counts)} == {
        77: 12, 80: 1, 81: 2, 82: 3, 83: 4,
    }  # fmt: skip
