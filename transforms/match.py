"""Nearest reference source of each detection: exact on the sphere, fast on a grid in a plane.

Reference sources are bucketed by cell of the SIN plane of an offset frame about their own centre.
Two directions are never farther apart in that plane than their chord, so all candidates within a
radius lie in the few cells that a square of that half width touches; the candidates themselves are
judged by the chord of their unit vectors. RA 0 and the poles are places like any other.

Rule of ties: of several reference sources at the same distance the lowest index wins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.compile import kernel
from transforms.errors import TransformError
from transforms.frame import axes, footprint_centre
from transforms.sphere import ARCSEC_PER_RADIAN, Floats, columns, sincos_degrees, unit_vectors

Index = NDArray[np.int32]

# Beyond 60° from its centre the plane is foreshortened twice: such sources get a patch of their own.
PATCH_UP = 0.5
LARGEST_RADIUS_ARCSEC = 36000.0  # 10°: all matches of a patch are then in front of it
# Far below the rounding of a coordinate (2e-10" at 360°): makes the radius itself count as within.
INCLUSIVE_ARCSEC = 1e-9
SOURCES_PER_CELL = 1.0


@dataclass(frozen=True, slots=True)
class _Patch:
    """One grid: sources sorted by cell, the index breaking ties kept ascending in each cell.

    Rows and columns of cells at the border also hold whatever lies beyond them.
    """

    frame: Floats  # (3, 3) east, north, up
    origin: Floats  # (3,) x, y of the grid's corner, cells per unit
    width: int
    height: int
    starts: Index  # (width·height + 1,)
    xyz: Floats  # (m, 3) unit vectors, ICRS axes
    index: Index  # (m,) row in the catalogue


class SkyGrid:
    """A reference catalogue, ready to be matched against again and again.

    Parameters
    ----------
    ra_deg, dec_deg : (m,) ICRS degrees; rows with NaN are never matched. Any spread over the sky.
    radius_arcsec : the match radius it will mostly be asked for; it sizes the cells. Any other
        radius gives right answers too.

    Raises
    ------
    TransformError : the radius is not between 0 and 10°, or there are 2³¹ sources or more.
    """

    __slots__ = ("_patches", "size")

    def __init__(self, ra_deg: ArrayLike, dec_deg: ArrayLike, radius_arcsec: float = 1.5) -> None:
        ra, dec = columns(ra_deg, dec_deg)
        if ra.size >= 2**31:
            raise TransformError(f"{ra.size} reference sources: match them in parts below 2³¹")
        self.size = ra.size
        self._patches = _patches(ra, dec, _chord(radius_arcsec))

    def nearest(
        self, ra_deg: ArrayLike, dec_deg: ArrayLike, radius_arcsec: float = 1.5
    ) -> tuple[Index, Floats]:
        """Nearest reference source within a radius, the radius included.

        Parameters
        ----------
        ra_deg, dec_deg : (n,) ICRS degrees.
        radius_arcsec : greatest separation, 0 to 36000.

        Returns
        -------
        index : int32 (n,), row of the reference catalogue; −1 where none is within the radius or a
            coordinate is NaN. Of several at the same distance the lowest.
        separation_arcsec : float64 (n,); NaN where there is none. Good to 1e-9".
        """
        ra, dec = columns(ra_deg, dec_deg)
        chord = _chord(radius_arcsec)
        index = np.full(ra.size, -1, dtype=np.int32)
        square = np.full(ra.size, chord * chord)
        for p in self._patches:
            _search(
                ra, dec, chord, p.frame, p.origin, p.width, p.height, p.starts, p.xyz, p.index,
                index, square,
            )  # fmt: skip
        _separations(index, square)
        return index, square


def _chord(radius_arcsec: float) -> float:
    if not 0.0 <= radius_arcsec <= LARGEST_RADIUS_ARCSEC:
        raise TransformError(
            f"match radius of {radius_arcsec} arcsec: give one from 0 to {LARGEST_RADIUS_ARCSEC:g}"
        )
    return 2.0 * math.sin((radius_arcsec + INCLUSIVE_ARCSEC) / ARCSEC_PER_RADIAN / 2.0)


def _patches(ra: Floats, dec: Floats, chord: float) -> list[_Patch]:
    """Cover the sources with patches of 60° about centres at least as far apart: 13 at most."""
    xyz = np.ascontiguousarray(unit_vectors(ra, dec).T)
    left = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec)).astype(np.int32)
    patches = []
    while left.size:
        frame = axes(*_centre(ra[left], dec[left], xyz[left]))
        plane = frame @ xyz[left].T
        near = plane[2] > PATCH_UP
        patches.append(_patch(frame, plane[0][near], plane[1][near], xyz, left[near], chord))
        left = left[~near]
    return patches


def _centre(ra: Floats, dec: Floats, xyz: Floats) -> tuple[float, float]:
    """The middle of the sources, or the source nearest to it where nothing is in the middle."""
    centre = footprint_centre(ra, dec)
    if math.isnan(centre[0]):
        return float(ra[0]), float(dec[0])
    towards = xyz @ axes(*centre)[2]
    nearest = int(np.argmax(towards))
    return centre if towards[nearest] > math.cos(math.radians(5.0)) else (ra[nearest], dec[nearest])


def _patch(frame: Floats, x: Floats, y: Floats, xyz: Floats, rows: Index, chord: float) -> _Patch:
    # The extent of nearly all sources: one stray row must not make the cells of the others coarse.
    (x0, x1), (y0, y1) = (np.quantile(v[:: v.size // 2000 + 1], (0.01, 0.99)) for v in (x, y))
    cells = max(1.0, x.size / SOURCES_PER_CELL)
    side = max(math.sqrt((x1 - x0) * (y1 - y0) / cells), (x1 - x0 + y1 - y0) / cells, 2.0 * chord)
    width, height = int((x1 - x0) / side) + 1, int((y1 - y0) / side) + 1
    origin = np.array([x0, y0, 1.0 / side])
    starts = np.zeros(width * height + 1, dtype=np.int32)
    order = np.empty(x.size, dtype=np.int32)
    _bucket(x, y, origin, width, height, starts, order)
    return _Patch(frame, origin, width, height, starts, xyz[rows[order]], rows[order])


@kernel
def _cell(offset: float, per_unit: float, count: int) -> int:
    """Cell of an offset along one axis, the outer ones holding all beyond them."""
    # Clamped as a float: a far direction may not fit an integer.
    return int(min(max(offset * per_unit, 0.0), count - 1.0))


@kernel
def _bucket(
    x: Floats, y: Floats, origin: Floats, width: int, height: int, starts: Index, order: Index
) -> None:
    """Counting sort by cell; stable, so rows stay ascending within a cell."""
    cells = np.empty(x.size, dtype=np.int32)
    for i in range(x.size):
        column = _cell(x[i] - origin[0], origin[2], width)
        cells[i] = _cell(y[i] - origin[1], origin[2], height) * width + column
        starts[cells[i] + 1] += 1
    for c in range(width * height):
        starts[c + 1] += starts[c]
    for i in range(x.size):
        order[starts[cells[i]]] = i
        starts[cells[i]] += 1
    # Each start now stands where its successor began.
    for c in range(width * height, 0, -1):
        starts[c] = starts[c - 1]
    starts[0] = 0


@kernel
def _search(
    ra: Floats, dec: Floats, chord: float,
    frame: Floats, origin: Floats, width: int, height: int,
    starts: Index, xyz: Floats, rows: Index,
    index: Index, square: Floats,
) -> None:  # fmt: skip
    """Improve index and squared chord of each row by the sources of one patch."""
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        px, py, pz = cos_dec * cos_ra, cos_dec * sin_ra, sin_dec
        # NaN fails every comparison; what is behind the frame is out of every radius' reach.
        if not frame[2, 0] * px + frame[2, 1] * py + frame[2, 2] * pz > 0.0:
            continue
        x = frame[0, 0] * px + frame[0, 1] * py - origin[0]
        y = frame[1, 0] * px + frame[1, 1] * py + frame[1, 2] * pz - origin[1]
        first = _cell(x - chord, origin[2], width)
        last = _cell(x + chord, origin[2], width)
        best, best_row = square[i], index[i]
        for line in range(
            _cell(y - chord, origin[2], height), _cell(y + chord, origin[2], height) + 1
        ):
            # Neighbouring cells of one line lie side by side in memory.
            for k in range(starts[line * width + first], starts[line * width + last + 1]):
                # Chords, not cosines: 1 - cos(x) loses every digit at an arcsecond.
                dx, dy, dz = xyz[k, 0] - px, xyz[k, 1] - py, xyz[k, 2] - pz
                distance = dx * dx + dy * dy + dz * dz
                if distance < best or (distance == best and (best_row < 0 or rows[k] < best_row)):
                    best, best_row = distance, rows[k]
        square[i], index[i] = best, best_row


@kernel
def _separations(index: Index, square: Floats) -> None:
    """Turn squared chords into arcseconds in place; NaN where nothing was found."""
    for i in range(index.size):
        angle = 2.0 * math.asin(min(0.5 * math.sqrt(square[i]), 1.0))
        square[i] = angle * ARCSEC_PER_RADIAN if index[i] >= 0 else math.nan


def match_rank(index: ArrayLike, separation_arcsec: ArrayLike) -> NDArray[np.int16]:
    """Rank by separation among the detections of one image that share a reference source.

    Parameters
    ----------
    index : int (n,), reference source of each detection, −1 for none.
    separation_arcsec : float64 (n,).

    Returns
    -------
    int16 (n,): 1 for the nearest detection of each reference source, 2, 3 … for the others, 0 for
    those with none. Of equal separations the lowest row comes first. 32767 is the last rank.
    """
    reference = np.ascontiguousarray(index, dtype=np.int32)
    (separation,) = columns(separation_arcsec)
    if reference.shape != separation.shape:
        raise TransformError(f"{reference.shape} indices but {separation.shape} separations")
    rank = (reference >= 0).astype(np.int16)
    shared = _shared(reference, int(reference.max(initial=-1)) + 1)
    if shared.size:
        order = shared[np.lexsort((shared, separation[shared], reference[shared]))]
        group = reference[order]
        begins = np.flatnonzero(np.diff(group, prepend=-1))
        run = np.arange(order.size) - np.repeat(begins, np.diff(begins, append=order.size))
        rank[order] = np.minimum(run + 1, np.iinfo(np.int16).max)
    return rank


@kernel
def _shared(reference: Index, size: int) -> Index:
    """Rows whose reference source has more than one row."""
    count = np.zeros(size, dtype=np.uint8)
    for i in range(reference.size):
        r = reference[i]
        if r >= 0 and count[r] < 2:
            count[r] += 1
    found = 0
    rows = np.empty(reference.size, dtype=np.int32)
    for i in range(reference.size):
        if reference[i] >= 0 and count[reference[i]] > 1:
            rows[found] = i
            found += 1
    return rows[:found]
