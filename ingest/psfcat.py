"""PSF catalogues, of single images (psfcat) and of references (refpsfcat): header and columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.blocks import open_bytes
from ingest.cards import Header
from ingest.errors import BadCoordinates, BadSourceIds, EmptyCatalogue, WrongColumns
from ingest.fits import BinaryTable, Field, open_table

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
    TruncatedFile, WrongColumns, EmptyCatalogue, BadSourceIds, UnreadableFile
    """
    path = Path(path)
    with open_table(path) as table:
        found = {name: table.find(name) for name in COLUMNS}
        fields = {name: field for name, field in found.items() if field is not None}
        if missing := [f"'{name}'" for name in REQUIRED if name not in fields]:
            one = len(missing) == 1
            what = f"{'column' if one else 'columns'} {', '.join(missing)}"
            raise WrongColumns(path, f"{what} {'is' if one else 'are'} missing", table.names)
        if table.n_rows == 0:
            raise EmptyCatalogue(path)
        stored, checksum = table.read(
            {field: _read_as(field, np.dtype(COLUMNS[name])) for name, field in fields.items()}
        )
    columns = {
        name: _converted(table, field, stored[field], np.dtype(COLUMNS[name]))
        for name, field in fields.items()
    }
    if "sourceid" not in columns:
        columns["sourceid"] = np.arange(table.n_rows, dtype=np.int32)
    elif what := _source_id_fault(columns["sourceid"]):
        raise BadSourceIds(path, what)
    return PsfCatalogue(path, checksum, table.header, columns, table.n_rows)


def read_header(path: Path) -> Header:
    """Keywords of HDU0; only the file's first blocks are read.

    Raises
    ------
    TruncatedFile, UnreadableFile
    """
    with open_bytes(Path(path)) as file:
        return file.header_at(0)[0]


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


def _source_id_fault(sourceid: Column) -> str:
    """What keeps these ids (n,) from naming the rows; empty if nothing does."""
    if int(sourceid.min()) < 0:
        return f"{int(sourceid.min())} is negative"
    if bool((sourceid[1:] > sourceid[:-1]).all()):  # as in every catalogue of ZTF's
        return ""
    ordered = np.sort(sourceid)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    return f"{repeated[0]} stands twice" if repeated.size else ""


def _read_as(field: Field, wanted: np.dtype[Any]) -> np.dtype[Any]:
    """The type to read a field as: the wanted one at once, unless values must be looked at."""
    plain = field.scale == 1 and field.zero == 0 and field.null is None
    if field.dtype is None or (plain and wanted.kind == "f"):
        return wanted
    return field.dtype.newbyteorder("=")


def _converted(table: BinaryTable, field: Field, stored: Column, wanted: np.dtype[Any]) -> Column:
    """Column with TNULL, TSCAL and TZERO applied; whole numbers stay exact or are refused."""
    if stored.dtype == wanted and (field.scale, field.zero, field.null) == (1, 0, None):
        return stored
    is_null = None if field.null is None else stored == field.null
    if wanted.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            values: Column = stored.astype(np.float64) * field.scale + field.zero
            if is_null is not None:
                values[is_null] = np.nan
            return values.astype(wanted)
    what = ""
    if stored.dtype.kind == "f" or field.scale != 1 or field.zero != int(field.zero):
        what = "does not hold whole numbers"
    elif is_null is not None and is_null.any():
        what = "has undefined values"
    else:
        limits, shift = np.iinfo(wanted), int(field.zero)
        least, most = int(stored.min()) + shift, int(stored.max()) + shift
        if limits.min <= least and most <= limits.max:
            # Wraps modulo 2^16 or 2^32 like the values themselves: exact, as they fit.
            exact: Column = stored.astype(wanted) + np.array(shift).astype(wanted)
            return exact
        what = f"has values from {least} to {most}, too large for {wanted}"
    raise WrongColumns(table.path, f"column '{field.name}' {what}", table.names)
