"""From pixels to the sky by the linear part of a tangent-plane WCS."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from transforms.frame import axes


def sky_position(
    pixel: tuple[float, float],
    crpix: tuple[float, float],
    crval_deg: tuple[float, float],
    cd: Sequence[Sequence[float]],
) -> tuple[float, float]:
    """Where a pixel lies on the sky, distortion left out.

    Parameters
    ----------
    pixel, crpix : FITS pixels, the first is 1.
    crval_deg : ra, dec of the reference pixel, ICRS degrees.
    cd : (2, 2) degrees a pixel.

    Returns
    -------
    ra, dec : ICRS degrees, ra in [0, 360). For a ZTF quadrant within 6" of the distorted WCS.
    """
    xi, eta = np.radians(np.asarray(cd) @ (np.asarray(pixel) - np.asarray(crpix)))
    east, north, up = axes(*crval_deg)
    x, y, z = up + xi * east + eta * north
    return math.degrees(math.atan2(y, x)) % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))
