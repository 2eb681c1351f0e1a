"""`exposures`: one row an image of the channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from products.matchfile.columns import MJD_ZERO_JD, SECONDS_PER_DAY, Columns, Row
from store.matchfile import EXPOSURES
from transforms.focal_plane import BORESIGHT_SCALE_ARCSEC

# Columns as the archive's images have them.
_SAME = (
    "airmass", "clrcoeff", "clrcounc", "exptime", "expid", "infobits", "limitmag", "magzp",
    "magzprms", "magzpunc", "obsmjd", "programid",
)  # fmt: skip


def exposure_rows(
    images: Columns,
    field: int,
    fid: int,
    rcid: int,
    n_sources: NDArray[Any],
    n_transients: NDArray[Any],
) -> Row:
    """The table.

    Parameters
    ----------
    images : columns of the channel's images, in order of time.
    n_sources, n_transients : (k,), rows of each exposure in `sourcedata` and `transientdata`.

    Returns
    -------
    Row : what nobody knows is 0 or empty, as in the real files: `clrmed`, `clrrms`, `gmedian`,
        `ipac_pub_date`, `nps1matches`, `nstars`, `programpi`, `zpclrcov` and `zpmed` always.
    """
    records = np.zeros(images["expid"].size, dtype=EXPOSURES.dtype)
    for name in _SAME:
        records[name] = _known(images[name])
    records["fieldid"], records["filterid"], records["rcid"] = field, fid, rcid
    records["fracday"] = _known(images["filefracday"])
    records["diq"] = _known(images["seeing"]) * BORESIGHT_SCALE_ARCSEC
    late = _known(images["light_travel_s"]) / SECONDS_PER_DAY
    records["obshjd"] = images["obsmjd"] + MJD_ZERO_JD + late
    # "g - R" in headers, "g-R" in the real files.
    records["pcolor"] = np.char.replace(images["pcolor"].astype("S"), b" ", b"")
    records["nsources"], records["ntransients"] = n_sources, n_transients
    return records


def _known(values: NDArray[Any]) -> NDArray[Any]:
    """The values; 0 where there is none."""
    known: NDArray[Any] = (
        np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        if values.dtype.kind == "f"
        else np.maximum(values, 0)
    )
    return known
