"""The light curves of a pixel: where their files are, and which of their nights are still right.

Of each pixel `nightlake build ARCHIVE lightcurves` makes four files (`store.contract`):

    lightcurves         its detections, object by object
    lightcurve_index    where each object's rows stand among them
    lightcurve_images   what is shown of their images
    objects             its reference sources with their statistics

Every pixel that was built has an index, of no rows perhaps; of the others those that have rows.
Each tells in its Parquet metadata what it was made of (`MadeOf`). All rows of an image follow from
what `images` says of it (its recipes), whichever files hold them: so a night's rows in a pixel are
what they were as long as the file of the night's images is the same. Such nights are *fresh*, also
after their detections were compacted. All others are *stale*: whoever reads leaves their rows in
`lightcurves` out, and reads them from the detections that are published now:

    files = LightcurveFiles(snapshot).of(pixel)
    files.lightcurves       rows whose `night` is in `files.stale` are to be left out
    files.others            detections of the pixel with all rows that are missing then;
                            rows whose `night` is in `files.fresh` are to be left out of a
                            period's file, which may hold them too
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from store.layout import LIGHTCURVE_TABLES, HealpixPixel
from store.manifest import lightcurve_part
from store.periods import Period, parse_night
from store.snapshot import Snapshot
from store.untrusted import parse_json

if TYPE_CHECKING:
    import pyarrow as pa

METADATA_KEY = b"nightlake.made_of"


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What the files of a pixel were made of; files are named by the checksum in their name.

    Attributes
    ----------
    recipe : the code and the settings that they were made by.
    nights : of each night that has rows in the pixel or near it, as 20240110, the file of its
        images.
    periods : of each period that has rows in the pixel, as 20240110-20240209, its file.
    references : the files of reference sources in the pixel and about it, by channel and pixel.
    """

    recipe: str
    nights: Mapping[str, str] = field(default_factory=dict)
    periods: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)

    def metadata(self) -> dict[bytes, bytes]:
        """As the Parquet metadata of a file has it; equal contents give equal bytes."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return {METADATA_KEY: text.encode()}

    @classmethod
    def read(cls, schema: pa.Schema) -> Self | None:
        """What a file of this Arrow schema was made of; None if it does not say."""
        try:
            raw: dict[str, Any] = parse_json((schema.metadata or {})[METADATA_KEY])
            made = cls(**raw)
            for night in made.nights:
                parse_night(night)
            named = (made.nights, made.periods, made.references)
            return made if all(isinstance(one, dict) for one in named) else None
        except (KeyError, TypeError, ValueError):
            return None  # somebody else's, or damaged: as good as nothing


@dataclass(frozen=True, slots=True)
class PixelFiles:
    """The files of one pixel, and which of their nights are right.

    Attributes
    ----------
    lightcurves, index, images, objects : None where the pixel has no such file.
    made_of : None if the pixel has no light curves.
    fresh : nights whose rows in `lightcurves` are those that are published.
    stale : nights whose rows in `lightcurves` are to be left out.
    others : the files of detections that hold the rows of all other nights.
    """

    pixel: HealpixPixel
    lightcurves: Path | None
    index: Path | None
    images: Path | None
    objects: Path | None
    made_of: MadeOf | None
    fresh: frozenset[date]
    stale: frozenset[date]
    others: tuple[Path, ...]


class LightcurveFiles:
    """The light curves of a snapshot, pixel by pixel; what is read of it is kept."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._known: dict[HealpixPixel, PixelFiles] = {}

    def of(self, pixel: HealpixPixel) -> PixelFiles:
        """The files of a pixel of the partition.

        Raises
        ------
        OSError, pyarrow.ArrowException : a file is damaged.
        DamagedArchiveError : a manifest is.
        """
        if pixel not in self._known:
            self._known[pixel] = self._of(pixel)
        return self._known[pixel]

    @cached_property
    def images(self) -> dict[str, str]:
        """The file of images of each night, 20240110, by the checksum in its name."""
        digests = {}
        with suppress(FileNotFoundError), os.scandir(self.snapshot.folder / "images") as listing:
            for link in listing:
                digests[link.name.removesuffix(".parquet")] = digest_in(os.readlink(link.path))  # noqa: PTH115
        return digests

    def _of(self, pixel: HealpixPixel) -> PixelFiles:
        paths = [product_path(self.snapshot, table, pixel) for table in LIGHTCURVE_TABLES]
        # The index has the smallest footer.
        made_of = None if paths[1] is None else read_made_of(paths[1])
        if made_of is None:
            paths[0] = None
            made, fresh = {}, set()
        else:
            made = {night: parse_night(night) for night in made_of.nights}
            fresh = {n for n, digest in made_of.nights.items() if self.images.get(n) == digest}
        folder = self.snapshot.catalogue("detections") / "dataset" / pixel.hats_path
        others = [
            path
            for path in sorted(folder.glob("*.parquet"))
            if not self._is_held(path, pixel, made_of, fresh)
        ]
        right = frozenset(made[night] for night in fresh)
        stale = frozenset(made.values()) - right
        curves, index, images, objects = paths
        return PixelFiles(
            pixel, curves, index, images, objects, made_of, right, stale, tuple(others)
        )

    def _is_held(
        self, path: Path, pixel: HealpixPixel, made_of: MadeOf | None, fresh: set[str]
    ) -> bool:
        """Whether all rows of a file of detections are of fresh nights."""
        part = path.stem
        if made_of is None or Period.named(part) is None:
            return part in fresh
        if made_of.periods.get(part) == digest_in(os.readlink(path)):  # noqa: PTH115
            first, _, last = part.partition("-")
            if all(night in fresh for night in made_of.nights if first <= night <= last):
                return True
        return self._nights_of_periods.get((part, pixel), frozenset()) <= fresh

    @cached_property
    def _nights_of_periods(self) -> dict[tuple[str, HealpixPixel], frozenset[str]]:
        """The nights that each period's file of detections holds rows of."""
        return {
            (entry.part, entry.pixel): frozenset(entry.nights or ())
            for group in self.snapshot.groups
            if Period.named(group) is not None
            for entry in self.snapshot.manifest(group).files
            if entry.table == "detections" and entry.pixel is not None
        }


def digest_in(path: str) -> str:
    """The checksum in a data file's name."""
    return path.rpartition("-")[2].removesuffix(".parquet")


def product_path(snapshot: Snapshot, table: str, pixel: HealpixPixel) -> Path | None:
    """A pixel's file of one of `LIGHTCURVE_TABLES`; None if it has none."""
    folder = snapshot.folder / table / "dataset" / pixel.hats_path
    path = folder / f"{lightcurve_part(pixel)}.parquet"
    return path if path.exists() else None


def read_made_of(path: Path) -> MadeOf | None:
    """What a file of light curves was made of; None if it does not say."""
    import pyarrow.parquet as pq

    return MadeOf.read(pq.read_schema(path))
