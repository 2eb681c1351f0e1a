"""Are a publication's folders what its manifests call for, link by link and number by number?

HATS' own strict validation passes empty pixels, junk files and files that count twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from store.collection import ARCHIVE_PROPERTIES, METADATA, OWN_PROPERTIES, collection_properties
from store.columns import Table
from store.errors import DamagedArchiveError
from store.findings import REPAIR, Finding
from store.hats import COMMON_METADATA, LISTING, PROPERTIES, read_properties
from store.id_index import index_rows
from store.layout import CATALOGUES, INDEX, LIGHTCURVE_TABLES, PIXEL_TABLES, SPATIAL_TABLES
from store.manifest import REFERENCES, FileEntry
from store.point_map import POINT_MAP, SKY_MAP, read_point_map, sum_cells
from store.settings import ArchiveSettings
from store.snapshot import Snapshot

_COMMON = f"dataset/{COMMON_METADATA}"
_PIXEL = "dataset/Norder=[^/]*/Dir=[^/]*/Npix=[^/]*"


def check_links(
    snapshot: Snapshot, table: Table, entries: Sequence[FileEntry]
) -> Iterator[Finding]:
    """A table's folder against the manifests: each file by its one link, and nothing else."""
    root = snapshot.layout.root.resolve()
    folder = snapshot.folder / table.name
    wanted = {_place(entry): str(root / entry.path) for entry in entries}
    found = set(_names_below(folder)) if folder.is_dir() else set()
    found -= {str(parent) for name in wanted for parent in Path(name).parents}  # told below
    for name in sorted(found - wanted.keys() - _metadata_names(table)):
        yield Finding(
            "stray", str(folder / name), f"is in {table.name}, but in no manifest", REPAIR
        )
    for name, path in sorted(wanted.items()):
        if name not in found or os.path.realpath(folder / name) != path:
            what = f"is in a manifest, but {table.name}/{name} does not lead to it"
            yield Finding("unlinked", path, what, REPAIR)
    if _is_unbuilt(snapshot, table):
        return
    if table.name in CATALOGUES and not _is_shown(snapshot, table.name, table.name):
        shown = snapshot.layout.root / table.name
        yield Finding("unlinked", str(shown), "does not lead to what is current", REPAIR)


def _is_unbuilt(snapshot: Snapshot, table: Table) -> bool:
    """Whether a table has no folder, for nobody has built it."""
    return table.name in LIGHTCURVE_TABLES and not snapshot.has_lightcurves


def _is_shown(snapshot: Snapshot, name: str, what: str) -> bool:
    """Whether the archive's link `name` says that it leads to a part of what is current.

    Not where it leads: something else may have become current since verify began.
    """
    link = snapshot.layout.root / name
    return link.is_symlink() and link.readlink() == Path(snapshot.layout.current.name, what)


def _place(entry: FileEntry) -> str:
    """Where a table's folder links to a file."""
    if entry.pixel is not None:
        return f"dataset/{entry.pixel.hats_path}/{entry.part}.parquet"
    return f"dataset/{entry.part}.parquet" if entry.table == INDEX else f"{entry.part}.parquet"


def _metadata_names(table: Table) -> set[str]:
    """What else belongs into a table's folder."""
    if table.name == INDEX:
        return {PROPERTIES, _COMMON, f"dataset/{METADATA}"}
    if table.name in CATALOGUES:
        return {PROPERTIES, _COMMON, LISTING, POINT_MAP, SKY_MAP}
    if table.name in SPATIAL_TABLES:
        return {PROPERTIES, _COMMON, LISTING}
    return {LISTING} if table.name in PIXEL_TABLES else set()


def _names_below(folder: Path, name: str = "") -> Iterator[str]:
    """All files below a folder, and folders that are empty or no place for files.

    Pixels and the dataset of an index are links to folders; other such links are not followed.
    """
    with os.scandir(folder / name) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        at = f"{name}/{entry.name}" if name else entry.name
        may_be_link = at == "dataset" or re.fullmatch(_PIXEL, at) is not None
        if entry.is_dir(follow_symlinks=may_be_link):
            yield from _names_below(folder, at)
        else:
            yield at
    if name not in ("", "dataset") and not entries:
        yield name


