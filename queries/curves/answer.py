"""Found rows as one answer: in order, with the columns that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import arrow, valid, values
from queries.curves.columns import JD_OF_MJD, SHOWN
from queries.curves.files import one_batch
from queries.curves.pieces import Found

Index = NDArray[np.int64]
_NO_OID = np.iinfo(np.int64).max
# Rows: below, a run is not worth a slice of its own.
_SHORT_RUN = 64


def in_order(rows: pa.RecordBatch, target: Index | None) -> tuple[Index | None, Index]:
    """The order of an answer, and where in it each curve begins.

    By target, filter, object and time; rows without an object after those with one. What comes
    from a pixel's light curves has its objects in that order already, each in a run.

    Returns
    -------
    order : int64 (n,), rows; None if they are in order.
    starts : int64, rows at which target, filter or object change, the first among them.
    """
    n = rows.num_rows
    hmjd = _filled(rows, "hmjd", np.inf)
    curve = [_filled(rows, "oid", _NO_OID), _filled(rows, "fid", 0)]
    if target is not None:
        curve.append(target)
    starts = _changes(curve, n)
    # Times differ within a curve but for images of one exposure.
    if _in_order_within(hmjd, starts):
        if len(starts) == 1:
            return None, starts
        lengths = np.diff(np.append(starts, n))
        # oid, then fid, then target: the last key counts first.
        runs = np.lexsort([key[starts] for key in curve])
        ranked = [key[starts][runs] for key in curve]
        if len(_changes(ranked, len(runs))) == len(runs):
            if (runs[1:] > runs[:-1]).all():
                return None, starts
            lengths = lengths[runs]
            starts_of_answer = np.cumsum(lengths) - lengths
            order = np.arange(n) + np.repeat(starts[runs] - starts_of_answer, lengths)
            return order, starts_of_answer
    ties = [_filled(rows, name, 0) for name in ("sourceid", "rcid", "expid")]
    order = np.lexsort([*ties, hmjd, *curve])
    return order, _changes([key[order] for key in curve], n)


def _in_order_within(hmjd: NDArray[np.float64], starts: Index) -> bool:
    """Whether time grows within each curve."""
    grows = hmjd[1:] > hmjd[:-1]
    grows[starts[1:] - 1] = True
    return bool(grows.all())


def _changes(keys: Sequence[NDArray[Any]], n: int) -> Index:
    """Where one of some keys differs from that of the row before; the first row is one."""
    if not n:
        return np.empty(0, np.int64)
    changed = np.ones(n, bool)
    changed[1:] = keys[0][1:] != keys[0][:-1]
    for key in keys[1:]:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)


def table_of(rows: pa.RecordBatch, more: Sequence[tuple[str, pa.Array]] = ()) -> pa.Table:
    """The columns that are shown, with `more` before them."""
    return pa.Table.from_batches([_shown(rows, more)])


def table_of_runs(found: Sequence[Found], *, by_position: bool) -> pa.Table | None:
    """The same of many rows, put in order run by run: they are copied once.

    None if that does not pay, for runs are short.
    """
    found = [one for one in found if one.rows.num_rows]
    runs = [_runs(rows, target if by_position else None) for rows, target in found]
    keys = [np.concatenate(column) for column in zip(*(key for key, _ in runs), strict=True)]
    order = np.lexsort(keys)
    if sum(rows.num_rows for rows, _ in found) < _SHORT_RUN * len(order):
        return None
    number = np.repeat(np.arange(len(runs)), [len(starts) for _, starts in runs])[order].tolist()
    start = np.concatenate([starts for _, starts in runs])[order].tolist()
    ends = [
        np.append(starts[1:], one.rows.num_rows)
        for (_, starts), one in zip(runs, found, strict=True)
    ]
    end = np.concatenate(ends)[order].tolist()
    shown = [
        _shown(rows, [("position", arrow(target))] if by_position and target is not None else ())
        for rows, target in found
    ]
    pieces = []
    curves = _changes([key[order] for key in keys], len(order)).tolist()
    for first, past in zip(curves, [*curves[1:], len(order)], strict=True):
        several = [(number[i], start[i], end[i]) for i in range(first, past)]
        if len(several) == 1:
            ((one, begin, stop),) = several
            pieces.append(shown[one].slice(begin, stop - begin))
        else:
            # A curve whose rows stand in several files.
            pieces.append(_merged(found, shown, several))
    return pa.Table.from_batches(pieces)


def _runs(rows: pa.RecordBatch, target: Index | None) -> tuple[list[NDArray[Any]], Index]:
    """Keys of the runs in which one curve goes on in the order of time, and their starts."""
    curve = [_filled(rows, "oid", _NO_OID), _filled(rows, "fid", 0)]
    curve.append(np.zeros(rows.num_rows, np.int64) if target is None else target)
    changed = np.zeros(rows.num_rows, bool)
    changed[_changes(curve, rows.num_rows)] = True
    hmjd = _filled(rows, "hmjd", np.inf)
    changed[1:] |= ~(hmjd[1:] > hmjd[:-1])
    starts = np.flatnonzero(changed)
    return [key[starts] for key in curve], starts


def _merged(
    found: Sequence[Found], shown: Sequence[pa.RecordBatch], runs: list[tuple[int, int, int]]
) -> pa.RecordBatch:
    """Some runs of one curve as one."""
    times, pieces = [], []
    for number, begin, end in runs:
        some = found[number].rows.slice(begin, end - begin)
        times.append([_filled(some, name, 0) for name in ("sourceid", "rcid", "expid")])
        times[-1].append(_filled(some, "hmjd", np.inf))
        pieces.append(shown[number].slice(begin, end - begin))
    order = np.lexsort([np.concatenate(column) for column in zip(*times, strict=True)])
    return one_batch(pa.Table.from_batches(pieces)).take(arrow(order))


def _shown(rows: pa.RecordBatch, more: Sequence[tuple[str, pa.Array]]) -> pa.RecordBatch:
    names, arrays = [name for name, _ in more], [array for _, array in more]
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    columns["hjd"] = _hjd(columns["hmjd"])
    arrays += [columns[name] for name in SHOWN]
    return pa.RecordBatch.from_arrays(arrays, names=[*names, *SHOWN])


def _hjd(hmjd: pa.Array) -> pa.Array:
    missing = ~valid(hmjd) if hmjd.null_count else None
    return arrow(values(hmjd) + JD_OF_MJD, missing)


def _filled(rows: pa.RecordBatch, name: str, null: float) -> NDArray[Any]:
    return values(rows.column(name), null)
