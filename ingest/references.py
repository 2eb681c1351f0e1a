"""Reference catalogues into the store: what the detections of their field will be matched to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from ingest.duplicates import one_of
from ingest.errors import BadSourceIds, RefusedInput, refusing
from ingest.facts import ReferenceFacts
from ingest.filenames import find_catalogues
from ingest.healpix import healpix_29
from ingest.metadata import gather_reference_facts
from ingest.plan import refusal_of
from ingest.psfcat import Column, PsfCatalogue, coordinate_fault, read_header, read_psfcat
from ingest.refusals import LookedAt, publish_refusals, refused_rows
from ingest.report import GroupReport, IngestReport, Outcome, Progress, Refusal
from ingest.tables import read_small_table, to_contract
from ingest.version import code_version, recipe
from store import disk
from store.arrow import as_arrow, as_numpy
from store.channel import channel_part
from store.contract import REFERENCE_IMAGES, REFERENCE_SOURCES
from store.executor import Executor
from store.files import sweep_unfinished, write_table
from store.layout import HEALPIX_ORDER, HealpixPixel, Layout
from store.locks import staged
from store.manifest import FileEntry, Manifest, references_group
from store.publication import publish
from store.settings import read_settings
from store.snapshot import open_snapshot
from store.words import printable
from transforms.hjd import footprint_centre
from transforms.identifiers import SOURCEIDS, oid
from transforms.photometry import calibrated_magnitude, catflags

# What says which reference image one is; RFID follows from it.
CHANNEL = ["field", "fid", "ccdid", "qid"]


@dataclass(frozen=True, slots=True)
class ReferenceTask:
    """One reference catalogue to write; `known` is the recipe of the one that is published."""

    root: Path
    path: Path
    facts: ReferenceFacts
    order: int
    known: str | None


@dataclass(frozen=True, slots=True)
class ReferenceResult:
    """Its files by pixel and its row of `reference_images`; neither if nothing has changed."""

    files: tuple[FileEntry, ...] = ()
    record: dict[str, Any] | None = None
    refusal: Refusal | None = None

    @property
    def unchanged(self) -> bool:
        """Whether the same is published already."""
        return self.record is None and self.refusal is None


def add_references(
    root: Path,
    paths: Sequence[Path],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Add refpsfcat files to the archive, or replace them; each field is published whole.

    Parameters
    ----------
    paths : folders and files.
    workers : processes; None for one a core.

    Raises
    ------
    NothingToIngestError : there is no refpsfcat at all.
    """
    started = time.monotonic()
    read_settings(root)
    facts, refusals = _look_at(find_catalogues(paths, "refpsfcat"))
    groups = []
    done = 0
    with Executor(workers) as executor:
        for field in sorted({fact.field for fact in facts.values()}):
            chosen = {path: fact for path, fact in facts.items() if fact.field == field}
            report, refused = _add_field(root, field, chosen, executor)
            groups.append(report)
            refusals += refused
            done += len(chosen)
            if progress:
                progress(done, len(facts), "reference catalogues")
    snapshot = publish_refusals(root, refusals, [LookedAt(printable(path.name)) for path in facts])
    return IngestReport(tuple(groups), tuple(refusals), snapshot.number, time.monotonic() - started)


def _look_at(paths: Sequence[Path]) -> tuple[dict[Path, ReferenceFacts], list[Refusal]]:
    """The facts of each file; of a channel given twice with different bytes, none."""
    facts: dict[Path, ReferenceFacts] = {}
    refusals: list[Refusal] = []
    by_channel: dict[str, list[Path]] = {}
    for path in paths:
        try:
            with refusing(path):
                facts[path] = gather_reference_facts(path, read_header(path))
        except RefusedInput as error:
            refusals.append(refusal_of(error, path))
            continue
        by_channel.setdefault(_part(facts[path]), []).append(path)
    taken = []
    for part, same in by_channel.items():
        one, refused = one_of(same, f"the reference of {part}")
        refusals += [refusal_of(error, path) for path, error in refused]
        taken += [one] if one is not None else []
    return {path: facts[path] for path in taken}, refusals


def _add_field(
    root: Path, field: int, facts: dict[Path, ReferenceFacts], executor: Executor
) -> tuple[GroupReport, list[Refusal]]:
    group = references_group(field)
    layout = Layout(root)
    with staged(layout, group, wait=True), disk.writing(root):
        sweep_unfinished(layout, f"{field:06d}")
        snapshot = open_snapshot(root)
        standing = snapshot.manifest(group)
        images = read_small_table(layout, standing, REFERENCE_IMAGES)
        known = {
            channel_part(*channel): made_from
            for *channel, made_from in images.select(*CHANNEL, "recipe").iter_rows()
        }
        tasks = [
            ReferenceTask(root, path, fact, snapshot.partition_order, known.get(_part(fact)))
            for path, fact in facts.items()
        ]
        results = [result for _, result in sorted(executor.run(write_reference, tasks))]
        refusals = [result.refusal for result in results if result.refusal is not None]
        new = [result for result in results if result.record is not None]
        if new:
            _publish_field(layout, field, standing, images, new)
    return _report(group, results), refusals


