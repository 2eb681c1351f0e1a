"""Which rows lie near other pixels than their own: the rows of margins, the pixels of an id.

A row is near a pixel if the disc of a radius about it touches the pixel. Few rows are: those in the
outermost cells of their pixel, told by the bits of their index. About these a circle of points is
drawn, a little wider than the disc; the pixels that the points lie in are near.

A point lies in every pixel that the disc touches. Across an edge the pixel takes
2·arccos(1/1.16) = 61 degrees of the circle, and 8 points are enough. A corner takes less: HEALPix
corners are 52.6 degrees or more (z = 2/3 beside the border of a base pixel), and one whose tip
touches the disc takes 7.7 degrees of the circle, so 48 points are drawn.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import hpgeom
import numpy as np
from numpy.typing import NDArray

from store.layout import HEALPIX_ORDER
from store.partition import DEEPEST_ORDER, Partition

WIDER = 1.16
EDGE_POINTS, CORNER_POINTS = 8, 48
# Least distance between opposite edges of a pixel, radians × nside: 0.689 in the polar caps,
# where pixels are skewed most (0.980 to 1.017 in the equatorial belt).
LEAST_HEIGHT = 0.65
ARCSEC = math.radians(1 / 3600)
# The lowest bits of a leaf's first index, which are 0; and more rows than are looked at at once.
LEAF_SHIFT = 2 * (HEALPIX_ORDER - DEEPEST_ORDER)
ROW_BITS = 32

Index = NDArray[np.int64]
Degrees = NDArray[np.float64]
# Bits of x and of y in an index.
_X = 0x5555_5555_5555_5555
_Y = _X << 1


class Nearby(NamedTuple):
    """Pairs of a row and a leaf that it is near, sorted by leaf and row.

    Attributes
    ----------
    row : int64 (m,), a row may stand several times.
    order, npix : int64 (m,), the leaf; never the one that the row lies in.
    """

    row: NDArray[np.int64]
    order: NDArray[np.int64]
    npix: NDArray[np.int64]


def border_rows(index: Index, order: int, radius_arcsec: float) -> Index:
    """Rows of leaves of one order that may be near another pixel: all that are, and some more.

    Parameters
    ----------
    index : int64 (n,), `_healpix_29`.

    Returns
    -------
    int64 (m,), ascending.
    """
    depth = _cell_order(radius_arcsec)
    if depth <= order:
        return np.arange(len(index))
    return np.flatnonzero(_outermost(index, order, depth, np.logical_or))


def nearby(
    index: Index, ra_deg: Degrees, dec_deg: Degrees, partition: Partition, radius_arcsec: float
) -> Nearby:
    """The leaves, other than its own, within a radius of each row.

    All that are within it are found, and none beyond 1.16 times of it: which, the row and the leaf
    alone say, so that margins that stand are right whatever pixels are split.

    Parameters
    ----------
    index : int64 (n,), `_healpix_29` of the rows, in any order.
    ra_deg, dec_deg : float64 (n,), ICRS degrees.
    radius_arcsec : above 0, at most 60.
    """
    order, npix = partition.locate(index)
    own = npix << (2 * (HEALPIX_ORDER - order))
    depth = _cell_order(radius_arcsec)
    corner = np.ones(len(index), dtype=bool)
    if depth > DEEPEST_ORDER:
        corner = _outermost(index, DEEPEST_ORDER, depth, np.logical_and)
    found = []
    for rows, points in (
        (np.flatnonzero(~corner), EDGE_POINTS),
        (np.flatnonzero(corner), CORNER_POINTS),
    ):
        for radius in _rings(radius_arcsec):
            starts = _leaves_on_circle(ra_deg[rows], dec_deg[rows], radius, points, partition)
            other = starts != own[rows, None]
            row = np.broadcast_to(rows[:, None], starts.shape)[other]
            # Leaf and row as one number: pairs are sorted ten times faster so.
            found.append(starts[other] >> LEAF_SHIFT << ROW_BITS | row)
    pairs = np.unique(np.concatenate(found))
    return Nearby(pairs & ((1 << ROW_BITS) - 1), *partition.locate(pairs >> ROW_BITS << LEAF_SHIFT))


def _cell_order(radius_arcsec: float) -> int:
    """The deepest order whose cells the circle does not reach across, whichever way."""
    nside = LEAST_HEIGHT / (WIDER * radius_arcsec * ARCSEC)
    return min(HEALPIX_ORDER, math.floor(math.log2(nside)))


def _outermost(
    index: Index, order: int, depth: int, both: np.ufunc
) -> NDArray[np.bool_]:  # fmt: skip
    """Rows whose cell of order `depth` is the first or the last of its pixel in x or (and) in y."""
    mask = (1 << (2 * (depth - order))) - 1
    cell = index >> (2 * (HEALPIX_ORDER - depth))
    x, y = cell & (mask & _X), cell & (mask & _Y)
    at_edge: NDArray[np.bool_] = both(
        (x == 0) | (x == mask & _X),
        (y == 0) | (y == mask & _Y),
    )
    return at_edge


def _rings(radius_arcsec: float) -> list[float]:
    """Radii of the circles, arcsec: one, unless a leaf could lie between it and the row."""
    height_arcsec = LEAST_HEIGHT / 2**DEEPEST_ORDER / ARCSEC
    count = math.ceil(WIDER * radius_arcsec / (height_arcsec / 2))
    return [WIDER * radius_arcsec * (k + 1) / count for k in range(count)]


def _leaves_on_circle(
    ra_deg: Degrees, dec_deg: Degrees, radius_arcsec: float, points: int, partition: Partition
) -> NDArray[np.int64]:
    """First index of the leaves that points about each row lie in, int64 (n, points)."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    zero = np.zeros_like(ra)
    up = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.stack([-np.sin(ra), np.cos(ra), zero])
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    bearing = np.arange(points) * (2 * math.pi / points)
    radius = radius_arcsec * ARCSEC
    x, y, z = (
        math.cos(radius) * up[k][:, None]
        + math.sin(radius)
        * (np.outer(north[k], np.cos(bearing)) + np.outer(east[k], np.sin(bearing)))
        for k in range(3)
    )
    cells = hpgeom.vector_to_pixel(2**DEEPEST_ORDER, x.ravel(), y.ravel(), z.ravel(), nest=True)
    order, npix = partition.locate(cells.astype(np.int64) << LEAF_SHIFT)
    starts: NDArray[np.int64] = npix << (2 * (HEALPIX_ORDER - order))
    return starts.reshape(x.shape)
