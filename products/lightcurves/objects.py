"""Rows of `objects`: reference sources with the statistics of their light curves.

A pure function of columns: of the sources of a pixel, the rows that carry their ids, and the images
of their channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from store.arrow import as_arrow, as_numpy
from store.contract import OBJECTS
from store.statistics_columns import PERCENTS, SIGMAS
from transforms.coverage import Footprints
from transforms.statistics import Statistics, astrometric_rms, good_epochs, object_statistics
from transforms.variability import NO_COUNT
from transforms.wcs_cards import read_cards

# What `object_rows` needs of reference_sources (and of their groups), of detections and of images.
OF_SOURCES = (
    "_healpix_29", "oid", "rfid", "field", "fid", "ccdid", "qid", "rcid", "group_id", "ra", "dec",
    "mag", "magerr",
)  # fmt: skip
OF_EPOCHS = ("oid", "hmjd", "mag", "magerr", "ra", "dec", "catflags")
OF_IMAGES = ("field", "fid", "ccdid", "qid", "wcs_cards")
CHANNEL = ("field", "fid", "ccdid", "qid")

# Statistics of several numbers an object, and what their columns' names end with.
_WIDE = {"magquantiles": ("magquantile", PERCENTS)} | {
    name: (name, SIGMAS) for name in Statistics._fields if name.endswith("meanbystd")
}

Array = NDArray[Any]
Counts = NDArray[np.int32]


def object_rows(sources: pa.Table, epochs: pa.Table, images: pa.Table) -> pa.Table:
    """The rows of `objects` of some reference sources, in the table's own order.

    Parameters
    ----------
    sources : columns `OF_SOURCES`, a row a source, in any order.
    epochs : columns `OF_EPOCHS`: all rows that carry the sources' ids. The rows of one id follow
        each other, in any order of ids, best in the order of hmjd: others cost time. Rows without
        an id, or with another, count nowhere.
    images : columns `OF_IMAGES`: all images of the sources' channels.

    Returns
    -------
    pyarrow.Table of `store.contract.OBJECTS`; a source that nothing measured has 0 in nobs and
    ngoodobs, and nulls for statistics.
    """
    sources = in_order(sources)
    return with_statistics(sources, epochs, *n_covered(sources, images))


def in_order(sources: pa.Table) -> pa.Table:
    """Sources in the order of `objects`."""
    return sources.sort_by([(name, "ascending") for name in OBJECTS.sort])


def with_statistics(
    sources: pa.Table, epochs: pa.Table, covered: Counts, known: NDArray[np.bool_]
) -> pa.Table:
    """The same of sources that are in order, given how many images covered each of them."""
    columns: dict[str, Any] = {name: sources[name] for name in OF_SOURCES}
    columns["n_covered"] = as_arrow(covered, known=known)
    columns |= _statistics(sources, epochs)
    schema = OBJECTS.schema()
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def n_covered(sources: pa.Table, images: pa.Table) -> tuple[Counts, NDArray[np.bool_]]:
    """How many images of its own channel cover each source.

    Returns
    -------
    counts : int32 (n,).
    known : bool (n,), false where the channel has images, and none has a WCS that is read.
    """
    counts = np.zeros(sources.num_rows, dtype=np.int32)
    known = np.ones(sources.num_rows, dtype=np.bool_)
    ra, dec = (_numbers(sources[name]) for name in ("ra", "dec"))
    of_source, of_image = _channels(sources), _channels(images)
    footprints = Footprints(read_cards(images["wcs_cards"].to_pylist()))
    for channel in np.unique(of_source).tolist():
        rows, taken = (np.flatnonzero(one == channel) for one in (of_source, of_image))
        if taken.size:
            counts[rows] = footprints.count(ra[rows], dec[rows], taken)
            known[rows] = footprints.known[taken].any()
    return counts, known


def _statistics(sources: pa.Table, epochs: pa.Table) -> dict[str, pa.Array]:
    """Columns of statistics, source by source."""
    oid = _integers(epochs["oid"])
    begins = np.flatnonzero(np.diff(oid, prepend=-2))
    oid_of_run = oid[begins]
    starts = np.append(begins, oid.size)
    good = good_epochs(as_numpy(epochs["catflags"], 0))
    hmjd, mag, magerr = (_numbers(epochs[name]) for name in ("hmjd", "mag", "magerr"))
    of_run = object_statistics(starts, hmjd, mag, magerr, good)
    run, measured = _runs_of(_integers(sources["oid"]), oid_of_run)
    found = {}
    for name, values in of_run._asdict().items():
        stem, suffixes = _WIDE.get(name, (name, None))
        if suffixes is not None:
            for k, suffix in enumerate(suffixes):
                found[f"{stem}_{suffix}"] = _spread(values[:, k], run, measured)
        elif name in OBJECTS.names:
            found[name] = _spread(values, run, measured)
    for name in ("nobs", "ngoodobs"):
        found[name] = as_arrow(as_numpy(found[name], 0))
    scatter = _astrometric_rms(sources, epochs, starts, run[measured], measured, good)
    found["astrometricrms"] = _spread(scatter, run, measured)
    return found


def _astrometric_rms(
    sources: pa.Table, epochs: pa.Table, starts: Array, run: Array, measured: Array, good: Array
) -> Array:
    """Of each run, arcseconds; NaN where it is of no source: then it has no place to scatter about.

    `run` is that of each source that is measured.
    """
    places = np.full((2, starts.size - 1), np.nan)
    for place, name in zip(places, ("ra", "dec"), strict=True):
        place[run] = _numbers(sources[name])[measured]
    ra, dec = (_numbers(epochs[name]) for name in ("ra", "dec"))
    return astrometric_rms(starts, ra, dec, places[0], places[1], good)


def _runs_of(oid: Array, oid_of_run: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The run of rows of each source, and whether it has one."""
    order = np.argsort(oid_of_run, kind="stable")
    ordered = oid_of_run[order]
    if ordered.size == 0:
        return np.zeros(oid.size, np.int64), np.zeros(oid.size, np.bool_)
    at = np.minimum(np.searchsorted(ordered, oid), ordered.size - 1)
    measured: NDArray[np.bool_] = ordered[at] == oid
    return order[at], measured


def _spread(of_run: Array, run: Array, measured: Array) -> pa.Array:
    """A statistic of runs as a column of sources: null where it is not known."""
    is_count = of_run.dtype.kind == "i"
    values = np.full(run.size, NO_COUNT if is_count else np.nan, dtype=of_run.dtype)
    values[measured] = of_run[run[measured]]
    return as_arrow(values, known=values != NO_COUNT if is_count else ~np.isnan(values))


def _numbers(column: pa.ChunkedArray) -> Array:
    """Float64, NaN for null."""
    values: Array = as_numpy(column).astype(np.float64, copy=False)
    return values


def _integers(column: pa.ChunkedArray) -> Array:
    """Int64, −1 for null."""
    values: Array = as_numpy(column, -1).astype(np.int64, copy=False)
    return values


def _channels(table: pa.Table) -> NDArray[np.int64]:
    """Each row's field, filter, CCD and quadrant as one number."""
    field, fid, ccdid, qid = (_integers(table[name]) for name in CHANNEL)
    number: NDArray[np.int64] = ((field * 100 + fid) * 100 + ccdid) * 100 + qid
    return number
