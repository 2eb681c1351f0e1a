"""An archive that older code wrote becomes one of this format, whenever it is stopped."""

import json
import os
import shutil
import tarfile
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from publications import rows_of

from nightlake import Archive
from nightlake.cli import run
from store import disk, migrate
from store.errors import (
    ArchiveBusyError,
    ArchiveVersionError,
    DamagedArchiveError,
    UnknownPublicationError,
)
from store.history import history
from store.layout import FORMAT_VERSION, Layout
from store.locks import locked
from store.settings import read_settings
from store.snapshot import current_snapshot, open_snapshot
from store.vacuum import vacuum
from store.verify import verify

PACKED = Path(__file__).parent / "data"
# The tables that both formats have.
OF_OLD = (
    "detections", "reference_sources", "images", "exposures", "nights", "reference_images",
    "refusals",
)  # fmt: skip


def unpacked(name, folder):
    with tarfile.open(PACKED / f"{name}.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    return folder / name


@pytest.fixture
def root(tmp_path):
    return unpacked("format-1", tmp_path)


def data_files(root):
    return [path for path in Layout(root).data.rglob("*") if path.is_file()]


def tables(snapshot):
    """All rows of all tables, but for columns that have come since."""
    found = {}
    for name in OF_OLD:
        if files := snapshot.files(name):
            found[name] = pl.concat([pl.read_parquet(file) for file in files])
    return found


def test_an_older_archive_is_refused_and_the_way_out_is_named(root):
    with pytest.raises(ArchiveVersionError, match=r"format 1 .*\. Run: nightlake migrate "):
        Archive(root)
    with pytest.raises(ArchiveVersionError):
        vacuum(root)


def test_all_rows_are_there_afterwards_and_all_is_sound(root):
    before = tables(current_snapshot(Layout(root)))
    assert migrate.migrate(root).number == 5
    assert verify(root) == []
    after = tables(open_snapshot(root))
    assert before["detections"].height == 70
    for name, rows in before.items():
        assert after[name].select(rows.columns).equals(rows), name
        new = after[name].drop(rows.columns)
        assert new.null_count().row(0) == (rows.height,) * new.width
    assert read_settings(root).name == "old"
    assert read_settings(root).margin_arcsec == 0
    assert migrate.migrate(root) is None
    assert open_snapshot(root).number == 5


def test_a_migrated_archive_answers_and_goes_on(root):
    with Archive.migrate(root) as archive:
        oid = archive.sql("SELECT min(oid) FROM detections").item()
        assert archive.lightcurve(oid).height == 2
        assert archive.history()["format"].to_list() == [1] * 5 + [FORMAT_VERSION]
        archive.withdraw(date(2024, 1, 10))
        assert archive.verify() == []
        assert archive.nights()["night"].to_list() == [date(2024, 1, 11)]


def test_an_archive_of_format_2_keeps_its_margins_and_periods(tmp_path):
    root = unpacked("format-2", tmp_path)
    with pytest.raises(ArchiveVersionError, match=r"format 2 .*\. Run: nightlake migrate "):
        Archive(root)
    before = tables(current_snapshot(Layout(root)))
    assert (before["detections"].height, before["images"].height) == (72, 6)
    with Archive.migrate(root) as archive:
        assert archive.verify(deep=True) == []
        settings = read_settings(root)
        assert (settings.margin_arcsec, settings.scale_limit_percent) == (5.0, 1.0)
        after = tables(archive.snapshot)
        for name, rows in before.items():
            assert after[name].select(rows.columns).equals(rows), name
        assert archive.scale()["n_checked"].to_list() == [0, 0, 0]
        files = [e for g in archive.snapshot.groups for e in archive.snapshot.manifest(g).files]
        assert {e.nights for e in files if e.part == "20240110-20240111"} == {
            ("20240110", "20240111")
        }
        archive.withdraw(date(2024, 1, 11))
        assert archive.verify(deep=True) == []


def test_what_was_published_before_goes_with_vacuum(root):
    migrate.migrate(root)
    with pytest.raises(UnknownPublicationError, match=r"before `migrate`.* There is 5 \("):
        Archive(root, as_of=3)
    assert vacuum(root, keep=2, older_than_days=0).publications == [0, 1, 2, 3]
    assert verify(root) == []
    # Publication 4 is still whole, for the Nightlake that wrote it.
    old = history(root)[0]
    assert (old.number, old.format) == (4, 1)
    assert vacuum(root, older_than_days=0).publications == [4]
    assert verify(root) == []
    now = open_snapshot(root)
    needed = {entry.path for group in now.groups for entry in now.manifest(group).files}
    assert {Layout(root).relative(path) for path in data_files(root)} == needed


def test_a_column_that_has_come_since_is_null(root, monkeypatch):
    """As if `exposures.airmass` were new: the file is made without it, as older code would."""
    layout = Layout(root)
    snapshot = current_snapshot(layout)
    group = "nights/20240110"
    digest = snapshot.groups[group]
    raw = migrate.read_raw_manifest(layout.manifest(group, digest), digest)
    entry = next(entry for entry in raw["files"] if entry["table"] == "exposures")
    path = root / entry["path"]
    pq.write_table(pq.read_table(path).drop_columns("airmass"), path)
    with pytest.raises(DamagedArchiveError, match="not what was published"):
        migrate.migrate(root)
    monkeypatch.setattr(migrate, "check_intact", lambda layout, entry: layout.root / entry.path)
    migrate.migrate(root)
    assert verify(root) == []
    exposures = tables(open_snapshot(root))["exposures"]
    assert exposures["airmass"].null_count() == 1


def test_a_file_that_cannot_be_read_is_named(root):
    file = next((root / "data" / "detections").rglob("*.parquet"))
    file.write_bytes(b"")
    with pytest.raises(DamagedArchiveError, match=f"{file.name}: cannot be read"):
        migrate.migrate(root)
    assert json.loads(Layout(root).settings.read_text())["format"] == 1


@pytest.mark.parametrize("version", [0, 4, "2", None])
def test_a_format_that_is_not_known_is_left_alone(root, version):
    path = Layout(root).settings
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": version}))
    with pytest.raises(ArchiveVersionError, match=f"archive format {version} is not"):
        migrate.migrate(root)
    assert current_snapshot(Layout(root)).number == 4


def test_nobody_ingests_meanwhile(root):
    with (
        locked(Layout(root), "files", wait=False, shared=True),
        pytest.raises(ArchiveBusyError, match="not published yet"),
    ):
        migrate.migrate(root)


class Killed(BaseException):
    pass


def test_a_migration_that_is_killed_at_any_step_is_finished_by_the_next(
    root, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a process is killed, not the machine
    calls = {name: getattr(disk, name) for name in ("rename", "write_file", "make_link")}

    def migrate_and_be_killed(copy, after):
        """Calls that were made, if fewer than `after`."""
        shutil.copytree(root, copy, symlinks=True)
        made = []

        def counted(name, *given):
            if len(made) == after:
                raise Killed
            made.append(name)
            return calls[name](*given)

        with monkeypatch.context() as patched:
            for name in calls:
                patched.setattr(disk, name, partial(counted, name))
            migrate.migrate(copy)
        return len(made)

    outcomes = set()
    n = migrate_and_be_killed(tmp_path / "whole", None)
    for step in (*range(0, n - 6, 7), *range(n - 6, n)):
        copy = tmp_path / f"killed-{step}"
        with pytest.raises(Killed):
            migrate_and_be_killed(copy, step)
        # Of the old format, whole, or of the new one but for its name.
        standing = current_snapshot(Layout(copy))
        outcomes.add((standing.number, standing.record["format"]))
        assert rows_of(standing) == 70
        assert migrate.migrate(copy).number == 5
        assert verify(copy) == []
        assert open_snapshot(copy).number == 5
        shutil.rmtree(copy)
    assert outcomes == {(4, 1), (5, FORMAT_VERSION)}


def test_the_command_says_what_it_did(root, capsys):
    assert run(["migrate", str(root)]) == 0
    assert capsys.readouterr().out == f"publication 5: of format {FORMAT_VERSION} now\n"
    assert run(["migrate", str(root)]) == 0
    assert "already; nothing was done" in capsys.readouterr().out
