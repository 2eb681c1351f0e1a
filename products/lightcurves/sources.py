"""What the light curves of each pixel are made of, as it is published now.

    detections   the files of the pixel; and those of its margin, or of the pixels about it where
                 margins are narrower than the match radius: rows of its objects may lie there
    references   the sources in the pixel, and those about it: rows of theirs may lie in it
    images       of every night that has rows in these files

All is read from a publication's links, which say by checksum what they lead to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import hpgeom
import numpy as np

from store.atomic import checksum
from store.layout import MARGIN, HealpixPixel
from store.lightcurve_files import LightcurveFiles, MadeOf, digest_in, product_path, read_made_of
from store.partition import Partition
from store.periods import Period
from store.settings import read_settings
from store.snapshot import Snapshot

# What a product's rows depend on, beside what they are made of.
_PACKAGES = ("products.lightcurves", "transforms")
_MODULES = ("store.columns", "store.contract", "store.statistics_columns", "store.borders")


@dataclass(frozen=True, slots=True)
class PixelSources:
    """The files that one pixel's light curves are made of.

    `nearby` may hold rows of the pixel's objects, and are detections of other pixels or the
    pixel's margin; `about` are references of other pixels; `images` are by night, 20240110.
    """

    pixel: HealpixPixel
    detections: tuple[Path, ...]
    nearby: tuple[Path, ...]
    references: tuple[Path, ...]
    about: tuple[Path, ...]
    images: tuple[tuple[str, Path], ...]
    made_of: MadeOf

    @property
    def bytes(self) -> int:
        """Size of the detections: how much there is to do."""
        return sum(path.stat().st_size for path in self.detections)


class Sources:
    """The sources of a snapshot's pixels."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.partition = snapshot.partition
        settings = read_settings(snapshot.layout.root)
        self._margins = settings.margin_arcsec >= settings.match_radius_arcsec
        self._recipe = f"{recipe()}-{settings.match_radius_arcsec:g}"
        self._files = LightcurveFiles(snapshot)

    @cached_property
    def pixels(self) -> list[HealpixPixel]:
        """All pixels that have detections or reference sources."""
        found = set(self.snapshot.pixels("detections"))
        for base in self.snapshot.pixels("reference_sources"):
            found.update(self.partition.leaves(base))
        return sorted(found)

    def of(self, pixel: HealpixPixel) -> PixelSources:
        """What a pixel's light curves are made of."""
        detections = self._links("detections", pixel)
        if self._margins:
            near = self._links(MARGIN, pixel)
        else:
            neighbours = neighbouring_leaves(pixel, self.partition)
            near = [one for other in neighbours for one in self._links("detections", other)]
        nights = sorted({night for path in (*detections, *near) for night in self._nights(path)})
        base = HealpixPixel(
            self.partition.order, pixel.npix >> 2 * (pixel.order - self.partition.order)
        )
        around = [base, *neighbouring(base)]
        folder = self.snapshot.folder / "images"
        images = [(night, folder / f"{night}.parquet") for night in nights]
        return PixelSources(
            pixel,
            tuple(detections),
            tuple(near),
            tuple(self._links("reference_sources", base)),
            tuple(one for other in around[1:] for one in self._links("reference_sources", other)),
            tuple((night, path) for night, path in images if path.exists()),
            MadeOf(
                self._recipe,
                {night: self._files.images.get(night, "") for night in nights},
                {
                    path.stem: digest_in(os.readlink(path))  # noqa: PTH115
                    for path in detections
                    if Period.named(path.stem) is not None
                },
                dict(self._folders(around)),
            ),
        )

    def is_standing(self, sources: PixelSources) -> bool:
        """Whether the light curves that are published of a pixel are made of the same."""
        path = product_path(self.snapshot, "lightcurve_index", sources.pixel)
        made = None if path is None else read_made_of(path)
        now = sources.made_of
        return made is not None and (made.recipe, made.nights, made.references) == (
            now.recipe,
            now.nights,
            now.references,
        )

    def _links(self, table: str, pixel: HealpixPixel) -> list[Path]:
        folder = self.snapshot.catalogue(table) / "dataset" / pixel.hats_path
        return sorted(folder.glob("*.parquet"))

    def _nights(self, path: Path) -> frozenset[str]:
        """The nights that a file of detections, or of a margin, holds rows of."""
        if Period.named(path.stem) is None:
            return frozenset([path.stem])
        return self._nights_of_periods[os.path.realpath(path)]

    @cached_property
    def _nights_of_periods(self) -> Mapping[str, frozenset[str]]:
        root = self.snapshot.layout.root.resolve()
        return {
            str(root / entry.path): frozenset(entry.nights or ())
            for group in self.snapshot.groups
            if Period.named(group) is not None
            for entry in self.snapshot.manifest(group).files
        }

    def _folders(self, pixels: list[HealpixPixel]) -> Iterator[tuple[str, str]]:
        """The pixels that have references, and what names their folders: the files in them."""
        for pixel in pixels:
            link = self.snapshot.catalogue("reference_sources") / "dataset" / pixel.hats_path
            if link.is_symlink():
                yield f"{pixel.order}-{pixel.npix}", digest_in(os.readlink(link))  # noqa: PTH115


@cache
def recipe() -> str:
    """A checksum of the code that makes light curves."""
    paths: list[Path] = []
    for name in _PACKAGES + _MODULES:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            paths += sorted(origin.parent.glob("*.py")) if name in _PACKAGES else [origin]
    return checksum(b"\0".join(path.name.encode() + path.read_bytes() for path in paths))[:16]


def neighbouring(pixel: HealpixPixel) -> list[HealpixPixel]:
    """The pixels of the same order about a pixel: eight, or seven at some corners."""
    found = np.ravel(hpgeom.neighbors(2**pixel.order, [pixel.npix], nest=True)).tolist()
    return [HealpixPixel(pixel.order, npix) for npix in sorted(set(found) - {-1, pixel.npix})]


def neighbouring_leaves(pixel: HealpixPixel, partition: Partition) -> list[HealpixPixel]:
    """The pixels of a partition, deeper or not, about a pixel of it."""
    found: set[HealpixPixel] = set()
    for other in neighbouring(pixel):
        up = other
        while (
            up.order > partition.order and not partition.is_leaf(up) and up not in partition.split
        ):
            up = HealpixPixel(up.order - 1, up.npix // 4)
        found.update(partition.leaves(up))
    return sorted(found - {pixel})
