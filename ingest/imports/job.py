"""Files of light curves into an archive, and out of it: each is a group of its own.

A file is known by its name within its collection. The same bytes again change nothing; other bytes
under that name take the place of the former. An object stands once in a collection: a file that
brings one which another file has is refused.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.duplicates import one_of
from ingest.errors import NothingToIngestError
from ingest.imports.errors import BadCollectionError, RepeatedCurves, UnknownImportError
from ingest.imports.file import ImportResult, ImportTask, import_file
from ingest.imports.taken import Taken, groups_of
from ingest.plan import refusal_of
from ingest.refusals import LookedAt, publish_refusals
from ingest.report import Outcome, Progress, Refusal
from store import disk
from store.contract import IMPORTED_LIGHTCURVES
from store.executor import Executor
from store.files import sweep_unfinished
from store.layout import Layout
from store.locks import staged
from store.manifest import Manifest, import_group
from store.publication import publish
from store.settings import read_settings
from store.snapshot import open_snapshot
from store.words import printable

COLLECTION = "imported"
# What is published at once: what an interrupted import has to do again.
PUBLISHED_FILES = 256
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
# The lock of all imports.
_LOCK = "imports"
# Called with the number of files that are done.
Told = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """What became of one file; `curves` and `epochs` count what this import brought of it."""

    name: str
    outcome: Outcome
    curves: int = 0
    epochs: int = 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    collection: str
    files: tuple[ImportedFile, ...]
    refusals: tuple[Refusal, ...]
    publication: int
    seconds: float

    @property
    def curves(self) -> int:
        """Light curves that it brought."""
        return sum(file.curves for file in self.files)

    @property
    def epochs(self) -> int:
        """Epochs that it brought."""
        return sum(file.epochs for file in self.files)

    @property
    def nothing_done(self) -> bool:
        """Whether every file was refused."""
        return all(file.outcome == "refused" for file in self.files)


@dataclass(frozen=True, slots=True)
class Removal:
    """How many files and epochs went, and the publication without them."""

    files: int
    epochs: int
    publication: int


def import_lightcurves(
    root: Path,
    paths: Sequence[Path],
    *,
    collection: str = COLLECTION,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import light curves: files of a public data release (Parquet) and answers of the API (CSV).

    Parameters
    ----------
    paths : files, and folders of .parquet and .csv files; of a HATS catalogue its pixels' files.
    collection : what they are asked by: ids of a data release are not those of the archive.
    workers : processes; None for one a core.

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
    files: list[ImportedFile] = [_refused(refusal) for refusal in refusals]
    names = sorted(found)
    with staged(layout, _LOCK, wait=True), disk.writing(root), Executor(workers) as executor:
        sweep_unfinished(layout, f"{collection}-")
        disk.discard(layout.staging(_LOCK))
        taken = Taken(open_snapshot(root), collection)
        for start in range(0, len(names), PUBLISHED_FILES):
            some = {name: found[name] for name in names[start : start + PUBLISHED_FILES]}

            def tell(done: int, start: int = start) -> None:
                if progress:
                    progress(start + done, len(names), "files")

            results = _import_some(layout, some, taken, executor, tell)
            files += [_outcome(result) for result in results]
            refusals += [result.refusal for result in results if result.refusal is not None]
        disk.discard(layout.staging(_LOCK))
    looked_at = [LookedAt(name) for name in names]
    number = publish_refusals(root, refusals, looked_at).number
    ordered = tuple(sorted(files, key=lambda file: file.name))
    return ImportReport(collection, ordered, tuple(refusals), number, time.monotonic() - started)


def remove_imports(root: Path, collection: str = COLLECTION, names: Sequence[str] = ()) -> Removal:
    """Publish the archive without a collection, or without some of its files.

    What was published stays until `vacuum`.

    Parameters
    ----------
    names : of the files, as they were imported; none is the whole collection.

    Raises
    ------
    UnknownImportError : one of them is not there; nothing is removed.
    """
    check_collection(collection)
    layout = Layout(root)
    with staged(layout, _LOCK, wait=True), disk.writing(root):
        snapshot = open_snapshot(root)
        standing = groups_of(snapshot, collection)
        if not standing:
            raise UnknownImportError(root, f"no collection {collection} was imported")
        groups = [import_group(collection, printable(name)) for name in names] or list(standing)
        for name, group in zip(names, groups, strict=False):
            if group not in standing:
                raise UnknownImportError(root, f"{name} is not in collection {collection}")
        went = [snapshot.manifest(group) for group in groups]
        changed = {group: Manifest.of(group, ()) for group in groups}
        what = ", ".join(names) if 0 < len(names) <= 3 else f"{len(went)} files"
        snapshot = publish(root, changed, f"removal of {what} from {collection}")
    epochs = sum(manifest.rows(IMPORTED_LIGHTCURVES.name) for manifest in went)
    return Removal(len(went), epochs, snapshot.number)


def check_collection(name: str) -> None:
    """Refuse what is no name of a collection.

    Raises
    ------
    BadCollectionError
    """
    if not _NAME.fullmatch(name):
        raise BadCollectionError(name)


def _names(paths: Sequence[Path]) -> tuple[dict[str, Path], list[Refusal]]:
    """The files by the names that they are known by; those of one name must be alike."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        for below in _below(path):
            found.setdefault(_name(below), []).append(below)
    if not found:
        raise NothingToIngestError(
            ", ".join(map(str, paths)), "light curves", "no .parquet and no .csv file here"
        )
    taken: dict[str, Path] = {}
    refusals: list[Refusal] = []
    for name, same in found.items():
        one, refused = one_of(list(dict.fromkeys(same)), f"file {name}")
        refusals += [replace(refusal_of(error, path), input_file=name) for path, error in refused]
        if one is not None:
            taken[name] = one
    return taken, refusals


