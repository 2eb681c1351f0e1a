"""Sources bucketed on the sky: zones of declination, cut into blocks, cut into cells.

Blocks are about as wide as high, and have as many cells as sources: crowds have small cells and
empty sky has few, so that neither strays nor fields far apart make the cells of others coarse. A
cell is found from coordinates alone, without a sine, and cells of a block lie together in memory.
They only say which sources may be near: that is judged by the chords of unit vectors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.kernel import kernel
from transforms.sphere import LARGEST_DEGREES, Floats, is_direction, sincos_degrees

Index = NDArray[np.int32]

SOURCES_PER_CELL = 1.0
SOURCES_PER_BLOCK = 256.0
# Blocks are no larger than this even where they then have fewer sources.
LARGEST_BLOCK_DEG2 = 1.0
SMALLEST_BLOCK_DEG = 1e-6
MOST_CELLS_A_SIDE = 1 << 15
# Rows that say which part of the sky a catalogue is of.
SAMPLE_ROWS = 1000
# Rows at a time: on vector instructions, and still in the nearest cache when looked up.
TILE = 512
# Entries after the last source, so that a search may look at so many without asking.
SPARE = 2
CACHE_LINE_BYTES = 64
# Stand in for a place: beyond all zones, and no direction at all.
BEYOND, NOWHERE = -1.0, -1e300
# Indices of kernels: numba asks of a signed one, each time, whether it counts from the end.
U = np.uintp


class Zones(NamedTuple):
    """Sources by cell; a tuple, as kernels take it.

    Directions beyond the first and last zone, block or cell belong to those.
    """

    south: float  # degrees: where zones begin
    west: float  # degrees: where the blocks of each zone begin
    per_degree: float  # zones a degree
    blocks_per_degree: Floats  # (zones,) blocks a degree of right ascension
    first_block: Index  # (zones + 1,)
    blocks: Index  # (blocks, 2) cells a side, first cell
    starts: Index  # (cells + 2,) place of each cell's first source
    sources: Floats  # (m + SPARE, 4) unit vector, row; rows ascend in a cell, NaN in the last two


def sort_into_zones(ra: Floats, dec: Floats, radius_deg: float) -> Zones:
    """Bucket sources, for matches within about a radius; rows that are no direction are left out.

    Parameters
    ----------
    ra, dec : (m,) degrees, m < 2³⁰.
    radius_deg : cells are not smaller than twice this.
    """
    zones = _layout(ra, dec, radius_deg)
    counts = np.zeros(zones.blocks.shape[0], dtype=np.int32)
    count_blocks(ra, dec, zones, counts)
    most = 0.5 / (max(radius_deg, 1e-12) * zones.per_degree)
    sides = np.ceil(np.sqrt(counts / SOURCES_PER_CELL))
    sides = np.clip(sides, 1, max(1, min(int(most), MOST_CELLS_A_SIDE))).astype(np.int64)
    ends = np.cumsum(sides * sides)
    zones.blocks[:, 0], zones.blocks[:, 1] = sides, ends - sides * sides
    cells, starts = np.empty(ra.size, dtype=np.int32), np.zeros(ends[-1] + 2, dtype=np.int32)
    found = count_cells(ra, dec, zones, cells, starts)
    sources = _on_cache_lines(found + SPARE)
    sources[found:] = math.nan
    fill(ra, dec, cells, starts, sources)
    return zones._replace(starts=starts, sources=sources)


def _layout(ra: Floats, dec: Floats, radius_deg: float) -> Zones:
    """Zones and blocks without their cells and sources."""
    south, north, west, width = window(ra, dec)
    area = math.sin(math.radians(north)) - math.sin(math.radians(south))
    area = math.degrees(area) * width
    n = max(ra.size / SOURCES_PER_BLOCK, min(area / LARGEST_BLOCK_DEG2, ra.size / 2), 1.0)
    side = max(
        math.sqrt(area / n), (north - south + width) / n, 4.0 * radius_deg, SMALLEST_BLOCK_DEG
    )
    edges = south + side * np.arange(int((north - south) / side) + 2)
    middles = np.radians(np.clip(0.5 * (edges[:-1] + edges[1:]), -90.0, 90.0))
    blocks = np.maximum(width * np.cos(middles) / side, 1.0).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(blocks)]).astype(np.int32)
    nothing = np.empty((0, 4))
    return Zones(
        south,
        west,
        1.0 / side,
        blocks / max(width, SMALLEST_BLOCK_DEG),
        first,
        np.zeros((first[-1], 2), dtype=np.int32),
        first[:0],
        nothing,
    )


def window(ra: Floats, dec: Floats) -> tuple[float, float, float, float]:
    """South, north, west and width of nearly all rows, degrees: strays do not widen it."""
    step = ra.size // SAMPLE_ROWS + 1
    some_ra, some_dec = ra[::step], dec[::step]
    good = (np.abs(some_ra) < LARGEST_DEGREES) & (np.abs(some_dec) < LARGEST_DEGREES)
    if not good.any():
        return -90.0, 90.0, 0.0, 360.0
    turned, heights = np.sort(some_ra[good] % 360.0), np.sort(some_dec[good])
    cut = heights.size // 100
    south, north = heights[cut], heights[-1 - cut]
    lowest, highest = dec.min(), dec.max()
    if highest - lowest < 1.5 * (north - south):  # false with NaN
        south, north = lowest, highest
    # Right ascension begins behind the widest gap; the sample's ends are not quite the catalogue's.
    gaps = np.diff(turned, append=turned[0] + 360.0)
    widest = int(gaps.argmax())
    pad = min(0.005 * (360.0 - gaps[widest]), 0.5 * gaps[widest])
    west = turned[(widest + 1) % turned.size] - pad
    width = 360.0 - gaps[widest] + 2.0 * pad
    south, north = np.clip([south, north], -90.0, 90.0).tolist()
    return south, north, float(west), float(width)


def _on_cache_lines(n: int) -> Floats:
    """Room for n sources, none of them on two cache lines."""
    room = np.empty(4 * n + CACHE_LINE_BYTES // 8)
    begin = -room.ctypes.data % CACHE_LINE_BYTES // 8
    return room[begin : begin + 4 * n].reshape(n, 4)


@kernel
def point(ra: Floats, dec: Floats, xyz: Floats) -> None:
    """Unit vectors on ICRS axes."""
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        xyz[0, i], xyz[1, i], xyz[2, i] = cos_dec * cos_ra, cos_dec * sin_ra, sin_dec


@kernel
def folded(ra: float, dec: float) -> tuple[float, float]:
    """The same direction with ra from 0 to 360 and dec within ±90°; exact where they are large."""
    # As in `sincos_degrees`: the floor of math would be an integer, to be made and turned back.
    dec -= 360.0 * np.floor(dec * (1.0 / 360.0) + 0.5)
    over = abs(dec) > 90.0
    dec = (180.0 if dec > 0.0 else -180.0) - dec if over else dec
    ra -= 360.0 * np.floor(ra * (1.0 / 360.0))
    return (ra + 180.0 if over else ra), dec


@kernel
def eastward(ra: float, west: float) -> float:
    """Degrees east of `west`, 0 to 360."""
    east = ra - west
    turns: float = np.floor(east * (1.0 / 360.0))
    return max(east - 360.0 * turns, 0.0)


@kernel
def locate(
    ra: Floats, dec: Floats, zones: Zones, lowest: float, highest: float,
    height: Floats, east: Floats,
) -> None:  # fmt: skip
    """Zones north of the first one's south, and degrees east of west, of a tile of rows.

    Where the height is not from `lowest` to `highest`, or there is no direction, east is BEYOND;
    of what is no direction the height is NOWHERE.
    """
    for i in range(ra.size):
        turned, declination = folded(ra[i], dec[i])
        y = (declination - zones.south) * zones.per_degree
        good = is_direction(ra[i], dec[i])
        x = eastward(turned, zones.west)
        height[i] = y if good else NOWHERE
        east[i] = x if good & (y >= lowest) & (y < highest) else BEYOND


@kernel
def clamp(place: float, n: int) -> int:
    """The whole number below a place, from 0 to n − 1."""
    return int(min(max(place, 0.0), n - 1.0))


@kernel
def count_blocks(ra: Floats, dec: Floats, zones: Zones, counts: Index) -> None:
    """Count the sources of each block."""
    height, east = np.empty(TILE), np.empty(TILE)
    n_zones = zones.blocks_per_degree.size
    for begin in range(0, ra.size, TILE):
        end = min(begin + TILE, ra.size)
        locate(ra[begin:end], dec[begin:end], zones, -np.inf, np.inf, height, east)
        for j in range(end - begin):
            if east[j] >= 0.0:
                z = U(clamp(height[j], n_zones))
                first = int(zones.first_block[z])
                n = int(zones.first_block[z + U(1)]) - first
                counts[U(first + clamp(east[j] * zones.blocks_per_degree[z], n))] += 1


@kernel
def count_cells(ra: Floats, dec: Floats, zones: Zones, cells: Index, starts: Index) -> int:
    """Cell of each source, −1 for none; how many sources there are before each cell, and in all.

    Counted two places on: see `fill`.
    """
    height, east = np.empty(TILE), np.empty(TILE)
    n_zones = zones.blocks_per_degree.size
    for begin in range(0, ra.size, TILE):
        end = min(begin + TILE, ra.size)
        locate(ra[begin:end], dec[begin:end], zones, -np.inf, np.inf, height, east)
        for j in range(end - begin):
            cells[begin + j] = -1
            if east[j] >= 0.0:
                zone = clamp(height[j], n_zones)
                z = U(zone)
                x = east[j] * zones.blocks_per_degree[z]
                first = int(zones.first_block[z])
                column = clamp(x, int(zones.first_block[z + U(1)]) - first)
                block = U(first + column)
                side = int(zones.blocks[block, 0])
                line = clamp((height[j] - zone) * side, side)
                cell = int(zones.blocks[block, 1]) + line * side + clamp((x - column) * side, side)
                cells[begin + j] = cell
                starts[U(cell + 2)] += 1
    found = 0
    for c in range(starts.size):
        found += starts[c]
        starts[c] = found
    return found


@kernel
def fill(ra: Floats, dec: Floats, cells: Index, starts: Index, sources: Floats) -> None:
    """Counting sort by cell; stable, so rows stay ascending within a cell.

    While filling, starts[cell + 1] runs from the cell's start to its end; what remains is each
    cell's start in its own place.
    """
    xyz = np.empty((3, TILE))
    for begin in range(0, ra.size, TILE):
        end = min(begin + TILE, ra.size)
        point(ra[begin:end], dec[begin:end], xyz)
        for j in range(end - begin):
            if cells[begin + j] >= 0:
                cell = U(cells[begin + j] + 1)
                k = U(starts[cell])
                starts[cell] += 1
                sources[k, 0], sources[k, 1], sources[k, 2] = xyz[0, j], xyz[1, j], xyz[2, j]
                sources[k, 3] = begin + j
