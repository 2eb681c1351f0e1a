"""Is the archive what was published? Each fault is named, with what to do about it.

HATS' own validation reads neither counts nor order; this does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from store.atomic import checksum
from store.contract import TABLES
from store.errors import DamagedArchiveError
from store.hats import read_properties
from store.layout import SPATIAL_TABLES
from store.manifest import FileEntry
from store.snapshot import Snapshot, open_snapshot

RESTORE = "Restore the file from a backup, or ingest its night again."
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: what is wrong, where, and the remedy. `code` is stable, for programs."""

    code: str
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}"


def verify(root: Path, progress: Progress | None = None) -> list[Finding]:
    """Check every published file against its manifest, and the HATS catalogues against both.

    Of each file: checksum, rows, schema, order, and that its rows lie inside their pixel. Of
    each catalogue: that its links are those of the manifests, and hats_nrows and
    partition_info.csv agree with them. Of all: that no image stands in two nights.

    Returns
    -------
    The faults found; none in a sound archive.
    """
    snapshot = open_snapshot(root)
    findings: list[Finding] = []
    entries: list[FileEntry] = []
    for group in snapshot.groups:
        try:
            entries += snapshot.manifest(group).files
        except DamagedArchiveError as error:
            findings.append(Finding("manifest", error.where, error.what, error.hint))
    for number, entry in enumerate(entries):
        if progress:
            progress(number, len(entries), "files")
        findings += _check_file(snapshot, entry)
    for table in TABLES:
        findings += _check_links(snapshot, table, [e for e in entries if e.table == table])
    findings += _check_images(snapshot, [e for e in entries if e.table == "images"])
    return findings


def _check_file(snapshot: Snapshot, entry: FileEntry) -> Iterator[Finding]:
    path = snapshot.layout.root / entry.path
    try:
        content = path.read_bytes()
    except OSError as error:
        yield Finding("unreadable", entry.path, f"cannot be read ({error.strerror})", RESTORE)
        return
    if checksum(content) != entry.checksum:
        yield Finding("checksum", entry.path, "is not what was published", RESTORE)
        return
    table = TABLES[entry.table]
    file = pq.ParquetFile(path)
    if not file.schema_arrow.equals(table.schema()):
        yield Finding(
            "schema", entry.path, f"is not of the schema of {table.name}", "Ingest its night again."
        )
        return
    if file.metadata.num_rows != entry.rows:
        what = f"holds {file.metadata.num_rows} rows, its manifest says {entry.rows}"
        yield Finding("rows", entry.path, what, RESTORE)
    if entry.pixel is None:
        return
    index = file.read(["_healpix_29"])["_healpix_29"].to_numpy()
    low, past = entry.pixel.index_range
    outside = int(np.count_nonzero((index < low) | (index >= past)))
    if outside:
        what = f"{outside} rows lie outside pixel {entry.pixel.order}/{entry.pixel.npix}"
        yield Finding("pixel", entry.path, what, "Ingest its night again.")
    if (index[1:] < index[:-1]).any():
        yield Finding(
            "order", entry.path, "is not sorted by _healpix_29", "Ingest its night again."
        )


def _check_links(snapshot: Snapshot, table: str, entries: list[FileEntry]) -> Iterator[Finding]:
    """The publication's links against the manifests, and a catalogue's metadata against both."""
    root = snapshot.layout.root.resolve()
    rebuild = "Publish again: ingest any night anew."
    wanted = {str(root / entry.path) for entry in entries}
    folder = snapshot.folder / table
    if table in SPATIAL_TABLES:
        links = list((folder / "dataset").glob("Norder=*/Dir=*/Npix=*/*"))
    else:
        links = list(folder.iterdir())
    found = {str(path.resolve()) for path in links}
    for path in sorted(found - wanted):
        yield Finding("stray", path, f"is in {table}, but in no manifest", rebuild)
    for path in sorted(wanted - found):
        yield Finding("unlinked", path, f"is in a manifest, but not in {table}", rebuild)
    rows = sum(entry.rows for entry in entries)
    if snapshot.rows(table) != rows:
        what = f"the publication says {snapshot.rows(table)} rows, its manifests {rows}"
        yield Finding("rows", str(folder), what, rebuild)
    if table not in SPATIAL_TABLES:
        return
    stated = read_properties(folder).get("hats_nrows")
    if stated != str(rows):
        what = f"hats_nrows is {stated}, the manifests have {rows} rows"
        yield Finding("hats_nrows", str(folder), what, rebuild)
    pixels = sorted({entry.pixel for entry in entries if entry.pixel is not None})
    if snapshot.pixels(table) != pixels:
        what = f"lists {len(snapshot.pixels(table))} pixels, the manifests have {len(pixels)}"
        yield Finding("partition_info", str(folder / "partition_info.csv"), what, rebuild)


def _check_images(snapshot: Snapshot, entries: list[FileEntry]) -> Iterator[Finding]:
    """No image twice, in one night or in two."""
    seen: Counter[int] = Counter()
    for entry in entries:
        try:
            seen.update(pq.read_table(snapshot.layout.root / entry.path)["pid"].to_pylist())
        except (OSError, pa.ArrowException):
            continue  # said already of the file itself
    for pid, times in seen.items():
        if times > 1:
            yield Finding(
                "duplicate_image", f"image {pid}", f"is published {times} times", "Withdraw one."
            )
