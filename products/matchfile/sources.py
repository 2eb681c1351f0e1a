"""`sources` and `transients`: one row an object, with the statistics of its light curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from products.matchfile.columns import Columns, Row
from products.matchfile.rows import unit_vectors
from store.matchfile import SOURCES
from transforms.sphere import ARCSEC_PER_RADIAN
from transforms.statistics import Statistics, astrometric_rms, good_epochs, object_statistics

Floats = NDArray[np.float64]

# What the real file has where a statistic cannot be known: NaN in these even of some epochs, in
# `chisq` and `medmagerr` of none too; 0 everywhere else.
NAN_OF_SOME = {"smallkurtosis", "stetsonj", "stetsonk", "weightedmagrms", "weightedmeanmag"}
NAN_OF_NONE = {"chisq", "medmagerr"}
# Largest of a uint16, where a count ends.
_MOST = np.iinfo(np.uint16).max
_SHARED = [name for name in SOURCES.dtype.names or () if name in Statistics._fields]


def source_rows(
    matchid: NDArray[Any], ra_deg: Floats, dec_deg: Floats, references: Columns | None
) -> Row:
    """Rows that say where objects are, and what the reference catalogue says of them.

    Parameters
    ----------
    references : their mag, magerr, chi, sharp, flux and fluxerr; None of objects without.
    """
    records = np.zeros(matchid.size, dtype=SOURCES.dtype)
    records["matchid"] = matchid
    records["ra"], records["dec"] = ra_deg, dec_deg
    for name, values in unit_vectors(ra_deg, dec_deg).items():
        records[name] = values
    if references is not None:
        for name in ("mag", "magerr", "chi", "sharp"):
            records[f"ref{name}"] = references[name]
        with np.errstate(divide="ignore", invalid="ignore"):
            records["refsnr"] = references["flux"] / references["fluxerr"]
    return records


def add_statistics(
    records: Row,
    starts: NDArray[np.int64],
    curves: Mapping[str, NDArray[Any]],
    correction: Floats,
    refined: NDArray[np.bool_],
) -> None:
    """Fill in the statistics of the light curves.

    Parameters
    ----------
    records : (m,) rows to be filled.
    starts : int64 (m+1,), the rows of each object in `curves`.
    curves : hjd, mag, magerr, catflags, ra, dec, (n,) each, as they are written.
    correction : (n,), what the relative photometry added to each magnitude.
    refined : (n,), whether the epoch's exposure has it.
    """
    good = good_epochs(curves["catflags"])
    made = object_statistics(starts, curves["hjd"], curves["mag"], curves["magerr"], good)
    has_good = made.ngoodobs > 0
    for name in _SHARED:
        records[name] = _as_in_file(name, getattr(made, name), has_good)
    scatter = astrometric_rms(
        starts, curves["ra"], curves["dec"], records["ra"], records["dec"], good
    )
    records["astrometricrms"] = np.nan_to_num(scatter / ARCSEC_PER_RADIAN, nan=0.0)
    records["nobsrel"] = _clipped(_sums(starts, refined))
    records["ngoodobsrel"] = _clipped(_sums(starts, refined & good))
    known = good & np.isfinite(curves["mag"])
    added = _sums(starts, np.where(known, correction, 0.0)) / np.maximum(_sums(starts, known), 1)
    records["uncalibmeanmag"] = np.where(has_good, np.nan_to_num(made.meanmag) - added, 0.0)


def _as_in_file(name: str, values: NDArray[Any], has_good: NDArray[np.bool_]) -> NDArray[Any]:
    if values.dtype.kind == "i":
        return _clipped(values)
    if name in NAN_OF_NONE:
        return values
    if name in NAN_OF_SOME:
        return np.where(has_good, values, 0.0)
    known: NDArray[Any] = np.nan_to_num(values, nan=0.0)
    return known


def _clipped(counts: NDArray[Any]) -> NDArray[Any]:
    clipped: NDArray[Any] = np.clip(counts, 0, _MOST)
    return clipped


def _sums(starts: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
    total = np.concatenate([[0], np.cumsum(values)])
    sums: NDArray[Any] = total[starts[1:]] - total[starts[:-1]]
    return sums
