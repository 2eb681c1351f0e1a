"""Where light curves are asked for: objects, circles on the sky, one region.

A place gives ranges of the HEALPix index that cover it, and judges the rows that are found there.
It has targets, numbered from 0: each object, each circle; a region is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import values
from queries.sky import MAX_RADIUS_ARCSEC, Cone

Index = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Ranges(NamedTuple):
    """Ranges of `_healpix_29`, each of a target: int64 (n,), in the order of their beginning."""

    first: Index
    past: Index
    target: Index

    def overlapping(self, first: int, past: int) -> Ranges:
        """Those that reach into one range."""
        hit = (self.first < past) & (self.past > first)
        return Ranges(self.first[hit], self.past[hit], self.target[hit])


class Place(Protocol):
    """What is asked for; see `Objects`, `Circles`, and `Polygon` and `Moc` in `regions`.

    `needs` are the columns that it judges rows by.
    """

    needs: ClassVar[tuple[str, ...]]

    def ranges(self, wider_arcsec: float) -> Ranges:
        """Ranges that cover it and all within `wider_arcsec` of it; they may cover more."""

    def holds(self, rows: pa.RecordBatch, row: Index, target: Index) -> Mask:
        """Whether each of some rows, by number, is wanted by its target."""


@dataclass(frozen=True)
class Objects:
    """Reference sources, and all detections that carry their ids.

    Attributes
    ----------
    oid : int64 (n,).
    ra_deg, dec_deg : float64 (n,), where the reference sources lie.
    """

    needs: ClassVar[tuple[str, ...]] = ("oid",)

    oid: Index
    ra_deg: Floats
    dec_deg: Floats

    def ranges(self, wider_arcsec: float) -> Ranges:
        """Ranges about the reference sources: their detections are no farther away."""
        return _circles(self.ra_deg, self.dec_deg, np.full(self.oid.size, wider_arcsec))

    def holds(self, rows: pa.RecordBatch, row: Index, target: Index) -> Mask:
        """Whether a row carries the target's id."""
        return np.asarray(of_rows(rows, "oid", row) == self.oid[target], bool)


@dataclass(frozen=True)
class Circles:
    """Circles on the sky, their edges included: float64 (n,) each, degrees and arcsec."""

    needs: ClassVar[tuple[str, ...]] = ("ra", "dec")

    ra_deg: Floats
    dec_deg: Floats
    radius_arcsec: Floats

    @classmethod
    def of(cls, *cones: Cone) -> Circles:
        """The circles of some cones."""
        columns = [(cone.ra_deg, cone.dec_deg, cone.radius_arcsec) for cone in cones]
        return cls(*np.array(columns, np.float64).reshape(-1, 3).T)

    def ranges(self, wider_arcsec: float) -> Ranges:
        """Ranges that cover the circles."""
        return _circles(self.ra_deg, self.dec_deg, self.radius_arcsec + wider_arcsec)

    def holds(self, rows: pa.RecordBatch, row: Index, target: Index) -> Mask:
        """Whether a row lies in the target's circle."""
        ra, dec = np.radians(of_rows(rows, "ra", row)), np.radians(of_rows(rows, "dec", row))
        at_ra, at_dec, most = self._radians
        if at_ra.size > 1:
            at_ra, at_dec, most = (values[target] for values in (at_ra, at_dec, most))
        # Half chords, squared, not cosines: 1 - cos(x) loses every digit at an arcsecond.
        chord = np.sin((dec - at_dec) / 2) ** 2
        chord += np.cos(dec) * np.cos(at_dec) * np.sin((ra - at_ra) / 2) ** 2
        return np.asarray(chord <= most, bool)

    @cached_property
    def _radians(self) -> tuple[Floats, Floats, Floats]:
        """Centres, and the squares of the half chords that the edges are away."""
        most = np.sin(np.radians(self.radius_arcsec / 3600) / 2) ** 2
        return np.radians(self.ra_deg), np.radians(self.dec_deg), most


def of_rows(rows: pa.RecordBatch, name: str, row: Index) -> NDArray[np.generic]:
    """Values of a column in some rows; a null id is one that no object has."""
    found = values(rows.column(name), np.iinfo(np.int64).min)
    # Rows that follow each other, the common case, need no copy.
    if row.size and row[-1] - row[0] + 1 == row.size and (row[1:] > row[:-1]).all():
        return found[row[0] : row[-1] + 1]
    return found[row]


def _circles(ra_deg: Floats, dec_deg: Floats, radius_arcsec: Floats) -> Ranges:
    """Ranges that cover each of some circles."""
    radius_arcsec = np.minimum(radius_arcsec, MAX_RADIUS_ARCSEC)
    circles = zip(ra_deg.tolist(), dec_deg.tolist(), radius_arcsec.tolist(), strict=True)
    found = [Cone(*circle).ranges for circle in circles]
    target = np.repeat(np.arange(len(found)), [len(ranges) for ranges in found])
    bounds = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    if len(found) > 1:
        order = np.argsort(bounds[:, 0], kind="stable")
        bounds, target = bounds[order], target[order]
    return Ranges(bounds[:, 0], bounds[:, 1], target)
