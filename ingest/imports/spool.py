"""Epochs of one file on their way into pixels: kept on disk, taken out curve by curve in order.

What is in memory is some numbers of each run, and a row group of epochs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.healpix import healpix_29
from ingest.imports.curves import Batch, Values, nothing
from store import disk
from store.arrow import as_arrow, repeated
from store.columns import ROW_GROUP_ROWS, Column, Table
from store.contract import IMPORTED_LIGHTCURVES as TABLE
from store.layout import HEALPIX_ORDER, HealpixPixel

OF_RUN = ("oid", "field", "fid", "rcid")


class Spool:
    """The epochs of one file, as records on disk, and its curves in memory.

    Parameters
    ----------
    path : the file of records; it is there until the end of the `with`.
    columns : those of epochs that the file gives; the others are null.
    constant : columns that are the same in all rows.
    """

    def __init__(self, path: Path, columns: Sequence[str], constant: Mapping[str, str]) -> None:
        self._path, self._constant = path, constant
        members = [(name, np.dtype(TABLE[name].dtype)) for name in columns]
        members.sort(key=lambda member: -member[1].itemsize)
        self._dtype = np.dtype(members)
        self._runs: list[Mapping[str, Values]] = []
        self.rows = 0
        self.hmjd = (np.inf, -np.inf)

    def __enter__(self) -> Self:
        disk.make_folder(self._path.parent)
        self._file = disk.File(self._path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        disk.discard(self._path)

    def add(self, batch: Batch) -> None:
        """Append a batch."""
        n = int(batch.runs["n"].sum())
        records = np.empty(n, self._dtype)
        for name in self._dtype.names or ():
            records[name] = batch.epochs[name]
        self._file.write(records.view(np.uint8))
        # Copies: a view would keep all memory that the reader has of the batch.
        runs = {name: np.array(batch.runs[name], TABLE[name].dtype) for name in OF_RUN}
        runs["n"] = np.array(batch.runs["n"], np.int64)
        # Sums of unit vectors: the position of a curve is their direction, at 0h and a pole too.
        places = {name: batch.runs.get(name) for name in ("objra", "objdec")}
        runs |= {name: np.array(values) for name, values in places.items() if values is not None}
        if "objra" not in runs:
            runs |= _directions(batch.epochs["ra"], batch.epochs["dec"], runs["n"])
        self._runs.append(runs)
        self.rows += n
        low, high = self.hmjd
        hmjd = batch.epochs["hmjd"]
        self.hmjd = min(low, float(hmjd.min())), max(high, float(hmjd.max()))

    def curves(self) -> Curves:
        """All that was added, once there is no more."""
        joined = {
            name: np.concatenate([runs[name] for runs in self._runs]) for name in self._runs[0]
        }
        return Curves(joined)

    def pixels(
        self, curves: Curves, order: int
    ) -> Iterator[tuple[HealpixPixel, Iterator[pa.Table]]]:
        """The rows of each pixel of an order, sorted as the contract says, as row groups."""
        npix = curves.healpix >> (2 * (HEALPIX_ORDER - order))
        starts = np.flatnonzero(np.diff(npix, prepend=-1)).tolist()
        records = np.memmap(self._path, self._dtype, mode="r")
        for start, end in zip(starts, [*starts[1:], len(npix)], strict=True):
            pixel = HealpixPixel(order, int(npix[start]))
            yield pixel, self._tables(records, curves, start, end)

    def _tables(
        self, records: NDArray[np.void], curves: Curves, start: int, end: int
    ) -> Iterator[pa.Table]:
        filled = np.cumsum(curves.n[start:end])
        # Whole runs: a curve is cut by a row group's end only where it is longer than one.
        cuts = np.flatnonzero(np.diff((filled - 1) // ROW_GROUP_ROWS, prepend=0)) + start
        for low, high in zip([start, *cuts], [*cuts, end], strict=True):
            if low < high:
                yield self._table(records, curves, slice(low, high))

    def _table(self, records: NDArray[np.void], curves: Curves, runs: slice) -> pa.Table:
        n = curves.n[runs]
        # The places of each run's epochs in the file, one after the other.
        before = np.cumsum(n) - n
        place = np.repeat(curves.first[runs] - before, n) + np.arange(n.sum())
        rows = records[place]
        values: dict[str, Values] = {name: rows[name] for name in self._dtype.names or ()}
        for name in (*OF_RUN, "objra", "objdec"):
            values[name] = np.repeat(curves.columns[name][runs], n)
        # Where the input gives a place of the object alone, measurements have that.
        values.setdefault("ra", values["objra"])
        values.setdefault("dec", values["objdec"])
        values["_healpix_29"] = np.repeat(curves.healpix[runs], n)
        values["epoch"] = np.repeat(curves.epoch[runs] - before, n) + np.arange(len(place))
        return _to_table(TABLE, values, self._constant, len(place))


class Curves:
    """Runs of epochs in the order of the sky, and of each curve's epochs."""

    def __init__(self, runs: dict[str, Values]) -> None:
        n = runs["n"]
        first = np.cumsum(n) - n
        oids, curve = np.unique(runs["oid"], return_inverse=True)
        self.oids: NDArray[np.int64] = oids
        if "x" in runs:
            sums = [np.bincount(curve, runs[axis]) for axis in "xyz"]
            ra = np.degrees(np.arctan2(sums[1], sums[0])) % 360.0
            dec = np.degrees(np.arctan2(sums[2], np.hypot(sums[0], sums[1])))
            runs["objra"], runs["objdec"] = ra[curve], dec[curve]
        position = [runs[name].astype(np.float64) for name in ("objra", "objdec")]
        healpix = healpix_29(*position)
        order = np.lexsort((first, runs["oid"], healpix))
        self.columns = {name: runs[name][order] for name in OF_RUN}
        self.columns |= {"objra": position[0][order], "objdec": position[1][order]}
        self.healpix: NDArray[np.int64] = healpix[order]
        self.first, self.n = first[order], n[order]
        # The number in its curve of each run's first epoch.
        total = np.cumsum(self.n) - self.n
        begins = np.diff(self.columns["oid"], prepend=-1) != 0
        self.epoch = total - np.maximum.accumulate(np.where(begins, total, 0))

    def several(self) -> NDArray[np.int64]:
        """Objects that are of several places, fields, filters or quadrants; ascending."""
        oid = self.columns["oid"]
        same = oid[1:] == oid[:-1]
        differs = np.zeros(len(same), dtype=bool)
        for name in ("field", "fid", "rcid", "objra", "objdec"):
            differs |= self.columns[name][1:] != self.columns[name][:-1]
        parted = np.unique(oid[1:][same & differs])
        # One object in two places of the sky is not next to itself.
        starts = oid[np.flatnonzero(np.diff(oid, prepend=-1))]
        known, times = np.unique(starts, return_counts=True)
        return np.union1d(parted, known[times > 1])


