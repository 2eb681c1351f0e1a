"""HEALPix index of positions, by the compiled function of healpy alone.

The package as a whole imports astropy's FITS and coordinates and matplotlib, which writes to HOME:
half a second in every worker. Its module of pixel functions imports astropy all the same, which
takes longer than numpy, to name the arguments that healpy has given up.
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
    """The compiled module of healpy's pixel functions, without running the package around it."""
    spec = find_spec("healpy")
    if spec is None:
        raise ModuleNotFoundError("healpy is not installed", name="healpy")
    if "healpy" in sys.modules:
        return importlib.import_module("healpy._healpy_pixel_lib")
    # A package that is there but empty; whoever imports healpy later gets the real one.
    sys.modules["healpy"] = module_from_spec(spec)
    try:
        return importlib.import_module("healpy._healpy_pixel_lib")
    finally:
        del sys.modules["healpy"]


_ang2pix_nest = _pixel_functions()._ang2pix_nest
_NSIDE = 2**HEALPIX_ORDER


def healpix_29(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index at order 29, NESTED, of positions in degrees (ICRS), all finite; int64 (n,).

    Raises
    ------
    ValueError : a declination is none; healpy would give some index.
    """
    if not (np.abs(dec_deg) <= 90.0).all():
        raise ValueError("a declination is beyond ±90 degrees, or not a number")
    # As `healpy.ang2pix` has it, to the last bit.
    colatitude, longitude = np.pi / 2.0 - np.radians(dec_deg), np.radians(ra_deg)
    index: NDArray[np.int64] = _ang2pix_nest(_NSIDE, colatitude, longitude)
    return index
