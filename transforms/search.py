"""The search among sources bucketed by zone: the nearest of each row, or all within a chord.

Most rows lie, with all that is within the radius, in one block and on one or two lines of its
cells; cells of a line lie side by side, so that these are one or two runs of sources. The others,
across the border of a block, at RA 0 or at a pole, or of a radius larger than the cells were made
for, go through all runs about them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from transforms.kernel import kernel
from transforms.sphere import ARCSEC_PER_RADIAN, DEGREE, Floats
from transforms.zones import (
    BEYOND,
    NOWHERE,
    SPARE,
    TILE,
    Index,
    U,
    Zones,
    clamp,
    eastward,
    folded,
    locate,
    point,
)

Places = NDArray[np.int64]

# Where a direction is put has errors of 1e-13°; sources are looked for so much farther.
MARGIN_DEG = 1e-11
# Stands for the end of a second run: there are more than two.
MANY = -1
# Part of the radius that is looked at first.
NEAR = 0.3
# From which diameter of a circle on, in cells, that is worth it.
CROWDED = 0.1
FEW_RUNS = 64


@kernel
def reach_east(dec: float, radius_deg: float) -> float:
    """How far in right ascension a circle about a declination extends, degrees; 360 at a pole."""
    sine = math.sin(radius_deg * DEGREE)
    cosine = math.cos(dec * DEGREE)
    if abs(dec) + radius_deg > 90.0 - MARGIN_DEG or not sine < cosine:
        return 360.0
    return math.asin(sine / cosine) / DEGREE + MARGIN_DEG


@kernel
def reaches(zones: Zones, radius_deg: float) -> Floats:
    """The same of all rows of each zone, in blocks."""
    reach = np.empty(zones.blocks_per_degree.size)
    for z in range(reach.size):
        south = zones.south + z / zones.per_degree
        north = zones.south + (z + 1) / zones.per_degree
        steepest = min(max(abs(south), abs(north)), 90.0)
        reach[z] = reach_east(steepest, radius_deg) * zones.blocks_per_degree[z]
    return reach


@kernel
def find_runs(
    height: Floats, east: Floats, n: int, zones: Zones, reach: Floats, up: float, runs: Index
) -> None:
    """One or two runs of sources, begin, end, begin, end, that hold all near a row of a tile.

    Parameters
    ----------
    height, east : places from `locate`; BEYOND where a row's surroundings leave the zones.
    reach, up : how far to look east and west by zone, north and south; in blocks.
    runs : int32 (4, n). The last is MANY where there are others.
    """
    for j in range(n):
        runs[0, j], runs[1, j], runs[2, j] = 0, 0, 0
        runs[3, j] = MANY if height[j] != NOWHERE else 0
        if east[j] == BEYOND:
            continue
        zone = int(height[j])
        z = U(zone)
        x = east[j] * zones.blocks_per_degree[z]
        column = int(x)
        block = int(zones.first_block[z]) + column
        if block >= zones.first_block[z + U(1)]:
            continue
        side, first_cell = zones.blocks[U(block), 0], zones.blocks[U(block), 1]
        x, y = (x - column) * side, (height[j] - zone) * side
        dx, dy = reach[z] * side, up * side
        if (x >= dx) & (x + dx < side) & (y >= dy) & (y + dy < side):
            line, last_line = int(y - dy), int(y + dy)
            first, past = int(x - dx), int(x + dx) + 1
            cell = first_cell + line * side
            runs[0, j] = zones.starts[U(cell + first)]
            runs[1, j] = zones.starts[U(cell + past)]
            runs[3, j] = 0
            if last_line > line:
                cell += side
                runs[2, j] = zones.starts[U(cell + first)]
                end = zones.starts[U(cell + past)]
                runs[3, j] = end if last_line == line + 1 else MANY


@kernel
def spans_east(east: float, reach: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """One or two spans of degrees east, ascending; one that ends before it begins is none.

    What is beyond one end of right ascension is at the other.
    """
    low, high = east - reach, east + reach
    if reach >= 180.0:
        return (0.0, 360.0), (0.0, -1.0)
    if low < 0.0:
        return (0.0, high), (low + 360.0, 360.0)
    if high > 360.0:
        return (0.0, high - 360.0), (low, 360.0)
    return (low, high), (0.0, -1.0)


@kernel
def all_runs(ra: float, dec: float, zones: Zones, radius_deg: float) -> Index:
    """Begin and end of every run of sources that may be within the radius, none twice: (n, 2)."""
    found, runs = 0, np.empty((FEW_RUNS, 2), dtype=np.int32)
    ra, dec = folded(ra, dec)
    reach = reach_east(dec, radius_deg)
    east, up = eastward(ra, zones.west), radius_deg * zones.per_degree
    height = (dec - zones.south) * zones.per_degree
    n_zones = zones.blocks_per_degree.size
    spans = spans_east(east, reach)
    for zone in range(clamp(height - up, n_zones), clamp(height + up, n_zones) + 1):
        per_degree = zones.blocks_per_degree[zone]
        first_block = zones.first_block[zone]
        n = zones.first_block[zone + 1] - first_block
        seen_column, seen = -1, 0
        for part in range(2):
            begin, end = spans[part]
            if end < begin:
                continue
            x, past_x = begin * per_degree, end * per_degree
            last = clamp(past_x, n)
            for column in range(clamp(x, n), last + 1):
                block = first_block + column
                side, first_cell = zones.blocks[block, 0], zones.blocks[block, 1]
                first = clamp((x - column) * side, side)
                past = clamp((past_x - column) * side, side) + 1
                first = max(first, seen) if column == seen_column else first
                if column == last:
                    seen_column, seen = column, past
                if first >= past:
                    continue
                bottom, top = (height - up - zone) * side, (height + up - zone) * side
                for line in range(clamp(bottom, side), clamp(top, side) + 1):
                    cell = first_cell + line * side
                    begin_run, end_run = zones.starts[cell + first], zones.starts[cell + past]
                    if begin_run < end_run:
                        if found == runs.shape[0]:
                            longer = np.empty((2 * found, 2), dtype=np.int32)
                            longer[:found] = runs
                            runs = longer
                        runs[found, 0], runs[found, 1] = begin_run, end_run
                        found += 1
    return runs[:found]


@kernel
def look_up(
    ra: Floats, dec: Floats, zones: Zones, radius_deg: float, reach: Floats, xyz: Floats,
    places: Floats, runs: Index,
) -> None:  # fmt: skip
    """Unit vectors of a tile of rows, and the runs of sources that are near each."""
    up = radius_deg * zones.per_degree
    point(ra, dec, xyz)
    locate(ra, dec, zones, up, reach.size - up, places[0], places[1])
    find_runs(places[0], places[1], ra.size, zones, reach, up, runs)


@kernel
def nearer(
    begin: int, end: int, sources: Floats, x: float, y: float, z: float, best: float, row: float
) -> tuple[float, float]:
    """Squared chord and row of the nearest so far or in a run; of equal ones the lowest row."""
    for k in range(U(begin), U(end)):
        # Chords, not cosines: 1 - cos(x) loses every digit at an arcsecond.
        dx, dy, dz = sources[k, 0] - x, sources[k, 1] - y, sources[k, 2] - z
        square = dx * dx + dy * dy + dz * dz
        wins = (square < best) | ((square == best) & (sources[k, 3] < row))
        best, row = (square if wins else best), (sources[k, 3] if wins else row)
    return best, row


@kernel
def nearest_of_all_runs(
    ra: float, dec: float, zones: Zones, radius_deg: float, x: float, y: float, z: float,
    limit: float,
) -> tuple[float, float]:  # fmt: skip
    """Squared chord and row of the nearest source, whatever lies about a direction.

    Apart from `search`: an array that lives in a loop has its references counted in every round.
    """
    best, row = limit, np.inf
    runs = all_runs(ra, dec, zones, radius_deg)
    for r in range(runs.shape[0]):
        best, row = nearer(runs[r, 0], runs[r, 1], zones.sources, x, y, z, best, row)
    return best, row


@kernel
def measure(
    xyz: Floats, runs: Index, n: int, sources: Floats, squares: Floats, rows: Floats
) -> None:
    """Squared chords to the first sources of each row's first run, and their rows: (SPARE, n) each.

    Whether or not the run has so many: any source may be compared, and where the processor guesses
    the number wrong it costs more than to compare. Nothing is decided here, so that the waits for
    memory overlap.
    """
    for j in range(n):
        x, y, z = xyz[0, j], xyz[1, j], xyz[2, j]
        for s in range(SPARE):
            k = U(runs[0, j]) + U(s)
            dx, dy, dz = sources[k, 0] - x, sources[k, 1] - y, sources[k, 2] - z
            squares[s, j], rows[s, j] = dx * dx + dy * dy + dz * dz, sources[k, 3]


@kernel
def choose(squares: Floats, rows: Floats, n: int, limit: float) -> None:
    """The nearest of those, where they were the first; the limit and infinity for none within."""
    for j in range(n):
        best, row = limit, np.inf
        for s in range(SPARE):
            square, found = squares[s, j], rows[s, j]
            wins = (square < best) | ((square == best) & (found < row))  # NaN never wins
            best, row = (square if wins else best), (found if wins else row)
        squares[0, j], rows[0, j] = best, row


@kernel
def unfinished(runs: Index, n: int, rest: Places) -> int:
    """List the rows that have more sources to be compared to; how many these are."""
    found = 0
    for j in range(n):
        # Written whether or not it is kept: a branch would often be guessed wrong.
        rest[U(found)] = j
        found += (runs[1, j] > runs[0, j] + SPARE) | (runs[3, j] != 0)
    return found


@kernel
def nearest_of_runs(
    xyz: Floats, places: Floats, n: int, zones: Zones, reach: Floats, up: float, limit: float,
    runs: Index, squares: Floats, rows: Floats, rest: Places,
) -> None:  # fmt: skip
    """Squared chord and row of each row's nearest source, into the first of `squares`, `rows`.

    The row is infinity where none is within the limit, and MANY where there are other runs to be
    looked at. The other arguments are those of `find_runs`, and room for a tile.
    """
    sources = zones.sources
    find_runs(places[0], places[1], n, zones, reach, up, runs)
    measure(xyz, runs, n, sources, squares, rows)
    choose(squares, rows, n, limit)
    for i in range(unfinished(runs, n, rest)):
        r = U(rest[i])
        x, y, z = xyz[0, r], xyz[1, r], xyz[2, r]
        best, row = squares[0, r], rows[0, r]
        begin_rest, end_rest = runs[0, r] + SPARE, runs[1, r]
        if begin_rest < end_rest:
            best, row = nearer(begin_rest, end_rest, sources, x, y, z, best, row)
        if runs[2, r] < runs[3, r]:
            best, row = nearer(runs[2, r], runs[3, r], sources, x, y, z, best, row)
        squares[0, r], rows[0, r] = best, (row if runs[3, r] != MANY else MANY)


@kernel
def put_aside(rows: Floats, n: int, others: Places, xyz: Floats, places: Floats) -> int:
    """List the rows whose nearest source is not known yet; how many these are.

    Their vectors and places are moved to the front.
    """
    found = 0
    for j in range(n):
        others[U(found)] = j
        found += (rows[0, j] == np.inf) | (rows[0, j] == MANY)
    for i in range(found):
        r = U(others[i])
        xyz[0, i], xyz[1, i], xyz[2, i] = xyz[0, r], xyz[1, r], xyz[2, r]
        places[0, i], places[1, i] = places[0, r], places[1, r]
    return found


@kernel
def search(
    ra: Floats, dec: Floats, chord: float, radius_deg: float, zones: Zones, index: Index,
    arcsec: Floats,
) -> None:  # fmt: skip
    """Index and separation of each row's nearest source within the chord; −1 and NaN for none.

    Where sources are crowded, what is matched mostly lies far within the radius, and there are few
    cells so near: they are looked at first. A source found there is the nearest; only for the other
    rows all are.
    """
    limit, near_limit = chord * chord, (NEAR * chord) ** 2
    xyz, places, runs = np.empty((3, TILE)), np.empty((2, TILE)), np.empty((4, TILE), np.int32)
    squares, rows = np.empty((SPARE, TILE)), np.empty((SPARE, TILE))
    rest, others = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    # The chord of a part of an angle is more than that part of its chord.
    near_deg, radius_deg = NEAR * radius_deg + MARGIN_DEG, radius_deg + MARGIN_DEG
    near_reach, reach = reaches(zones, near_deg), reaches(zones, radius_deg)
    near_up, up = near_deg * zones.per_degree, radius_deg * zones.per_degree
    # Where cells are large most circles lie in one: a smaller one is no less to look at.
    cells_a_side = math.sqrt(zones.starts.size / max(zones.blocks.shape[0], 1))
    crowded = 2.0 * up * cells_a_side > CROWDED
    near_first = crowded
    for begin in range(0, ra.size, TILE):
        n = min(TILE, ra.size - begin)
        end = begin + n
        point(ra[begin:end], dec[begin:end], xyz)
        locate(ra[begin:end], dec[begin:end], zones, up, reach.size - up, places[0], places[1])
        n_others = n
        if near_first:
            nearest_of_runs(
                xyz, places, n, zones, near_reach, near_up, near_limit, runs, squares, rows, rest
            )
            n_others = put_aside(rows, n, others, xyz, places)
            for j in range(n):
                index[begin + j] = int(rows[0, j]) if rows[0, j] < np.inf else -1
                arcsec[begin + j] = arcseconds(squares[0, j])
        else:
            for j in range(n):
                others[j] = j
        nearest_of_runs(xyz, places, n_others, zones, reach, up, limit, runs, squares, rows, rest)
        near = n - n_others
        for i in range(n_others):
            k = begin + others[i]
            if rows[0, i] == MANY:
                squares[0, i], rows[0, i] = nearest_of_all_runs(
                    ra[k], dec[k], zones, radius_deg, xyz[0, i], xyz[1, i], xyz[2, i], limit
                )
            found = rows[0, i] < np.inf
            index[k] = int(rows[0, i]) if found else -1
            arcsec[k] = arcseconds(squares[0, i]) if found else math.nan
            near += squares[0, i] <= near_limit
        # Where few rows have a source so near, it is not worth to look there first.
        near_first = crowded & (2 * near > n)


@kernel
def take(
    begin: int, end: int, sources: Floats, x: float, y: float, z: float, limit: float, place: int,
    index: Index, squares: Floats,
) -> int:  # fmt: skip
    """Write those sources of a run that are within the limit from a place on; where it ends."""
    for k in range(U(begin), U(end)):
        dx, dy, dz = sources[k, 0] - x, sources[k, 1] - y, sources[k, 2] - z
        square = dx * dx + dy * dy + dz * dz
        if square <= limit:
            if index.size:
                index[place], squares[place] = int(sources[k, 3]), square
            place += 1
    return place


@kernel
def take_all_runs(
    ra: float, dec: float, zones: Zones, radius_deg: float, x: float, y: float, z: float,
    limit: float, place: int, index: Index, squares: Floats,
) -> int:  # fmt: skip
    """The same of all runs about a direction."""
    runs = all_runs(ra, dec, zones, radius_deg)
    for r in range(runs.shape[0]):
        place = take(runs[r, 0], runs[r, 1], zones.sources, x, y, z, limit, place, index, squares)
    return place


@kernel
def collect(
    ra: Floats, dec: Floats, chord: float, radius_deg: float, zones: Zones, place: Places,
    index: Index, squares: Floats,
) -> None:  # fmt: skip
    """Move each row's place by one for every source within the chord.

    Index and squared chord of the source are written there; empty ones mean: only count.
    """
    sources, limit = zones.sources, chord * chord
    xyz, places, runs = np.empty((3, TILE)), np.empty((2, TILE)), np.empty((4, TILE), np.int32)
    radius_deg += MARGIN_DEG
    reach = reaches(zones, radius_deg)
    for begin in range(0, ra.size, TILE):
        n = min(TILE, ra.size - begin)
        end = begin + n
        look_up(ra[begin:end], dec[begin:end], zones, radius_deg, reach, xyz, places, runs)
        for j in range(n):
            at = place[begin + j]
            x, y, z = xyz[0, j], xyz[1, j], xyz[2, j]
            if runs[3, j] == MANY:
                at = take_all_runs(
                    ra[begin + j], dec[begin + j], zones, radius_deg, x, y, z, limit, at,
                    index, squares,
                )  # fmt: skip
            else:
                at = take(runs[0, j], runs[1, j], sources, x, y, z, limit, at, index, squares)
                at = take(runs[2, j], runs[3, j], sources, x, y, z, limit, at, index, squares)
            place[begin + j] = at


@kernel
def order_runs(starts: Places, index: Index, squares: Floats) -> None:
    """Sort each row's sources, from starts[i] to starts[i + 1], by distance, then by index.

    By insertion: made for the few sources that a row has within a radius.
    """
    for i in range(starts.size - 1):
        for k in range(starts[i] + 1, starts[i + 1]):
            row, square = index[k], squares[k]
            while k > starts[i] and (
                (squares[k - 1] > square) | ((squares[k - 1] == square) & (index[k - 1] > row))
            ):
                index[k], squares[k] = index[k - 1], squares[k - 1]
                k -= 1
            index[k], squares[k] = row, square


@kernel
def arcseconds(square: float) -> float:
    """The angle of a squared chord: series of the arcsine, to 1e-15 up to 10°."""
    half = 0.25 * square
    series = 231.0 / 13312.0 * half + 63.0 / 2816.0
    series = series * half + 35.0 / 1152.0
    series = series * half + 5.0 / 112.0
    series = series * half + 3.0 / 40.0
    series = series * half + 1.0 / 6.0
    return math.sqrt(square) * (1.0 + half * series) * ARCSEC_PER_RADIAN


@kernel
def to_arcseconds(squares: Floats) -> None:
    """Turn squared chords into arcseconds in place."""
    for i in range(squares.size):
        squares[i] = arcseconds(squares[i])
