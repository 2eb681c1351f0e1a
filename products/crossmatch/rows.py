"""Rows of a catalogue in the order of their HEALPix index, and catalogues as blocks of such rows.

Whatever holds a catalogue (a spool, the files of a HATS catalogue) is asked one thing: the rows
whose index lies in these ranges.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import hpgeom
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store.layout import HEALPIX_ORDER, HealpixPixel
from transforms.sorting import RadixSorter

Floats = NDArray[np.float64]
Keys = NDArray[np.int64]
# (k, 2): first index, and one past the last; ascending and apart.
Ranges = NDArray[np.int64]

# The index of a row without a position: it comes first, and is in no pixel.
NOWHERE = -1


def healpix_key(ra_deg: Floats, dec_deg: Floats) -> Keys:
    """`_healpix_29` of positions in degrees: int64 (n,), NOWHERE where there is none."""
    good = np.isfinite(ra_deg) & (np.abs(dec_deg) <= 90.0)
    if good.all():
        return _key(ra_deg, dec_deg)
    key = np.full(ra_deg.size, NOWHERE, dtype=np.int64)
    key[good] = _key(ra_deg[good], dec_deg[good])
    return key


def _key(ra_deg: Floats, dec_deg: Floats) -> Keys:
    if not ra_deg.size:
        return np.empty(0, dtype=np.int64)
    if ra_deg.min() < 0.0 or ra_deg.max() > 360.0:
        ra_deg = np.mod(ra_deg, 360.0)
    key: Keys = hpgeom.angle_to_pixel(2**HEALPIX_ORDER, ra_deg, dec_deg)
    return key


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows sorted by `_healpix_29`, rows of one index as they came.

    key int64, ra and dec float64 in degrees, ids Arrow, (n,) each.
    """

    key: Keys
    ra: Floats
    dec: Floats
    ids: pa.Array

    @classmethod
    def sort(cls, ra: Floats, dec: Floats, ids: pa.Array, key: Keys | None = None) -> Rows:
        """Rows from columns in any order; `key` where it is known already."""
        key = healpix_key(ra, dec) if key is None else key
        if (key[1:] >= key[:-1]).all():
            return cls(key, ra, dec, ids)
        order, key = RadixSorter().sort(key)
        return cls(key, ra[order], dec[order], ids.take(pa.array(order)))

    def __len__(self) -> int:
        return self.key.size

    @property
    def nbytes(self) -> int:
        """Memory that the columns take."""
        return self.key.nbytes + self.ra.nbytes + self.dec.nbytes + int(self.ids.nbytes)

    def within(self, ranges: Ranges) -> list[Rows]:
        """The rows of the ranges, in parts; a run that is most of them is not copied."""
        ends = np.searchsorted(self.key, ranges)
        ends = ends[ends[:, 0] < ends[:, 1]]
        if not ends.size:
            return []
        # Ranges with nothing between them are one.
        apart = ends[1:, 0] > ends[:-1, 1]
        begins = ends[np.concatenate([[True], apart]), 0]
        sizes = ends[np.concatenate([apart, [True]]), 1] - begins
        longest = int(sizes.argmax())
        begin, size = int(begins[longest]), int(sizes[longest])
        if 2 * size < sizes.sum():  # crumbs alone
            return [self.take(numbers(begins, sizes))]
        rows = self.slice(begin, begin + size)
        if sizes.size == 1:
            return [rows]
        # A margin is many crumbs: one list of their rows instead of so many slices.
        before, after = slice(0, longest), slice(longest + 1, None)
        return [
            self.take(numbers(begins[before], sizes[before])),
            rows,
            self.take(numbers(begins[after], sizes[after])),
        ]

    def slice(self, begin: int, end: int) -> Rows:
        """Rows that lie together, without a copy."""
        ids = self.ids.slice(begin, end - begin)
        return Rows(self.key[begin:end], self.ra[begin:end], self.dec[begin:end], ids)

    def take(self, rows: NDArray[np.integer[Any]]) -> Rows:
        """Rows by their numbers."""
        ids = self.ids.take(pa.array(rows))
        return Rows(self.key[rows], self.ra[rows], self.dec[rows], ids)


class Block(Protocol):
    """A part of a catalogue that is read at once: where its rows lie, and how many they are."""

    @property
    def first(self) -> int:
        """Least index it may hold."""

    @property
    def last(self) -> int:
        """Greatest index it may hold."""

    @property
    def n_rows(self) -> int:
        """How many rows it holds."""

    def count(self, first: int, past: int) -> float:
        """Rows of index first ≤ i < past, or an estimate."""

    def load(self) -> Rows:
        """The rows."""


class Catalogue(ABC):
    """A catalogue that gives its rows by ranges of `_healpix_29`.

    Attributes
    ----------
    name : what it is called.
    id_name : the column of its ids; None where they are row numbers.
    id_type : Arrow type of the ids.
    pixels : how it is partitioned, in order; empty where it is not.
    """

    name: str
    id_name: str | None
    id_type: pa.DataType
    pixels: tuple[HealpixPixel, ...] = ()

    @abstractmethod
    def blocks_in(self, ranges: Ranges) -> Sequence[Block]:
        """The blocks that may hold rows of the ranges, in the order of the catalogue."""

    def close(self) -> None:  # noqa: B027
        """Let go of what is held of it."""

    def count(self, first: int, past: int) -> float:
        """Rows of index first ≤ i < past, or an estimate."""
        span = np.array([[first, past]])
        return sum(block.count(first, past) for block in self.blocks_in(span))

    def read(self, ranges: Ranges) -> Rows:
        """The rows of the ranges, sorted; rows of one index as the catalogue has them."""
        return joined([block.load().within(ranges) for block in self.blocks_in(ranges)], self)


def numbers(begins: Keys, sizes: Keys) -> Keys:
    """The numbers begin, begin + 1 … of several runs, one run after the other."""
    return np.repeat(begins - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())


def joined(blocks: Sequence[Sequence[Rows]], catalogue: Catalogue) -> Rows:
    """Parts of several blocks as one."""
    parts = [part for block in blocks for part in block if len(part)]
    if not parts:
        nothing = np.empty(0)
        return Rows(np.empty(0, np.int64), nothing, nothing, pa.array([], catalogue.id_type))
    if len(parts) == 1:
        return parts[0]
    rows = Rows(
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.ra for part in parts]),
        np.concatenate([part.dec for part in parts]),
        pa.concat_arrays([part.ids for part in parts]),
    )
    if all(a.key[-1] <= b.key[0] for a, b in pairwise(parts)):
        return rows
    # Timsort merges what is in order already.
    return rows.take(np.argsort(rows.key, kind="stable"))


def overlapping(first: Keys, last: Keys, ranges: Ranges) -> list[int]:
    """Which of the spans first[i] ≤ x ≤ last[i] touch one of the ranges."""
    if not ranges.size or not first.size:
        return []
    candidate = np.searchsorted(ranges[:, 1], first, side="right")
    inside = candidate < len(ranges)
    candidate[~inside] = 0
    hits: list[int] = np.flatnonzero(inside & (ranges[candidate, 0] <= last)).tolist()
    return hits
