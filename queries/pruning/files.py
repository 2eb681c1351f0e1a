"""The files that hold what may be asked: of some nights, of some ranges of the sky, or of both."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from queries.pruning.ranges import Ranges, common, merged
from store.layout import SPATIAL_TABLES, HealpixPixel
from store.manifest import night_group
from store.periods import Period, parse_night, parts_about
from store.snapshot import Snapshot

Item = TypeVar("Item")
# Tables of which a night's rows stand in the files of that night, or of a period about it.
NIGHTLY_TABLES = ("detections", "images", "exposures", "nights")


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of some `nights` whose `_healpix_29` lies in `cells`; None is any.

    Of reference sources, those of some channels, which are `parts`.
    """

    nights: frozenset[date] | None = None
    cells: tuple[tuple[int, int], ...] | None = None
    parts: frozenset[str] | None = None

    def within(self, other: Piece) -> Piece:
        """The rows of both."""
        cells = self.cells
        if other.cells is not None:
            cells = other.cells if cells is None else tuple(common([*cells], [*other.cells]))
        return Piece(_both(self.nights, other.nights), cells, _both(self.parts, other.parts))


def _both(one: frozenset[Item] | None, other: frozenset[Item] | None) -> frozenset[Item] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def published_nights(snapshot: Snapshot) -> list[date]:
    """Every night of an archive, in order."""
    return sorted(
        parse_night(group.removeprefix("nights/"))
        for group in snapshot.groups
        if group.startswith("nights/")
    )


def nights_of_files(files: Iterable[Path]) -> list[tuple[date, Path]]:
    """The files of a table that is kept night by night, each with its night."""
    return [(parse_night(path.stem), path) for path in files]


def files_of(snapshot: Snapshot, table: str, piece: Piece) -> list[Path]:
    """The files of `table` that may hold rows of `piece`, in the order of a glob."""
    nights = piece.nights if table in NIGHTLY_TABLES else None
    if table not in SPATIAL_TABLES:
        files = snapshot.files(table)
        return files if nights is None else _of_nights(files, nights)
    pixels = snapshot.pixels(table)
    if piece.cells is not None:
        pixels = _touched(pixels, [*piece.cells])
    if nights is None:
        files = snapshot.files(table, pixels)
        if piece.parts is not None:
            files = [path for path in files if path.stem in piece.parts]
        return sorted(files, key=str)
    if len(nights) < len(pixels):
        return sorted(_listed(snapshot, table, nights, set(pixels)), key=str)
    return sorted(_of_nights(snapshot.files(table, pixels), nights), key=str)


def cells_of(pieces: Collection[Piece]) -> Ranges | None:
    """The ranges of `_healpix_29` of all rows of some pieces; None is any."""
    if any(piece.cells is None for piece in pieces):
        return None
    return merged(cell for piece in pieces for cell in piece.cells or ())


def _touched(pixels: Collection[HealpixPixel], cells: Ranges) -> list[HealpixPixel]:
    found = []
    for pixel in pixels:
        first, past = pixel.index_range
        if common([(first, past - 1)], cells):
            found.append(pixel)
    return found


def _of_nights(files: list[Path], nights: Collection[date]) -> list[Path]:
    wanted = parts_about(nights, (path.stem for path in files))
    return [path for path in files if path.stem in wanted]


def _listed(
    snapshot: Snapshot, table: str, nights: Collection[date], pixels: Collection[HealpixPixel]
) -> list[Path]:
    """The files of few nights by their manifests: folders of pixels need not be looked through."""
    groups = [night_group(night) for night in nights]
    for group in snapshot.groups:
        period = Period.named(group)
        if period is not None and any(night in period for night in nights):
            groups.append(group)
    dataset = snapshot.catalogue(table) / "dataset"
    return [
        dataset / entry.pixel.hats_path / f"{entry.part}.parquet"
        for group in groups
        for entry in snapshot.manifest(group).files
        if entry.table == table and entry.pixel in pixels and entry.pixel is not None
    ]
