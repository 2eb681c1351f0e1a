"""HEALPix index of positions, by healpy's pixel functions alone.

The package as a whole imports astropy's FITS and coordinates and matplotlib, which writes to HOME:
half a second in every worker for one function that needs numpy.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec, module_from_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.layout import HEALPIX_ORDER


def _pixel_functions() -> Any:
    """The module `healpy.pixelfunc`, without running the package around it."""
    spec = find_spec("healpy")
    if spec is None:
        raise ModuleNotFoundError("healpy is not installed", name="healpy")
    if "healpy" in sys.modules:
        return importlib.import_module("healpy.pixelfunc")
    # A package that is there but empty; whoever imports healpy later gets the real one.
    sys.modules["healpy"] = module_from_spec(spec)
    try:
        return importlib.import_module("healpy.pixelfunc")
    finally:
        del sys.modules["healpy"]


_ang2pix = _pixel_functions().ang2pix
_NSIDE = 2**HEALPIX_ORDER


def healpix_29(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index at order 29, NESTED, of positions in degrees (ICRS), all finite; int64 (n,)."""
    index: NDArray[np.int64] = _ang2pix(_NSIDE, ra_deg, dec_deg, nest=True, lonlat=True)
    return index
