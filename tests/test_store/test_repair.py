"""What `repair` makes anew, finishes or undoes, and what it leaves to others."""

import shutil
from datetime import date

import pytest
from publications import publish_night, published_content, rows_of

from store.errors import DamagedArchiveError, NotAnArchiveError
from store.layout import Layout
from store.locks import staged
from store.publication import create_archive
from store.repair import repair
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHTS = (date(2024, 1, 10), date(2024, 1, 11))


@pytest.fixture
def root(tmp_path):
    create_archive(tmp_path / "a", ArchiveSettings())
    for night in NIGHTS:
        publish_night(tmp_path / "a", night, 10)
    return tmp_path / "a"


@pytest.mark.parametrize("lost", ["missing", "dangling", "to nothing of ours"])
def test_the_link_to_what_is_current_is_found_again(root, lost):
    before = published_content(root)
    (root / "current").unlink()
    if lost != "missing":
        target = "publications/000077" if lost == "dangling" else "somewhere"
        (root / "current").symlink_to(target)
    with pytest.raises(DamagedArchiveError):
        open_snapshot(root).groups  # noqa: B018
    snapshot = repair(root)
    assert snapshot.number == 3
    assert rows_of(snapshot) == 40
    assert published_content(root) == before
    assert verify(root) == []


def test_a_publication_that_never_became_current_is_undone(root):
    """Its process was killed between the two renames."""
    before = published_content(root)
    shutil.copytree(root / "publications/000001", root / "publications/000003", symlinks=True)
    shutil.copytree(
        root / "publications/000001", root / "publications/.000004.partial", symlinks=True
    )
    snapshot = repair(root)
    assert sorted(path.name for path in (root / "publications").iterdir()) == [
        "000000", "000001", "000002", "000003",
    ]  # fmt: skip
    assert snapshot.number == 3
    assert published_content(root) == before
    assert verify(root) == []


def test_the_newest_publication_is_not_taken_if_it_cannot_be_read(root):
    (root / "current").unlink()
    manifest = next(root.glob("manifests/nights/20240111-*"))
    manifest.chmod(0o644)
    manifest.write_bytes(b"{}")
    with pytest.raises(DamagedArchiveError, match="manifest is not what was published"):
        repair(root)
    assert not (root / "current").exists()


def test_unfinished_files_go_unless_somebody_is_making_some(root):
    folder = next(path for path in (root / "data/detections").iterdir() if path.is_dir())
    left = folder / ".5-3.4711.partial"
    left.write_bytes(b"half")
    layout = Layout(root)
    with staged(layout, "nights/20240112", wait=False):
        repair(root)
        assert left.exists()
    repair(root)
    assert not left.exists()
    assert verify(root) == []


def test_files_that_no_publication_leads_to_are_left_to_vacuum(root):
    data = next((root / "data/detections").rglob("*.parquet"))
    stray = data.with_name("5-9-0123456789abcdef.parquet")
    shutil.copy(data, stray)
    repair(root)
    assert stray.exists()


def test_what_is_no_archive_is_said_to_be_none(tmp_path):
    with pytest.raises(NotAnArchiveError):
        repair(tmp_path)
