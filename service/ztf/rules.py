"""Which rows answer a request: objects by place, epochs and magnitude, then their rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pyarrow as pa

from queries.curves.places import Circles
from queries.frames import stream_frame
from queries.selection import Selection
from service.archive import State
from service.curves import OBJECTS_AT_ONCE, curves, objects_within, tables_of
from service.desk import Job
from service.ztf.columns import shown
from service.ztf.request import CurvesRequest


def rows(state: State, job: Job, request: CurvesRequest) -> Iterator[pa.Table]:
    """The rows of a request, object by object in the order of time, a few objects at a time.

    A place means objects, whose light curves are whole; the rows of bad images are among them and
    have 32768 in `catflags`. Ids that the archive has not have no rows.
    """
    tables: Iterator[pa.Table]
    for selection in _selections(state, request):
        if request.collection is not None:
            frames = curves(state, job, selection, request.collection)
            tables = (frame.to_arrow(compat_level=pl.CompatLevel.oldest()) for frame in frames)
        else:
            tables = tables_of(state, job, selection)
        for table in tables:
            yield shown(_wanted(table, request) if _narrows(request) else table)


def _selections(state: State, request: CurvesRequest) -> Iterator[Selection]:
    if request.oids is not None:
        yield _all_of(Selection(oids=request.oids))
        return
    assert request.cone is not None
    circles = Circles.of(request.cone)
    if request.collection is not None:
        yield _all_of(Selection(circles=circles, fids=request.fids))
        return
    found, _ = objects_within(state, circles)
    if request.fids is not None:
        found = found.filter(pl.col("fid").is_in(request.fids))
    oids = found["oid"].unique(maintain_order=True).to_list()
    # In the order of the sky: neighbours are read together.
    for begin in range(0, len(oids), OBJECTS_AT_ONCE):
        yield _all_of(Selection(oids=tuple(sorted(oids[begin : begin + OBJECTS_AT_ONCE]))))
    if not oids:
        yield _all_of(Selection(oids=()))


def _all_of(selection: Selection) -> Selection:
    return replace(selection, all_images=True, missing_ok=True)


def _wanted(table: pa.Table, request: CurvesRequest) -> pa.Table:
    """Rows of the objects that are wanted, at the times that are, without some flags."""
    frame = stream_frame(table)
    wanted = pl.col("oid").is_not_null()
    if request.min_epochs > 1:
        wanted &= pl.len().over("oid") >= request.min_epochs
    if request.mag is not None:
        good = pl.when(pl.col("catflags").fill_null(0) == 0).then(pl.col("mag"))
        wanted &= good.median().over("oid").is_between(*request.mag).fill_null(value=False)
    if request.mjd is not None:
        wanted &= pl.col("obsmjd").is_between(*request.mjd)
    if request.flags_mask:
        flags = pl.col("catflags").fill_null(0).cast(pl.Int32)
        wanted &= (flags & request.flags_mask) == 0
    return table.filter(frame.select(wanted.fill_null(value=False)).to_series().to_arrow())


def _narrows(request: CurvesRequest) -> bool:
    """Whether not all rows of the objects of a place are wanted."""
    by_object = request.min_epochs > 1 or request.mag is not None
    return by_object or request.mjd is not None or bool(request.flags_mask)
