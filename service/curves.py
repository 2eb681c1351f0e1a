"""Light curves piece by piece: a few objects or positions at a time, so that any number streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa

from queries.curves.imported import imported_lightcurves
from queries.curves.places import Circles
from queries.curves.sources import source_rows
from queries.selection import Selection
from service.archive import State
from service.desk import Job

# Some ten thousand rows a piece: a piece costs no more than its rows, and little memory.
OBJECTS_AT_ONCE = 32
POSITIONS_AT_ONCE = 64
_FIDS_PER_FIELD = 10**11


def curves(
    state: State, job: Job, selection: Selection, collection: str | None = None
) -> Iterator[pl.DataFrame]:
    """The rows of a selection, of programmes that are shown, in order; one frame at least.

    Raises
    ------
    As the reader of light curves, with the first frame: ids are looked for before.
    """
    selection = replace(selection, programs=state.programs)
    if collection is not None:
        yield imported_lightcurves(state.snapshot, collection, selection)
        return
    _check_known(state, selection)
    for part, offset in _parts(selection):
        job.check()
        frame = state.reader.lightcurves(part)
        if offset:
            frame = frame.with_columns(pl.col("position") + offset)
        yield frame


def tables_of(state: State, job: Job, selection: Selection) -> Iterator[pa.Table]:
    """The same of ids, as Arrow has it: spares polars what it costs to begin."""
    selection = replace(selection, programs=state.programs)
    for part, _ in _parts(selection):
        job.check()
        yield state.reader.rows(part)


def objects_within(state: State, circles: Circles) -> tuple[pl.DataFrame, list[int]]:
    """The reference sources in circles, in the order of the sky, and of which circle each is."""
    names = ("field", "fid", "ccdid", "qid", "rcid", "mag", "magerr")
    rows, target = source_rows(state.snapshot, circles, state.cache, names)
    frame = pl.DataFrame(pl.from_arrow(rows))
    return frame, target.tolist()


def in_order(oids: Sequence[int]) -> list[int]:
    """Ids as the rows of an answer come: by filter, then by number."""
    return sorted(oids, key=lambda oid: (oid // _FIDS_PER_FIELD % 10, oid))


def _check_known(state: State, selection: Selection) -> None:
    """Refuse ids that the archive has not before the first row is sent.

    Raises
    ------
    UnknownObjectError
    """
    if selection.oids is None or selection.missing_ok or len(selection.oids) <= OBJECTS_AT_ONCE:
        return
    lost = state.reader.without_source(selection.oids)
    if lost:
        state.reader.lightcurves(replace(selection, oids=tuple(lost), group=False))


def _parts(selection: Selection) -> Iterator[tuple[Selection, int]]:
    """A selection as several, in the order of its answer, each with its first position."""
    oids, circles = selection.oids, selection.circles
    if oids is not None and not selection.group and len(oids) > OBJECTS_AT_ONCE:
        ordered = in_order(oids)
        for begin in range(0, len(ordered), OBJECTS_AT_ONCE):
            some = ordered[begin : begin + OBJECTS_AT_ONCE]
            yield replace(selection, oids=tuple(sorted(some))), 0
    elif circles is not None and selection.by_position and circles.ra_deg.size:
        for begin in range(0, circles.ra_deg.size, POSITIONS_AT_ONCE):
            end = begin + POSITIONS_AT_ONCE
            columns = (circles.ra_deg, circles.dec_deg, circles.radius_arcsec)
            part = Circles(*(np.asarray(column[begin:end]) for column in columns))
            yield replace(selection, circles=part), begin
    else:
        yield selection, 0


def hmjd_about(mjd: tuple[float, float]) -> tuple[float, float]:
    """Heliocentric times of exposures that began within some times, and a little more.

    Light takes 8.3 minutes from the Sun, and an exposure less than an hour.
    """
    return mjd[0] - _LIGHT_AND_EXPOSURE_D, mjd[1] + _LIGHT_AND_EXPOSURE_D


_LIGHT_AND_EXPOSURE_D = 0.05
