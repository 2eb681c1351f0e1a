"""One state of an archive, held for as long as the reader likes.

A publication's folder never changes: whoever resolves `current` once and keeps to the folder
sees all of a night or nothing of it, whatever is published meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from store.errors import DamagedArchiveError
from store.hats import catalogue_pixels
from store.layout import LIGHTCURVE_TABLES, PIXEL_TABLES, HealpixPixel, Layout
from store.manifest import LIGHTCURVES, Manifest
from store.partition import Partition
from store.settings import read_settings
from store.untrusted import check_publication, read_json


@dataclass(frozen=True)
class Snapshot:
    """The archive at `layout` as of publication `number`."""

    layout: Layout
    number: int

    @property
    def folder(self) -> Path:
        """The publication's folder."""
        return self.layout.publication(self.number)

    @cached_property
    def record(self) -> dict[str, Any]:
        """The publication as recorded: parent, partition, manifests, rows."""
        try:
            record = read_json(self.folder / "publication.json")
        except (OSError, ValueError) as error:
            raise DamagedArchiveError(
                "publication.json cannot be read",
                where=self.folder,
                hint="Restore the archive from a backup.",
            ) from error
        return check_publication(record, self.folder)

    @property
    def groups(self) -> dict[str, str]:
        """Manifest checksum of every group: nights, references, refusals."""
        manifests: dict[str, str] = self.record["manifests"]
        return manifests

    @property
    def has_lightcurves(self) -> bool:
        """Whether light curves were built."""
        return any(group.startswith(LIGHTCURVES) for group in self.groups)

    @property
    def partition(self) -> Partition:
        """How the sky is cut in this state."""
        try:
            return Partition.from_record(self.record["partition"])
        except ValueError as error:
            hint = "Restore the archive from a backup."
            raise DamagedArchiveError(str(error), where=self.folder, hint=hint) from error

    @property
    def partition_order(self) -> int:
        """HEALPix order that references and, where no pixel is split, nights are cut by."""
        return self.partition.order

    def rows(self, table: str) -> int:
        """Rows of `table`."""
        rows: int = self.record["rows"].get(table, 0)
        return rows

    def manifest(self, group: str) -> Manifest:
        """The files of one group; no files if the group is not there."""
        digest = self.groups.get(group)
        if digest is None:
            return Manifest.of(group, ())
        return Manifest.read(self.layout.manifest(group, digest), digest)

    def catalogue(self, table: str) -> Path:
        """The HATS catalogue of a spatial table."""
        return self.folder / table

    def pixels(self, table: str) -> list[HealpixPixel]:
        """The pixels that hold rows of a table that is cut by pixel; none if it is not there."""
        if table in LIGHTCURVE_TABLES and not self.has_lightcurves:
            return []
        try:
            return catalogue_pixels(self.catalogue(table))
        except (OSError, ValueError) as error:
            raise DamagedArchiveError(
                f"the list of pixels cannot be read ({error})",
                where=self.catalogue(table),
                hint="Make it anew with: nightlake repair ARCHIVE.",
            ) from error

    def files(self, table: str, pixels: Iterable[HealpixPixel] | None = None) -> list[Path]:
        """The Parquet files of `table`, in a fixed order; of one cut by pixel, those of `pixels`.

        Pixels that hold nothing are passed over.
        """
        if table not in PIXEL_TABLES:
            return sorted((self.folder / table).glob("*.parquet"))
        wanted = self.pixels(table) if pixels is None else pixels
        dataset = self.catalogue(table) / "dataset"
        return [
            path
            for pixel in wanted
            for path in sorted((dataset / pixel.hats_path).glob("*.parquet"))
        ]


def open_snapshot(root: Path) -> Snapshot:
    """What is published now in the archive at `root`."""
    read_settings(root)
    return current_snapshot(Layout(root))


def current_snapshot(layout: Layout) -> Snapshot:
    """The same, of an archive of whatever format."""
    try:
        text = str(layout.current.readlink())
        what = f"link `current` leads to {text!r}, which is no publication of the archive"
    except OSError:
        text, what = "", "link `current` to the publication is missing"
    match = re.fullmatch(r"publications/(\d{6,18})", text, re.ASCII)
    if match is None or layout.publication(int(match[1])) != layout.root / text:
        hint = f"Find it again with: nightlake repair {layout.root}"
        raise DamagedArchiveError(what, where=layout.root, hint=hint)
    return Snapshot(layout, int(match[1]))
