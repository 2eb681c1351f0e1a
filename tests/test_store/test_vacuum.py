"""Vacuum takes what nobody needs, and nothing else, whenever it is stopped."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from archives import cluster, nightly
from catalogues import scatter, write_psfcat, write_refpsfcat
from publications import PIXELS, date_publications, publish_night, rows_of
from skies import detections

import ingest.references
import ingest.refusals
import ingest.repack
from ingest.withdraw import withdraw
from nightlake import Archive
from products.crossmatch.columns import ColumnNames
from products.crossmatch.hats import HatsCatalogue
from queries.connection import connect
from store import disk
from store.contract import DETECTIONS
from store.errors import ArchiveBusyError, DamagedArchiveError, UnknownPublicationError
from store.files import write_table
from store.history import find_publication, history
from store.hold import hold_catalogue
from store.layout import Layout
from store.locks import locked, staged
from store.manifest import Manifest
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import Snapshot, open_snapshot
from store.vacuum import VacuumReport, vacuum
from store.verify import verify

NIGHTS = [date(2024, 1, day) for day in (10, 11, 12)]


@pytest.fixture
def root(tmp_path):
    """Publications: 0 empty, 1 and 2 a night more, 3 replaces one, 4 withdraws the other."""
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings())
    publish_night(root, NIGHTS[0], 10)
    publish_night(root, NIGHTS[1], 20)
    publish_night(root, NIGHTS[0], 30, seed=1)
    withdraw(root, [NIGHTS[1]])
    return root


def numbers(root):
    return [publication.number for publication in history(root)]


def content(root):
    """Every file and link of the archive, but for locks."""
    return {
        str(path.relative_to(root)): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in root.rglob("*")
        if (path.is_symlink() or path.is_file()) and path.parent.name != "locks"
    }


# --- what goes, and what stays ----------------------------------------------------------------


def test_only_what_is_current_is_left(root):
    report = vacuum(root, older_than_days=0)
    assert report.publications == [0, 1, 2, 3]
    assert numbers(root) == [4]
    assert verify(root) == []
    assert rows_of(open_snapshot(root)) == 60
    # The replaced night and the withdrawn one: two files each, and two folders a former state.
    assert (report.data_files, report.manifests) == (4, 2)
    assert len(list(Layout(root).data.rglob("*.parquet"))) == 2
    assert len(list(Layout(root).pixels.glob("detections/*/*"))) == 2
    assert not (Layout(root).data / "detections" / "20240111").exists()
    assert vacuum(root, older_than_days=0) == VacuumReport()


def test_what_was_told_is_what_goes_and_is_freed(root):
    before = content(root)
    told = vacuum(root, older_than_days=0, dry_run=True)
    assert content(root) == before
    assert vacuum(root, older_than_days=0) == told
    size = {name: len(c) for name, c in before.items() if isinstance(c, bytes)}
    assert told.bytes == sum(size.values()) - sum(
        len(c) for c in content(root).values() if isinstance(c, bytes)
    )


def test_each_publication_that_stays_can_be_read_whole(root):
    report = vacuum(root, keep=3, older_than_days=0)
    assert report.publications == [0, 1]
    assert numbers(root) == [2, 3, 4]
    assert [rows_of(find_publication(root, number)) for number in (2, 3, 4)] == [60, 100, 60]
    assert report.data_files == 0  # all that 0 and 1 led to, 2 leads to as well


def test_a_publication_stays_until_it_has_not_been_current_for_a_week(root):
    now = datetime.now(UTC)
    # The third was published long ago, but was current until yesterday.
    date_publications(root, *(now - timedelta(days=days) for days in (90, 80, 70, 60, 1)))
    assert vacuum(root).publications == [0, 1, 2]
    assert numbers(root) == [3, 4]
    assert vacuum(root, older_than_days=0.5).publications == [3]


def test_what_cannot_be_meant_is_refused(root):
    for how in ({"keep": 0}, {"older_than_days": -1}, {"older_than_days": float("nan")}):
        with pytest.raises(ValueError, match="at least 1 publication"):
            vacuum(root, **how)


def test_leftovers_of_killed_processes_go(root):
    layout = Layout(root)
    publish_night(root, NIGHTS[2], 5)
    sound = content(root)
    number = open_snapshot(root).number
    for folder in (
        layout.publications / f".{number + 1:06d}.partial" / "detections",
        layout.publications / f"{number + 1:06d}",  # its process died before the link
        layout.publications / ".000001.removed" / "images",
        layout.pixels / "detections" / "5" / ".3-0123456789abcdef.partial",
        layout.staging("nights/20240110"),
    ):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(1000))
    for file in (
        layout.data / "detections" / "20240110" / ".20240110-5-3.77.partial",
        layout.manifests / "nights" / ".20240110-0123.json.77.partial",
    ):
        file.write_bytes(bytes(1000))
    (root / ".current.77.partial").symlink_to("publications/000001")
    report = vacuum(root)
    assert (report.leftovers, report.bytes) == (8, 7000)
    assert content(root) == sound


def test_what_is_not_ours_is_left_alone(root):
    ours = content(root)
    for name in ("data/README", "manifests/notes.txt", "publications/mine", "mine.partial"):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    vacuum(root)
    assert {*content(root)} - {*ours} == {
        "data/README", "manifests/notes.txt", "publications/mine", "mine.partial",
    }  # fmt: skip


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("{}")])
def test_where_a_manifest_does_not_say_what_is_needed_nothing_goes(root, damage):
    snapshot = open_snapshot(root)
    ((group, digest),) = snapshot.groups.items()
    damage(snapshot.layout.manifest(group, digest))
    before = content(root)
    with pytest.raises(DamagedArchiveError, match=r"manifest .* Publication 4 needs it"):
        vacuum(root, older_than_days=0)
    assert content(root) == before


def test_an_archive_under_another_name_loses_nothing(root, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(root)
    vacuum(tmp_path / "archive" / ".." / "link", older_than_days=0)
    assert verify(root) == []


# --- readers ----------------------------------------------------------------------------------

READER = """
import sys
from nightlake import Archive
with Archive(sys.argv[1], as_of=int(sys.argv[2])) as archive:
    print("open", flush=True)
    sys.stdin.readline()
    print(archive.sql("select count(*) from detections").item(), flush=True)
    sys.stdin.readline()
