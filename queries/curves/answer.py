"""Found rows as one answer: in order, with the columns that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import arrow, valid, values
from queries.curves.columns import JD_OF_MJD, OF_DETECTION, OF_IMAGE, SHOWN
from queries.curves.files import one_batch
from queries.curves.pieces import Found
from queries.curves.threads import mapped

Index = NDArray[np.int64]
_NO_OID = np.iinfo(np.int64).max
_IMAGE = "_image"
# Rows: what is said of a bad image, so many times, stays below the 2 GB that Arrow has in a piece.
_MOST_TEXTS = 1 << 24
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


def table_of_runs(found: list[Found], *, by_position: bool) -> pa.Table | None:
    """The same of many rows, put in order run by run: they are copied once.

    `found` is emptied, so that what has been copied makes room for what is to be. None if that does
    not pay, for runs are short: then it is as it was.
    """
    order = _order_of_runs(found, by_position=by_position)
    if order is None:
        return None
    batches, images = _numbered(found, by_position=by_position)
    rows = pa.Table.from_batches(_pieces(batches, order))
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    found.clear()
    del batches, rows
    return _whole(columns, images)


class _Runs(NamedTuple):
    """Runs of rows in the order of an answer.

    Attributes
    ----------
    number, start, end : int64 (n,), of which batch each is, its first row and one past its last.
    curves : where in these a curve begins.
    """

    number: Index
    start: Index
    end: Index
    curves: Index


def _order_of_runs(found: Sequence[Found], *, by_position: bool) -> _Runs | None:
    """The runs of some rows; None if they are short."""
    runs = [_runs(one.rows, one.target if by_position else None) for one in found]
    keys = [np.concatenate(column) for column in zip(*(key for key, _ in runs), strict=True)]
    order = np.lexsort(keys)
    lengths = [one.rows.num_rows for one in found]
    if sum(lengths) < _SHORT_RUN * len(order):
        return None
    starts = [starts for _, starts in runs]
    ends = [np.append(of[1:], n)[: of.size] for of, n in zip(starts, lengths, strict=True)]
    number = np.repeat(np.arange(len(runs)), [of.size for of in starts])
    return _Runs(
        number[order],
        np.concatenate(starts)[order],
        np.concatenate(ends)[order],
        _changes([key[order] for key in keys], order.size),
    )


def _pieces(batches: Sequence[pa.RecordBatch], runs: _Runs) -> list[pa.RecordBatch]:
    """The rows curve by curve; only those of a curve that stands in several files are copied."""
    number, start, end = (column.tolist() for column in runs[:3])
    pieces = []
    for first, past in pairwise([*runs.curves.tolist(), len(number)]):
        of_curve = [
            batches[number[i]].slice(start[i], end[i] - start[i]) for i in range(first, past)
        ]
        pieces.append(of_curve[0] if len(of_curve) == 1 else _merged(of_curve))
    return pieces


def _merged(runs: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Some runs of one curve as one."""
    rows = one_batch(pa.Table.from_batches(runs))
    times = [_filled(rows, name, 0) for name in ("sourceid", "rcid", "expid")]
    return rows.take(arrow(np.lexsort([*times, _filled(rows, "hmjd", np.inf)])))


def _numbered(
    found: Sequence[Found], *, by_position: bool
) -> tuple[list[pa.RecordBatch], pa.RecordBatch]:
    """Rows with their positions, and with the number of their image among the images of all.

    Where rows have the columns of their images already, these are as many images.
    """
    images: list[pa.RecordBatch] = []
    begins: dict[int, int] = {}
    batches, n_images = [], 0
    for rows, target, seen in found:
        if seen is None:
            here, number, missing = rows.select(OF_IMAGE), np.arange(rows.num_rows), None
        else:
            here, number = seen.images, values(seen.number)
            missing = ~valid(seen.number) if seen.number.null_count else None
        if id(here) not in begins:
            begins[id(here)] = n_images
            images.append(here)
            n_images += here.num_rows
        columns = [*rows.select(OF_DETECTION).columns, arrow(number + begins[id(here)], missing)]
        names = [*OF_DETECTION, _IMAGE]
        if by_position and target is not None:
            columns, names = [arrow(target), *columns], ["position", *names]
        batches.append(pa.RecordBatch.from_arrays(columns, names=names))
    return batches, one_batch(pa.Table.from_batches(images))


def _whole(columns: dict[str, pa.ChunkedArray], images: pa.RecordBatch) -> pa.Table:
    """The columns that are shown, each in one piece or few; `columns` is emptied."""
    names = [name for name in ("position", *OF_DETECTION, _IMAGE) if name in columns]

    def joined(name: str) -> pa.Array:
        return columns.pop(name).combine_chunks()

    def of_images(name: str) -> pa.ChunkedArray:
        column, starts = images.column(name), range(0, len(number), _MOST_TEXTS)
        kept = [column.take(number.slice(start, _MOST_TEXTS)) for start in starts]
        return pa.chunked_array(kept, column.type)

    whole = dict(zip(names, mapped(joined, names, at_once=True), strict=True))
    number = whole.pop(_IMAGE)
    whole |= zip(OF_IMAGE, mapped(of_images, OF_IMAGE, at_once=True), strict=True)
    whole["hjd"] = _hjd(whole["hmjd"])
    shown = [name for name in ("position", *SHOWN) if name in whole]
    return pa.Table.from_arrays([whole[name] for name in shown], names=shown)


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
