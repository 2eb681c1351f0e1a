"""The offset frame: an image's own axes, in which neither RA 0 nor a pole is near.

East, north and up are those of the image's centre. A direction's cosines with east and north,
x and y, are its place in the SIN plane.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from transforms.kernel import kernel
from transforms.sphere import DEGREE, Floats, columns, is_direction, sincos_degrees

# The median of 500 rows over a quadrant is good to 0.02°, and costs 2 ns a row.
CENTRE_ROWS = 500


def footprint_centre(ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[float, float]:
    """Direction in the middle of a catalogue's rows.

    The direction of the componentwise median of unit vectors, over the finite ones of a few
    hundred evenly spaced rows: up to half of them may be astray before it leaves the others.

    Parameters
    ----------
    ra_deg, dec_deg : (n,) ICRS degrees.

    Returns
    -------
    ra, dec : degrees, 0 <= ra < 360; NaN, NaN where no row is finite.
    """
    ra, dec = columns(ra_deg, dec_deg)
    x, y, z = _median_direction(ra, dec, CENTRE_ROWS)
    if math.isnan(x):
        return math.nan, math.nan
    # The remainder of a tiny negative angle rounds to 360 itself.
    centre_ra = math.atan2(y, x) / DEGREE % 360.0 % 360.0
    return centre_ra, math.atan2(z, math.hypot(x, y)) / DEGREE


@kernel
def _median_direction(ra: Floats, dec: Floats, most: int) -> tuple[float, float, float]:
    """Componentwise median of the unit vectors of about `most` rows; NaN where none is usable."""
    step = max(ra.size // most, 1)
    xyz = np.empty((3, ra.size // step + 1))
    # Every row is looked at only where the sample holds none that is usable.
    for stride in (step, 1):
        found = 0
        for i in range(0, ra.size, stride):
            if found < xyz.shape[1] and is_direction(ra[i], dec[i]):
                sin_ra, cos_ra = sincos_degrees(ra[i])
                sin_dec, cos_dec = sincos_degrees(dec[i])
                xyz[0, found], xyz[1, found], xyz[2, found] = (
                    cos_dec * cos_ra, cos_dec * sin_ra, sin_dec,
                )  # fmt: skip
                found += 1
        if found:
            x, y = np.median(xyz[0, :found]), np.median(xyz[1, :found])
            z = np.median(xyz[2, :found])
            if x == 0.0 and y == 0.0 and z == 0.0:
                # Rows round the whole sky have no middle: any of them will do.
                return xyz[0, 0], xyz[1, 0], xyz[2, 0]
            return x, y, z
    return math.nan, math.nan, math.nan


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
