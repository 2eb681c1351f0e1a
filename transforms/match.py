"""Nearest source, or all sources within a radius: exact on the sphere, fast on a grid in a plane.

Rule of ties: of several reference sources at the same distance the lowest index wins.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.frame import axes, footprint_centre
from transforms.kernel import kernel
from transforms.patch import (
    BEYOND,
    NOWHERE,
    Index,
    Patch,
    Patches,
    Places,
    assign,
    collect,
    fill,
    layout,
    order_runs,
    point,
    search,
    together,
)
from transforms.sorting import RadixSorter
from transforms.sphere import ARCSEC_PER_RADIAN, Floats, columns, is_direction

# A patch with a smaller part of the sources than this is not worth its search.
FEW = 1 / 16
LARGEST_RADIUS_ARCSEC = 36000.0  # 10°: all matches of a patch are then in front of it
# Far below the rounding of a coordinate (2e-10" at 360°): makes the radius itself count as within.
INCLUSIVE_ARCSEC = 1e-9
# Sorting by insertion is quick up to here; a crowd is left to numpy.
LONG_RUN = 64
# Rows searched at a time by one thread.
CHUNK = 1 << 20
# So many rows, each farther than this from the one before, are searched in the order of the sky:
# to sort them costs less than to fetch their surroundings from memory one by one.
MANY, FAR_DEG = 1 << 16, 1.0


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
        self._patches = together(_patches(ra, dec, _chord(radius_arcsec)))

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
        chord = _chord(radius_arcsec)
        index = np.full(ra.size, -1, dtype=np.int32)
        square = np.full(ra.size, chord * chord)

        def part(begin: int) -> None:
            rows = slice(begin, begin + CHUNK)
            _search(ra[rows], dec[rows], chord, self._patches, index[rows], square[rows])

        begins = range(0, ra.size, CHUNK)
        if workers == 1 or len(begins) == 1:
            for begin in begins:
                part(begin)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(part, begins))
        return index, square

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
        chord = _chord(radius_arcsec)
        starts = np.zeros(ra.size + 1, dtype=np.int64)
        collect(ra, dec, chord, self._patches, starts[1:], np.empty(0, np.int32), np.empty(0))
        longest = int(starts.max(initial=0))
        np.cumsum(starts, out=starts)
        index, square = np.empty(starts[-1], dtype=np.int32), np.empty(starts[-1])
        collect(ra, dec, chord, self._patches, starts[:-1].copy(), index, square)
        row = np.repeat(np.arange(ra.size), np.diff(starts))
        if longest <= LONG_RUN:
            order_runs(starts, index, square)
        else:
            order = np.lexsort((index, square, row))
            index, square = index[order], square[order]
        _separations(index, square)
        return row, index, square


def _search(
    ra: Floats, dec: Floats, chord: float, patches: Patches, index: Index, square: Floats
) -> None:
    """Fill in index and separation of some rows."""
    if ra.size < MANY or _is_swept(ra[:MANY], dec[:MANY]):
        search(ra, dec, chord, patches, index, square)
        _separations(index, square)
        return
    order, _ = RadixSorter().sort(zones(ra, dec))
    found, distance = np.full_like(index, -1), np.full_like(square, chord * chord)
    search(ra[order], dec[order], chord, patches, found, distance)
    _separations(found, distance)
    index[order], square[order] = found, distance


def _is_swept(ra: Floats, dec: Floats) -> bool:
    """Whether rows mostly lie near the row before; all of a sky that is small do."""
    xyz = np.empty((3, ra.size))
    point(ra, dec, xyz)
    step = np.abs(np.diff(xyz)).sum(axis=0)
    return bool((step > math.radians(FAR_DEG)).mean() < 0.5)


@kernel
def zones(ra: Floats, dec: Floats) -> Places:
    """Squares of a quarter of a degree, numbered along zones of declination."""
    zone = np.zeros(ra.size, dtype=np.int64)
    for i in range(ra.size):
        if is_direction(ra[i], dec[i]):
            zone[i] = (int(4.0 * dec[i]) << 11) + (int(4.0 * ra[i]) & 2047)
    return zone


def _chord(radius_arcsec: float) -> float:
    if not 0.0 <= radius_arcsec <= LARGEST_RADIUS_ARCSEC:
        raise TransformError(
            f"match radius of {radius_arcsec} arcsec: give one from 0 to {LARGEST_RADIUS_ARCSEC:g}"
        )
    return 2.0 * math.sin((radius_arcsec + INCLUSIVE_ARCSEC) / ARCSEC_PER_RADIAN / 2.0)


def _patches(ra: Floats, dec: Floats, chord: float) -> list[Patch]:
    """Cover the sources with patches of 60°: one for an image, some ten for the whole sky."""
    patches: list[Patch] = []
    rows = np.arange(ra.size, dtype=np.int32)
    centre = footprint_centre(ra, dec)
    while not math.isnan(centre[0]):
        frame = axes(*centre)
        corner, width, height = layout(ra, dec, frame, chord)
        starts, cells = np.zeros(width * height + 2, dtype=np.int32), np.empty_like(rows)
        found = assign(ra, dec, frame, corner, width, height, cells, starts)
        # The middle of a ring is empty: then begin where there is a source.
        worthwhile = found > FEW * rows.size or centre == (ra[0], dec[0])
        if worthwhile:
            sources, sorted_rows = np.empty((found, 3)), np.empty(found, dtype=np.int32)
            fill(ra, dec, rows, cells, starts, sources, sorted_rows)
            patches.append(Patch(frame, corner, width, height, starts, sources, sorted_rows))
            if found == rows.size:
                break
        left = cells == BEYOND if worthwhile else cells != NOWHERE
        ra, dec, rows = ra[left], dec[left], rows[left]
        centre = footprint_centre(ra, dec) if worthwhile else (float(ra[0]), float(dec[0]))
    return patches


@kernel
def _separations(index: Index, square: Floats) -> None:
    """Turn squared chords into arcseconds in place; NaN where nothing was found."""
    for i in range(index.size):
        half = 0.25 * square[i]
        # Series of the arcsine, to 1e-15 up to the largest radius (half chord 0.087).
        series = 231.0 / 13312.0 * half + 63.0 / 2816.0
        series = series * half + 35.0 / 1152.0
        series = series * half + 5.0 / 112.0
        series = series * half + 3.0 / 40.0
        series = series * half + 1.0 / 6.0
        angle = math.sqrt(square[i]) * (1.0 + half * series)
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
