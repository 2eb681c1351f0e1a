"""One matchfile into the store: read, kept as it is, written; published by the caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import tables

from ingest.errors import RefusedInput, refusing
from ingest.imports.errors import DamagedImport
from ingest.imports.matchfile import FORM, KEPT, MatchfileReader
from ingest.plan import refusal_of
from ingest.report import Refusal
from ingest.tables import to_contract
from ingest.version import code_version, recipe
from store.atomic import checksum_of
from store.contract import (
    MATCHFILE_DETECTIONS,
    MATCHFILE_EXPOSURES,
    MATCHFILE_SOURCES,
    MATCHFILES,
)
from store.errors import DamagedArchiveError
from store.files import TableWriter, check_intact, write_table
from store.layout import Layout
from store.manifest import FileEntry, Manifest, import_part, matchfile_group

Item = TypeVar("Item")

_COUNTS = {
    "exposures": "n_exposures",
    "sources": "n_sources",
    "transients": "n_transients",
    "sourcedata": "n_detections",
    "transientdata": "n_transient_detections",
}
_END = object()


@dataclass(frozen=True, slots=True)
class MatchfileTask:
    """A file to import, as `name` into a collection; what stands of it, if anything does."""

    root: Path
    path: Path
    name: str
    collection: str
    standing: Manifest
    known: str | None = None


@dataclass(frozen=True, slots=True)
class MatchfileResult:
    """What became of a file: its manifest, or why it was refused.

    `manifest` is None where the same is published already, and where it was refused. `channel`
    names what it is of, as 000245_zr_c10_q1.
    """

    name: str
    manifest: Manifest | None = None
    channel: tuple[int, ...] = ()
    rows: int = 0
    refusal: Refusal | None = None


def import_matchfile(task: MatchfileTask) -> MatchfileResult:
    """Write the files of one import; none of what is refused is left."""
    path = task.path
    try:
        with refusing(path):
            digest = checksum_of(path)
        made_from = recipe(input=digest, collection=task.collection, code=code_version())
        if made_from == task.known and _is_intact(task):
            return MatchfileResult(task.name)
        with _reading(path):
            reader = MatchfileReader(path).__enter__()
        with reader:
            return _written(task, reader, digest, made_from)
    except RefusedInput as error:
        return MatchfileResult(task.name, refusal=refusal_of_file(task, error))


def refusal_of_file(task: MatchfileTask, error: RefusedInput) -> Refusal:
    """The refusal of a file, by the name that it is known by."""
    return replace(refusal_of(error, task.path), input_file=task.name)


def _is_intact(task: MatchfileTask) -> bool:
    """Whether all that is published of it can be read: damage is mended by giving it again."""
    try:
        for entry in task.standing.files:
            check_intact(Layout(task.root), entry)
    except DamagedArchiveError:
        return False
    return True


def _written(
    task: MatchfileTask, reader: MatchfileReader, digest: str, made_from: str
) -> MatchfileResult:
    layout = Layout(task.root)
    part = import_part(task.collection, task.name)
    channel = reader.channel
    key = {"collection": task.collection} | {
        name: channel[name] for name in ("field", "fid", "rcid")
    }
    files: list[FileEntry] = []
    for table in (MATCHFILE_EXPOSURES, MATCHFILE_SOURCES, MATCHFILE_DETECTIONS):
        with TableWriter(layout, table, part) as writer:
            for name in (name for name, (kept, _) in KEPT.items() if kept is table):
                for batch in _read(task.path, reader.batches(name, key)):
                    writer.write(batch)
            if not writer.rows:
                continue
            settle = writer.finish()
        files.append(settle())
    with _reading(task.path):
        said = reader.attributes()
        counts = {ours: reader.rows(name) for name, ours in _COUNTS.items()}
    record = key | {
        "ccdid": channel["ccdid"],
        "qid": channel["qid"],
        "input_file": task.name,
        "input_checksum": digest,
        "recipe": made_from,
    }
    row = pl.DataFrame([record | said | counts])
    files.append(write_table(layout, MATCHFILES, to_contract(row, MATCHFILES), part))
    manifest = Manifest.of(matchfile_group(task.collection, task.name), files)
    rows = counts["n_detections"] + counts["n_transient_detections"]
    return MatchfileResult(task.name, manifest, tuple(channel.values()), rows)


def _read(path: Path, batches: Iterator[Item]) -> Iterator[Item]:
    """All of them; only reading refuses the file, writing does not."""
    while True:
        with _reading(path):
            batch: Any = next(batches, _END)
        if batch is _END:
            return
        yield batch


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever PyTables makes of a damaged file refuses it."""
    try:
        yield
    except RefusedInput:
        raise
    except tables.HDF5ExtError as error:
        raise DamagedImport(path, FORM, "HDF5 cannot read it") from error
    except Exception as error:
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise DamagedImport(path, FORM, what) from error
