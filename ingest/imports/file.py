"""One file of light curves into the store: read, cut by pixel, written; published by the caller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.errors import RefusedInput, refusing
from ingest.imports.curves import Reader
from ingest.imports.errors import BadValues
from ingest.imports.forms import open_lightcurves
from ingest.imports.spool import Curves, Spool
from ingest.plan import refusal_of
from ingest.report import Refusal
from ingest.tables import to_contract
from ingest.version import code_version, recipe
from store.atomic import checksum_of
from store.contract import IMPORTED_LIGHTCURVES, IMPORTS
from store.errors import DamagedArchiveError
from store.files import TableWriter, check_intact, write_table
from store.layout import Layout
from store.manifest import FileEntry, Manifest, import_group, import_part

KIND = "lightcurves"


@dataclass(frozen=True, slots=True)
class ImportTask:
    """A file to import, as `name` into a collection; what stands of it, if anything does."""

    root: Path
    path: Path
    name: str
    collection: str
    order: int
    standing: Manifest
    known: str | None = None

    @property
    def part(self) -> str:
        """Name of its files."""
        return import_part(self.collection, self.name)


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of a file: its manifest and its curves, or why it was refused.

    `manifest` is None where the same is published already, and where it was refused.
    """

    name: str
    manifest: Manifest | None = None
    oids: NDArray[np.int64] | None = None
    rows: int = 0
    refusal: Refusal | None = None


def import_file(task: ImportTask) -> ImportResult:
    """Write the files of one import; none of what is refused is left."""
    path = task.path
    try:
        with refusing(path):
            digest = checksum_of(path)
            made_from = recipe(
                input=digest, collection=task.collection, order=task.order, code=code_version()
            )
            if made_from == task.known and _is_intact(task):
                return ImportResult(task.name)
            reader = open_lightcurves(path)
        return _written(task, reader, digest, made_from)
    except RefusedInput as error:
        refusal = replace(refusal_of(error, path), input_file=task.name)
        return ImportResult(task.name, refusal=refusal)


def _is_intact(task: ImportTask) -> bool:
    """Whether all that is published of it can be read: damage is mended by giving it again."""
    try:
        for entry in task.standing.files:
            check_intact(Layout(task.root), entry)
    except DamagedArchiveError:
        return False
    return True


def _written(task: ImportTask, reader: Reader, digest: str, made_from: str) -> ImportResult:
    layout = Layout(task.root)
    constant = {
        "collection": task.collection,
        "input_file": task.name,
        "input_checksum": digest,
    }
    staged = layout.staging("imports") / f"{task.part}.records"
    with Spool(staged, reader.columns, constant) as spool:
        for batch in _batches(task.path, reader):
            spool.add(batch)
        curves = spool.curves()
        _check_curves(task, reader, curves)
        files = list(_pixels(task, spool, curves))
        record = constant | {
            "kind": KIND,
            "form": reader.form,
            "position_type": reader.position_type,
            "hmjd_type": reader.hmjd_type,
            "n_curves": len(curves.oids),
            "n_epochs": spool.rows,
            "first_oid": int(curves.oids[0]),
            "last_oid": int(curves.oids[-1]),
            "first_hmjd": spool.hmjd[0],
            "last_hmjd": spool.hmjd[1],
            "recipe": made_from,
        }
    row = pl.DataFrame([record], schema_overrides={"n_curves": pl.Int64, "n_epochs": pl.Int64})
    files.append(write_table(layout, IMPORTS, to_contract(row, IMPORTS), task.part))
    group = import_group(task.collection, task.name)
    manifest = Manifest.of(group, files)
    return ImportResult(task.name, manifest, curves.oids, spool.rows)


def _batches(path: Path, reader: Reader) -> Iterator[Any]:
    """All of a file; only reading refuses it, writing does not."""
    batches = reader.batches()
    while True:
        with refusing(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _check_curves(task: ImportTask, reader: Reader, curves: Curves) -> None:
    """Refuse objects that the file has twice, or has in two places, fields or filters."""
    if reader.n_curves is not None and len(curves.oids) != reader.n_curves:
        oids, times = np.unique(curves.columns["oid"], return_counts=True)
        twice = oids[times > 1]
        raise BadValues(task.path, "objectid", f"{twice[0]}", "several rows", len(twice))
    parted = curves.several()
    if parted.size:
        what = f"{parted[0]} has several fields, filters or quadrants"
        raise BadValues(task.path, "oid", what, "its rows", len(parted))


def _pixels(task: ImportTask, spool: Spool, curves: Curves) -> Iterator[FileEntry]:
    layout = Layout(task.root)
    for pixel, tables in spool.pixels(curves, task.order):
        with TableWriter(layout, IMPORTED_LIGHTCURVES, task.part, pixel) as writer:
            for table in tables:
                writer.write(table)
            settle = writer.finish()
        yield settle()
