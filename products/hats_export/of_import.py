"""Light curves of one pixel as they were imported: all rows of them, in the order of the input."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from products.hats_export.nested import Curves, Widths
from queries.curves.imported import TABLE, check_collection, collection_of
from store.arrow import as_arrow, as_numpy
from store.errors import DamagedArchiveError
from store.layout import HealpixPixel
from store.manifest import IMPORTS
from store.snapshot import Snapshot

_SOURCE = ("_healpix_29", "oid", "objra", "objdec", "fid", "field", "rcid")
_EPOCH = ("hmjd", "mag", "magerr", "clrcoeff", "catflags")


def pixels_of(snapshot: Snapshot, collection: str) -> list[HealpixPixel]:
    """The pixels that hold curves of a collection.

    Raises
    ------
    UnknownCollectionError : nothing was imported by that name.
    """
    check_collection(snapshot, collection)
    found = set()
    for group in snapshot.groups:
        if group.startswith(IMPORTS) and collection_of(group.removeprefix(IMPORTS)) == collection:
            found |= {entry.pixel for entry in snapshot.manifest(group).files if entry.pixel}
    return sorted(found)


def widths_of(snapshot: Snapshot, collection: str) -> Widths:
    """The types of what was imported: the wider one where its files differ."""
    frame = pl.read_parquet(snapshot.files("imports"))
    of_it = frame.filter(pl.col("collection") == collection)
    return Widths(position=max(of_it["position_type"]), hmjd=max(of_it["hmjd_type"]))


def imported_curves(snapshot: Snapshot, pixel: HealpixPixel, collection: str) -> Curves | None:
    """The curves of a collection in a pixel; None if there are none.

    Raises
    ------
    DamagedArchiveError : a file cannot be read.
    """
    parts = []
    for path in snapshot.files(TABLE, [pixel]):
        if collection_of(path.stem) == collection:
            try:
                with pq.ParquetFile(path) as file:
                    parts.append(file.read([*_SOURCE, *_EPOCH]))
            except (OSError, pa.ArrowException) as error:
                what = f"cannot be read ({' '.join(str(error).split())})"
                hint = "Import its file again: nightlake import ARCHIVE lightcurves FILE."
                raise DamagedArchiveError(what, where=path, hint=hint) from error
    if not parts:
        return None
    rows = pa.concat_tables(parts)
    index, oid = as_numpy(rows["_healpix_29"]), as_numpy(rows["oid"])
    # An object is in one file alone, and its rows in order there.
    rows = rows.take(as_arrow(np.lexsort((oid, index))))
    oid = as_numpy(rows["oid"])
    starts = np.flatnonzero(np.diff(oid, prepend=-1))
    sources = rows.take(as_arrow(starts))
    names = {
        "_healpix_29": "_healpix_29", "objectid": "oid", "objra": "objra", "objdec": "objdec",
        "filterid": "fid", "fieldid": "field", "rcid": "rcid",
    }  # fmt: skip
    columns = {ours: as_numpy(sources[name]) for ours, name in names.items()}
    epochs = {name: as_numpy(rows[name]) for name in _EPOCH}
    epochs["clrcoeff"] = np.ma.masked_invalid(epochs["clrcoeff"])
    return Curves(columns, np.diff(starts, append=len(oid)), epochs)