def _publish_field(
    layout: Layout,
    field: int,
    standing: Manifest,
    images: pl.DataFrame,
    new: list[ReferenceResult],
) -> None:
    """Publish the field's references: what stands and is not replaced, and the new."""
    records = pl.DataFrame([result.record for result in new], schema=images.schema)
    kept = images.join(records, on=CHANNEL, how="anti")
    replaced = {channel_part(*channel) for channel in records.select(CHANNEL).iter_rows()}
    files = [
        entry
        for entry in standing.files
        if entry.table == "reference_sources" and entry.part not in replaced
    ]
    files += [entry for result in new for entry in result.files]
    part = f"{field:06d}"
    table = to_contract(pl.concat([kept, records]), REFERENCE_IMAGES)
    files.append(write_table(layout, REFERENCE_IMAGES, table, part))
    refusals = [result.refusal for result in new if result.refusal is not None]
    files += refused_rows(layout, part, standing, kept, refusals)
    group = standing.group
    publish(layout.root, {group: Manifest.of(group, files)}, f"add-references of field {field}")


def _report(group: str, results: list[ReferenceResult]) -> GroupReport:
    new = [result for result in results if result.record is not None]
    unchanged = sum(result.unchanged for result in results)
    outcome: Outcome = "published" if new else "unchanged" if unchanged else "refused"
    rows = sum(entry.rows for result in new for entry in result.files)
    return GroupReport(group, outcome, images=len(new), unchanged=unchanged, rows=rows)


def _part(facts: ReferenceFacts) -> str:
    return channel_part(facts.field, facts.fid, facts.ccdid, facts.qid)


def write_reference(task: ReferenceTask) -> ReferenceResult:
    """Read one refpsfcat and write its sources, cut by pixel."""
    path, facts = task.path, task.facts
    try:
        with refusing(path):
            catalogue = read_psfcat(path)
            made_from = recipe(
                input=catalogue.checksum,
                facts=asdict(facts),
                partition_order=task.order,
                code=code_version(),
            )
            if made_from == task.known:
                return ReferenceResult()
            if (most := int(catalogue.columns["sourceid"].max())) >= SOURCEIDS:
                raise BadSourceIds(path, f"{most} has more than the 8 digits of an oid")
            rows, record, refusal = _transformed(catalogue, facts)
    except RefusedInput as error:
        return ReferenceResult(refusal=refusal_of(error, path))
    return ReferenceResult(_write_pixels(task, rows), record | {"recipe": made_from}, refusal)


def _transformed(
    catalogue: PsfCatalogue, facts: ReferenceFacts
) -> tuple[pa.Table, dict[str, Any], Refusal | None]:
    """Rows of `reference_sources`, one of `reference_images`, and what was refused of the rows."""
    path, columns = catalogue.path, catalogue.columns
    refusal = None
    keep, fault = coordinate_fault(path, columns["ra"], columns["dec"])
    if fault is not None:
        refusal = refusal_of(fault, path, digest=catalogue.checksum)
        columns = {name: values[keep] for name, values in columns.items()}
    centre = footprint_centre(columns["ra"], columns["dec"])
    record = {
        "rfid": facts.rfid,
        "filtercode": facts.filtercode,
        "ra": centre[0],
        "dec": centre[1],
        "n_read": catalogue.n_rows,
        "n_published": len(columns["ra"]),
        "n_refused": catalogue.n_rows - len(columns["ra"]),
        "input_file": printable(path.name),
        "input_checksum": catalogue.checksum,
    }
    record |= {
        column.name: getattr(facts, column.name)
        for column in REFERENCE_IMAGES.columns
        if column.name not in record and column.name != "recipe"
    }
    return _sorted_rows(columns, facts), record, refusal


def _sorted_rows(columns: dict[str, Column], facts: ReferenceFacts) -> pa.Table:
    """The sources in the schema of `reference_sources`, sorted by index and sourceid."""
    n = len(columns["ra"])
    flags = columns.get("flags")
    missing = np.full(n, np.nan, dtype=np.float32)
    values: dict[str, Any] = {
        "_healpix_29": healpix_29(columns["ra"], columns["dec"]),
        "oid": oid(facts.field, facts.fid, facts.ccdid, facts.qid, columns["sourceid"]),
        "rfid": np.full(n, facts.rfid),
        **{
            name: np.full(n, getattr(facts, name))
            for name in ("field", "fid", "ccdid", "qid", "rcid")
        },
        "fluxerr": columns["sigflux"],
        "magerr": columns["sigmag"],
        "catflags": catflags(flags, n, is_bad=False),
        **{name: columns.get(name, missing) for name in ("xpos", "ypos", "chi", "sharp")},
        **{name: columns[name] for name in ("sourceid", "ra", "dec", "flux")},
    }
    values["mag"] = calibrated_magnitude(columns["mag"], facts.magzp).astype(np.float32)
    order = np.lexsort((values["sourceid"], values["_healpix_29"]))
    arrays = []
    for column, target in zip(REFERENCE_SOURCES.columns, REFERENCE_SOURCES.schema(), strict=True):
        ordered = values[column.name][order]
        known = None
        if column.name == "catflags":
            known = np.full(n, flags is not None)
        elif column.nullable and ordered.dtype.kind == "f":
            known = ~np.isnan(ordered)
        arrays.append(as_arrow(ordered, known=known).cast(target.type))
    return pa.Table.from_arrays(arrays, schema=REFERENCE_SOURCES.schema())


def _write_pixels(task: ReferenceTask, rows: pa.Table) -> tuple[FileEntry, ...]:
    layout = Layout(task.root)
    part = _part(task.facts)
    npix = as_numpy(rows["_healpix_29"]) >> (2 * (HEALPIX_ORDER - task.order))
    numbers, starts, counts = np.unique(npix, return_index=True, return_counts=True)
    return tuple(
        write_table(
            layout,
            REFERENCE_SOURCES,
            rows.slice(int(start), int(count)),
            part,
            HealpixPixel(task.order, int(number)),
        )
        for number, start, count in zip(numbers, starts, counts, strict=True)
    )
