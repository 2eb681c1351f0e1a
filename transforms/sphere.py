"""Unit vectors of celestial coordinates: the sines and cosines every other kernel starts from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel

Floats = NDArray[np.float64]

DEGREE = math.pi / 180.0
ARCSEC_PER_RADIAN = 180.0 * 3600.0 / math.pi
# Larger angles keep less than an arcsecond after reduction; they are no directions.
LARGEST_DEGREES = 1e9


def columns(*arrays: ArrayLike) -> tuple[Floats, ...]:
    """Bring arrays into the one form that kernels are compiled for.

    Returns
    -------
    float64 (n,) each: native byte order, contiguous and writeable, copied only where they are not.
    A read-only or big-endian column would otherwise have every kernel compiled once more.

    Raises
    ------
    TransformError : the lengths differ, or an array is not one-dimensional.
    """
    ready = tuple(np.require(array, np.float64, ["C", "A", "W"]) for array in arrays)
    shapes = {array.shape for array in ready}
    if len(shapes) > 1 or len(ready[0].shape) != 1:
        listed = ", ".join(str(array.shape) for array in ready)
        raise TransformError(f"one-dimensional columns of one length are needed, got {listed}")
    return ready


def vector(values: ArrayLike, size: int) -> Floats:
    """Bring the numbers of one exposure into the form that kernels are compiled for.

    Raises
    ------
    TransformError : there are not `size` of them: a kernel would read beyond their end.
    """
    ready = np.require(values, np.float64, ["C", "A", "W"])
    if ready.shape != (size,):
        raise TransformError(f"{size} numbers of one exposure are needed, got {ready.shape}")
    return ready


@kernel
def is_direction(ra: float, dec: float) -> bool:
    """Whether coordinates are neither NaN nor infinite, nor too large to have digits left."""
    return (abs(ra) < LARGEST_DEGREES) & (abs(dec) < LARGEST_DEGREES)


@kernel
def sincos_degrees(angle: float) -> tuple[float, float]:
    """Sine and cosine of an angle in degrees, to 2e-16, without a branch; NaN beyond 1e9.

    Reduced in degrees, where multiples of 90 are exact, then the series of Cephes (`sin.c`,
    |x| <= π/4). Numba turns it into vector instructions: an eighth of libm's time.
    """
    # Numba makes an integer of math's floor, and then a float of it again.
    quarter = np.floor(angle * (1.0 / 90.0) + 0.5)
    x = (angle - 90.0 * quarter) * (math.pi / 180.0)
    x = x if abs(angle) < LARGEST_DEGREES else math.nan
    xx = x * x
    s = 1.58962301576546568060e-10 * xx - 2.50507477628578072866e-8
    s = s * xx + 2.75573136213857245213e-6
    s = s * xx - 1.98412698295895385996e-4
    s = s * xx + 8.33333333332211858878e-3
    s = s * xx - 1.66666666666666307295e-1
    s = x + x * xx * s
    c = -1.13585365213876817300e-11 * xx + 2.08757008419747316778e-9
    c = c * xx - 2.75573141792967388112e-7
    c = c * xx + 2.48015872888517045348e-5
    c = c * xx - 1.38888888888730564116e-3
    c = c * xx + 4.16666666666665929218e-2
    c = 1.0 - 0.5 * xx + xx * xx * c
    turn = quarter - 4.0 * np.floor(quarter * 0.25)
    odd = (turn == 1.0) | (turn == 3.0)
    sine = c if odd else s
    cosine = s if odd else c
    sine = -sine if turn >= 2.0 else sine
    cosine = -cosine if (turn == 1.0) | (turn == 2.0) else cosine
    return sine, cosine


@kernel
def _unit_vectors(ra: Floats, dec: Floats, xyz: Floats) -> None:
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        xyz[0, i] = cos_dec * cos_ra
        xyz[1, i] = cos_dec * sin_ra
        xyz[2, i] = sin_dec


def unit_vectors(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
    """Unit vectors of coordinates in degrees: float64 (3, n); NaN where a coordinate is NaN."""
    ra, dec = columns(ra_deg, dec_deg)
    xyz = np.empty((3, ra.size))
    _unit_vectors(ra, dec, xyz)
    return xyz
