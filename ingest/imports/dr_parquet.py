"""Light curves of a public data release: Parquet, one row a curve, its epochs as lists.

Two forms: the files of one quadrant of the bulk download, whose lists are columns, and HATS, where
they are the members of one column `lightcurve`, as the public catalogue and `nightlake export`
have it. Widths differ between releases (hmjd float32 or float64, catflags uint16 or int32).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.imports.curves import Batch, Values, check_values
from ingest.imports.errors import (
    BadValues,
    DamagedImport,
    EmptyImport,
    ForeignColumns,
    UnequalLists,
)
from store.arrow import as_numpy

NESTED = "lightcurve"
# Ours, by their names.
CURVE = {"objectid": "oid", "filterid": "fid", "objra": "objra", "objdec": "objdec"}
# Those that the nested form may lack: then the id tells.
CHANNEL = {"fieldid": "field", "rcid": "rcid"}
EPOCHS = {
    "hmjd": "float64",
    "mag": "float32",
    "magerr": "float32",
    "clrcoeff": "float64",
    "catflags": "uint16",
}
# Those that may be unknown: NaN or null.
NULLABLE = ("clrcoeff",)
N_EPOCHS = "nepochs"
# Epochs that are in memory at once, about.
BATCH_EPOCHS = 400_000


class DrParquet:
    """A Parquet file of a public data release.

    Raises
    ------
    DamagedImport : it cannot be opened.
    ForeignColumns : it is of something else.
    EmptyImport : it has no row.
    """

    form = "data-release light curves (Parquet)"
    columns = tuple(EPOCHS)

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # Column chunks may be large: they are read in pieces, and not ahead.
            self._file = pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
            schema = self._file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise DamagedImport(path, self.form, str(error)) from error
        self._lists = self._check_columns(schema)
        self.position_type = _width(schema.field("objra").type)
        self.hmjd_type = _width(self._lists["hmjd"].value_type)
        self.n_curves: int = self._file.metadata.num_rows
        if not self.n_curves:
            raise EmptyImport(path, self.form)

    def _check_columns(self, schema: pa.Schema) -> dict[str, pa.DataType]:
        """Types of the lists' columns, or of the members of the nested one."""
        names = schema.names
        lists = {name: schema.field(name).type for name in names}
        self._nested = NESTED in names and pa.types.is_struct(lists[NESTED])
        if self._nested:
            lists = {member.name: member.type for member in lists[NESTED]}
        missing = [name for name in CURVE if name not in names]
        missing += [name for name in EPOCHS if name not in lists]
        if missing:
            what = f"column {', '.join(missing)} is missing"
            raise ForeignColumns(self.path, self.form, what, names)
        self._channel = [name for name in CHANNEL if name in names]
        self._counted = N_EPOCHS in names
        floats = {"objra", "objdec"}
        for name in (*CURVE, *self._channel, *([N_EPOCHS] if self._counted else [])):
            self._need(name, schema.field(name).type, name in floats)
        for name, dtype in EPOCHS.items():
            kind = lists[name]
            if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
                what = f"column {name} is {kind}, not lists"
                raise ForeignColumns(self.path, self.form, what)
            self._need(name, kind.value_type, dtype.startswith("float"))
        return {name: lists[name] for name in EPOCHS}

    def _need(self, name: str, kind: pa.DataType, is_float: bool) -> None:
        good = pa.types.is_floating(kind) if is_float else pa.types.is_integer(kind)
        if not good:
            wanted = "floating-point numbers" if is_float else "whole numbers"
            raise ForeignColumns(self.path, self.form, f"column {name} is {kind}, not {wanted}")

    def batches(self) -> Iterator[Batch]:
        """All curves, some at a time: about `BATCH_EPOCHS`."""
        wanted = [*CURVE, *self._channel, *([N_EPOCHS] if self._counted else [])]
        wanted += [NESTED] if self._nested else list(EPOCHS)
        first = 0
        try:
            for rows in self._file.iter_batches(self._batch_rows(), columns=wanted):
                yield self._batch(rows, first)
                first += rows.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DamagedImport(self.path, self.form, str(error)) from error

    def _batch_rows(self) -> int:
        """Curves to be read at once."""
        metadata = self._file.metadata
        leaf = next(
            i
            for i in range(metadata.num_columns)
            if metadata.schema.column(i).path.split(".")[: 1 + self._nested][-1] == "hmjd"
        )
        groups = range(metadata.num_row_groups)
        epochs: int = sum(metadata.row_group(i).column(leaf).num_values for i in groups)
        rows: int = BATCH_EPOCHS * self.n_curves // max(1, epochs)
        return max(1, rows)

    def _batch(self, rows: pa.RecordBatch, first: int) -> Batch:
        path = self.path
        curves = {ours: (name, self._values(rows, name, first)) for name, ours in CURVE.items()}
        curves |= {CHANNEL[n]: (n, self._values(rows, n, first)) for n in self._channel}
        name, oid = "objectid", curves["oid"][1].astype(np.int64)
        # The id is field·1e12 + fid·1e11 + ccdid·1e9 + qid·1e8 + index.
        curves.setdefault("field", (name, oid // 10**12))
        curves.setdefault("rcid", (name, 4 * (oid // 10**9 % 100 - 1) + oid // 10**8 % 10 - 1))
        check_values(path, curves, first, "row")
        runs: dict[str, Values] = {ours: values for ours, (_, values) in curves.items()}
        n, columns = self._exploded(rows, first)
        return Batch({**runs, "oid": oid, "n": n}, columns)

    def _values(self, rows: pa.RecordBatch, name: str, first: int) -> Values:
        column = rows.column(name)
        if column.null_count:
            raise self._null(name, column, first)
        return as_numpy(column)

    def _null(self, name: str, column: pa.Array, first: int) -> BadValues:
        at = int(np.flatnonzero(as_numpy(column.is_null()))[0])
        return BadValues(self.path, name, "null", f"row {first + at}", column.null_count)

    def _exploded(
        self, rows: pa.RecordBatch, first: int
    ) -> tuple[NDArray[np.int64], dict[str, Values]]:
        """Epochs of each curve, and their values one after the other."""
        lists = rows
        if self._nested:
            nested = rows.column(NESTED)
            if nested.null_count:
                raise self._null(NESTED, nested, first)
            lists = pa.RecordBatch.from_struct_array(nested)
        wanted = self._values(rows, N_EPOCHS, first).astype(np.int64) if self._counted else None
        columns: dict[str, Values] = {}
        for name, dtype in EPOCHS.items():
            column = lists.column(name)
            if column.null_count:
                raise self._null(name, column, first)
            offsets = as_numpy(column.offsets).astype(np.int64)
            n = np.diff(offsets)
            wanted = n if wanted is None else wanted
            if not np.array_equal(n, wanted):
                at = int(np.flatnonzero(n != wanted)[0])
                raise UnequalLists(self.path, name, int(n[at]), int(wanted[at]), first + at)
            values = column.values.slice(offsets[0], offsets[-1] - offsets[0])
            columns[name] = self._epochs(name, dtype, values, n, first)
        assert wanted is not None
        if not wanted.all():
            at = int(np.flatnonzero(wanted == 0)[0])
            raise BadValues(self.path, N_EPOCHS, "no epoch", f"row {first + at}", 1)
        return wanted, columns

    def _epochs(
        self, name: str, dtype: str, values: pa.Array, n: NDArray[np.int64], first: int
    ) -> Values:
        """The values of a column, refused if one is null, not finite, or of more digits."""

        def refuse(bad: NDArray[np.bool_], what: str) -> BadValues:
            at = np.flatnonzero(bad)
            curve = int(np.searchsorted(np.cumsum(n), at[0], side="right"))
            epoch = int(at[0] - np.cumsum(n)[curve] + n[curve])
            place = f"row {first + curve}, epoch {epoch}"
            return BadValues(self.path, name, what, place, len(at))

        if values.null_count and name not in NULLABLE:
            raise refuse(as_numpy(values.is_null()), "null")
        found = as_numpy(values)
        if found.dtype.kind == "f":
            bad = np.isinf(found) if name in NULLABLE else ~np.isfinite(found)
        else:
            bad = (found < 0) | (found > np.iinfo(dtype).max)
        if bad.any():
            raise refuse(bad, str(found[bad][0]))
        kept = found.astype(dtype)
        if (lossy := (kept != found) & ~np.isnan(found)).any():
            raise refuse(lossy, f"{found[lossy][0]}, more digits than {dtype} holds,")
        return kept


def _width(kind: pa.DataType) -> str:
    return "float64" if kind == pa.float64() else "float32"
