"""A real reference PSF catalogue, read to serve as the true sky."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from simulate.arrays import Floats
from simulate.errors import SkyFileError


@dataclass(frozen=True)
class SkyFile:
    """Sources of a reference PSF catalogue.

    Parameters
    ----------
    path : where it lies.
    field, rcid, fid : of which quadrant and filter it is.
    ra, dec : float64 (n,), ICRS degrees.
    mag : float64 (n,), calibrated: mag + MAGZP.
    """

    path: Path
    field: int
    rcid: int
    fid: int
    ra: Floats
    dec: Floats
    mag: Floats


def read_sky_file(path: Path) -> SkyFile:
    """Read a reference PSF catalogue.

    Raises
    ------
    SkyFileError : the file is missing, damaged, empty or something else.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            header = hdus[0].header
            if "RFID" not in header:
                raise SkyFileError(path, "its header has no RFID")
            table = hdus["PSF_CATALOG"].data
            ra, dec, mag = (np.array(table[name], np.float64) for name in ("ra", "dec", "mag"))
            found = SkyFile(
                path, int(header["FIELDID"]), int(header["RCID"]), int(header["FILTERID"]),
                ra, dec, mag + float(header["MAGZP"]),
            )  # fmt: skip
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, SkyFileError):
            raise
        raise SkyFileError(path, " ".join(str(error).split()) or type(error).__name__) from error
    if len(found.ra) == 0:
        raise SkyFileError(path, "its table is empty")
    if not np.isfinite([found.ra, found.dec, found.mag]).all():
        raise SkyFileError(path, "it has positions or magnitudes that are not finite")
    return found
