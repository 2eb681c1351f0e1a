"""Is the archive what was published? Each fault is named, with what to do about it.

HATS' own validation reads neither counts nor order; this does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from store.atomic import checksum_of
from store.bounds import check_bounds
from store.contract import STORED_TABLES
from store.errors import DamagedArchiveError
from store.executor import Progress
from store.findings import AGAIN, BACKUP, Finding, remedy_of
from store.hold import hold_current
from store.layout import LIGHTCURVE_TABLES
from store.manifest import FileEntry
from store.settings import read_settings
from store.snapshot import Snapshot
from store.verify_catalogues import check_collection, check_counts, check_links
from store.verify_lightcurves import check_lightcurves
from store.verify_rows import check_rows
from store.verify_sky import SkyCheck


def verify(root: Path, progress: Progress | None = None, *, deep: bool = False) -> list[Finding]:
    """Check every published file against its manifest, and the HATS catalogues against both.

    Of each file: checksum, rows, schema, order, and that its rows lie inside their pixel. Of
    each catalogue: that it holds the links that the manifests call for and nothing else, and that
    its metadata and point map agree with them. Of margins and of the index of ids: that they hold
    what the detections and the references call for. Of light curves: that their index and their
    images are those of their rows. Of all: that no image stands twice.

    Parameters
    ----------
    deep : count the rows of every image, exposure, night and reference again too, and hold light
        curves against the detections that they were built of.

    Returns
    -------
    The faults found; none in a sound archive.
    """
    with hold_current(root) as snapshot:
        return _verify(snapshot, progress, deep)


def _verify(snapshot: Snapshot, progress: Progress | None, deep: bool) -> list[Finding]:
    findings: list[Finding] = []
    try:
        check_bounds(snapshot.layout)
    except DamagedArchiveError as error:
        findings.append(Finding("link", error.where, error.what, error.hint))
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
        findings += check_links(snapshot, table, of_table)
        findings += check_counts(snapshot, table, of_table)
    findings += check_collection(snapshot, settings, sound)
    findings += _check_images(snapshot, [e for e in sound if e.table == "images"])
    findings += check_lightcurves(snapshot, entries, sound, deep)
    if deep:
        findings += check_rows(snapshot.layout.root, entries, sound)
    return findings


def _check_file(snapshot: Snapshot, entry: FileEntry, sky: SkyCheck) -> Iterator[Finding]:
    path = snapshot.layout.root / entry.path
    remedy = remedy_of(entry.table, entry.part)
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
    if entry.pixel is not None and entry.table not in LIGHTCURVE_TABLES:
        yield from _check_nights(entry, file, remedy)
        yield from sky.check(entry, entry.pixel, file)


def _check_nights(entry: FileEntry, file: pq.ParquetFile, remedy: str) -> Iterator[Finding]:
    """Who looks for the rows of a night finds their files by part and, in periods, by `nights`."""
    if "night" not in file.schema_arrow.names:
        return
    nights = file.read(["night"])["night"].unique().to_pylist()
    found = sorted(f"{night:%Y%m%d}" for night in nights)
    if found != list(entry.nights or [entry.part]):
        what = f"holds rows of other nights ({', '.join(found)}) than its manifest says"
        yield Finding("nights", entry.path, what, remedy)


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
