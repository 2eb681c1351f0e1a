"""Migration: an archive of an older format becomes one of this.

    1 → 2   manifests say in which cells of the sky a file's rows lie; files get the columns that
            have come since, null; the setting `margin_arcsec` is 0: there are no margins
    2 → 3   `images` says how pixel scales were judged: null; the setting `scale_limit_percent`

The archive is published anew in the new format, and that says so in `archive.json` last of all.
Killed in between, it is of the old format, or it says that it is while the new publication is
current already: then the next migration has only the last step to do. Publications of before are
there until `vacuum`, but this Nightlake does not read them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from store import disk
from store.arrow import as_numpy
from store.contract import STORED_TABLES
from store.errors import ArchiveVersionError, DamagedArchiveError
from store.files import check_intact, write_table
from store.layout import FORMAT_VERSION, Layout
from store.locks import locked, nobody_stages
from store.manifest import FileEntry, Manifest, entry_of, read_raw_manifest
from store.point_map import count_cells
from store.publication import publish_anew
from store.settings import ArchiveSettings, parse_settings, read_raw_settings, write_settings
from store.snapshot import Snapshot, current_snapshot

OLDEST = 1


def migrate(root: Path) -> Snapshot | None:
    """Bring the archive at `root` to this Nightlake's format.

    Returns
    -------
    The publication in that format, or None if the archive is of that format already.

    Raises
    ------
    ArchiveVersionError : it is of a newer format, or of one that never was.
    ArchiveBusyError : a night or a reference is being ingested.
    DamagedArchiveError : a file that must be read is not what was published.
    """
    layout = Layout(root)
    if _is_migrated(root):
        return None
    with nobody_stages(layout), locked(layout, "commit", wait=True), disk.writing(root):
        if _is_migrated(root):  # by another process, meanwhile
            return None
        settings = _settings(root)
        snapshot = current_snapshot(layout)
        if snapshot.record["format"] != FORMAT_VERSION:
            manifests = [
                _manifest(layout, group, digest) for group, digest in snapshot.groups.items()
            ]
            reason = f"migration to format {FORMAT_VERSION}"
            snapshot = publish_anew(layout, settings, snapshot, manifests, reason)
        write_settings(layout, settings)
    return snapshot


def _is_migrated(root: Path) -> bool:
    version = read_raw_settings(root)["format"]
    if not isinstance(version, int) or not OLDEST <= version <= FORMAT_VERSION:
        raise ArchiveVersionError(root, version, FORMAT_VERSION)
    return version == FORMAT_VERSION


def _settings(root: Path) -> ArchiveSettings:
    """Its settings, and those that have come since."""
    raw = read_raw_settings(root)
    if raw["format"] == 1:
        # A catalogue of margins that lacks what is published would be wrong: none.
        raw["margin_arcsec"] = 0.0
    return parse_settings(root, {**raw, "format": FORMAT_VERSION})


def _manifest(layout: Layout, group: str, digest: str) -> Manifest:
    raw = read_raw_manifest(layout.manifest(group, digest), digest)
    return Manifest.of(group, [_file(layout, entry) for entry in raw["files"]])


def _file(layout: Layout, raw: dict[str, Any]) -> FileEntry:
    """A file's entry of this format; the file is written anew where columns have come since."""
    entry, table = entry_of(raw), STORED_TABLES[raw["table"]]
    path = layout.root / entry.path
    try:
        schema = pq.read_schema(path)
        if schema.equals(table.schema()):
            if entry.pixel is None or entry.cells is not None:
                return entry
            index = as_numpy(pq.read_table(path, columns=["_healpix_29"])["_healpix_29"])
            return replace(entry, cells=tuple(count_cells(index, entry.pixel).tolist()))
    except (OSError, pa.ArrowException) as error:
        what = f"cannot be read ({' '.join(str(error).split())})"
        raise DamagedArchiveError(what, where=path, hint="Restore it from a backup.") from error
    rows = pq.read_table(check_intact(layout, entry))
    columns = [
        rows[column.name] if column.name in schema.names else pa.nulls(len(rows), column.type)
        for column in table.schema()
    ]
    anew = pa.table(columns, names=table.names)
    return replace(write_table(layout, table, anew, entry.part, entry.pixel), nights=entry.nights)
