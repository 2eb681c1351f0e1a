"""Flux densities of AB magnitudes: 0 mag is 3631 Jy (Oke & Gunn 1983, ApJ 266, 713)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# 3631 Jy as defined, 10^(-0.4·(−48.60)) erg/s/cm²/Hz: 23.9 mag is 1 µJy within 0.1 %.
AB_ZERO_MICROJANSKY = 3631e6
_PER_MAG = 0.4 * np.log(10.0)


def microjansky(mag: Floats, magerr: Floats) -> tuple[Floats, Floats]:
    """Flux density and its error, µJy, of AB magnitudes.

    Parameters
    ----------
    mag, magerr : float64 (n,), magnitudes; NaN gives NaN.

    Returns
    -------
    flux, error : float64 (n,); the error is that of the first order.
    """
    flux = AB_ZERO_MICROJANSKY * np.power(10.0, -0.4 * np.asarray(mag, np.float64))
    return flux, flux * _PER_MAG * np.asarray(magerr, np.float64)
