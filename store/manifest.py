"""Manifests: which files make up one group, with rows and checksums.

A group is what is published as one: a night (`nights/20240110`), the detections of nights that
were compacted (`periods/20240110-20240209`), the references of a field (`references/000633`), the
light curves of a part of the sky (`lightcurves/2-17`), a file of light curves that was imported
(`imports/dr19-0123456789abcdef`), a matchfile (`matchfiles/ztf-0123456789abcdef`), the refusals
(`refusals`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from store.atomic import checksum, write_whole
from store.errors import DamagedArchiveError
from store.layout import HealpixPixel, Layout
from store.untrusted import check_manifest, parse_json, read_bytes

REFUSALS = "refusals"
REFERENCES = "references/"
LIGHTCURVES = "lightcurves/"
IMPORTS = "imports/"
MATCHFILES = "matchfiles/"
# Light curves are published by pixels of this order: 192 of them.
LIGHTCURVE_GROUP_ORDER = 2


def night_group(night: date) -> str:
    """The group of a night."""
    return f"nights/{night:%Y%m%d}"


def references_group(field: int) -> str:
    """The group of a field's reference catalogues."""
    return f"{REFERENCES}{field:06d}"


def import_part(collection: str, name: str) -> str:
    """Name of the files of what was imported as `name` into a collection."""
    return f"{collection}-{checksum(name.encode())[:16]}"


def import_group(collection: str, name: str) -> str:
    """The group of what was imported as `name` into a collection."""
    return IMPORTS + import_part(collection, name)


def matchfile_group(collection: str, name: str) -> str:
    """The group of a matchfile that was imported as `name` into a collection."""
    return MATCHFILES + import_part(collection, name)


def lightcurve_part(pixel: HealpixPixel) -> str:
    """Name of a pixel's files of light curves: the pixel of order 2 or less that it lies in."""
    order = min(pixel.order, LIGHTCURVE_GROUP_ORDER)
    return f"{order}-{pixel.npix >> (2 * (pixel.order - order))}"


def lightcurves_group(pixel: HealpixPixel) -> str:
    """The group of a pixel's light curves."""
    return LIGHTCURVES + lightcurve_part(pixel)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One immutable file: what table and part it belongs to, and what is in it.

    `part` names the file within its table and pixel: the night, or the reference channel.
    `order`, `npix` and `cells` are None for tables that are not cut by pixel; `cells` are the rows
    in each cell of the point map inside the pixel (`store.point_map.count_cells`). `nights` are
    those that a period's file holds rows of, as 20240110; None for files of one part.
    """

    table: str
    part: str
    path: str
    rows: int
    bytes: int
    checksum: str
    order: int | None = None
    npix: int | None = None
    cells: tuple[int, ...] | None = None
    nights: tuple[str, ...] | None = None

    @property
    def pixel(self) -> HealpixPixel | None:
        """The pixel it lies in, or None."""
        if self.order is None or self.npix is None:
            return None
        return HealpixPixel(self.order, self.npix)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of one group, in a fixed order."""

    group: str
    files: tuple[FileEntry, ...]

    @classmethod
    def of(cls, group: str, files: Iterable[FileEntry]) -> Manifest:
        """A manifest of `files`, which may come in any order."""
        ordered = sorted(files, key=lambda f: (f.table, f.order or 0, f.npix or 0, f.part))
        return cls(group, tuple(ordered))

    def rows(self, table: str) -> int:
        """Rows of one table."""
        return sum(entry.rows for entry in self.files if entry.table == table)

    def encode(self) -> bytes:
        """Its bytes, a line a file: the same manifest gives the same bytes."""
        lines = ",\n".join(
            json.dumps({name: getattr(entry, name) for name in _MEMBERS}) for entry in self.files
        )
        return f'{{"group": {json.dumps(self.group)}, "files": [\n{lines}\n]}}\n'.encode()

    @classmethod
    def read(cls, path: Path, expected_checksum: str) -> Manifest:
        """The manifest at `path`, refused if it is not what was published."""
        raw = read_raw_manifest(path, expected_checksum)
        try:
            return cls(raw["group"], tuple(entry_of(entry) for entry in raw["files"]))
        except TypeError as error:
            what = "manifest has files that are not of this format"
            hint = "Restore the archive from a backup."
            raise DamagedArchiveError(what, where=path, hint=hint) from error


_MEMBERS = [member.name for member in fields(FileEntry)]


def read_raw_manifest(path: Path, expected_checksum: str) -> dict[str, Any]:
    """The manifest at `path`, of whatever format, refused if it is not what was published."""
    try:
        data = read_bytes(path)
    except (OSError, ValueError) as error:
        raise DamagedArchiveError(
            f"manifest cannot be read ({getattr(error, 'strerror', None) or error})",
            where=path,
            hint="Restore the archive from a backup.",
        ) from error
    if checksum(data) != expected_checksum:
        raise DamagedArchiveError(
            "manifest is not what was published (checksum differs)",
            where=path,
            hint="Restore the archive from a backup.",
        )
    try:
        raw = parse_json(data)
    except ValueError as error:
        what = "manifest is no JSON"
        hint = "Restore the archive from a backup."
        raise DamagedArchiveError(what, where=path, hint=hint) from error
    return check_manifest(raw, path)


def entry_of(raw: dict[str, Any]) -> FileEntry:
    """A file's entry as a manifest has it; TypeError if it has members of another format."""
    # JSON has no tuples.
    members: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    return FileEntry(**members)


def write_manifest(layout: Layout, manifest: Manifest) -> str:
    """Write `manifest` under its checksum, which is returned."""
    data = manifest.encode()
    digest = checksum(data)
    path = layout.manifest(manifest.group, digest)
    if not path.exists():
        write_whole(path, data)
    return digest
