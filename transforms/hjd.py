"""Light-travel time from the observatory to the Sun, row by row or by the paper's fit.

A photon that reaches us at t would have passed the Sun's plane at t + r·n/c: r the observatory's
heliocentric position, n the source's direction. Over an image the paper fits six terms on a 9 × 9
grid in an offset frame. Here the terms are of direction cosines instead of angles: r·n is linear in
them but for the slight bend of the sphere, so the same six terms are 450 times closer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from transforms.errors import TransformError
from transforms.frame import axes, footprint_centre
from transforms.kernel import kernel
from transforms.sphere import DEGREE, Floats, columns, sincos_degrees, vector

__all__ = [
    "QUADRANT_HALF_WIDTH_DEG",
    "OffsetFrameFit",
    "evaluate",
    "fit_light_travel_time",
    "footprint_centre",
    "light_travel_time",
]

# Half of 3080 px at 1.013"/px (measured on real headers) is 0.433; the rest is for camera angle,
# distortion, and a median centre drawn towards the crowded side.
QUADRANT_HALF_WIDTH_DEG = 0.5

# The paper: 9 × 9.
GRID_POINTS = 9


@dataclass(frozen=True, slots=True, eq=False)
class OffsetFrameFit:
    """Light-travel time over one footprint as a quadratic in direction cosines.

    Attributes
    ----------
    frame_ra_deg, frame_dec_deg : centre of the offset frame, ICRS degrees.
    half_width_deg : the footprint is the square of |x|, |y| <= sin(half_width_deg).
    coefficients : float64 (6,), seconds, of 1, x, y, xy, x², y².
    """

    frame_ra_deg: float
    frame_dec_deg: float
    half_width_deg: float
    coefficients: Floats


def _terms(x: Floats, y: Floats) -> Floats:
    return np.stack([np.ones_like(x), x, y, x * y, x * x, y * y])


# The grid never changes but by its scale: one pseudo-inverse serves every image.
_X, _Y = (grid.ravel().copy() for grid in np.meshgrid(*[np.linspace(-1.0, 1.0, GRID_POINTS)] * 2))
_SOLVE = np.ascontiguousarray(np.linalg.pinv(_terms(_X, _Y).T))


def fit_light_travel_time(
    ra_deg: float, dec_deg: float, half_width_deg: float, earth_heliocentric_s: ArrayLike
) -> OffsetFrameFit:
    """Fit the light-travel time over a square footprint.

    Parameters
    ----------
    ra_deg, dec_deg : centre of the footprint, ICRS degrees.
    half_width_deg : half its width, 0 to 40 degrees; the grid covers it, wherever the rows are.
    earth_heliocentric_s : (3,) heliocentric position of the observatory, light-seconds.

    Returns
    -------
    OffsetFrameFit, within 1 µs of the exact value over a quadrant and 2 ms over a 7° field.

    Raises
    ------
    TransformError : the centre is not finite, or the width is out of range.
    """
    if not (math.isfinite(ra_deg) and math.isfinite(dec_deg) and 0.0 < half_width_deg <= 40.0):
        raise TransformError(
            f"no offset frame of half width {half_width_deg}° about ra {ra_deg}, dec {dec_deg}"
        )
    scale = math.sin(half_width_deg * DEGREE)
    coefficients = np.zeros(6)
    earth = vector(earth_heliocentric_s, 3)
    _fit(_X, _Y, _SOLVE, scale, axes(ra_deg, dec_deg), earth, coefficients)
    return OffsetFrameFit(ra_deg, dec_deg, half_width_deg, coefficients)


@kernel
def _fit(
    grid_x: Floats, grid_y: Floats, solve: Floats,
    scale: float, frame: Floats, earth: Floats, coefficients: Floats,
) -> None:  # fmt: skip
    east = frame[0, 0] * earth[0] + frame[0, 1] * earth[1]
    north = frame[1, 0] * earth[0] + frame[1, 1] * earth[1] + frame[1, 2] * earth[2]
    up = frame[2, 0] * earth[0] + frame[2, 1] * earth[1] + frame[2, 2] * earth[2]
    for i in range(grid_x.size):
        x, y = scale * grid_x[i], scale * grid_y[i]
        exact = x * east + y * north + math.sqrt(1.0 - x * x - y * y) * up
        for k in range(6):
            coefficients[k] += solve[k, i] * exact
    for k in range(1, 6):
        coefficients[k] /= scale if k < 3 else scale * scale


@kernel
def _light_travel_time(ra: Floats, dec: Floats, earth: Floats, seconds: Floats) -> None:
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        seconds[i] = cos_dec * (cos_ra * earth[0] + sin_ra * earth[1]) + sin_dec * earth[2]


def light_travel_time(
    ra_deg: ArrayLike, dec_deg: ArrayLike, earth_heliocentric_s: ArrayLike
) -> Floats:
    """Light-travel time from the observatory to the plane of the Sun, exact.

    Parameters
    ----------
    ra_deg, dec_deg : (n,) ICRS degrees.
    earth_heliocentric_s : (3,) heliocentric position of the observatory, light-seconds.

    Returns
    -------
    float64 (n,), seconds; add it to the observed time. NaN where a coordinate is NaN. Within
    1e-3 µs of astropy's `Time.light_travel_time(…, 'heliocentric')`.
    """
    ra, dec = columns(ra_deg, dec_deg)
    seconds = np.empty(ra.size)
    _light_travel_time(ra, dec, vector(earth_heliocentric_s, 3), seconds)
    return seconds


@kernel
def _evaluate(ra: Floats, dec: Floats, frame: Floats, c: Floats, seconds: Floats) -> None:
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        px, py, pz = cos_dec * cos_ra, cos_dec * sin_ra, sin_dec
        x = frame[0, 0] * px + frame[0, 1] * py
        y = frame[1, 0] * px + frame[1, 1] * py + frame[1, 2] * pz
        up = frame[2, 0] * px + frame[2, 1] * py + frame[2, 2] * pz
        value = c[0] + x * (c[1] + c[3] * y + c[4] * x) + y * (c[2] + c[5] * y)
        seconds[i] = value if up > 0.0 else np.nan


def evaluate(fit: OffsetFrameFit, ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
    """Light-travel time by a fit: float64 (n,), seconds.

    NaN where a coordinate is NaN or more than 90° from the fit's centre. Outside the footprint the
    quadratic is only continued: `transforms.image` gives such rows the exact value instead.
    """
    ra, dec = columns(ra_deg, dec_deg)
    seconds = np.empty(ra.size)
    _evaluate(
        ra, dec, axes(fit.frame_ra_deg, fit.frame_dec_deg), vector(fit.coefficients, 6), seconds
    )
    return seconds
