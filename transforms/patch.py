"""Patches of sky on grids: sources bucketed by cell of a SIN plane, and the search among them.

Two directions are never farther apart in the SIN plane than their chord, so all sources within a
radius lie in the few cells that a square of that half width touches; they themselves are judged by
the chords of unit vectors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.kernel import kernel
from transforms.sphere import Floats, sincos_degrees

Index = NDArray[np.int32]
Places = NDArray[np.int64]

SOURCES_PER_CELL = 1.0
# Rows projected at a time: on vector instructions, and still in the nearest cache when searched.
TILE = 512
# Beyond 60° from its centre a plane is foreshortened twice: such sources get another patch.
PATCH_UP = 0.5
# What a component of a unit vector may be wrong by, and far more.
ROUNDING = 1e-12
# Stand in for a cell: beyond the patch, and no direction at all.
BEYOND, NOWHERE = -1, -2


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One grid of cells about a centre. Cells at the border also hold whatever lies beyond them."""

    frame: Floats  # (3, 3) east, north, up
    corner: Floats  # (3,) x, y of the first cell's corner, cells per unit
    width: int
    height: int
    starts: Index  # (width·height + 2,) place of each cell's first source
    sources: Floats  # (m, 3) unit vectors on ICRS axes, by cell
    rows: Index  # (m,) row of each source in the catalogue, ascending within a cell


class Patches(NamedTuple):
    """Several patches as one, in the order of their making; a tuple, as kernels take it."""

    frames: Floats  # (p, 3, 3)
    corners: Floats  # (p, 3)
    shapes: Index  # (p, 2) width, height
    cells: Places  # (p,) place of each patch's first cell in `starts`
    starts: Index  # place of each cell's first source in `sources`
    sources: Floats  # (m, 3)
    rows: Index  # (m,)


def together(patches: Sequence[Patch]) -> Patches:
    """All patches, their sources one after the other."""
    before = np.cumsum([0, *(patch.rows.size for patch in patches)])
    starts = [p.starts + np.int32(n) for p, n in zip(patches, before[:-1], strict=True)]
    cells = np.cumsum([0, *(part.size for part in starts)])[:-1]
    one = len(patches) == 1  # nearly always: then nothing is copied
    return Patches(
        np.array([p.frame for p in patches]).reshape(-1, 3, 3),
        np.array([p.corner for p in patches]).reshape(-1, 3),
        np.array([(p.width, p.height) for p in patches], dtype=np.int32).reshape(-1, 2),
        np.asarray(cells, dtype=np.int64),
        patches[0].starts if one else np.concatenate([np.empty(0, np.int32), *starts]),
        patches[0].sources
        if one
        else np.concatenate([np.empty((0, 3)), *(p.sources for p in patches)]),
        patches[0].rows
        if one
        else np.concatenate([np.empty(0, np.int32), *(p.rows for p in patches)]),
    )


