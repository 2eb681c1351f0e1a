"""The reference sources that a place holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import values
from queries.curves.cache import ByteCache
from queries.curves.files import read_columns, resolved
from queries.curves.leaves import Leaves
from queries.curves.pieces import Found, pick
from queries.curves.places import Objects, Place
from store.contract import REFERENCE_SOURCES
from store.snapshot import Snapshot

Index = NDArray[np.int64]

_INDEX = "_healpix_29"
_READ = ("oid", "ra", "dec", _INDEX)


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
    rows, target = source_rows(snapshot, place, cache)
    oid, ra, dec = (values(rows.column(name)) for name in ("oid", "ra", "dec"))
    return Objects(oid, ra, dec), target


def source_rows(
    snapshot: Snapshot, place: Place, cache: ByteCache, more: Sequence[str] = ()
) -> tuple[pa.RecordBatch, Index]:
    """The same with `more` of their columns, in the order of the sky: `_healpix_29`.

    Returns
    -------
    rows : n of them: oid, ra, dec, _healpix_29 and `more`.
    target : int64 (n,).
    """
    names = (*_READ, *(name for name in more if name not in _READ))
    parts: list[Found] = []
    for pixel, some in Leaves(snapshot, REFERENCE_SOURCES.name).touched(place.ranges(0.0)):
        here = []
        for path in snapshot.files(REFERENCE_SOURCES.name, [pixel]):
            rows = _rows(resolved(path), names, cache)
            found = pick(rows, values(rows.column(_INDEX)), place, some)
            if found is not None and found.target is not None:
                here.append(found)
        parts += here
    schema = pa.schema([(name, REFERENCE_SOURCES[name].field().type) for name in names])
    if not parts:
        return pa.RecordBatch.from_pylist([], schema=schema), np.empty(0, np.int64)
    rows = pa.concat_batches([part.rows.cast(schema) for part in parts])
    target = np.concatenate([part.target for part in parts if part.target is not None])
    order = np.argsort(values(rows.column(_INDEX)), kind="stable")
    return rows.take(pa.array(order)), target[order]


def _rows(path: Path, names: Sequence[str], cache: ByteCache) -> pa.RecordBatch:
    def make() -> tuple[pa.RecordBatch, int]:
        rows = read_columns(path, names)
        return rows, rows.nbytes

    return cache.get(("sources in", path, names), make)