def check_counts(
    snapshot: Snapshot, table: Table, entries: Sequence[FileEntry]
) -> Iterator[Finding]:
    """What the publication and a catalogue's metadata state, against the manifests."""
    folder = snapshot.folder / table.name
    rows = sum(entry.rows for entry in entries)
    if snapshot.rows(table.name) != rows:
        what = f"the publication says {snapshot.rows(table.name)} rows, its manifests {rows}"
        yield Finding("rows", str(folder), what, REPAIR)
    if not _metadata_names(table) or _is_unbuilt(snapshot, table):
        return
    try:
        if table.name in PIXEL_TABLES:
            yield from _check_pixels(snapshot, table, entries)
        if table.name in PIXEL_TABLES and table.name not in SPATIAL_TABLES:
            return
        stated = read_properties(folder / PROPERTIES).get("hats_nrows")
        schema = pq.read_schema(folder / _COMMON)
        if table.name == INDEX:
            yield from _check_footers(folder / "dataset" / METADATA, entries)
    except (OSError, ValueError, pa.ArrowException) as error:
        what = f"the catalogue's metadata cannot be read ({' '.join(str(error).split())})"
        yield Finding("hats", str(folder), what, REPAIR)
        return
    if stated != str(rows):
        what = f"hats_nrows is {stated}, the manifests have {rows} rows"
        yield Finding("hats_nrows", str(folder), what, REPAIR)
    if not schema.equals(table.schema()):
        what = f"is not of the schema of {table.name}"
        yield Finding("schema", str(folder / _COMMON), what, REPAIR)


def _check_pixels(
    snapshot: Snapshot, table: Table, entries: Sequence[FileEntry]
) -> Iterator[Finding]:
    folder = snapshot.folder / table.name
    pixels = sorted({entry.pixel for entry in entries if entry.pixel is not None})
    listed = snapshot.pixels(table.name)
    if listed != pixels:
        what = f"lists {len(listed)} pixels, the manifests have {len(pixels)}"
        yield Finding("partition_info", str(folder / LISTING), what, REPAIR)
    if table.name in CATALOGUES:
        counts = read_point_map(folder)
        if not np.array_equal(counts, sum_cells(entries)):
            rows = sum(entry.rows for entry in entries)
            what = f"has {counts.sum()} rows, which are not those of the manifests ({rows})"
            yield Finding("point_map", str(folder / POINT_MAP), what, REPAIR)


def _check_footers(path: Path, entries: Sequence[FileEntry]) -> Iterator[Finding]:
    """What lists the contents of all files of an index."""
    footer = pq.read_metadata(path)
    listed: dict[str, int] = {}
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        name = group.column(0).file_path
        listed[name] = listed.get(name, 0) + group.num_rows
    if listed != {f"{entry.part}.parquet": entry.rows for entry in entries if entry.rows}:
        yield Finding("index", str(path), "does not list the files of the manifests", REPAIR)


def check_collection(
    snapshot: Snapshot, settings: ArchiveSettings, sound: Sequence[FileEntry]
) -> Iterator[Finding]:
    """The collection's properties, and the index of ids against the references.

    Parameters
    ----------
    sound : the entries of files that are what was published.
    """
    if not _is_shown(snapshot, OWN_PROPERTIES, ARCHIVE_PROPERTIES):
        shown = snapshot.layout.root / OWN_PROPERTIES
        yield Finding("collection", str(shown), "does not lead to what is current", REPAIR)
    below = snapshot.layout.relative(snapshot.folder) + "/"
    for name, prefix in ((OWN_PROPERTIES, ""), (ARCHIVE_PROPERTIES, below)):
        path = snapshot.folder / name
        wanted = collection_properties(snapshot.folder, prefix, settings, snapshot.groups)
        try:
            same = read_properties(path) == wanted
        except OSError:
            same = False
        if not same:
            what = "is not the collection that is published"
            yield Finding("collection", str(path), what, REPAIR)
    intact = {entry.path for entry in sound}
    for group in snapshot.groups:
        if group.startswith(REFERENCES):
            yield from _check_index(snapshot, group, settings.match_radius_arcsec, intact)


def _check_index(
    snapshot: Snapshot, group: str, radius_arcsec: float, intact: set[str]
) -> Iterator[Finding]:
    """Whether a field's index is the one that its references call for."""
    try:
        manifest = snapshot.manifest(group)
    except DamagedArchiveError:
        return  # found already
    tables = ("reference_sources", INDEX)
    if any(e.path not in intact for e in manifest.files if e.table in tables):
        return  # found already
    root = snapshot.layout.root
    index = next((entry for entry in manifest.files if entry.table == INDEX), None)
    if index is None:
        yield Finding("index", group, "its ids have no index", REPAIR)
        return
    file = pq.ParquetFile(root / index.path)
    standing = (file.read_row_group(number) for number in range(file.num_row_groups))
    wanted = index_rows(snapshot.layout, manifest, snapshot.partition, radius_arcsec)
    for found, called_for in zip_longest(
        (rows for rows in standing if rows.num_rows), (rows for rows in wanted if rows.num_rows)
    ):
        if found is None or called_for is None or not found.equals(called_for):
            what = "is not the index of the field's references"
            yield Finding("index", index.path, what, REPAIR)
            return
