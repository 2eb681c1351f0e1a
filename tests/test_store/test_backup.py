"""Copies that are made while nights are published: docs/archive.md says how."""

import shutil
import subprocess
import threading
from datetime import date, timedelta
from pathlib import Path

import pytest
from publications import publish_night, rows_of

from ingest.withdraw import withdraw
from store.errors import ArchiveBusyError, DamagedArchiveError
from store.history import find_publication, history
from store.layout import Layout
from store.locks import locked
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.vacuum import vacuum
from store.verify import verify

PAGE = Path(__file__).resolve().parents[2] / "docs" / "archive.md"
FIRST = date(2024, 1, 1)
RSYNC = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
TOOLS = [pytest.param("rsync", marks=RSYNC), "cp"]


def steps(tool, root, copy):
    """The lines of the page, for these folders; or the same order with plain copies."""
    section = PAGE.read_text(encoding="utf-8").split("## Backup")[1]
    lines = section.split("```")[1].strip().splitlines()
    assert len(lines) == 6
    if tool == "cp":
        lines[2:4] = [f"cp -a {root}/publications {copy}/"] + [
            f"cp -a {path} {copy}/"
            for path in sorted(root.iterdir())
            if path.name not in {"publications", "current", "locks", "staging", "scratch"}
        ]
    # The whole machine need not wait for its disks here.
    lines.remove("sync")
    return [line.replace("ARCHIVE", str(root)).replace("BACKUP", str(copy)) for line in lines]


def run(line):
    subprocess.run(["sh", "-ec", line], check=True, timeout=300, stderr=subprocess.PIPE)


def change(root, number):
    """Publish something: a night more, the first one replaced, or one withdrawn."""
    if number % 3 == 2:
        return publish_night(root, FIRST + timedelta(days=number), number)
    if number % 3 == 0:
        return publish_night(root, FIRST, number, seed=number)
    return withdraw(root, [FIRST + timedelta(days=number - 2)])


def check_is_whole(copy, rows):
    """The copy is sound, and so is every publication in it; `rows` of each are known."""
    assert verify(copy) == []
    for publication in history(copy):
        found = rows_of(find_publication(copy, publication.number))
        assert found == rows[publication.number], publication.number


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings())
    publish_night(root, FIRST, 1)
    return root


@pytest.mark.parametrize("tool", TOOLS)
def test_a_copy_is_whole_after_every_step_while_nights_are_published(tool, root, tmp_path):
    copy = tmp_path / "copy"
    rows = {0: 0, 1: 2}
    for pass_ in range(3):
        started = None
        for line in steps(tool, root, copy):
            run(line)
            started = started or (".current.new" in line and open_snapshot(root).number)
            snapshot = change(root, open_snapshot(root).number + 1)
            rows[snapshot.number] = rows_of(snapshot)
            # A pass may be interrupted here: from the first one on there is a whole copy.
            if pass_ or "mv -T" in line:
                check_is_whole(copy, rows)
        assert open_snapshot(copy).number == started
    assert open_snapshot(root).number > started + 3
    # And it is an archive: it forgets what it need not keep, and goes on.
    vacuum(copy, older_than_days=0)
    check_is_whole(copy, rows)
    assert publish_night(copy, date(2025, 1, 1), 5).number == started + 1
    assert verify(copy) == []


@RSYNC
def test_copies_are_whole_while_a_process_publishes_without_a_pause(root, tmp_path):
    copy = tmp_path / "copy"
    rows, done = {0: 0, 1: 2}, threading.Event()

    def publish_on():
        while not done.is_set():
            snapshot = change(root, max(rows) + 1)
            rows[snapshot.number] = rows_of(snapshot)

    publishing = threading.Thread(target=publish_on)
    publishing.start()
    numbers = []
    try:
        # At least four passes, between which something was published.
        while len(numbers) < 4 or (len(set(numbers)) == 1 and len(numbers) < 100):
            for line in steps("rsync", root, copy):
                run(line)
            numbers.append(open_snapshot(copy).number)
    finally:
        done.set()
        publishing.join()
    check_is_whole(copy, rows)
    assert len(set(numbers)) > 1  # nights were published between passes


@pytest.mark.parametrize("tool", TOOLS)
def test_the_link_must_be_read_first(tool, root, tmp_path):
    """What the page says, in another order, gives a copy that lacks files."""
    copy = tmp_path / "copy"
    make, link, *copies, rename = steps(tool, root, copy)
    for line in (make, *copies):
        run(line)
        change(root, open_snapshot(root).number + 1)
    for line in (link, rename):
        run(line)
    with pytest.raises(DamagedArchiveError):
        verify(copy)


@pytest.mark.parametrize("tool", TOOLS)
def test_vacuum_waits_for_copies_that_hold_the_lock(tool, root, tmp_path):
    copy = tmp_path / "copy"
    rows = {0: 0, 1: 2}
    for number in range(2, 8):
        rows[number] = rows_of(change(root, number))
    # As `flock -s ARCHIVE/locks/files sh backup.sh` does.
    with locked(Layout(root), "files", wait=False, shared=True):
        for line in steps(tool, root, copy):
            run(line)
            with pytest.raises(ArchiveBusyError, match="or copying the archive"):
                vacuum(root, older_than_days=0)
    check_is_whole(copy, rows)
    assert len(history(copy)) == 8
    vacuum(root, older_than_days=0)
    for line in steps(tool, root, copy):
        run(line)
    check_is_whole(copy, rows)


@pytest.mark.parametrize("tool", TOOLS)
def test_what_is_restored_is_the_same_archive(tool, root, tmp_path):
    copy, restored = tmp_path / "copy", tmp_path / "restored"
    for line in steps(tool, root, copy):
        run(line)
    run(f"{tool} -a {copy}/. {restored}/" if tool == "rsync" else f"cp -a {copy} {restored}")
    shutil.rmtree(root)
    shutil.rmtree(copy)
    assert verify(restored) == []
    assert [one.number for one in history(restored)] == [0, 1]
    assert publish_night(restored, date(2025, 1, 1), 3).number == 2
    assert verify(restored) == []
