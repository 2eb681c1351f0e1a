"""HEALPix index of positions, by healpy imported without its plotting.

healpy imports matplotlib, which writes to HOME and takes longer than all the rest of it.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.layout import HEALPIX_ORDER


def _healpy_without_matplotlib() -> Any:
    if "healpy" in sys.modules or "matplotlib" in sys.modules:
        import healpy

        return healpy
    # healpy does without matplotlib where it is not installed; None makes its import fail so.
    sys.modules["matplotlib"] = None  # type: ignore[assignment]
    try:
        import healpy
    finally:
        del sys.modules["matplotlib"]
    return healpy


_healpy = _healpy_without_matplotlib()
_NSIDE = 2**HEALPIX_ORDER


def healpix_29(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index at order 29, NESTED, of positions in degrees (ICRS), all finite; int64 (n,)."""
    index: NDArray[np.int64] = _healpy.ang2pix(_NSIDE, ra_deg, dec_deg, nest=True, lonlat=True)
    return index
