"""Nearest source, or all sources within a radius: exact on the sphere, fast on a grid in a plane.

Rule of ties: of several reference sources at the same distance the lowest index wins.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.search import Places, collect, order_runs, search, to_arcseconds
from transforms.sphere import ARCSEC_PER_RADIAN, DEGREE, Floats, columns
from transforms.zones import Index, U, sort_into_zones

LARGEST_RADIUS_ARCSEC = 36000.0  # 10°: the series of the arcsine is good to there
MOST_SOURCES = 1 << 30
# Far below the rounding of a coordinate (2e-10" at 360°): makes the radius itself count as within.
INCLUSIVE_ARCSEC = 1e-9
# Sorting by insertion is quick up to here; a crowd is left to numpy.
LONG_RUN = 64
# Rows searched at a time by one thread: few, so that threads end together.
CHUNK = 1 << 17


class SkyGrid:
    """A reference catalogue, ready to be matched against again and again.

    Parameters
    ----------
    ra_deg, dec_deg : (m,) ICRS degrees; rows with NaN are never matched. Any spread over the sky.
    radius_arcsec : the match radius it will mostly be asked for; it sizes the cells. Any other
        radius gives right answers too.

    Raises
    ------
    TransformError : the radius is not between 0 and 10°, or there are 2³⁰ sources or more.
    """

    __slots__ = ("_zones", "size")

    def __init__(self, ra_deg: ArrayLike, dec_deg: ArrayLike, radius_arcsec: float = 1.5) -> None:
        ra, dec = columns(ra_deg, dec_deg)
        if ra.size >= MOST_SOURCES:
            raise TransformError(f"{ra.size} reference sources: match them in parts below 2³⁰")
        self.size = ra.size
        _, radius_deg = _limits(radius_arcsec)
        self._zones = sort_into_zones(ra, dec, radius_deg)

    def nearest(
        self,
        ra_deg: ArrayLike,
        dec_deg: ArrayLike,
        radius_arcsec: float = 1.5,
        *,
        workers: int = 1,
    ) -> tuple[Index, Floats]:
        """Nearest reference source within a radius, the radius included.

        Parameters
        ----------
        ra_deg, dec_deg : (n,) ICRS degrees.
        radius_arcsec : greatest separation, 0 to 36000.
        workers : threads, for catalogues of millions of rows.

        Returns
        -------
        index : int32 (n,), row of the reference catalogue; −1 where none is within the radius or a
            coordinate is NaN. Of several at the same distance the lowest.
        separation_arcsec : float64 (n,); NaN where there is none. Good to 1e-9".
        """
        ra, dec = columns(ra_deg, dec_deg)
        chord, radius_deg = _limits(radius_arcsec)
        index, separation = np.empty(ra.size, dtype=np.int32), np.empty(ra.size)

        def part(begin: int) -> None:
            rows = slice(begin, begin + CHUNK)
            search(
                ra[rows], dec[rows], chord, radius_deg, self._zones, index[rows], separation[rows]
            )

        begins = range(0, ra.size, CHUNK)
        if workers == 1 or len(begins) == 1:
            for begin in begins:
                part(begin)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(part, begins))
        return index, separation

    def within(
        self, ra_deg: ArrayLike, dec_deg: ArrayLike, radius_arcsec: float = 1.5
    ) -> tuple[Places, Index, Floats]:
        """All pairs of a row and a reference source within a radius, the radius included.

        Parameters
        ----------
        ra_deg, dec_deg : (n,) ICRS degrees; a row with NaN has no pairs.
        radius_arcsec : greatest separation, 0 to 36000.

        Returns
        -------
        row : int64 (p,), ascending: the row of each pair's coordinates.
        index : int32 (p,), row of the reference catalogue; of one row the nearest first, of the
            same distance the lowest.
        separation_arcsec : float64 (p,). Good to 1e-9".
        """
        ra, dec = columns(ra_deg, dec_deg)
        chord, radius_deg = _limits(radius_arcsec)
        starts = np.zeros(ra.size + 1, dtype=np.int64)

        def pass_over(place: Places, index: Index, square: Floats) -> None:
            collect(ra, dec, chord, radius_deg, self._zones, place, index, square)

        pass_over(starts[1:], np.empty(0, dtype=np.int32), np.empty(0))
        longest = int(starts.max(initial=0))
        np.cumsum(starts, out=starts)
        index, square = np.empty(starts[-1], dtype=np.int32), np.empty(starts[-1])
        pass_over(starts[:-1].copy(), index, square)
        row = np.repeat(np.arange(ra.size), np.diff(starts))
        if longest <= LONG_RUN:
            order_runs(starts, index, square)
        else:
            order = np.lexsort((index, square, row))
            index, square = index[order], square[order]
        to_arcseconds(square)
        return row, index, square


def _limits(radius_arcsec: float) -> tuple[float, float]:
    """The greatest chord that counts as within a radius, and the radius in degrees."""
    if not 0.0 <= radius_arcsec <= LARGEST_RADIUS_ARCSEC:
        raise TransformError(
            f"match radius of {radius_arcsec} arcsec: give one from 0 to {LARGEST_RADIUS_ARCSEC:g}"
        )
    radius = (radius_arcsec + INCLUSIVE_ARCSEC) / ARCSEC_PER_RADIAN
    return chord_of(radius_arcsec), radius / DEGREE


def chord_of(radius_arcsec: float) -> float:
    """The greatest chord of unit vectors that counts as within a radius, the radius included."""
    return 2.0 * math.sin((radius_arcsec + INCLUSIVE_ARCSEC) / ARCSEC_PER_RADIAN / 2.0)


def matched(index: Index, separation_arcsec: Floats) -> tuple[Index, Index, Floats]:
    """Those rows that have a source, of what `nearest` gave.

    Parameters
    ----------
    index : int32 (n,), −1 for none.
    separation_arcsec : float64 (n,). Both are written over: new memory would cost more than this.

    Returns
    -------
    row : int32 (k,), ascending.
    index, separation_arcsec : (k,), of these rows: the beginnings of what was given.
    """
    rows = np.empty_like(index)
    k = _matched(index, separation_arcsec, rows)
    return rows[:k], index[:k], separation_arcsec[:k]


@kernel
def _matched(index: Index, arcsec: Floats, rows: Index) -> int:
    k = 0
    for i in range(index.size):
        # Written whether or not it is kept: a branch guessed wrong costs more.
        found, separation = index[i], arcsec[i]
        rows[U(k)], index[U(k)], arcsec[U(k)] = i, found, separation
        k += found >= 0
    return k


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
    reference = np.require(index, np.int32, ["C", "A", "W"])
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


def ids_of(
    index: ArrayLike, rank: ArrayLike, ids: NDArray[np.int64]
) -> NDArray[np.int64]:  # fmt: skip
    """The id that each detection gets: that of its reference source, if it is the nearest to it.

    Parameters
    ----------
    index, rank : int32, int16 (n,), of `SkyGrid.nearest` and `match_rank`.
    ids : int64 (m,), of the reference sources.

    Returns
    -------
    int64 (n,), −1 for the others.

    Raises
    ------
    TransformError : an index is of no source, or there are not as many ranks.
    """
    of_source, ranks = np.asarray(index, np.int32), np.asarray(rank, np.int16)
    if of_source.shape != ranks.shape or of_source.max(initial=-1) >= ids.size:
        raise TransformError(f"{ranks.size} ranks of {of_source.size} rows, {ids.size} sources")
    of = np.empty(of_source.size, dtype=np.int64)
    _ids_of(of_source, ranks, ids, of)
    return of


@kernel
def _ids_of(
    index: Index, rank: NDArray[np.int16], ids: NDArray[np.int64], of: NDArray[np.int64]
) -> None:  # fmt: skip
    for i in range(index.size):
        of[i] = ids[index[i]] if (rank[i] == 1) & (index[i] >= 0) else -1


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
