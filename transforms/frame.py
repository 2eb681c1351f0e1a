"""The offset frame: an image's own axes, in which neither RA 0 nor a pole is near.

East, north and up are those of the image's centre. A direction's cosines with east and north,
x and y, are its place in the SIN plane.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from transforms.sphere import DEGREE, Floats, columns, unit_vectors, usable

# Enough for a median good to a fraction of the footprint, few enough to cost nothing.
CENTRE_ROWS = 1000


def footprint_centre(ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[float, float]:
    """Direction in the middle of a catalogue's rows.

    The direction of the componentwise median of unit vectors, over about a thousand evenly spaced
    finite rows: up to half of them may be astray before it leaves the others.

    Parameters
    ----------
    ra_deg, dec_deg : (n,) ICRS degrees.

    Returns
    -------
    ra, dec : degrees, 0 <= ra < 360; NaN, NaN where no row is finite or the rows have no middle.
    """
    ra, dec = columns(ra_deg, dec_deg)
    finite = np.flatnonzero(usable(ra, dec))
    if finite.size == 0:
        return math.nan, math.nan
    rows = finite[:: -(-finite.size // CENTRE_ROWS)]
    x, y, z = np.median(unit_vectors(ra[rows], dec[rows]), axis=1)
    if x == y == z == 0.0:
        return math.nan, math.nan
    # The remainder of a tiny negative angle rounds to 360 itself.
    centre_ra = math.atan2(y, x) / DEGREE % 360.0 % 360.0
    return centre_ra, math.atan2(z, math.hypot(x, y)) / DEGREE


def axes(ra_deg: float, dec_deg: float) -> Floats:
    """Rows east, north, up of the offset frame about a direction: float64 (3, 3)."""
    ra, dec = ra_deg * DEGREE, dec_deg * DEGREE
    sin_ra, cos_ra, sin_dec, cos_dec = math.sin(ra), math.cos(ra), math.sin(dec), math.cos(dec)
    return np.array(
        [
            [-sin_ra, cos_ra, 0.0],
            [-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec],
            [cos_dec * cos_ra, cos_dec * sin_ra, sin_dec],
        ]
    )
