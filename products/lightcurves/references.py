"""The reference sources that a pixel's rows may belong to: its own, and those beside its border."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from products.lightcurves.objects import OF_SOURCES
from store.arrow import as_arrow, as_numpy
from store.borders import border_rows, nearby
from store.contract import REFERENCE_SOURCES
from store.files import check_linked
from store.layout import HealpixPixel
from store.partition import Partition
from transforms.lookup import Places

OF_PLACES = ("_healpix_29", "oid", "ra", "dec")
OWN = tuple(name for name in OF_SOURCES if name in REFERENCE_SOURCES.names)
# Of the files about a pixel, what is kept for its neighbours: a thousand rows a file.
KEPT_BORDERS = 4096


def own_sources(files: Sequence[Path], pixel: HealpixPixel) -> pa.Table:
    """The reference sources in a pixel, columns `OWN`.

    Parameters
    ----------
    files : of the pixel of the base order that it lies in.
    """
    low, past = pixel.index_range
    found = [REFERENCE_SOURCES.empty().select(OWN)]
    for path in files:
        rows = pq.ParquetFile(check_linked(path)).read(list(OWN))
        # They are sorted by place.
        index = as_numpy(rows["_healpix_29"])
        start, end = np.searchsorted(index, [low, past]).tolist()
        found.append(rows.slice(start, end - start))
    return pa.concat_tables(found)


def places_about(
    own: pa.Table,
    files: Sequence[Path],
    about: Sequence[Path],
    pixel: HealpixPixel,
    partition: Partition,
    radius_arcsec: float,
) -> Places:
    """Where the ids lie that rows of a pixel may have, each numbered by its HEALPix index.

    Parameters
    ----------
    own : the reference sources in the pixel.
    files, about : of the pixel of the base order that it lies in, and of those about that one.
    """
    low, past = pixel.index_range
    found = [own.select(OF_PLACES)]
    others = about if pixel.order == partition.order else (*files, *about)
    for path in others:
        # By the file's own name, which says what is in it: it is kept from build to build.
        rows = _border(path.resolve(), pixel.order, radius_arcsec)
        index, ra, dec = (as_numpy(rows[name]) for name in OF_PLACES if name != "oid")
        outside = np.flatnonzero((index < low) | (index >= past))
        near = nearby(index[outside], ra[outside], dec[outside], partition, radius_arcsec)
        here = (near.order == pixel.order) & (near.npix == pixel.npix)
        found.append(rows.take(as_arrow(outside[near.row[here]])))
    rows = pa.concat_tables(found)
    index, ids, ra, dec = (as_numpy(rows[name]) for name in OF_PLACES)
    return Places(ids, ra, dec, index)


@lru_cache(KEPT_BORDERS)
def _border(path: Path, order: int, radius_arcsec: float) -> pa.Table:
    """The sources of a file that may be near another pixel of an order than their own."""
    file = pq.ParquetFile(check_linked(path))
    index = as_numpy(file.read(["_healpix_29"])["_healpix_29"])
    rows = border_rows(index, order, radius_arcsec)
    return file.read(list(OF_PLACES)).take(as_arrow(rows))
