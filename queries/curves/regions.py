"""Regions of the sky: polygons, and coverage maps (MOC)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import hpgeom
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.places import Index, Mask, Ranges, of_rows
from queries.errors import BadRegionError
from store.layout import HEALPIX_ORDER

Floats = NDArray[np.float64]

# A polygon must lie well within a hemisphere: it is looked at in the gnomonic projection.
MAX_POLYGON_RADIUS_DEG = 80.0
# Cells that cover a region are as small as may be, but not more than this.
_MOST_CELLS = 20_000
# Cells of this order are 3 arcsec wide: a match radius does not reach past a neighbour.
_FINEST_ORDER = 16
_CELL_DEG_AT_ORDER_0 = 58.6
_MOC_TOKEN = re.compile(r"(?:(\d+)/)?(?:(\d+)(?:-(\d+))?)?")


@dataclass(frozen=True, eq=False)
class Polygon:
    """A polygon on the sky, its sides great circles; it need not be convex.

    Parameters
    ----------
    ra_deg, dec_deg : float64 (n,), corners in turn, either way round, ICRS; three or more, within
        80 degrees of their mean. A point on a side is in or out by rounding.

    Raises
    ------
    BadRegionError : it is no such polygon.
    """

    needs: ClassVar[tuple[str, ...]] = ("ra", "dec")

    ra_deg: Floats
    dec_deg: Floats

    @classmethod
    def of(cls, corners: Sequence[tuple[float, float]] | Floats) -> Polygon:
        """The polygon of some corners, (ra, dec) each."""
        try:
            pairs = np.asarray(corners, np.float64)
        except (TypeError, ValueError):
            raise BadRegionError("a polygon's corners must be pairs of numbers") from None
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise BadRegionError("a polygon's corners must be pairs of numbers")
        return cls(pairs[:, 0], pairs[:, 1])

    def __post_init__(self) -> None:
        if self.ra_deg.size < 3:
            raise BadRegionError(f"a polygon of {self.ra_deg.size} corners holds nothing")
        if not (np.isfinite(self.ra_deg).all() and np.isfinite(self.dec_deg).all()):
            raise BadRegionError("a polygon's corners must be numbers")
        if np.abs(self.dec_deg).max() > 90:
            raise BadRegionError("a polygon's corner has a declination beyond 90 degrees")
        total = _vectors(self.ra_deg, self.dec_deg).sum(axis=0)
        if np.linalg.norm(total) < 1e-9 or self._radius_deg > MAX_POLYGON_RADIUS_DEG:
            raise BadRegionError(
                f"the polygon reaches farther than {MAX_POLYGON_RADIUS_DEG:g} degrees from the "
                "mean of its corners"
            )
        x, y = self._corners
        area = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2
        if abs(area) < 1e-18:
            raise BadRegionError("the polygon has no area")

    def ranges(self, wider_arcsec: float) -> Ranges:
        """Ranges of cells that it touches, or lies within `wider_arcsec` of."""
        reach_deg = self._radius_deg + wider_arcsec / 3600
        order = _order_for(4 * (reach_deg / _CELL_DEG_AT_ORDER_0) ** 2)
        cells = hpgeom.query_circle(
            2**order, *self._centre_deg, min(reach_deg * (1 + 1e-9), 180.0), inclusive=True,
            nest=True,
        )  # fmt: skip
        cells = np.asarray(cells, np.int64)
        ra, dec = hpgeom.pixel_to_angle(2**order, cells, nest=True)
        near = np.radians(hpgeom.max_pixel_radius(2**order) + wider_arcsec / 3600) * (1 + 1e-9)
        return _of_cells(cells[self._inside(ra, dec) | (self._from_sides(ra, dec) <= near)], order)

    def holds(self, rows: pa.RecordBatch, row: Index, target: Index) -> Mask:
        """Whether a row lies in the polygon."""
        ra, dec = of_rows(rows, "ra", row), of_rows(rows, "dec", row)
        return self._inside(ra.astype(np.float64), dec.astype(np.float64))

    def _inside(self, ra_deg: Floats, dec_deg: Floats) -> Mask:
        """Even-odd rule in the gnomonic projection, in which great circles are straight."""
        x, y, ahead = self._projected(ra_deg, dec_deg)
        inside = np.zeros(ra_deg.size, bool)
        corner_x, corner_y = self._corners
        for i in range(corner_x.size):
            x0, y0, x1, y1 = corner_x[i - 1], corner_y[i - 1], corner_x[i], corner_y[i]
            if y0 == y1:
                continue
            crosses = (y < y0) != (y < y1)
            inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        return inside & ahead

    def _from_sides(self, ra_deg: Floats, dec_deg: Floats) -> Floats:
        """Distance of points from the nearest side, radians."""
        points = _vectors(ra_deg, dec_deg)
        corners = _vectors(self.ra_deg, self.dec_deg)
        nearest = np.full(ra_deg.size, np.inf)
        for i in range(len(corners)):
            start, end = corners[i - 1], corners[i]
            pole = np.cross(start, end)
            length = np.linalg.norm(pole)
            for corner in (start, end):
                nearest = np.minimum(nearest, _angle(points, corner))
            if length > 1e-15:
                pole = pole / length
                beside = (points @ np.cross(pole, start) > 0) & (points @ np.cross(pole, end) < 0)
                off = np.abs(np.arcsin(np.clip(points @ pole, -1, 1)))
                nearest = np.where(beside, np.minimum(nearest, off), nearest)
        return nearest

    @cached_property
    def _centre(self) -> Floats:
        total = _vectors(self.ra_deg, self.dec_deg).sum(axis=0)
        centre: Floats = total / max(float(np.linalg.norm(total)), 1e-300)
        return centre

    @property
    def _centre_deg(self) -> tuple[float, float]:
        x, y, z = self._centre.tolist()
        return float(np.degrees(np.arctan2(y, x)) % 360), float(
            np.degrees(np.arctan2(z, np.hypot(x, y)))
        )

    @cached_property
    def _radius_deg(self) -> float:
        away = _angle(_vectors(self.ra_deg, self.dec_deg), self._centre)
        return float(np.degrees(away.max()))

    @cached_property
    def _axes(self) -> tuple[Floats, Floats]:
        """East and north at the centre; at a pole, any."""
        helper = np.array([0.0, 0.0, 1.0]) if abs(self._centre[2]) < 0.9 else np.array([1.0, 0, 0])
        east = np.cross(helper, self._centre)
        east /= np.linalg.norm(east)
        return east, np.cross(self._centre, east)

    @cached_property
    def _corners(self) -> tuple[Floats, Floats]:
        x, y, _ = self._projected(self.ra_deg, self.dec_deg)
        return x, y

    def _projected(self, ra_deg: Floats, dec_deg: Floats) -> tuple[Floats, Floats, Mask]:
        points = _vectors(ra_deg, dec_deg)
        depth = points @ self._centre
        ahead = depth > 1e-3
        safe = np.where(ahead, depth, 1.0)
        east, north = self._axes
        return points @ east / safe, points @ north / safe, ahead


@dataclass(frozen=True, eq=False)
class Moc:
    """A coverage map: cells of the HEALPix sphere, ICRS (IVOA MOC 2.0).

    Attributes
    ----------
    first, past : int64 (n,), disjoint ranges of `_healpix_29`, ascending.
    """

    needs: ClassVar[tuple[str, ...]] = ("_healpix_29",)

    first: Index
    past: Index

    @classmethod
    def parse(cls, text: str) -> Moc:
        """The map that a string spells, for example `5/1-3 7 6/12`.

        Raises
        ------
        BadRegionError : it is no such string, or covers nothing.
        """
        order, cells = None, []
        for word in re.split(r"[\s,]+", text.strip()):
            match = _MOC_TOKEN.fullmatch(word)
            if match is None:
                raise BadRegionError(f"{word!r} is not of a coverage map")
            if match[1] is not None:
                order = int(match[1])
            if match[2] is not None:
                if order is None:
                    raise BadRegionError("a coverage map begins with its order, as 5/")
                cells.append((order, int(match[2]), int(match[3] or match[2])))
        for order, low, high in cells:
            if order > HEALPIX_ORDER or not low <= high < 12 * 4**order:
                raise BadRegionError(f"{order}/{low}-{high} is no range of cells")
        shifts = [2 * (HEALPIX_ORDER - order) for order, *_ in cells]
        bounds = [
            (low << s, (high + 1) << s) for (_, low, high), s in zip(cells, shifts, strict=True)
        ]
        return cls.of_ranges(np.array(bounds, np.int64).reshape(-1, 2))

    @classmethod
    def of_ranges(cls, bounds: Index) -> Moc:
        """The map of some ranges, int64 (n, 2), in any order; they may overlap.

        Raises
        ------
        BadRegionError : it covers nothing.
        """
        if not len(bounds):
            raise BadRegionError("the coverage map is empty")
        first, past = _united(bounds[:, 0], bounds[:, 1])
        return cls(first, past)

    def ranges(self, wider_arcsec: float) -> Ranges:
        """Ranges of its cells, and of those around them."""
        order = _FINEST_ORDER
        while order and _cells_of(self.first, self.past, order) > _MOST_CELLS:
            order -= 1
        while order and _CELL_DEG_AT_ORDER_0 / 2**order < 2 * wider_arcsec / 3600:
            order -= 1
        shift = 2 * (HEALPIX_ORDER - order)
        low, high = self.first >> shift, (self.past - 1) >> shift
        cells = np.unique(
            np.concatenate([np.arange(a, b + 1) for a, b in zip(low, high, strict=True)])
        )
        around = hpgeom.neighbors(2**order, cells, nest=True)
        cells = np.union1d(cells, np.ravel(around))
        return _of_cells(cells[cells >= 0], order)

    def holds(self, rows: pa.RecordBatch, row: Index, target: Index) -> Mask:
        """Whether a row lies in one of the cells."""
        index = of_rows(rows, "_healpix_29", row)
        at = np.searchsorted(self.past, index, side="right")
        begins = np.append(self.first, np.iinfo(np.int64).max)[at]
        return np.asarray(begins <= index, bool)


def _order_for(cells_at_order_0: float) -> int:
    """The deepest order at which an area of so many cells of order 0 is not too many."""
    spare = _MOST_CELLS / max(cells_at_order_0, 1e-12)
    return int(np.clip(np.floor(np.log2(max(spare, 1.0)) / 2), 0, _FINEST_ORDER))


def _cells_of(first: Index, past: Index, order: int) -> int:
    shift = 2 * (HEALPIX_ORDER - order)
    return int((((past - 1) >> shift) - (first >> shift) + 1).sum())


def _of_cells(cells: Index, order: int) -> Ranges:
    """The ranges of some cells; neighbours in one."""
    shift = 2 * (HEALPIX_ORDER - order)
    cells = np.unique(cells)
    first, past = _united(cells << shift, (cells + 1) << shift)
    return Ranges(first, past, np.zeros(first.size, np.int64))


def _united(first: Index, past: Index) -> tuple[Index, Index]:
    """Ranges ascending and apart."""
    order = np.argsort(first, kind="stable")
    first, past = first[order], np.maximum.accumulate(past[order])
    begins = np.ones(first.size, bool)
    begins[1:] = first[1:] > past[:-1]
    ends = np.append(begins[1:], True) if first.size else begins
    return first[begins], past[ends]


def _vectors(ra_deg: Floats, dec_deg: Floats) -> Floats:
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def _angle(points: Floats, at: Floats) -> Floats:
    """Angle from one direction, radians, by the chord: exact where it is small."""
    chord = np.linalg.norm(points - at, axis=-1)
    angle: Floats = 2 * np.arcsin(np.clip(chord / 2, 0, 1))
    return angle
