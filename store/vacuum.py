"""Vacuum: old publications go, then whatever no publication that stays leads to.

A publication goes if it is not among the newest, has not been current for some time, and nobody
holds it (`store.hold`). Everything else that goes follows from those that stay:

    manifests, data files, pixel folders    that none of them names or links to
    unfinished files, folders and links     of processes that were killed
    staging                                 of groups that nobody is working on
    scratch folders                         of processes that no longer live

Why nothing goes that is needed: files that no publication leads to yet are made, or found good, by
processes that hold the lock `files` shared (`store.locks.staged`) until they are published; pixel
folders and manifests are made under the lock `commit`. Vacuum holds both, `files` exclusively. If
somebody is staging, it is refused and takes nothing.

Why it may be killed at any moment: publications go first, each by one rename, and that lasts
before anything they need is touched. What is left then is what no publication leads to: the next
vacuum takes it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from store import disk, scratch
from store.errors import DamagedArchiveError
from store.history import publications, superseded
from store.hold import unheld
from store.layout import LIGHTCURVE_TABLES, Layout
from store.locks import locked, nobody_stages
from store.manifest import read_raw_manifest
from store.settings import read_settings
from store.snapshot import Snapshot

KEPT_PUBLICATIONS = 1
KEPT_DAYS = 7.0


@dataclass(slots=True)
class VacuumReport:
    """What was removed, or would be.

    `publications` and `held` are numbers of publications: those that went, and those that would
    have gone if nobody held them. The others count files and folders; `bytes` is the size of all
    files.
    """

    publications: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    manifests: int = 0
    data_files: int = 0
    pixel_folders: int = 0
    leftovers: int = 0
    bytes: int = 0


def vacuum(
    root: Path,
    *,
    keep: int = KEPT_PUBLICATIONS,
    older_than_days: float = KEPT_DAYS,
    dry_run: bool = False,
) -> VacuumReport:
    """Remove old publications, what only they needed, and what killed processes left.

    Parameters
    ----------
    keep : publications that stay, the newest; at least the current one.
    older_than_days : a publication stays until it has not been current for so long: whoever reads
        its files directly holds no lock.
    dry_run : remove nothing; only tell.

    Raises
    ------
    ArchiveBusyError : a night or a reference is being ingested or withdrawn.
    DamagedArchiveError : it cannot be told what a publication that stays needs; no file went.
    """
    if keep < 1 or not 0 <= older_than_days < 1e6:
        raise ValueError("keep at least 1 publication, and those of 0 days or more")
    read_settings(root)
    # Resolved, so that where links lead and what folders list are spelled alike.
    layout = Layout(root.resolve())
    with nobody_stages(layout), locked(layout, "commit", wait=True), disk.writing(root):
        # That what is current is current lasts, before what was current goes.
        disk.sync_folder(root)
        there = publications(layout.root)
        old = _old(there, keep, datetime.now(UTC) - timedelta(days=older_than_days))
        report = VacuumReport()
        # A fault in what stays stops it here, before anything went.
        needed = {path for snapshot in there if snapshot not in old for path in _needs(snapshot)}
        for snapshot in _let_go(old, report, dry_run):
            needed.update(_needs(snapshot))
        disk.sync_folder(layout.publications)
        gone = {_hidden(layout.publication(number)) for number in report.publications}
        for kind, path in [*_unneeded(layout, needed), *_leftovers(layout, there)]:
            if path not in gone:  # they are counted already
                setattr(report, kind, getattr(report, kind) + 1)
                report.bytes += _size(path)
            if not dry_run:
                _remove(path)
        if not dry_run:
            _remove_empty_folders(layout)
    return report


def _let_go(old: Sequence[Snapshot], report: VacuumReport, dry_run: bool) -> list[Snapshot]:
    """Take publications out of sight that nobody holds; returns those that somebody does."""
    held = []
    for snapshot in old:
        with unheld(snapshot.folder) as is_free:
            if not is_free:
                held.append(snapshot)
                continue
            report.publications.append(snapshot.number)
            report.bytes += _size(snapshot.folder)
            if not dry_run:
                disk.rename(snapshot.folder, _hidden(snapshot.folder))
    report.held = [snapshot.number for snapshot in held]
    return held


def _old(there: Sequence[Snapshot], keep: int, limit: datetime) -> list[Snapshot]:
    """The publications that are neither among the newest nor were current since `limit`."""
    until = superseded(there)
    return [
        snapshot
        for snapshot, end in zip(there[:-keep], until, strict=False)
        if end is not None and end <= limit
    ]


def _hidden(folder: Path) -> Path:
    """What a publication's folder is called while it is being removed."""
    return folder.with_name(f".{folder.name}.removed")


def _needs(snapshot: Snapshot) -> Iterator[str]:
    """The manifests, files and folders that a publication leads to, as absolute paths.

    By its manifests and by its links: each is enough where nothing is wrong.
    """
    layout = snapshot.layout
    for group, digest in snapshot.groups.items():
        path = layout.manifest(group, digest)
        yield str(path)
        try:
            # Of whatever format: publications of before a migration may stay too.
            files = read_raw_manifest(path, digest)["files"]
        except DamagedArchiveError as error:
            hint = f"Publication {snapshot.number} needs it: restore it, or see --older-than."
            raise DamagedArchiveError(error.what, where=path, hint=hint) from error
        yield from (str(layout.root / entry["path"]) for entry in files)
    # Catalogues of light curves lie outside, and lead to other folders in their turn.
    catalogues = [snapshot.catalogue(table).resolve() for table in LIGHTCURVE_TABLES]
    for top in (snapshot.folder, *catalogues):
        for folder, below, files in os.walk(top):
            for name in (*below, *files):
                path = Path(folder, name)
                if path.is_symlink():
                    yield os.path.normpath(path.parent / path.readlink())


def _unneeded(layout: Layout, needed: Collection[str]) -> Iterator[tuple[str, Path]]:
    """Manifests, data files and pixel folders that are not needed, each with its kind.

    Names that are not ours are left alone.
    """
    for kind, top, suffix in (
        ("manifests", layout.manifests, ".json"),
        ("data_files", layout.data, ".parquet"),
    ):
        for path in sorted(top.rglob("*")):
            if path.name.startswith("."):
                yield "leftovers", path
            elif path.suffix == suffix and path.is_file() and str(path) not in needed:
                yield kind, path
    for path in sorted(layout.pixels.glob("*/*/*")):
        if path.name.startswith("."):
            yield "leftovers", path
        elif str(path) not in needed:
            yield "pixel_folders", path


def _leftovers(layout: Layout, there: Sequence[Snapshot]) -> Iterator[tuple[str, Path]]:
    """What processes that were killed left, and publications that never became current."""
    standing = {snapshot.folder for snapshot in there}
    found = [
        path
        for path in layout.publications.iterdir()
        if path not in standing and (path.name.isdigit() or path.name.startswith("."))
    ]
    found += layout.root.glob(".*.partial")
    found += (layout.root / "staging").glob("*")
    found += scratch.stale(layout.scratch)
    yield from (("leftovers", path) for path in sorted(found))


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count nothing."""
    paths = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(file.stat().st_size for file in paths if file.is_file() and not file.is_symlink())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        disk.remove_tree(path)
    else:
        disk.remove(path)


def _remove_empty_folders(layout: Layout) -> None:
    """Folders of nights, fields and orders that nothing is left of."""
    for top in (layout.data, layout.pixels):
        for folder, _, _ in os.walk(top, topdown=False):
            path = Path(folder)
            if path != top and not any(path.iterdir()):
                disk.remove_tree(path)
