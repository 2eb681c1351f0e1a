"""Light curves that were imported, of one collection: by object, or by place.

Their files are not cut as the archive's own are: a curve lies in one pixel, whole, where its object
does. Which files may have an object, `imports` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from queries.curves.columns import JD_OF_MJD
from queries.curves.files import guarded, one_batch
from queries.curves.pieces import Found, pick
from queries.curves.places import Place, Ranges
from queries.errors import BadSelectionError, UnknownCollectionError, UnknownImportedError
from queries.selection import Selection
from store.channel import FILTERCODES
from store.manifest import IMPORTS
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

TABLE = "imported_lightcurves"
# What is shown, in this order; these are derived.
DERIVED = ("hjd", "filtercode", "is_bad")
SHOWN = (
    "collection", "oid", "expid", "hjd", "hmjd", "obsmjd", "mag", "magerr", "catflags",
    "filtercode", "ra", "dec", "objra", "objdec", "chi", "sharp", "filefracday", "field", "fid",
    "rcid", "limitmag", "magzp", "magzprms", "clrcoeff", "clrcounc", "exptime", "airmass",
    "programid", "is_bad", "input_file",
)  # fmt: skip
_READ = (
    "_healpix_29", "epoch", *(name for name in SHOWN if name not in DERIVED)
)  # fmt: skip
_BAD_IMAGE, _EDGE = 32768, 65535


def collection_of(part: str) -> str:
    """The collection that a part is of: its name is followed by the checksum of its file's."""
    return part.rpartition("-")[0]


def collections(snapshot: Snapshot) -> list[str]:
    """The names of all collections."""
    groups = (group for group in snapshot.groups if group.startswith(IMPORTS))
    return sorted({collection_of(group.removeprefix(IMPORTS)) for group in groups})


def check_collection(snapshot: Snapshot, collection: str) -> None:
    """Refuse a name that nothing was imported by.

    Raises
    ------
    UnknownCollectionError
    """
    known = collections(snapshot)
    if collection not in known:
        raise UnknownCollectionError(collection, snapshot.layout.root, known)


def imported_lightcurves(snapshot: Snapshot, collection: str, selection: Selection) -> pl.DataFrame:
    """The rows of a collection that are asked for: by position, filter, object and time.

    A place is that of the object, not of each measurement. Rows of images judged bad are those of
    which `catflags` says so, but for the edge's, which have all bits.

    Raises
    ------
    UnknownCollectionError : nothing was imported by that name.
    UnknownImportedError : no curve of it has an id that is asked for.
    BadSelectionError : groups or upper limits are asked for: an import has none.
    DamagedArchiveError : a file that is needed cannot be read.
    """
    check_collection(snapshot, collection)
    if selection.group or selection.upper_limits:
        what = "imported light curves have no groups and no upper limits"
        raise BadSelectionError(what, "Ask without them, or without --collection.")
    if selection.oids is not None:
        found = [Found(rows, None) for rows in _of_objects(snapshot, collection, selection.oids)]
        there = {oid for one in found for oid in one.rows.column("oid").unique().to_pylist()}
        for oid in () if selection.missing_ok else selection.oids:
            if oid not in there:
                raise UnknownImportedError(oid, collection, snapshot.layout.root)
    else:
        place = selection.circles or selection.region
        assert place is not None
        found = list(_in_place(snapshot, collection, place))
    return _answer(found, selection)


def _in_place(snapshot: Snapshot, collection: str, place: Place) -> Iterator[Found]:
    ranges = place.ranges(0.0)
    for pixel in snapshot.pixels(TABLE):
        some = ranges.overlapping(*pixel.index_range)
        if not some.first.size:
            continue
        for path in snapshot.files(TABLE, [pixel]):
            if collection_of(path.stem) != collection:
                continue
            for rows, here in guarded(path, partial(_near, path, some)):
                found = pick(rows, rows.column("_healpix_29").to_numpy(), place, here)
                if found is not None:
                    yield found


def _near(path: Path, ranges: Ranges) -> list[tuple[pa.RecordBatch, Ranges]]:
    """The row groups of a file that ranges of `_healpix_29` reach into, and these ranges."""
    near = []
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            # The index is the first column.
            index = file.metadata.row_group(group).column(0).statistics
            here = ranges.overlapping(index.min, index.max + 1)
            if here.first.size:
                rows = file.read_row_group(group, columns=list(_READ)).select(_READ)
                near.append((_at_object(one_batch(rows)), here))
    return near


