"""Do rows lie where manifests, partition and margins say? What `verify` checks of spatial files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from store.arrow import as_numpy
from store.borders import Nearby, border_rows, nearby
from store.findings import Finding, remedy_of
from store.layout import MARGIN, UNSPLIT, HealpixPixel
from store.manifest import FileEntry
from store.partition import Partition
from store.point_map import count_cells

_PRIME = np.uint64(0x9E37_79B9_7F4A_7C15)


class SkyCheck:
    """Checks one spatial file after the other, then that margins hold what the files call for."""

    def __init__(self, partition: Partition, margin_arcsec: float) -> None:
        self._partition, self._margin_arcsec = partition, margin_arcsec
        # Of each part and leaf: rows that its margin should have, and has; the sum of those less
        # the sum of these.
        self._wanted: Counter[tuple[str, HealpixPixel]] = Counter()
        self._found: Counter[tuple[str, HealpixPixel]] = Counter()
        self._sums: Counter[tuple[str, HealpixPixel]] = Counter()
        self._unknown: set[str] = set()
        self._paths: dict[tuple[str, HealpixPixel], str] = {}

    def check(
        self, entry: FileEntry, pixel: HealpixPixel, file: pq.ParquetFile
    ) -> Iterator[Finding]:
        """Faults of where rows lie, of a file whose checksum and schema are right."""
        remedy = remedy_of(entry.table, entry.part)
        index = _read(file, "_healpix_29")
        if (index[1:] < index[:-1]).any():
            yield Finding("order", entry.path, "is not sorted by _healpix_29", remedy)
            return
        plain = Partition(self._partition.order)
        partition = plain if entry.table in UNSPLIT else self._partition
        if not partition.is_leaf(pixel):
            what = f"{pixel.order}/{pixel.npix} is no pixel of the partition"
            yield Finding("partition", entry.path, what, remedy)
            return
        if entry.table == MARGIN:
            yield from self._check_margin(entry, pixel, file, index)
            return
        low, past = pixel.index_range
        outside = int(np.count_nonzero((index < low) | (index >= past)))
        if outside:
            what = f"{outside} rows lie outside pixel {pixel.order}/{pixel.npix}"
            yield Finding("pixel", entry.path, what, remedy)
        elif tuple(count_cells(index, pixel).tolist()) != entry.cells:
            what = "its rows lie in other cells of the point map than its manifest says"
            yield Finding("cells", entry.path, what, remedy)
        elif entry.table == "detections" and self._margin_arcsec:
            self._want_margins(entry, pixel, file, index)

    def pass_over(self, entry: FileEntry) -> None:
        """A file that is not sound: what its part's margins should hold is not known."""
        self._unknown.add(entry.part)

    def finish(self) -> Iterator[Finding]:
        """Margins that do not hold what the detections of their part call for."""
        for part, pixel in sorted({*self._wanted, *self._found}):
            key = part, pixel
            wanted, found = self._wanted[key], self._found[key]
            if part in self._unknown or (wanted == found and not self._sums[key]):
                continue
            what = f"has {found} rows, the detections near its pixel are {wanted}"
            if wanted == found:
                what = "has rows that are not those of the detections near its pixel"
            where = self._paths.get(key, f"margin {part} of {pixel.order}/{pixel.npix}")
            yield Finding("margin", where, what, remedy_of(MARGIN, part))

    def _check_margin(
        self, entry: FileEntry, pixel: HealpixPixel, file: pq.ParquetFile, index: NDArray[np.int64]
    ) -> Iterator[Finding]:
        ra, dec = _read(file, "ra"), _read(file, "dec")
        found = self._nearby(index, ra, dec)
        here = (found.order == pixel.order) & (found.npix == pixel.npix)
        far = len(index) - int(np.count_nonzero(here))
        if far:
            what = f"{far} rows do not lie near pixel {pixel.order}/{pixel.npix}"
            yield Finding("margin", entry.path, what, remedy_of(entry.table, entry.part))
            return
        key = entry.part, pixel
        self._paths[key] = entry.path
        self._found[key] += len(index)
        self._add(key, -int(_sums(index, ra).sum()))

    def _want_margins(
        self, entry: FileEntry, pixel: HealpixPixel, file: pq.ParquetFile, index: NDArray[np.int64]
    ) -> None:
        near = border_rows(index, pixel.order, self._margin_arcsec)
        if not near.size:
            return
        ra, dec = _read(file, "ra")[near], _read(file, "dec")[near]
        found = self._nearby(index[near], ra, dec)
        sums = _sums(index[near], ra)[found.row]
        leaves = np.stack([found.order, found.npix], axis=1)
        for leaf in np.unique(leaves, axis=0):
            here = (leaves == leaf).all(axis=1)
            key = entry.part, HealpixPixel(*leaf.tolist())
            self._wanted[key] += int(np.count_nonzero(here))
            self._add(key, int(sums[here].sum()))

    def _nearby(
        self, index: NDArray[np.int64], ra: NDArray[np.float64], dec: NDArray[np.float64]
    ) -> Nearby:
        return nearby(index, ra, dec, self._partition, self._margin_arcsec)

    def _add(self, key: tuple[str, HealpixPixel], number: int) -> None:
        self._sums[key] = (self._sums[key] + number) % 2**64


def _sums(index: NDArray[np.int64], ra: NDArray[np.float64]) -> NDArray[np.uint64]:
    """A number of each row; sums of different sets of rows differ."""
    numbers: NDArray[np.uint64] = (index.view(np.uint64) * _PRIME) ^ ra.view(np.uint64)
    return numbers


def _read(file: pq.ParquetFile, name: str) -> NDArray[Any]:
    return as_numpy(file.read([name])[name])
