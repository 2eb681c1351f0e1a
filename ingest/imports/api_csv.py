"""Answers of the light-curve API as CSV: one row an epoch, 24 columns.

`hjd` is a heliocentric date of mid-exposure, `mjd` the start of the exposure; ccdid and qid are
hexadecimal (`0x10` is 16). Measurements have the digits of float32, dates and places of float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
from numpy.typing import NDArray

from ingest.imports.curves import Batch, Values, check_values, nothing
from ingest.imports.errors import BadValues, DamagedImport, EmptyImport, ForeignColumns
from store.arrow import as_numpy
from store.channel import FILTER_IDS

# hmjd = hjd − this: both are held exactly, so that hjd is hmjd + this to the last digit.
JD_OF_MJD = 2_400_000.5
NEEDED = {
    "oid": "int64", "hjd": "float64", "mag": "float32", "magerr": "float32",
    "catflags": "uint16", "filtercode": "string", "ra": "float64", "dec": "float64",
    "field": "int16", "ccdid": "string", "qid": "string",
}  # fmt: skip
# Of these a row, or the whole file, may have none.
OTHERS = {
    "expid": "int64", "mjd": "float64", "chi": "float32", "sharp": "float32",
    "filefracday": "int64", "limitmag": "float32", "magzp": "float32", "magzprms": "float32",
    "clrcoeff": "float32", "clrcounc": "float32", "exptime": "float32", "airmass": "float32",
    "programid": "int8",
}  # fmt: skip
OURS = {"mjd": "obsmjd"}
BLOCK_BYTES = 8 << 20


class ApiCsv:
    """A CSV answer of the light-curve API.

    Raises
    ------
    ForeignColumns : columns are missing.
    EmptyImport : it is the header line alone.
    DamagedImport : it cannot be decoded.
    """

    form = "an answer of the light-curve API (CSV)"
    columns = (
        "hmjd", "mag", "magerr", "catflags", "ra", "dec", *(OURS.get(n, n) for n in OTHERS)
    )  # fmt: skip
    n_curves = None
    position_type = hmjd_type = "float64"

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            header = file.readline(1 << 16).decode("utf-8", errors="replace").strip("\ufeff\r\n ")
            has_rows = bool(file.read(1 << 10).strip())
        names = header.split(",")
        missing = [name for name in NEEDED if name not in names]
        if missing:
            what = f"column {', '.join(missing)} is missing"
            raise ForeignColumns(path, self.form, what, names)
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ForeignColumns(path, self.form, f"column {repeated[0]} stands twice", names)
        if not has_rows:
            raise EmptyImport(path, self.form)
        self._found = [name for name in (*NEEDED, *OTHERS) if name in names]

    def batches(self) -> Iterator[Batch]:
        """All rows, a few megabytes at a time."""
        types = {**NEEDED, **OTHERS}
        options = pc.ConvertOptions(
            column_types={name: pa.type_for_alias(types[name]) for name in self._found},
            include_columns=self._found,
            null_values=["", "null", "NULL"],
            strings_can_be_null=True,
        )
        # The header is line 1.
        line = 2
        try:
            # One thread: errors name the row then.
            reading = pc.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)
            with pc.open_csv(self.path, read_options=reading, convert_options=options) as file:
                for rows in file:
                    if rows.num_rows:
                        yield self._batch(rows, line)
                        line += rows.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DamagedImport(self.path, self.form, str(error)) from error

    def _batch(self, rows: pa.RecordBatch, line: int) -> Batch:
        given = {name: self._needed(rows, name, line) for name in NEEDED}
        fid = _coded(given.pop("filtercode"), FILTER_IDS)
        channel = {name: _coded(given.pop(name), _hexadecimal) for name in ("ccdid", "qid")}
        needed: dict[str, Values] = {name: as_numpy(column) for name, column in given.items()}
        for name, values, most in (
            ("filtercode", fid, 3), ("ccdid", channel["ccdid"], 16), ("qid", channel["qid"], 4)
        ):  # fmt: skip
            bad = np.flatnonzero((values < 1) | (values > most))
            if bad.size:
                said = rows.column(name)[int(bad[0])].as_py()
                place = f"line {line + int(bad[0])}"
                raise BadValues(self.path, name, str(said), place, len(bad))
        rcid = 4 * (channel["ccdid"] - 1) + channel["qid"] - 1
        check_values(self.path, {n: (n, v) for n, v in needed.items()}, line, "line")
        of_run = {"oid": needed["oid"], "field": needed["field"], "fid": fid, "rcid": rcid}
        # A run ends where the object, or anything else of it, changes.
        changes = np.zeros(rows.num_rows, dtype=bool)
        changes[0] = True
        for values in of_run.values():
            changes[1:] |= values[1:] != values[:-1]
        starts = np.flatnonzero(changes)
        runs: dict[str, Values] = {name: values[starts] for name, values in of_run.items()}
        runs["n"] = np.diff(starts, append=rows.num_rows)
        epochs = {name: needed[name] for name in ("mag", "magerr", "catflags", "ra", "dec")}
        epochs["hmjd"] = needed["hjd"] - JD_OF_MJD
        epochs |= {OURS.get(name, name): self._other(rows, name) for name in OTHERS}
        return Batch(runs, epochs)

    def _needed(self, rows: pa.RecordBatch, name: str, line: int) -> pa.Array:
        column = rows.column(name)
        if column.null_count:
            at = int(np.flatnonzero(as_numpy(column.is_null()))[0])
            place = f"line {line + at}"
            raise BadValues(self.path, name, "no value", place, column.null_count)
        return column

    def _other(self, rows: pa.RecordBatch, name: str) -> Values:
        """A column that may have nulls, or not be there at all."""
        dtype = np.dtype(OTHERS[name])
        null = None if dtype.kind == "f" else nothing(dtype)
        if name not in self._found:
            return np.full(rows.num_rows, np.nan if null is None else null, dtype)
        return as_numpy(rows.column(name), null)


def _coded(column: pa.Array, code: Mapping[str, int] | Any) -> NDArray[np.int64]:
    """Words as numbers, each word looked at once; 0 for those that mean none."""
    coded = column.dictionary_encode()
    words = coded.dictionary.to_pylist()
    numbers = [code(w) if callable(code) else code.get(w, 0) for w in words]
    return np.array(numbers, dtype=np.int64).take(as_numpy(coded.indices))


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        return 0
