"""Publications: whole, immutable, and a HATS catalogue at every moment."""

import json
import os
import pickle
import shutil
from datetime import date

import pyarrow.parquet as pq
import pytest
from skies import night_manifest

from store.errors import (
    ArchiveBusyError,
    ArchiveExistsError,
    ArchiveVersionError,
    DamagedArchiveError,
    NotAnArchiveError,
    UnwritableArchiveError,
)
from store.layout import HealpixPixel
from store.locks import locked
from store.manifest import Manifest
from store.publication import create_archive, publish
from store.settings import ArchiveSettings, read_settings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHTS = [date(2024, 1, day) for day in (10, 11, 12)]
PIXELS = [HealpixPixel(5, npix) for npix in (3, 100, 11_000)]


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings(name="test"))
    return root


def publish_night(root, night, pixels=PIXELS, n=100, seed=0):
    manifest = night_manifest(open_snapshot(root).layout, night, pixels, n, seed)
    return publish(root, {manifest.group: manifest}, f"ingest of {night}")


def rows_of(snapshot):
    return [pq.read_metadata(path).num_rows for path in snapshot.files("detections")]


def test_a_new_archive_is_empty_and_sound(root):
    snapshot = open_snapshot(root)
    assert snapshot.number == 0
    assert snapshot.files("detections") == []
    assert snapshot.rows("detections") == 0
    assert verify(root) == []


def test_nights_add_up_and_each_pixel_holds_a_file_a_night(root):
    for night in NIGHTS:
        snapshot = publish_night(root, night)
    assert snapshot.number == 3
    assert rows_of(snapshot) == [100] * 9
    assert snapshot.rows("detections") == 900
    assert [f.name for f in snapshot.files("detections", [PIXELS[1]])] == [
        "20240110.parquet", "20240111.parquet", "20240112.parquet",
    ]  # fmt: skip
    assert verify(root) == []


def test_the_same_night_again_is_no_new_publication(root):
    first = publish_night(root, NIGHTS[0])
    again = publish_night(root, NIGHTS[0])
    assert again.number == first.number


def test_a_snapshot_keeps_its_rows_whatever_is_published_after_it(root):
    before = publish_night(root, NIGHTS[0])
    kept = {path: path.read_bytes() for path in before.files("detections")}
    publish_night(root, NIGHTS[1])
    publish_night(root, NIGHTS[0], pixels=PIXELS[:1], n=7, seed=1)
    assert {path: path.read_bytes() for path in before.files("detections")} == kept
    assert rows_of(open_snapshot(root)) == [7, 100, 100, 100]


def test_replacing_a_night_leaves_out_the_pixels_it_no_longer_covers(root):
    publish_night(root, NIGHTS[0])
    snapshot = publish_night(root, NIGHTS[0], pixels=PIXELS[2:])
    assert snapshot.pixels("detections") == PIXELS[2:]
    assert verify(root) == []


def test_a_manifest_without_files_takes_its_night_out(root):
    publish_night(root, NIGHTS[0])
    group = f"nights/{NIGHTS[0]:%Y%m%d}"
    snapshot = publish(root, {group: Manifest.of(group, ())}, "withdraw")
    assert snapshot.rows("detections") == 0
    assert snapshot.groups == {}
    assert verify(root) == []


def test_a_publication_that_died_before_its_rename_leaves_no_trace(root):
    publish_night(root, NIGHTS[0])
    leftover = root / "publications" / ".000002.partial"
    leftover.mkdir()
    (leftover / "junk").touch()
    died_before_the_link = root / "publications" / "000002"
    died_before_the_link.mkdir()
    (died_before_the_link / "junk").touch()
    assert open_snapshot(root).number == 1
    snapshot = publish_night(root, NIGHTS[1])
    assert snapshot.number == 2
    assert rows_of(snapshot) == [100] * 6
    assert verify(root) == []


def test_an_archive_can_be_moved_whole(root, tmp_path):
    publish_night(root, NIGHTS[0])
    moved = tmp_path / "elsewhere" / "deeper" / "archive"
    moved.parent.mkdir(parents=True)
    shutil.move(root, moved)
    assert rows_of(open_snapshot(moved)) == [100] * 3
    assert verify(moved) == []


def test_the_same_nights_in_another_order_give_the_same_files(tmp_path):
    contents = []
    for name, nights in (("a", NIGHTS), ("b", NIGHTS[::-1])):
        root = tmp_path / name
        create_archive(root, ArchiveSettings())
        for night in nights:
            publish_night(root, night, seed=night.day)
        contents.append(
            {
                str(path.relative_to(root)): path.read_bytes()
                for folder in ("data", "manifests")
                for path in sorted((root / folder).rglob("*"))
                if path.is_file()
            }
        )
    assert contents[0] == contents[1]


def test_no_folder_but_an_empty_one_becomes_an_archive(root, tmp_path):
    with pytest.raises(ArchiveExistsError, match="already"):
        create_archive(root, ArchiveSettings())
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.tex").touch()
    with pytest.raises(ArchiveExistsError, match="not an empty folder"):
        create_archive(full, ArchiveSettings())


def test_an_init_that_was_killed_is_done_again(tmp_path, monkeypatch):
    import store.publication as publication

    root = tmp_path / "archive"
    for step in ("_make_current", "finish_creation"):
        with monkeypatch.context() as patched:
            patched.setattr(publication, step, _die)
            with pytest.raises(KeyboardInterrupt):
                create_archive(root, ArchiveSettings())
        with pytest.raises(NotAnArchiveError):
            open_snapshot(root)
    create_archive(root, ArchiveSettings())
    assert verify(root) == []


def _die(*_args, **_kwargs):
    raise KeyboardInterrupt


def test_an_error_of_ours_is_no_error_of_the_system(root):
    error = UnwritableArchiveError(root, "No space left on device")
    assert error.errno is error.strerror is None
    assert str(error).startswith(f"{root}: cannot write (No space left on device)")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.code) == (str(error), "unwritable")


def test_what_is_no_archive_is_said_to_be_none(tmp_path):
    with pytest.raises(NotAnArchiveError, match=r"nightlake init"):
        open_snapshot(tmp_path)


def test_a_newer_format_is_refused_by_number(root):
    raw = json.loads((root / "archive.json").read_text())
    (root / "archive.json").write_text(json.dumps(raw | {"format": 99}))
    with pytest.raises(ArchiveVersionError, match="format 99"):
        read_settings(root)


def test_an_altered_manifest_is_refused(root):
    publish_night(root, NIGHTS[0])
    path = next((root / "manifests").rglob("*.json"))
    path.write_bytes(path.read_bytes().replace(b'"rows": 100', b'"rows": 101', 1))
    with pytest.raises(DamagedArchiveError, match="checksum"):
        open_snapshot(root).manifest(f"nights/{NIGHTS[0]:%Y%m%d}")


def test_a_lock_that_is_held_is_said_to_be(root):
    layout = open_snapshot(root).layout
    child, parent = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        with locked(layout, "nights/20240110", wait=False):
            os.write(child[1], b"x")
            os.read(parent[0], 1)
        os._exit(0)
    os.read(child[0], 1)
    with pytest.raises(ArchiveBusyError), locked(layout, "nights/20240110", wait=False):
        pass
    os.write(parent[1], b"x")
    os.waitpid(pid, 0)
    with locked(layout, "nights/20240110", wait=False):
        pass
