"""Groups of measurements on the sky, one measurement an epoch, found in order of time.

The rule: measurements are taken epoch by epoch. Each joins the nearest leader within the radius;
of several of one epoch at one leader the nearest joins (of equally near ones the first row), the
others belong to no group. What has no leader within the radius becomes one. So a group never moves,
and later epochs change nothing of what earlier ones made: ids that count groups in the order in
which they got their second member stay, whatever comes after.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.sphere import DEGREE, Floats, columns, is_direction, sincos_degrees

RADIUS_ARCSEC = 1.5
LEAST_MEMBERS = 2
LARGEST_RADIUS_ARCSEC = 3600.0
# As in transforms.match: the radius itself counts as within.
_INCLUSIVE = 1.0 + 1e-9
_NONE = -1

Index = NDArray[np.int64]


def cluster(
    ra_deg: ArrayLike,
    dec_deg: ArrayLike,
    epoch: ArrayLike,
    *,
    radius_arcsec: float = RADIUS_ARCSEC,
    least: int = LEAST_MEMBERS,
) -> Index:
    """The group of each measurement, counted in the order in which groups grew to `least` members.

    Parameters
    ----------
    ra_deg, dec_deg : (n,) ICRS degrees; a NaN belongs to no group.
    epoch : int (n,), ascending: rows of one number were measured at once.
    radius_arcsec : greatest separation from a group's leader, itself included; up to 3600.
    least : members of a group; smaller ones are none.

    Returns
    -------
    int64 (n,): 0, 1, 2 …; −1 where a row belongs to no group. Empty gives empty.

    Raises
    ------
    TransformError : lengths differ, epochs do not ascend, or the radius is out of range.
    """
    ra, dec = columns(ra_deg, dec_deg)
    epochs = np.require(epoch, np.int64, ["C", "A", "W"])
    if epochs.shape != ra.shape:
        raise TransformError(f"an epoch for each position is needed, got {epochs.shape}")
    if (np.diff(epochs) < 0).any():
        raise TransformError("epochs do not ascend")
    if not 0 < radius_arcsec <= LARGEST_RADIUS_ARCSEC:
        raise TransformError(f"a radius of {radius_arcsec} arcsec is not in 0 to 3600")
    chord = 2.0 * math.sin(0.5 * radius_arcsec * DEGREE / 3600.0) * _INCLUSIVE
    group: Index = np.full(ra.size, _NONE, dtype=np.int64)
    _cluster(ra, dec, epochs, chord, int(least), group)
    return group


@kernel
def _slot(table: Index, cells: Index, x: int, y: int, z: int) -> int:
    """Where the cell is in the table of open addresses, or the free place for it."""
    mask = table.size - 1
    key = (x * 73856093) ^ (y * 19349663) ^ (z * 83492791)
    at = (key ^ (key >> 15)) & mask
    while table[at] >= 0:
        leader = table[at]
        if (cells[3 * leader] == x) & (cells[3 * leader + 1] == y) & (cells[3 * leader + 2] == z):
            return at
        at = (at + 1) & mask
    return at


@kernel
def _nearest(
    table: Index, cells: Index, after: Index, places: Floats, size: float, chord: float,
    x: float, y: float, z: float,
) -> tuple[int, float]:  # fmt: skip
    """The nearest leader within the chord, and the square of its chord; −1 for none.

    Cells are twice as wide as the chord: only the eight that are near can hold one.
    """
    found, least = -1, chord * chord
    cx, cy, cz = math.floor(x / size), math.floor(y / size), math.floor(z / size)
    sx = 1 if x / size - cx > 0.5 else -1
    sy = 1 if y / size - cy > 0.5 else -1
    sz = 1 if z / size - cz > 0.5 else -1
    for corner in range(8):
        at = _slot(
            table,
            cells,
            cx + sx * (corner & 1),
            cy + sy * (corner >> 1 & 1),
            cz + sz * (corner >> 2),
        )
        leader = table[at]
        while leader >= 0:
            dx, dy, dz = (
                places[3 * leader] - x,
                places[3 * leader + 1] - y,
                places[3 * leader + 2] - z,
            )
            square = dx * dx + dy * dy + dz * dz
            if (square < least) | ((square == least) & ((found < 0) | (leader < found))):
                found, least = leader, square
            leader = after[leader]
    return found, least


@kernel
def _cluster(
    ra: Floats, dec: Floats, epochs: Index, chord: float, least: int, group: Index
) -> None:
    n = ra.size
    capacity = 16
    while capacity < 2 * n:
        capacity *= 2
    # `table` has the newest leader of each cell, `after` the one before it there.
    table = np.full(capacity, -1, dtype=np.int64)
    cells, places = np.empty(3 * n, dtype=np.int64), np.empty(3 * n)
    after, members = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int64)
    nearest, square = np.full(n, -1, dtype=np.int64), np.empty(n)
    best, best_square = np.full(n, -1, dtype=np.int64), np.empty(n)
    size = 2.0 * chord
    leaders = 0
    start = 0
    while start < n:
        end = start
        while (end < n) and (epochs[end] == epochs[start]):
            end += 1
        before = leaders
        for row in range(start, end):
            if not is_direction(ra[row], dec[row]):
                continue
            sin_ra, cos_ra = sincos_degrees(ra[row])
            sin_dec, cos_dec = sincos_degrees(dec[row])
            x, y, z = cos_dec * cos_ra, cos_dec * sin_ra, sin_dec
            leader, distance = _nearest(table, cells, after, places, size, chord, x, y, z)
            nearest[row], square[row] = leader, distance
            if leader < 0:
                # It leads from the next epoch on: it enters the table below.
                nearest[row] = leaders
                places[3 * leaders], places[3 * leaders + 1] = x, y
                places[3 * leaders + 2] = z
                members[leaders] = 1
                leaders += 1
            elif (best[leader] < start) or (distance < best_square[leader]):
                if best[leader] >= start:
                    nearest[best[leader]] = -1
                else:
                    members[leader] += 1
                best[leader], best_square[leader] = row, distance
            else:
                nearest[row] = -1
        for leader in range(before, leaders):
            for k in range(3):
                cells[3 * leader + k] = math.floor(places[3 * leader + k] / size)
            at = _slot(
                table, cells, cells[3 * leader], cells[3 * leader + 1], cells[3 * leader + 2]
            )
            after[leader] = table[at]
            table[at] = leader
        start = end
    _number(nearest, members, least, leaders, group)


@kernel
def _number(nearest: Index, members: Index, least: int, leaders: int, group: Index) -> None:
    """Count the groups in the order in which they grew large enough."""
    seen, number = np.zeros(leaders, dtype=np.int64), np.full(leaders, -1, dtype=np.int64)
    found = 0
    for row in range(nearest.size):
        leader = nearest[row]
        if leader >= 0:
            seen[leader] += 1
            if seen[leader] == least:
                number[leader] = found
                found += 1
    for row in range(nearest.size):
        if nearest[row] >= 0:
            group[row] = number[nearest[row]]