def _below(path: Path) -> Iterator[Path]:
    """The path itself, or the files in a folder."""
    if not path.is_dir():
        yield path
        return
    # A HATS catalogue has other Parquet files too: metadata, thumbnails, margins.
    pixels = sorted(path.glob("**/Norder=*/Dir=*/Npix=*.parquet"))
    if pixels:
        yield from pixels
        return
    for one in sorted(path.rglob("*")):
        if one.suffix.lower() in {".parquet", ".csv"} and one.name[0] not in "._":
            yield one


def _name(path: Path) -> str:
    """What a file is known by: its name, and in HATS the folders that say which pixel it is."""
    parts = path.parts[-3:] if path.parent.name.startswith("Dir=") else path.parts[-1:]
    return printable("/".join(parts))


def _import_some(
    layout: Layout, found: dict[str, Path], taken: Taken, executor: Executor, tell: Told
) -> list[ImportResult]:
    """Import some files and publish them together."""
    root, collection, snapshot = layout.root, taken.collection, open_snapshot(layout.root)
    tasks = []
    for name, path in found.items():
        group = import_group(collection, name)
        standing, known = snapshot.manifest(group), taken.recipes.get(group)
        order = snapshot.partition_order
        tasks.append(ImportTask(root, path, name, collection, order, standing, known))
    results: list[ImportResult] = [ImportResult("")] * len(tasks)
    for done, (position, result) in enumerate(executor.run(import_file, tasks), 1):
        results[position] = result
        tell(done)
    results = [
        _unless_repeated(task, result, taken) for task, result in zip(tasks, results, strict=True)
    ]
    changed = {r.manifest.group: r.manifest for r in results if r.manifest is not None}
    if changed:
        few = ", ".join(r.name for r in results if r.manifest is not None)
        what = few if len(changed) <= 3 else f"{len(changed)} files"
        publish(root, changed, f"import of {what} into {collection}")
    return results


def _unless_repeated(task: ImportTask, result: ImportResult, taken: Taken) -> ImportResult:
    """The result, or a refusal if objects of it are in another file of the collection."""
    if result.manifest is None or result.oids is None:
        return result
    group = result.manifest.group
    repeated = taken.repeated(group, result.oids)
    if repeated is None:
        taken.take(result.manifest, result.name, result.oids)
        return result
    other, shared = repeated
    error = RepeatedCurves(task.path, len(shared), int(shared[0]), other, task.collection)
    refusal = refusal_of(error, task.path)
    return ImportResult(result.name, refusal=replace(refusal, input_file=result.name))


def _outcome(result: ImportResult) -> ImportedFile:
    if result.refusal is not None:
        return _refused(result.refusal)
    if result.manifest is None:
        return ImportedFile(result.name, "unchanged")
    assert result.oids is not None
    return ImportedFile(result.name, "published", len(result.oids), result.rows)


def _refused(refusal: Refusal) -> ImportedFile:
    return ImportedFile(refusal.input_file, "refused")
