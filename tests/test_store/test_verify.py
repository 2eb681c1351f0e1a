"""Every kind of damage is found and named."""

import shutil
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from skies import night_manifest

from store.contract import DETECTIONS, IMAGES
from store.files import write_table
from store.layout import HealpixPixel
from store.manifest import Manifest
from store.publication import create_archive, publish, republish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

PIXELS = [HealpixPixel(5, 3), HealpixPixel(5, 100)]


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings())
    manifest = night_manifest(open_snapshot(root).layout, date(2024, 1, 10), PIXELS)
    publish(root, {manifest.group: manifest}, "test")
    assert verify(root) == []
    return root


def codes(root):
    return {finding.code for finding in verify(root)}


def data_file(root):
    return next((root / "data" / "detections").rglob("*.parquet"))


def test_a_flipped_bit_is_found(root):
    path = data_file(root)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert codes(root) == {"checksum"}


@pytest.mark.parametrize("table", ["detections", "images"])
def test_a_file_that_is_no_longer_parquet_is_found(root, table):
    if table == "images":
        layout = open_snapshot(root).layout
        entry = write_table(layout, IMAGES, IMAGES.empty(), "20240111")
        publish(root, {"nights/20240111": Manifest.of("nights/20240111", [entry])}, "test")
    path = next((root / "data").glob(f"{table}/**/*.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert codes(root) == {"checksum"}


def test_a_missing_file_is_found(root):
    data_file(root).unlink()
    assert "unreadable" in codes(root)


def test_a_junk_file_in_a_pixel_folder_is_found(root):
    folder = next((root / "pixels" / "detections" / "5").iterdir())
    (folder / "junk.parquet").write_bytes(b"not parquet")
    assert codes(root) == {"stray"}


def test_a_lost_link_is_found(root):
    folder = next((root / "pixels" / "detections" / "5").iterdir())
    next(folder.iterdir()).unlink()
    assert codes(root) == {"unlinked"}


def test_a_wrong_row_count_in_the_properties_is_found(root):
    path = open_snapshot(root).catalogue("detections") / "hats.properties"
    path.write_text(path.read_text().replace("hats_nrows=200", "hats_nrows=300"))
    assert codes(root) == {"hats_nrows"}


def test_a_pixel_left_out_of_the_listing_is_found(root):
    path = open_snapshot(root).catalogue("detections") / "partition_info.csv"
    path.write_text("Norder,Npix\n5,3\n")
    assert "partition_info" in codes(root)


def publish_rows(root, rows, pixel, night=date(2024, 1, 11)):
    layout = open_snapshot(root).layout
    nights = pa.array([night] * rows.num_rows, pa.date32())
    rows = rows.set_column(rows.schema.names.index("night"), rows.schema.field("night"), nights)
    entry = write_table(layout, DETECTIONS, rows, "20240111", pixel)
    publish(root, {"nights/20240111": Manifest.of("nights/20240111", [entry])}, "test")


def test_rows_of_another_night_are_found(root):
    publish_rows(root, pq.read_table(data_file(root)), PIXELS[0], date(2024, 1, 9))
    assert "nights" in codes(root)


def test_rows_outside_their_pixel_are_found(root):
    publish_rows(root, pq.read_table(data_file(root)), HealpixPixel(5, 7))
    assert codes(root) == {"pixel"}


@pytest.mark.parametrize(
    "lost", ["hats.properties", "partition_info.csv", "dataset/_common_metadata"]
)
def test_lost_metadata_of_a_catalogue_is_found_and_mended(root, lost):
    (open_snapshot(root).catalogue("detections") / lost).unlink()
    assert codes(root) == {"hats"}
    republish(root)
    assert verify(root) == []


def test_lost_links_and_folders_are_found_and_mended(root):
    (root / "detections").unlink()
    shutil.rmtree(open_snapshot(root).folder / "images")
    folder = next((root / "pixels" / "detections" / "5").iterdir())
    next(folder.iterdir()).unlink()
    assert codes(root) == {"unlinked"}
    republish(root)
    assert verify(root) == []
    assert open_snapshot(root).number == 2


def test_a_damaged_file_is_written_anew_when_it_is_given_again(root):
    path = data_file(root)
    content = path.read_bytes()
    rows = pq.read_table(path)
    path.write_bytes(content[:-9] + b"?" + content[-8:])
    assert codes(root) == {"checksum"}
    pixel = HealpixPixel(5, rows["_healpix_29"][0].as_py() >> 48)
    write_table(open_snapshot(root).layout, DETECTIONS, rows, "20240110", pixel)
    assert path.read_bytes() == content
    assert verify(root) == []


def test_unsorted_rows_are_found(root):
    rows = pq.read_table(data_file(root))
    pixel = HealpixPixel(5, rows["_healpix_29"][0].as_py() >> 48)
    publish_rows(root, rows.take(pa.array(range(rows.num_rows)[::-1])), pixel)
    assert codes(root) == {"order"}


def test_a_night_that_is_published_meanwhile_is_no_fault(root):
    later = night_manifest(open_snapshot(root).layout, date(2024, 1, 11), PIXELS)

    def meanwhile(*_):
        publish(root, {later.group: later}, "meanwhile")

    before = open_snapshot(root).number
    assert verify(root, progress=meanwhile) == []
    assert open_snapshot(root).number == before + 1
