"""Where rows lie on the sky: counted as they are written, and again by verify."""

from dataclasses import replace
from datetime import date

import healpy
import numpy as np
import pytest
from skies import detections, night_manifest

from store.contract import DETECTIONS
from store.files import TableWriter, write_table
from store.layout import HealpixPixel
from store.manifest import Manifest
from store.point_map import MAP_ORDER, count_cells
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHT = date(2024, 1, 10)
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
    (entry,) = manifest.files
    moved = replace(entry, cells=(*entry.cells[1:], entry.cells[0]))
    publish(root, {manifest.group: Manifest.of(manifest.group, [moved])}, "test")
    assert {finding.code for finding in verify(root)} == {"cells"}
