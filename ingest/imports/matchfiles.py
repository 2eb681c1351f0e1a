"""Matchfiles into an archive, and out of it: each is a group of its own, and kept as it is.

A file is known by its name within its collection; a channel stands once in a collection. The same
bytes again change nothing. HDF5's library can be brought to its end by a damaged file: files are
read in processes of their own, and one that ends its process is refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from ingest.duplicates import one_of
from ingest.errors import NothingToIngestError
from ingest.imports.errors import DamagedImport, RepeatedChannel, UnknownImportError
from ingest.imports.job import (
    COLLECTION,
    ImportedFile,
    ImportReport,
    Removal,
    check_collection,
)
from ingest.imports.matchfile import FORM
from ingest.imports.matchfile_file import (
    MatchfileResult,
    MatchfileTask,
    import_matchfile,
    refusal_of_file,
)
from ingest.plan import refusal_of
from ingest.refusals import LookedAt, publish_refusals
from ingest.report import Progress, Refusal
from ingest.tables import read_small_table
from store import disk
from store.channel import channel_part
from store.contract import MATCHFILE_DETECTIONS, MATCHFILES
from store.executor import available_cores
from store.files import sweep_unfinished
from store.layout import Layout
from store.locks import staged
from store.manifest import MATCHFILES as GROUPS
from store.manifest import Manifest, matchfile_group
from store.processes import CleanPool
from store.publication import publish
from store.settings import read_settings
from store.snapshot import Snapshot, open_snapshot

# What is looked for in a folder.
PATTERN = "*_match.*"
_LOCK = "matchfiles"
_READY = "ingest.imports.matchfile_file"
# Field, fid, ccdid, qid and rcid, by the name of the file that it is from.
Channels = dict[tuple[int, ...], str]


def import_matchfiles(
    root: Path,
    paths: Sequence[Path],
    *,
    collection: str = COLLECTION,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import matchfiles: exposures, sources and detections into tables of their own.

    Parameters
    ----------
    paths : files, and folders that are searched for *_match.* to the bottom.
    collection : what they are asked by.
    workers : processes; None for one a core.

    Returns
    -------
    ImportReport : `epochs` are rows of sourcedata and transientdata.

    Raises
    ------
    BadCollectionError : no collection can have that name.
    NothingToIngestError : there is no file at all.
    """
    started = time.monotonic()
    read_settings(root)
    check_collection(collection)
    layout = Layout(root)
    found, refusals = _names(paths)
    files = [ImportedFile(refusal.input_file, "refused") for refusal in refusals]
    with staged(layout, _LOCK, wait=True), disk.writing(root):
        sweep_unfinished(layout, f"{collection}-")
        snapshot = open_snapshot(root)
        standing = _standing(snapshot, collection)
        tasks = [_task(snapshot, path, name, collection) for name, path in found.items()]
        taken = {channel: name for name, channel in standing.items() if name not in found}
        changed: dict[str, Manifest] = {}
        for done, (task, given) in enumerate(_imported(tasks, workers), 1):
            result = _unless_repeated(task, given, taken)
            if result.refusal is not None:
                refusals.append(result.refusal)
                files.append(ImportedFile(result.name, "refused"))
            elif result.manifest is None:
                taken[standing[result.name]] = result.name
                files.append(ImportedFile(result.name, "unchanged"))
            else:
                taken[result.channel] = result.name
                changed[result.manifest.group] = result.manifest
                files.append(ImportedFile(result.name, "published", 1, result.rows))
            if progress:
                progress(done, len(tasks), "matchfiles")
        if changed:
            published = [file.name for file in files if file.outcome == "published"]
            what = ", ".join(published) if len(published) <= 3 else f"{len(published)} matchfiles"
            publish(root, changed, f"import of {what} into {collection}")
    number = publish_refusals(root, refusals, [LookedAt(name) for name in found]).number
    ordered = tuple(sorted(files, key=lambda file: file.name))
    seconds = time.monotonic() - started
    return ImportReport(collection, ordered, tuple(refusals), number, seconds)