def _directions(ra: Values, dec: Values, n: NDArray[np.int64]) -> dict[str, Values]:
    """Sums of the unit vectors of each run's epochs."""
    lon, lat = np.radians(ra), np.radians(dec)
    axes = {
        "x": np.cos(lat) * np.cos(lon),
        "y": np.cos(lat) * np.sin(lon),
        "z": np.sin(lat),
    }
    starts = np.cumsum(n) - n
    return {name: np.add.reduceat(values, starts) for name, values in axes.items()}


def _to_table(
    table: Table, values: Mapping[str, Values], constant: Mapping[str, str], n: int
) -> pa.Table:
    """Columns in the schema of a contract table; those that are not there are null."""
    arrays = []
    for column, field in zip(table.columns, table.schema(), strict=True):
        if column.name in constant:
            arrays.append(repeated(constant[column.name], field.type, n))
        elif column.name in values:
            arrays.append(_array(column, field.type, values[column.name]))
        else:
            arrays.append(pa.nulls(n, field.type))
    return pa.Table.from_arrays(arrays, schema=table.schema())


def _array(column: Column, kind: pa.DataType, values: Values) -> pa.Array:
    typed = np.ascontiguousarray(values, dtype=column.dtype)
    known: NDArray[np.bool_] | None = None
    if column.nullable:
        known = ~np.isnan(typed) if typed.dtype.kind == "f" else typed != nothing(typed.dtype)
    return as_arrow(typed, kind, known)