"""


def test_what_another_process_reads_stays_until_it_ends(tmp_path):
    root = tmp_path / "A"
    nightly(root, *cluster(10, 45))
    withdraw(root, [date(2024, 1, 10)])
    withdraw(root, [date(2024, 1, 11)])
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(root), "1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as reader:  # fmt: skip
        assert reader.stdout.readline() == "open\n"
        report = vacuum(root, older_than_days=0)
        assert (report.publications, report.held) == ([0, 2], [1])
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "24\n"
        assert vacuum(root, older_than_days=0).held == [1]
        reader.kill()
    # However it ended.
    assert vacuum(root, older_than_days=0).publications == [1]
    assert numbers(root) == [3]


def test_a_session_holds_what_it_reads_though_its_archive_moves_on(tmp_path):
    root = tmp_path / "A"
    nightly(root, *cluster(10, 45))
    with Archive(root) as archive:
        session = archive.session
        archive.withdraw(date(2024, 1, 10))
        assert archive.vacuum(older_than_days=0).held == [1]
        assert session.rows("SELECT count(*) FROM detections") == [(24,)]
        session.close()
        assert archive.vacuum(older_than_days=0).publications == [1]
        assert archive.nights().height == 1


def test_a_closed_archive_holds_nothing_and_says_what_became_of_it(tmp_path):
    root = tmp_path / "A"
    nightly(root, *cluster(10, 45))
    archive = Archive(root, as_of=1)
    withdraw(root, [date(2024, 1, 10)])
    archive.refresh()
    assert archive.nights().height == 2  # as of 1
    archive.close()
    vacuum(root, older_than_days=0)
    with pytest.raises(UnknownPublicationError, match="publication 1 is not there"):
        archive.nights()


def test_a_reader_that_comes_too_late_opens_what_is_current(root, monkeypatch):
    late = find_publication(root, 2)
    vacuum(root, older_than_days=0)
    with pytest.raises(UnknownPublicationError, match="publication 2 is not there"):
        connect(late)
    # The link was read, and then another publication was made and the first one vacuumed.
    answers = [Snapshot(Layout(root), 2), open_snapshot(root), open_snapshot(root)]
    monkeypatch.setattr("store.hold.open_snapshot", lambda _: answers.pop(0))
    with Archive(root) as archive:
        assert archive.snapshot.number == 4


def test_a_catalogue_is_held_where_it_lies(root, tmp_path):
    folder, hold = hold_catalogue(root / "detections")
    assert folder == Layout(root).publication(4) / "detections"
    publish_night(root, NIGHTS[2], 5)
    assert vacuum(root, older_than_days=0).held == [4]
    assert (folder / "dataset" / PIXELS[0].hats_path / "20240110.parquet").is_file()
    hold.release()
    assert vacuum(root, older_than_days=0).publications == [4]
    assert hold_catalogue(tmp_path) == (tmp_path, None)


def test_a_crossmatch_reads_one_publication_to_its_end(tmp_path):
    root = tmp_path / "A"
    nightly(root, *cluster(10, 45))
    catalogue = HatsCatalogue(root / "detections", ColumnNames(id="expid"), "left")
    sky = np.array([[0, 12 << 58]])
    withdraw(root, [date(2024, 1, 10), date(2024, 1, 11)])
    assert vacuum(root, older_than_days=0).held == [1]
    assert sum(len(catalogue.load(block)) for block in catalogue.blocks_in(sky)) == 24
    catalogue.close()
    assert vacuum(root, older_than_days=0).publications == [1]


# --- writers ----------------------------------------------------------------------------------


def test_files_that_are_not_published_yet_stay(root):
    layout = Layout(root)
    # The withdrawn night's file stands still, and is found good again.
    rows = detections(np.random.default_rng(0), PIXELS[0], NIGHTS[1], 20)
    publish_night(root, NIGHTS[2], 5)
    with staged(layout, "nights/20240111", wait=False):
        old = write_table(layout, DETECTIONS, rows, "20240111", PIXELS[0])
        new = write_table(layout, DETECTIONS, rows.slice(3), "20240111", PIXELS[1])
        with pytest.raises(ArchiveBusyError, match="files that are not published yet"):
            vacuum(root, older_than_days=0)
        manifest = Manifest.of("nights/20240111", [old, new])
        publish(root, {manifest.group: manifest}, "ingest")
    vacuum(root, older_than_days=0)
    assert {finding.code for finding in verify(root)} <= {"pixel"}  # `new` is in another's pixel
    assert rows_of(open_snapshot(root)) == 60 + 10 + 37


def test_nobody_stages_or_publishes_while_files_go(root, monkeypatch):
    layout = Layout(root)
    remove, tried = disk.remove, []

    def remove_and_look(path):
        for name, shared in (("files", True), ("commit", False)):
            with (
                pytest.raises(ArchiveBusyError),
                locked(layout, name, wait=False, shared=shared),
            ):
                pass
        tried.append(path)
        remove(path)

    monkeypatch.setattr(disk, "remove", remove_and_look)
    vacuum(root, older_than_days=0)
    assert len(tried) > 20


def test_every_step_of_an_ingest_keeps_vacuum_out(tmp_path, monkeypatch):
    root, raw = tmp_path / "A", tmp_path / "raw"
    create_archive(root, ArchiveSettings())
    ra, dec = scatter(np.random.default_rng(1), 20)
    write_refpsfcat(raw / "ref", ra, dec)
    write_psfcat(raw / "sci", ra, dec)
    write_psfcat(raw / "sci", ra, dec, qid=2).write_bytes(b"")
    refused = []

    def publish_in_spite_of_vacuum(*given, **named):
        with pytest.raises(ArchiveBusyError):
            vacuum(root, older_than_days=0)
        refused.append(given[2])
        return publish(*given, **named)

    for module in (ingest.references, ingest.refusals, ingest.repack):
        monkeypatch.setattr(module, "publish", publish_in_spite_of_vacuum)
    with Archive(root) as archive:
        archive.add_references(raw / "ref", workers=1)
        archive.ingest(raw / "sci", workers=1)
    assert {words.split()[0] for words in refused} == {"add-references", "ingest", "refusals"}
    vacuum(root, older_than_days=0)
    assert verify(root) == []


# --- stopped anywhere -------------------------------------------------------------------------


class Killed(BaseException):
    pass


def test_publications_are_gone_for_good_before_what_they_needed(root, monkeypatch):
    done = []
    for name in ("rename", "remove", "sync_folder"):
        call = getattr(disk, name)
        monkeypatch.setattr(
            disk, name, lambda *a, name=name, call=call: (done.append((name, a[0])), call(*a))
        )
    vacuum(root, older_than_days=0)
    calls = [name for name, _ in done]
    # What is current is made to last first, then that the others are gone, then the rest goes.
    assert done[0] == ("sync_folder", root)
    last_rename = max(i for i, name in enumerate(calls) if name == "rename")
    synced = done.index(("sync_folder", Layout(root).publications))
    assert last_rename < synced < calls.index("remove")


def test_a_vacuum_that_is_killed_at_any_step_leaves_a_sound_archive(root, tmp_path, monkeypatch):
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(root, undisturbed, symlinks=True)
    vacuum(undisturbed, keep=2, older_than_days=0)
    expected = content(undisturbed)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a process is killed, not the machine
    steps = ("rename", "remove", "remove_tree", "sync_folder")
    calls = {name: getattr(disk, name) for name in steps}
    for step in range(0, 1000, 2):
        copy = tmp_path / f"killed-{step}"
        shutil.copytree(root, copy, symlinks=True)
        left = iter(range(step))

        def counted(*given, name, left=left):
            if next(left, None) is None:
                raise Killed
            calls[name](*given)

        for name in steps:
            monkeypatch.setattr(
                disk, name, lambda *given, name=name, counted=counted: counted(*given, name=name)
            )
        try:
            vacuum(copy, keep=2, older_than_days=0)
            break
        except Killed:
            pass
        finally:
            for name in steps:
                monkeypatch.setattr(disk, name, calls[name])
        there = numbers(copy)
        assert there[-2:] == [3, 4]
        for number in there:
            assert rows_of(find_publication(copy, number)) == [0, 20, 60, 100, 60][number]
        assert verify(copy) == []
        vacuum(copy, keep=2, older_than_days=0)
        assert content(copy) == expected
        shutil.rmtree(copy)
    assert step > 20
