"""Is the archive what was published? Each fault is named, with what to do about it.

HATS' own validation reads neither counts nor order; this does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from store.atomic import checksum_of
from store.columns import Table
from store.contract import STORED_TABLES
from store.errors import DamagedArchiveError
from store.findings import AGAIN, BACKUP, REPAIR, Finding
from store.hats import read_properties
from store.hold import hold_current
from store.layout import CATALOGUES, SPATIAL_TABLES
from store.manifest import FileEntry
from store.point_map import POINT_MAP, read_point_map, sum_cells
from store.settings import read_settings
from store.snapshot import Snapshot
from store.verify_sky import SkyCheck

Progress = Callable[[int, int, str], None]


def verify(root: Path, progress: Progress | None = None) -> list[Finding]:
    """Check every published file against its manifest, and the HATS catalogues against both.

    Of each file: checksum, rows, schema, order, and that its rows lie inside their pixel. Of
    each catalogue: that its links are those of the manifests, and its metadata agrees with them.
    Of all: that no image stands twice.

    Returns
    -------
    The faults found; none in a sound archive.
    """
    with hold_current(root) as snapshot:
        return _verify(snapshot, progress)


def _verify(snapshot: Snapshot, progress: Progress | None) -> list[Finding]:
    findings: list[Finding] = []
    entries: list[FileEntry] = []
    for group in snapshot.groups:
        try:
            entries += snapshot.manifest(group).files
        except DamagedArchiveError as error:
            findings.append(Finding("manifest", error.where, error.what, BACKUP))
    settings = read_settings(snapshot.layout.root)
    sky = SkyCheck(snapshot.partition, settings.margin_arcsec)
    sound: list[FileEntry] = []
    for number, entry in enumerate(entries):
        if progress:
            progress(number, len(entries), "files")
        faults = list(_check_file(snapshot, entry, sky))
        findings += faults
        if faults:
            sky.pass_over(entry)
        else:
            sound.append(entry)
    findings += sky.finish()
    for table in STORED_TABLES.values():
        of_table = [entry for entry in entries if entry.table == table.name]
        findings += _check_links(snapshot, table, of_table)
        findings += _check_counts(snapshot, table, of_table)
    findings += _check_images(snapshot, [e for e in sound if e.table == "images"])
    return findings


def _check_file(snapshot: Snapshot, entry: FileEntry, sky: SkyCheck) -> Iterator[Finding]:
    path = snapshot.layout.root / entry.path
    remedy = BACKUP if entry.table.startswith("reference") else AGAIN
    try:
        digest = checksum_of(path)
    except OSError as error:
        yield Finding("unreadable", entry.path, f"cannot be read ({error.strerror})", remedy)
        return
    if digest != entry.checksum:
        yield Finding("checksum", entry.path, "is not what was published", remedy)
        return
    table = STORED_TABLES[entry.table]
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException:
        yield Finding("schema", entry.path, "is no Parquet file", remedy)
        return
    if not file.schema_arrow.equals(table.schema()):
        yield Finding("schema", entry.path, f"is not of the schema of {table.name}", remedy)
        return
    if file.metadata.num_rows != entry.rows:
        what = f"holds {file.metadata.num_rows} rows, its manifest says {entry.rows}"
        yield Finding("rows", entry.path, what, remedy)
        return
    if entry.pixel is not None:
        yield from sky.check(entry, entry.pixel, file)


def _check_links(snapshot: Snapshot, table: Table, entries: list[FileEntry]) -> Iterator[Finding]:
    """The publication's links against the manifests."""
    root = snapshot.layout.root.resolve()
    folder = snapshot.folder / table.name
    wanted = {str(root / entry.path) for entry in entries}
    pattern = "dataset/Norder=*/Dir=*/Npix=*/*" if table.name in SPATIAL_TABLES else "*"
    found = {str(path.resolve()) for path in folder.glob(pattern)}
    for path in sorted(found - wanted):
        yield Finding("stray", path, f"is in {table.name}, but in no manifest", REPAIR)
    for path in sorted(wanted - found):
        yield Finding("unlinked", path, f"is in a manifest, but not in {table.name}", REPAIR)
    shown = snapshot.layout.root / table.name
    if table.name in CATALOGUES and shown.resolve() != folder.resolve():
        yield Finding("unlinked", str(shown), "does not lead to what is current", REPAIR)


def _check_counts(snapshot: Snapshot, table: Table, entries: list[FileEntry]) -> Iterator[Finding]:
    """What the publication and a catalogue's metadata state, against the manifests."""
    folder = snapshot.folder / table.name
    rows = sum(entry.rows for entry in entries)
    if snapshot.rows(table.name) != rows:
        what = f"the publication says {snapshot.rows(table.name)} rows, its manifests {rows}"
        yield Finding("rows", str(folder), what, REPAIR)
    if table.name not in SPATIAL_TABLES:
        return
    try:
        counts = read_point_map(folder) if table.name in CATALOGUES else None
        stated = read_properties(folder).get("hats_nrows")
        listed = snapshot.pixels(table.name)
        schema = pq.read_schema(folder / "dataset" / "_common_metadata")
    except (OSError, ValueError, pa.ArrowException) as error:
        what = f"the catalogue's metadata cannot be read ({' '.join(str(error).split())})"
        yield Finding("hats", str(folder), what, REPAIR)
        return
    if stated != str(rows):
        what = f"hats_nrows is {stated}, the manifests have {rows} rows"
        yield Finding("hats_nrows", str(folder), what, REPAIR)
    if counts is not None and not np.array_equal(counts, sum_cells(entries)):
        what = f"has {counts.sum()} rows, which are not those of the manifests ({rows})"
        yield Finding("point_map", str(folder / POINT_MAP), what, REPAIR)
    pixels = sorted({entry.pixel for entry in entries if entry.pixel is not None})
    if listed != pixels:
        what = f"lists {len(listed)} pixels, the manifests have {len(pixels)}"
        yield Finding("partition_info", str(folder / "partition_info.csv"), what, REPAIR)
    if not schema.equals(table.schema()):
        what = f"is not of the schema of {table.name}"
        yield Finding("schema", str(folder / "dataset" / "_common_metadata"), what, REPAIR)


def _check_images(snapshot: Snapshot, entries: list[FileEntry]) -> Iterator[Finding]:
    """No image twice, in one night or in two."""
    nights: dict[int, list[str]] = {}
    for entry in entries:
        pids = pq.ParquetFile(snapshot.layout.root / entry.path).read(["pid"])["pid"].to_pylist()
        for pid, times in Counter(pids).items():
            nights.setdefault(pid, []).extend([entry.part] * times)
    for pid, where in sorted(nights.items()):
        if len(where) > 1:
            what = f"is published {len(where)} times, in {', '.join(where)}"
            yield Finding("duplicate_image", f"image {pid}", what, AGAIN)
