"""One patch of sky on a grid: sources bucketed by cell of a SIN plane, and the search among them.

Two directions are never farther apart in the SIN plane than their chord, so all sources within a
radius lie in the few cells that a square of that half width touches; they themselves are judged by
the chords of unit vectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.compile import kernel
from transforms.sphere import Floats, sincos_degrees

Index = NDArray[np.int32]

SOURCES_PER_CELL = 1.0
TILE = 512


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One grid: sources sorted by cell, the index breaking ties kept ascending in each cell.

    Rows and columns of cells at the border also hold whatever lies beyond them.
    """

    frame: Floats  # (3, 3) east, north, up
    origin: Floats  # (3,) x, y of the grid's corner, cells per unit
    width: int
    height: int
    starts: Index  # (width·height + 2,) place of each cell's first source
    xyz: Floats  # (m, 3) unit vectors, ICRS axes
    index: Index  # (m,) row in the catalogue


def bucketed(frame: Floats, plane: Floats, xyz: Floats, rows: Index, chord: float) -> Patch:
    """Bucket sources on a grid.

    Parameters
    ----------
    frame : float64 (3, 3), east, north, up of the patch.
    plane, xyz : float64 (3, m), unit vectors on the frame's axes and on ICRS axes.
    rows : int32 (m,), ascending, each source's row in the catalogue.
    chord : the usual match radius, as a chord.
    """
    # The extent of nearly all sources: one stray row must not make the cells of the others coarse.
    some = plane[:2, :: rows.size // 1000 + 1]
    (x0, y0), (x1, y1) = np.quantile(some, (0.01, 0.99), axis=1)
    cells = max(1.0, rows.size / SOURCES_PER_CELL)
    side = max(math.sqrt((x1 - x0) * (y1 - y0) / cells), (x1 - x0 + y1 - y0) / cells, 2.0 * chord)
    width, height = int((x1 - x0) / side) + 1, int((y1 - y0) / side) + 1
    origin = np.array([x0, y0, 1.0 / side])
    starts = np.zeros(width * height + 2, dtype=np.int32)
    sorted_xyz, sorted_rows = np.empty((rows.size, 3)), np.empty(rows.size, dtype=np.int32)
    _bucket(plane, xyz, rows, origin, width, height, starts, sorted_xyz, sorted_rows)
    return Patch(frame, origin, width, height, starts, sorted_xyz, sorted_rows)


@kernel
def project(ra: Floats, dec: Floats, frame: Floats, xyz: Floats, plane: Floats) -> None:
    """Unit vectors on ICRS axes and on the frame's: east, north, up."""
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        px, py, pz = cos_dec * cos_ra, cos_dec * sin_ra, sin_dec
        xyz[0, i], xyz[1, i], xyz[2, i] = px, py, pz
        plane[0, i] = frame[0, 0] * px + frame[0, 1] * py
        plane[1, i] = frame[1, 0] * px + frame[1, 1] * py + frame[1, 2] * pz
        plane[2, i] = frame[2, 0] * px + frame[2, 1] * py + frame[2, 2] * pz


@kernel
def _cell(offset: float, per_unit: float, count: int) -> int:
    """Cell of an offset along one axis, the outer ones holding all beyond them."""
    # Clamped as a float: a far direction may not fit an integer.
    return int(min(max(offset * per_unit, 0.0), count - 1.0))


@kernel
def _bucket(
    plane: Floats, xyz: Floats, rows: Index,
    origin: Floats, width: int, height: int,
    starts: Index, sorted_xyz: Floats, sorted_rows: Index,
) -> None:  # fmt: skip
    """Counting sort by cell; stable, so rows stay ascending within a cell."""
    cells = np.empty(rows.size, dtype=np.int32)
    for i in range(rows.size):
        column = _cell(plane[0, i] - origin[0], origin[2], width)
        cells[i] = _cell(plane[1, i] - origin[1], origin[2], height) * width + column
    # Counted two places on: while filling, starts[cell + 1] runs from its start to its end, and
    # what remains is each cell's start in its own place.
    for i in range(rows.size):
        starts[cells[i] + 2] += 1
    for c in range(2, starts.size):
        starts[c] += starts[c - 1]
    for i in range(rows.size):
        k = starts[cells[i] + 1]
        starts[cells[i] + 1] = k + 1
        sorted_xyz[k, 0], sorted_xyz[k, 1], sorted_xyz[k, 2] = xyz[0, i], xyz[1, i], xyz[2, i]
        sorted_rows[k] = rows[i]


@kernel
def search(
    ra: Floats, dec: Floats, chord: float,
    frame: Floats, origin: Floats, width: int, height: int,
    starts: Index, xyz: Floats, rows: Index,
    index: Index, square: Floats,
) -> None:  # fmt: skip
    """Improve index and squared chord of each row by the sources of one patch."""
    point, plane = np.empty((3, TILE)), np.empty((3, TILE))
    for begin in range(0, ra.size, TILE):
        end = min(begin + TILE, ra.size)
        # A tile at a time: the projection runs on vectors, the search from the nearest cache.
        project(ra[begin:end], dec[begin:end], frame, point, plane)
        for j in range(end - begin):
            # NaN fails the comparison; what is behind the frame is out of every radius' reach.
            if not plane[2, j] > 0.0:
                continue
            i = begin + j
            px, py, pz = point[0, j], point[1, j], point[2, j]
            x, y = plane[0, j] - origin[0], plane[1, j] - origin[1]
            first = _cell(x - chord, origin[2], width)
            last = _cell(x + chord, origin[2], width) + 1
            line = _cell(y - chord, origin[2], height) * width
            last_line = _cell(y + chord, origin[2], height) * width
            best, best_row = square[i], index[i]
            while line <= last_line:
                # Neighbouring cells of one line lie side by side in memory.
                for k in range(starts[line + first], starts[line + last]):
                    # Chords, not cosines: 1 - cos(x) loses every digit at an arcsecond.
                    dx, dy, dz = xyz[k, 0] - px, xyz[k, 1] - py, xyz[k, 2] - pz
                    distance = dx * dx + dy * dy + dz * dz
                    nearer = distance < best
                    lower = (distance == best) & ((best_row < 0) | (rows[k] < best_row))
                    if nearer | lower:
                        best, best_row = distance, rows[k]
                line += width
            square[i], index[i] = best, best_row
