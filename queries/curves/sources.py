"""The reference sources that a place holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import values
from queries.curves.cache import ByteCache
from queries.curves.files import read_columns, resolved
from queries.curves.leaves import Leaves
from queries.curves.pieces import pick
from queries.curves.places import Objects, Place
from store.snapshot import Snapshot

Index = NDArray[np.int64]

TABLE = "reference_sources"
_READ = ("oid", "ra", "dec", "_healpix_29")


def sources_in(snapshot: Snapshot, place: Place, cache: ByteCache) -> tuple[Objects, Index]:
    """Reference sources in a place, a source as many times as targets of the place hold it.

    Returns
    -------
    objects : n of them.
    target : int64 (n,), the target of each.

    Raises
    ------
    DamagedArchiveError : a file cannot be read.
    """
    parts = [(np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0, np.int64))]
    for pixel, some in Leaves(snapshot, TABLE).touched(place.ranges(0.0)):
        for path in snapshot.files(TABLE, [pixel]):
            rows = _rows(resolved(path), cache)
            found = pick(rows, values(rows.column("_healpix_29")), place, some)
            if found is not None and found.target is not None:
                oid, ra, dec = (values(found.rows.column(name)) for name in ("oid", "ra", "dec"))
                parts.append((oid, ra, dec, found.target))
    oid, ra, dec, target = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Objects(oid, ra, dec), target


def _rows(path: Path, cache: ByteCache) -> pa.RecordBatch:
    def make() -> tuple[pa.RecordBatch, int]:
        rows = read_columns(path, _READ)
        return rows, rows.nbytes

    return cache.get(("sources in", path), make)
