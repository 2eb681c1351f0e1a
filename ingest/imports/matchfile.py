"""A matchfile as it is read: its form is checked, its rows come as columns of the archive's tables.

Any HDF5 with the tables and columns of `store.matchfile` is one; what it has beyond them is passed
over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import tables
from numpy.typing import NDArray

from ingest.imports.errors import (
    BadValues,
    DamagedImport,
    ForeignColumns,
    UnknownImport,
)
from store.arrow import as_arrow, repeated, texts
from store.channel import FILTER_IDS, FILTERCODES
from store.columns import Table
from store.contract import MATCHFILE_DETECTIONS, MATCHFILE_EXPOSURES, MATCHFILE_SOURCES
from store.matchfile import GROUP, GROUP_ATTRIBUTES, MATCH_TABLES, MODEL_ATTRIBUTES, MatchTable
from store.matchfile_tables import ATTRIBUTES, elements

FORM = "a matchfile (HDF5)"
# Rows in memory at once.
BATCH_ROWS = 262_144
# Where each of the file's tables goes, and whether its rows are transients.
KEPT: dict[str, tuple[Table, bool | None]] = {
    "exposures": (MATCHFILE_EXPOSURES, None),
    "sources": (MATCHFILE_SOURCES, False),
    "transients": (MATCHFILE_SOURCES, True),
    "sourcedata": (MATCHFILE_DETECTIONS, False),
    "transientdata": (MATCHFILE_DETECTIONS, True),
}
_NAME = re.compile(r"ztf_(\d{6})_(z[gri])_c(\d\d)_q(\d)_match\.\w+", re.ASCII)
_HINT = "Give a matchfile, as ztf_000245_zr_c10_q1_match.pytable."


class MatchfileReader:
    """A matchfile, open until the end of its `with`.

    Raises
    ------
    ingest.imports.errors.RefusedImport : it is none, is damaged, or is still being written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = tables.open_file(str(path), "r")
        except (tables.HDF5ExtError, OSError, ValueError) as error:
            raise _unopened(path, str(error)) from error

    def __enter__(self) -> Self:
        try:
            self._check_form()
            self.channel = self._channel()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def rows(self, name: str) -> int:
        """Rows of one of its tables."""
        return int(self._table(name).nrows)

    def attributes(self) -> dict[str, Any]:
        """Columns of `matchfiles` that its attributes say; None where they do not."""
        group = self._file.get_node(f"/{GROUP}")._v_attrs
        data = self._table("sourcedata")._v_attrs
        found = {
            ours: _plain(group[theirs], GROUP_ATTRIBUTES[theirs]) if theirs in group else None
            for theirs, ours in ATTRIBUTES.items()
        }
        for letter in MODEL_ATTRIBUTES:
            value = _plain(data[letter], np.float64) if letter in data else None
            found[f"error_{letter.lower()}"] = value
        return found

    def batches(self, name: str, constant: Mapping[str, Any]) -> Iterator[pa.Table]:
        """The rows of one of its tables, in its order, as the archive keeps them.

        Parameters
        ----------
        constant : columns that are the same in all rows.
        """
        table, is_transient = KEPT[name]
        theirs = self._table(name)
        for start in range(0, theirs.nrows, BATCH_ROWS):
            try:
                records = theirs.read(start, min(start + BATCH_ROWS, theirs.nrows))
            except (tables.HDF5ExtError, OSError) as error:
                raise DamagedImport(self.path, FORM, f"table {name} cannot be read") from error
            known = dict(constant)
            if is_transient is not None:
                known["is_transient"] = is_transient
            yield self._kept(table, MATCH_TABLES[name], records, start, known)

    def _kept(
        self,
        table: Table,
        theirs: MatchTable,
        records: NDArray[np.void],
        start: int,
        constant: Mapping[str, Any],
    ) -> pa.Table:
        values: dict[str, NDArray[Any]] = {"row": np.arange(start, start + records.size)}
        for ours, name, element in elements(theirs):
            values[ours] = records[name] if element is None else records[name][:, element]
        arrays = []
        for column, field in zip(table.columns, table.schema(), strict=True):
            if column.name in constant:
                arrays.append(repeated(constant[column.name], field.type, records.size))
            elif column.name in values:
                arrays.append(self._array(column.name, field.type, values[column.name]))
            else:
                arrays.append(pa.nulls(records.size, field.type))
        return pa.Table.from_arrays(arrays, schema=table.schema())

    def _array(self, name: str, kind: pa.DataType, values: NDArray[Any]) -> pa.Array:
        if values.dtype.kind == "S":
            try:
                return texts([text.decode("ascii") for text in values.tolist()]).cast(kind)
            except UnicodeDecodeError as error:
                raise BadValues(self.path, name, "bytes that are no text", "a row", 1) from error
        plain = np.ascontiguousarray(values)
        if plain.dtype.kind == "f":
            return as_arrow(plain, known=~np.isnan(plain)).cast(kind)
        try:
            return as_arrow(plain).cast(kind)
        except pa.ArrowInvalid as error:
            most = f"{plain.max()}, more than {kind} holds,"
            raise BadValues(self.path, name, most, "a row", 1) from error

    def _table(self, name: str) -> Any:
        return self._file.get_node(f"/{GROUP}/{name}")

    def _check_form(self) -> None:
        """Refuse what has not the tables and columns of a matchfile."""
        for name, table in MATCH_TABLES.items():
            if f"/{GROUP}/{name}" not in self._file:
                there = sorted(node._v_pathname for node in self._file.walk_nodes("/", "Leaf"))
                raise ForeignColumns(self.path, FORM, f"table {GROUP}/{name} is missing", there)
            found = self._table(name)
            dtype = getattr(found, "dtype", np.dtype("V"))
            names = dtype.names or ()
            for column in table.dtype.names or ():
                where = f"table {name}, column {column}"
                if column not in names:
                    raise ForeignColumns(self.path, FORM, f"{where} is missing", names)
                wanted, given = table.dtype[column], dtype[column]
                fits = np.can_cast(given.base, wanted.base, "safe") and given.shape == wanted.shape
                if not fits:
                    what = f"{where} is {given}, where {wanted} is needed"
                    raise ForeignColumns(self.path, FORM, what)

    def _channel(self) -> dict[str, int]:
        """Field, filter, CCD and quadrant, by its attributes; its name must not contradict them."""
        attributes = self._file.get_node(f"/{GROUP}")._v_attrs
        names = {"field": "fieldID", "fid": "filterID", "ccdid": "ccdID", "qid": "quadrantID"}
        try:
            found = {ours: int(attributes[theirs]) for ours, theirs in names.items()}
        except (KeyError, TypeError, ValueError) as error:
            missing = ", ".join(name for name in names.values() if name not in attributes)
            what = f"attribute {missing or 'fieldID'} of its group is missing or no number"
            raise ForeignColumns(self.path, FORM, what) from error
        there = (
            0 <= found["field"] < 2**15
            and found["fid"] in FILTERCODES
            and 1 <= found["ccdid"] <= 16
            and 1 <= found["qid"] <= 4
        )
        if not there:
            raise ForeignColumns(self.path, FORM, f"there is no channel {found}")
        named = _NAME.fullmatch(self.path.name)
        if named:
            said = int(named[1]), FILTER_IDS[named[2]], int(named[3]), int(named[4])
            if said != tuple(found.values()):
                what = f"its attributes say {tuple(found.values())}, its name {said}"
                raise ForeignColumns(self.path, FORM, what)
        return found | {"rcid": 4 * (found["ccdid"] - 1) + found["qid"] - 1}


def _plain(value: Any, kind: type) -> Any:
    """A value of an attribute; NaN is None."""
    if kind is str:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    number = kind(value).item()
    return None if isinstance(number, float) and np.isnan(number) else number


def _unopened(path: Path, said: str) -> Exception:
    """Why HDF5 does not open a file, in words."""
    if "does not appear to be an HDF5 file" in said or "file signature not found" in said:
        return UnknownImport(path, "is no HDF5 file", _HINT)
    if "unable to lock file" in said or "unable to open file in read" in said:
        return DamagedImport(path, FORM, "it is open for writing: another process is not done")
    if "truncated file" in said:
        return DamagedImport(path, FORM, "it ends too soon")
    # HDF5 tells its whole stack; the innermost reason stands last.
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    inner = [line for line in lines if not line.startswith(("File", "HDF5", "End"))]
    return DamagedImport(path, FORM, inner[-2] if len(inner) > 1 else said[:200])
