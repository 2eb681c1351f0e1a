"""Airmass of a direction from the context of its exposure: deflection, aberration, zenith.

ERFA carries a catalogue direction to the zenith distance through light deflection by the Sun
(`eraLd`), aberration (`eraAb`) and a chain of rotations (`eraAtioq`). The rotations end in one
number, the cosine of the zenith distance, so they are turned round once an exposure: the zenith is
carried back into the frame after aberration. What is left is three dot products a row.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from transforms.kernel import kernel
from transforms.sphere import Floats

# Schwarzschild radius of the Sun, au (ERFA's ERFA_SRS).
SUN_RADIUS_AU = 1.97412574336e-8

# Where the numbers lie in an exposure's row.
SUN, VELOCITY, ZENITH = 0, 3, 6  # three numbers each
POTENTIAL, LORENTZ, ABERRATION = 9, 10, 11
SUN_ZENITH, SUN_VELOCITY, VELOCITY_ZENITH = 12, 13, 14
APPARENT_SIZE = 15

# 1 + cos of the angle from the Sun below which deflection stops growing (astropy's): 5'.
SUN_LIMIT = 1e-6


def pack(astrom: Any) -> Floats:
    """Numbers that the airmass of a row needs, from ERFA's contexts.

    Parameters
    ----------
    astrom : ERFA `astrom` structures (n,), as `erfa.apco` returns them.

    Returns
    -------
    float64 (n, 15): see the constants of this module for their places.
    """
    zenith = np.einsum("nij,ni->nj", astrom["bpn"], _zenith_of_date(astrom))
    sun, velocity = astrom["eh"], astrom["v"]
    row = np.zeros((len(zenith), APPARENT_SIZE))
    row[:, SUN : SUN + 3] = sun
    row[:, VELOCITY : VELOCITY + 3] = velocity
    row[:, ZENITH : ZENITH + 3] = zenith
    row[:, LORENTZ] = astrom["bm1"]
    row[:, ABERRATION] = 1.0 / (1.0 + astrom["bm1"])
    row[:, POTENTIAL] = SUN_RADIUS_AU / astrom["em"]
    row[:, SUN_ZENITH] = np.einsum("ni,ni->n", sun, zenith)
    row[:, SUN_VELOCITY] = np.einsum("ni,ni->n", sun, velocity)
    row[:, VELOCITY_ZENITH] = np.einsum("ni,ni->n", velocity, zenith)
    return row


def _zenith_of_date(astrom: Any) -> Floats:
    """Zenith in the true frame of date (CIRS), by the rotations of `eraAtioq` in reverse."""
    # Zenith in hour angle and declination.
    x, z = astrom["cphi"], astrom["sphi"]
    # Polar motion.
    sx, cx = np.sin(astrom["xpl"]), np.cos(astrom["xpl"])
    sy, cy = np.sin(astrom["ypl"]), np.cos(astrom["ypl"])
    x, y, z = cx * x - sx * cy * z, sy * z, sx * x + cx * cy * z
    # Earth rotation.
    se, ce = np.sin(astrom["eral"]), np.cos(astrom["eral"])
    return np.stack([ce * x - se * y, se * x + ce * y, z], axis=1)


@kernel
def secz_of(x: float, y: float, z: float, a: Floats) -> float:
    """Airmass of the unit vector (x, y, z) in the context `a`; NaN at and below the horizon."""
    sun = x * a[SUN] + y * a[SUN + 1] + z * a[SUN + 2]
    velocity = x * a[VELOCITY] + y * a[VELOCITY + 1] + z * a[VELOCITY + 2]
    zenith = x * a[ZENITH] + y * a[ZENITH + 1] + z * a[ZENITH + 2]
    # Deflection moves the direction away from the Sun, across the line of sight.
    bend = a[POTENTIAL] / max(1.0 + sun, SUN_LIMIT)
    velocity += bend * (a[SUN_VELOCITY] - sun * velocity)
    zenith += bend * (a[SUN_ZENITH] - sun * zenith)
    # Aberration moves it towards the velocity; the sum's length is 1 + velocity, to 1e-12.
    height = (
        a[LORENTZ] * zenith
        + (1.0 + a[ABERRATION] * velocity) * a[VELOCITY_ZENITH]
        + a[POTENTIAL] * (a[VELOCITY_ZENITH] - velocity * zenith)
    )
    return (1.0 + velocity) / height if height > 0.0 else math.nan