def remove_matchfiles(
    root: Path, collection: str = COLLECTION, names: Sequence[str] = ()
) -> Removal:
    """Publish the archive without a collection's matchfiles, or without some of them.

    Raises
    ------
    UnknownImportError : one of them is not there; nothing is removed.
    """
    check_collection(collection)
    layout = Layout(root)
    with staged(layout, _LOCK, wait=True), disk.writing(root):
        snapshot = open_snapshot(root)
        standing = _standing(snapshot, collection)
        if not standing:
            raise UnknownImportError(root, f"no matchfile was imported into {collection}")
        for name in names:
            if name not in standing:
                raise UnknownImportError(root, f"{name} is not in collection {collection}")
        groups = [matchfile_group(collection, name) for name in names or standing]
        went = [snapshot.manifest(group) for group in groups]
        changed = {group: Manifest.of(group, ()) for group in groups}
        what = ", ".join(names) if 0 < len(names) <= 3 else f"{len(went)} matchfiles"
        snapshot = publish(root, changed, f"removal of {what} from {collection}")
    rows = sum(manifest.rows(MATCHFILE_DETECTIONS.name) for manifest in went)
    return Removal(len(went), rows, snapshot.number)


def _names(paths: Sequence[Path]) -> tuple[dict[str, Path], list[Refusal]]:
    """The files by their names; those of one name must be alike."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        for below in sorted(path.rglob(PATTERN)) if path.is_dir() else [path]:
            found.setdefault(below.name, []).append(below)
    if not found:
        where = ", ".join(map(str, paths))
        raise NothingToIngestError(where, "match", f"no {PATTERN} here")
    taken: dict[str, Path] = {}
    refusals: list[Refusal] = []
    for name in sorted(found):
        one, refused = one_of(list(dict.fromkeys(found[name])), f"file {name}")
        refusals += [replace(refusal_of(error, path), input_file=name) for path, error in refused]
        if one is not None:
            taken[name] = one
    return taken, refusals


def _standing(snapshot: Snapshot, collection: str) -> dict[str, tuple[int, ...]]:
    """The channel of each file of a collection, by the file's name."""
    beginning = f"{GROUPS}{collection}-"
    found = {}
    for group in snapshot.groups:
        if group.startswith(beginning):
            row = read_small_table(snapshot.layout, snapshot.manifest(group), MATCHFILES)
            key = row.select("field", "fid", "ccdid", "qid", "rcid").row(0)
            found[row["input_file"].item()] = key
    return found


def _task(snapshot: Snapshot, path: Path, name: str, collection: str) -> MatchfileTask:
    group = matchfile_group(collection, name)
    standing = snapshot.manifest(group)
    known = None
    if standing.files:
        known = read_small_table(snapshot.layout, standing, MATCHFILES)["recipe"].item()
    return MatchfileTask(snapshot.layout.root, path, name, collection, standing, known)


def _imported(
    tasks: Sequence[MatchfileTask], workers: int | None
) -> Iterator[tuple[MatchfileTask, MatchfileResult]]:
    """The result of each task, in their order."""
    waiting = list(tasks)
    at_once = min(workers or available_cores(), max(1, len(tasks)))
    while waiting:
        with CleanPool(at_once, _READY) as pool:
            futures = [pool.submit(import_matchfile, task) for task in waiting[: 4 * at_once]]
            try:
                for future in futures:
                    yield waiting[0], future.result()
                    del waiting[0]
                continue
            except BrokenProcessPool:
                pass
        # One of those that were being read ended its process: alone, the first tells.
        yield waiting[0], _alone(waiting.pop(0))


def _alone(task: MatchfileTask) -> MatchfileResult:
    with CleanPool(1, _READY) as pool:
        try:
            result: MatchfileResult = pool.submit(import_matchfile, task).result()
            return result
        except BrokenProcessPool:
            error = DamagedImport(task.path, FORM, "HDF5's library does not survive reading it")
            return MatchfileResult(task.name, refusal=refusal_of_file(task, error))


def _unless_repeated(
    task: MatchfileTask, result: MatchfileResult, taken: Channels
) -> MatchfileResult:
    """The result, or a refusal if its channel is in another file of the collection."""
    other = taken.get(result.channel)
    if result.manifest is None or other is None:
        return result
    part = channel_part(*result.channel[:4])
    error = RepeatedChannel(task.path, part, other, task.collection)
    return MatchfileResult(result.name, refusal=refusal_of_file(task, error))