def layout(ra: Floats, dec: Floats, frame: Floats, chord: float) -> tuple[Floats, int, int]:
    """Corner, width and height of a grid with about one source a cell, none finer than needed.

    It spans nearly all of a sample: a stray row must not make the cells of the others coarse.
    """
    step = ra.size // 1000 + 1
    some = np.empty((3, -(-ra.size // step)))
    project(ra[::step].copy(), dec[::step].copy(), frame, np.empty_like(some), some)
    some = some[:2, some[2] > PATCH_UP] if (some[2] > PATCH_UP).any() else np.zeros((2, 1))
    low = some.shape[1] // 100
    high = some.shape[1] - 1 - low
    (x0, x1), (y0, y1) = np.partition(some, (low, high), axis=1)[:, (low, high)]
    cells = max(1.0, ra.size / SOURCES_PER_CELL)
    side = max(math.sqrt((x1 - x0) * (y1 - y0) / cells), (x1 - x0 + y1 - y0) / cells, 2.0 * chord)
    corner = np.array([x0, y0, 1.0 / side])
    return corner, int((x1 - x0) / side) + 1, int((y1 - y0) / side) + 1


@kernel
def project(ra: Floats, dec: Floats, frame: Floats, xyz: Floats, plane: Floats) -> None:
    """Unit vectors on ICRS axes and on the frame's: east, north, up."""
    point(ra, dec, xyz)
    upward(xyz, frame, ra.size, plane)
    across(xyz, frame, ra.size, plane)


@kernel
def point(ra: Floats, dec: Floats, xyz: Floats) -> None:
    """Unit vectors on ICRS axes."""
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        xyz[0, i], xyz[1, i], xyz[2, i] = cos_dec * cos_ra, cos_dec * sin_ra, sin_dec


@kernel
def upward(xyz: Floats, frame: Floats, n: int, plane: Floats) -> float:
    """The component towards the frame's centre, and the largest one; NaN is none."""
    largest = -1.0
    for i in range(n):
        up = frame[2, 0] * xyz[0, i] + frame[2, 1] * xyz[1, i] + frame[2, 2] * xyz[2, i]
        plane[2, i] = up
        largest = up if up > largest else largest
    return largest


@kernel
def across(xyz: Floats, frame: Floats, n: int, plane: Floats) -> None:
    """The components to the east and to the north of the frame's centre."""
    for i in range(n):
        plane[0, i] = frame[0, 0] * xyz[0, i] + frame[0, 1] * xyz[1, i]
        plane[1, i] = frame[1, 0] * xyz[0, i] + frame[1, 1] * xyz[1, i] + frame[1, 2] * xyz[2, i]


@kernel
def cell_of(offset: float, per_unit: float, count: int) -> int:
    """Cell of an offset along one axis, the outer ones holding all beyond them."""
    return int(min(max(offset * per_unit, 0.0), count - 1.0))


@kernel
def assign(
    ra: Floats, dec: Floats, frame: Floats, corner: Floats, width: int, height: int,
    cells: Index, starts: Index,
) -> int:  # fmt: skip
    """Cell of each source, the place where each cell starts, and how many sources there are."""
    xyz, plane = np.empty((3, TILE)), np.empty((3, TILE))
    for begin in range(0, ra.size, TILE):
        end = min(begin + TILE, ra.size)
        project(ra[begin:end], dec[begin:end], frame, xyz, plane)
        for j in range(end - begin):
            if plane[2, j] > PATCH_UP:
                column = cell_of(plane[0, j] - corner[0], corner[2], width)
                line = cell_of(plane[1, j] - corner[1], corner[2], height)
                cells[begin + j] = line * width + column
                # Counted two places on: see `fill`.
                starts[line * width + column + 2] += 1
            else:
                cells[begin + j] = BEYOND if plane[2, j] <= PATCH_UP else NOWHERE
    for c in range(2, starts.size):
        starts[c] += starts[c - 1]
    return starts[-1]  # type: ignore[no-any-return]


@kernel
def fill(
    ra: Floats,
    dec: Floats,
    rows: Index,
    cells: Index,
    starts: Index,
    sources: Floats,
    sorted_rows: Index,
) -> None:
    """Counting sort by cell; stable, so rows stay ascending within a cell.

    While filling, starts[cell + 1] runs from the cell's start to its end; what remains is each
    cell's start in its own place.
    """
    for i in range(ra.size):
        if cells[i] >= 0:
            k = starts[cells[i] + 1]
            starts[cells[i] + 1] = k + 1
            sin_ra, cos_ra = sincos_degrees(ra[i])
            sin_dec, cos_dec = sincos_degrees(dec[i])
            sources[k, 0], sources[k, 1], sources[k, 2] = (
                cos_dec * cos_ra,
                cos_dec * sin_ra,
                sin_dec,
            )
            sorted_rows[k] = rows[i]


@kernel
def search(
    ra: Floats, dec: Floats, chord: float, patches: Patches, index: Index, square: Floats
) -> None:
    """Improve index and squared chord of each row by the sources of all patches."""
    frames, corners, shapes, cells, starts, sources, rows = patches
    xyz, plane = np.empty((3, TILE)), np.empty((3, TILE))
    reach = PATCH_UP - chord - ROUNDING
    for begin in range(0, ra.size, TILE):
        end = min(begin + TILE, ra.size)
        point(ra[begin:end], dec[begin:end], xyz)
        for p in range(len(cells)):
            # Rows in the order of the sky are mostly out of a patch's reach all together.
            if not upward(xyz, frames[p], end - begin, plane) > reach:
                continue
            across(xyz, frames[p], end - begin, plane)
            width, height, first_cell = shapes[p, 0], shapes[p, 1], cells[p]
            east, north, per_unit = corners[p, 0], corners[p, 1], corners[p, 2]
            for j in range(end - begin):
                # NaN fails the comparison; sources lie above PATCH_UP, no farther than the chord.
                if not plane[2, j] > reach:
                    continue
                i = begin + j
                px, py, pz = xyz[0, j], xyz[1, j], xyz[2, j]
                x, y = plane[0, j] - east, plane[1, j] - north
                first = first_cell + cell_of(x - chord, per_unit, width)
                last = first_cell + cell_of(x + chord, per_unit, width) + 1
                line = cell_of(y - chord, per_unit, height) * width
                last_line = cell_of(y + chord, per_unit, height) * width
                best, best_row = square[i], index[i]
                while line <= last_line:
                    # Neighbouring cells of one line lie side by side in memory.
                    for k in range(starts[line + first], starts[line + last]):
                        # Chords, not cosines: 1 - cos(x) loses every digit at an arcsecond.
                        dx, dy, dz = sources[k, 0] - px, sources[k, 1] - py, sources[k, 2] - pz
                        distance = dx * dx + dy * dy + dz * dz
                        nearer = distance < best
                        lower = (distance == best) & ((best_row < 0) | (rows[k] < best_row))
                        if nearer | lower:
                            best, best_row = distance, rows[k]
                    line += width
                square[i], index[i] = best, best_row


@kernel
def collect(
    ra: Floats, dec: Floats, chord: float, patches: Patches, place: Places, index: Index,
    square: Floats,
) -> None:  # fmt: skip
    """Move each row's place by one for every source within the chord.

    Index and squared chord of the source are written there; empty ones mean: only count.
    """
    frames, corners, shapes, cells, starts, sources, rows = patches
    xyz, plane = np.empty((3, TILE)), np.empty((3, TILE))
    reach = PATCH_UP - chord - ROUNDING
    for begin in range(0, ra.size, TILE):
        end = min(begin + TILE, ra.size)
        point(ra[begin:end], dec[begin:end], xyz)
        for p in range(len(cells)):
            if not upward(xyz, frames[p], end - begin, plane) > reach:
                continue
            across(xyz, frames[p], end - begin, plane)
            width, height, first_cell = shapes[p, 0], shapes[p, 1], cells[p]
            east, north, per_unit = corners[p, 0], corners[p, 1], corners[p, 2]
            for j in range(end - begin):
                if not plane[2, j] > reach:
                    continue
                i = begin + j
                px, py, pz = xyz[0, j], xyz[1, j], xyz[2, j]
                x, y = plane[0, j] - east, plane[1, j] - north
                first = first_cell + cell_of(x - chord, per_unit, width)
                last = first_cell + cell_of(x + chord, per_unit, width) + 1
                line = cell_of(y - chord, per_unit, height) * width
                last_line = cell_of(y + chord, per_unit, height) * width
                while line <= last_line:
                    for k in range(starts[line + first], starts[line + last]):
                        dx, dy, dz = sources[k, 0] - px, sources[k, 1] - py, sources[k, 2] - pz
                        distance = dx * dx + dy * dy + dz * dz
                        if distance <= chord * chord:
                            if index.size:
                                index[place[i]], square[place[i]] = rows[k], distance
                            place[i] += 1
                    line += width


@kernel
def order_runs(starts: Places, index: Index, square: Floats) -> None:
    """Sort each row's sources, from starts[i] to starts[i + 1], by distance, then by index.

    By insertion: made for the few sources that a row has within a radius.
    """
    for i in range(starts.size - 1):
        for k in range(starts[i] + 1, starts[i + 1]):
            row, distance = index[k], square[k]
            while k > starts[i] and (
                (square[k - 1] > distance) | ((square[k - 1] == distance) & (index[k - 1] > row))
            ):
                index[k], square[k] = index[k - 1], square[k - 1]
                k -= 1
            index[k], square[k] = row, distance