def _at_object(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Rows whose ra, dec are those of their object; the measurement's come as `_ra`, `_dec`."""
    names = {"objra": "ra", "objdec": "dec", "ra": "_ra", "dec": "_dec"}
    return rows.rename_columns([names.get(name, name) for name in rows.schema.names])


def _of_objects(
    snapshot: Snapshot, collection: str, oids: tuple[int, ...]
) -> Iterator[pa.RecordBatch]:
    parts = {
        path.stem
        for path in snapshot.files("imports")
        if collection_of(path.stem) == collection and _may_have(path, oids)
    }
    wanted = pa.array(oids, pa.int64())
    for path in snapshot.files(TABLE) if parts else ():
        if path.stem in parts:
            table = guarded(path, partial(_matching, path, wanted))
            yield from (_at_object(batch) for batch in table.to_batches())


def _may_have(path: Path, oids: tuple[int, ...]) -> bool:
    facts = guarded(path, lambda: pq.read_table(path, columns=["first_oid", "last_oid"]))
    first, last = (column[0].as_py() for column in facts.columns)
    return any(first <= oid <= last for oid in oids)


def _matching(path: Path, wanted: pa.Array) -> pa.Table:
    """The rows of some objects; only the row groups that have one are read whole."""
    with pq.ParquetFile(path) as file:
        chosen = []
        for group in range(file.num_row_groups):
            oid = file.read_row_group(group, columns=["oid"])["oid"]
            if pc.any(pc.is_in(oid, value_set=wanted)).as_py():
                chosen.append(group)
        rows = file.read_row_groups(chosen, columns=list(_READ))
    return rows.filter(pc.is_in(rows["oid"], value_set=wanted))


def _answer(found: list[Found], selection: Selection) -> pl.DataFrame:
    """The rows that are wanted of those found, in order, as a frame."""
    import polars as pl

    parts = [_frame(one.rows, one.target) for one in found] or [_frame(_no_rows(), None)]
    frame = pl.concat(parts).rename({"ra": "objra", "dec": "objdec", "_ra": "ra", "_dec": "dec"})
    earliest, latest = selection.hmjd
    wanted = pl.col("hmjd").is_between(earliest, latest)
    if selection.fids is not None:
        wanted &= pl.col("fid").is_in(selection.fids)
    if selection.fields is not None:
        wanted &= pl.col("field").is_in(selection.fields)
    if selection.programs is not None:
        # A data release does not say: what it has is public.
        wanted &= pl.col("programid").is_in(selection.programs).fill_null(value=True)
    flags = pl.col("catflags").cast(pl.Int32)
    if selection.flags_mask:
        wanted &= (flags & selection.flags_mask) == 0
    is_bad = ((flags & _BAD_IMAGE) != 0) & (flags != _EDGE)
    if not selection.all_images:
        wanted &= ~is_bad
    curve = ["position", "oid"]
    if selection.min_epochs > 1:
        frame = frame.filter(wanted).filter(pl.len().over(curve) >= selection.min_epochs)
    else:
        frame = frame.filter(wanted)
    shown = (["position"] if selection.by_position else []) + list(SHOWN)
    return (
        frame.sort("position", "fid", "oid", "hmjd", "epoch")
        .with_columns(
            is_bad=is_bad,
            hjd=pl.col("hmjd") + JD_OF_MJD,
            filtercode=pl.col("fid").replace_strict(FILTERCODES, return_dtype=pl.String),
        )
        .select(shown)
    )


def _frame(rows: pa.RecordBatch, target: Any) -> pl.DataFrame:
    """Rows, and the number of the place that each is of."""
    import polars as pl

    position = np.zeros(rows.num_rows, np.int64) if target is None else target
    frame = pl.DataFrame(pl.from_arrow(rows))
    return frame.with_columns(pl.Series("position", position, pl.Int64))


def _no_rows() -> pa.RecordBatch:
    from store.contract import IMPORTED_LIGHTCURVES

    fields = [pa.field(name, IMPORTED_LIGHTCURVES.schema().field(name).type) for name in _READ]
    return _at_object(pa.RecordBatch.from_pylist([], pa.schema(fields)))
