"""PSF catalogues, of single images (psfcat) and of references (refpsfcat): header and columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.errors import BadCoordinates, EmptyCatalogue, WrongColumns
from ingest.fits import BinaryTable, Field, Header, read_first_headers, read_primary_and_table

Column = npt.NDArray[Any]

# In the order of ZTF's own files; native byte order, contiguous.
COLUMNS: dict[str, type[np.generic]] = {
    "sourceid": np.int32,
    "xpos": np.float32,
    "ypos": np.float32,
    "ra": np.float64,
    "dec": np.float64,
    "flux": np.float32,
    "sigflux": np.float32,
    "mag": np.float32,
    "sigmag": np.float32,
    "snr": np.float32,
    "chi": np.float32,
    "sharp": np.float32,
    "flags": np.int16,
}
REQUIRED = ("ra", "dec", "flux", "sigflux", "mag", "sigmag")


@dataclass(slots=True)
class PsfCatalogue:
    """One catalogue in memory.

    Attributes
    ----------
    checksum : xxh3-128 of the file's bytes, hexadecimal.
    header : keywords of HDU0.
    columns : by name, as in `COLUMNS`, each (n_rows,). Optional ones that the file lacks are
        not there, but `sourceid` always is: the row number where the file has none.
    """

    path: Path
    checksum: str
    header: Header
    columns: dict[str, Column]
    n_rows: int


def read_psfcat(path: Path) -> PsfCatalogue:
    """Read a psfcat or refpsfcat; columns in any order and case, others are left alone.

    Raises
    ------
    TruncatedFile, WrongColumns, EmptyCatalogue, UnreadableFile
    """
    path = Path(path)
    table = read_primary_and_table(path)
    fields = {name: table.find(name) for name in COLUMNS}
    missing = [f"'{name}'" for name in REQUIRED if fields[name] is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        what = f"column{'s' * (len(missing) > 1)} {', '.join(missing)} {verb} missing"
        raise WrongColumns(path, what, table.names)
    if table.n_rows == 0:
        raise EmptyCatalogue(path)
    columns = {
        name: _column(table, name, field) for name, field in fields.items() if field is not None
    }
    if "sourceid" not in columns:
        columns["sourceid"] = np.arange(table.n_rows, dtype=np.int32)
    return PsfCatalogue(path, table.checksum, table.header, columns, table.n_rows)


def read_header(path: Path) -> Header:
    """Keywords of HDU0; only the file's first blocks are read.

    Raises
    ------
    TruncatedFile, UnreadableFile
    """
    return read_first_headers(Path(path))[0]


def coordinate_fault(
    path: Path, ra: Column, dec: Column
) -> tuple[npt.NDArray[np.bool_] | None, BadCoordinates | None]:
    """Which rows have a place on the sky, and the refusal of those that have none.

    Parameters
    ----------
    ra, dec : float64 (n,), degrees. Good are 0 <= ra <= 360 and -90 <= dec <= 90.

    Returns
    -------
    (None, None) if all rows are good; else the mask of the good rows, bool (n,), and the refusal.
    """
    good = (ra >= 0) & (ra <= 360) & (dec >= -90) & (dec <= 90)
    n_bad = len(good) - int(np.count_nonzero(good))
    if n_bad == 0:
        return None, None
    return good, BadCoordinates(path, n_bad, int(np.argmin(good)), len(good))


def _column(table: BinaryTable, name: str, field: Field) -> Column:
    dtype = COLUMNS[name]
    stored = table.column(field)
    if field.scale == 1 and field.zero == 0 and field.null is None:
        # The case of every ZTF file: one strided copy that swaps bytes on the way.
        if np.issubdtype(dtype, np.floating):
            with np.errstate(over="ignore"):  # beyond float32 is inf, like any other bad value
                return stored.astype(dtype)
        if stored.dtype.newbyteorder("=") == dtype:
            return stored.astype(dtype)
    return _converted(table, name, field, stored, dtype)


def _converted(
    table: BinaryTable, name: str, field: Field, stored: Column, dtype: type[np.generic]
) -> Column:
    """Column with TSCAL, TZERO, TNULL or another width applied."""
    is_null = None if field.null is None else stored == field.null
    if np.issubdtype(dtype, np.floating):
        with np.errstate(over="ignore", invalid="ignore"):
            values: Column = stored.astype(np.float64) * field.scale + field.zero
            if is_null is not None:
                values[is_null] = np.nan
            return values.astype(dtype)
    if stored.dtype.kind == "f" or field.scale != 1 or field.zero != int(field.zero):
        raise WrongColumns(table.path, f"column '{name}' does not hold whole numbers", table.names)
    if is_null is not None and is_null.any():
        raise WrongColumns(table.path, f"column '{name}' has undefined values", table.names)
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    low, high = int(stored.min()) + int(field.zero), int(stored.max()) + int(field.zero)
    if low < limits.min or high > limits.max:
        what = f"column '{name}' has values from {low} to {high}, too large for {limits.dtype}"
        raise WrongColumns(table.path, what, table.names)
    return (stored.astype(np.int64) + int(field.zero)).astype(dtype)
