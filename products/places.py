"""Places that are given as files: tables of positions, coverage maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from products.crossmatch.catalogue import FITS, PARQUET, TEXT
from products.crossmatch.columns import ColumnNames, choose, degrees
from products.crossmatch.tables import Table, open_csv, open_fits, open_parquet
from products.errors import UnknownCatalogueError, UnreadableCatalogueError
from queries.curves.regions import Moc
from queries.errors import BadRegionError
from store.layout import HEALPIX_ORDER

Floats = NDArray[np.float64]

VOTABLE = (".vot", ".votable", ".xml")
_ORDER_ZERO_UNIQ = 4


def read_positions(
    path: Path, ra: str | None = None, dec: str | None = None
) -> tuple[Floats, Floats]:
    """Right ascensions and declinations of a table, float64 (n,), degrees as they stand there.

    Parameters
    ----------
    path : Parquet, FITS, CSV, ECSV or VOTable, told by its name.
    ra, dec : names of the columns; None is to be found.

    Raises
    ------
    UnknownCatalogueError, UnreadableCatalogueError, MissingColumnError, BadColumnError
    """
    wanted, name = ColumnNames(None, ra, dec), path.name.lower()
    if not path.is_file():
        raise UnknownCatalogueError(path, "there is no such file", _HINT)
    try:
        if name.endswith(VOTABLE):
            return _votable(path, wanted)
        return _pieces(_open(path, name, wanted))
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, UnknownCatalogueError | UnreadableCatalogueError):
            raise
        raise UnreadableCatalogueError(path, str(error)) from error


def _open(path: Path, name: str, wanted: ColumnNames) -> Table:
    if name.endswith(PARQUET):
        return open_parquet([path], path, wanted, _SIDE)
    if name.endswith(FITS):
        return open_fits(path, wanted, _SIDE)
    if name.endswith(TEXT):
        return open_csv(path, wanted, _SIDE)
    raise UnknownCatalogueError(path, "the name tells no format", _HINT)


# As the options are called that name the columns: --position-ra, --position-dec.
_SIDE = "position"
_HINT = "Give .parquet, .fits, .csv, .ecsv or .vot."


def _pieces(table: Table) -> tuple[Floats, Floats]:
    pieces = list(table.pieces())
    empty = np.empty(0, np.float64)
    ra = np.concatenate([empty, *(piece.ra for piece in pieces)])
    return ra, np.concatenate([empty, *(piece.dec for piece in pieces)])


def _votable(path: Path, wanted: ColumnNames) -> tuple[Floats, Floats]:
    from astropy.io.votable import parse_single_table
    from astropy.io.votable.exceptions import VOTableSpecError

    try:
        table = parse_single_table(path, verify="ignore").to_table(use_names_over_ids=True)
    except (VOTableSpecError, ValueError, IndexError) as error:
        raise UnreadableCatalogueError(path, str(error)) from error
    columns = choose(table.colnames, wanted, path, _SIDE)
    ra, dec = (
        degrees(pa.array(np.ma.filled(np.ma.asarray(table[name]).astype(object), None)), name, path)
        for name in (columns.ra, columns.dec)
    )
    return ra, dec


def read_moc(path: Path) -> Moc:
    """The coverage map in a file: FITS (NUNIQ or RANGE of order 29), or text as 5/1-3 6/12.

    Raises
    ------
    UnreadableCatalogueError : it cannot be read.
    BadRegionError : it is no coverage map, or covers nothing.
    """
    try:
        with path.open("rb") as file:
            is_fits = file.read(6) == b"SIMPLE"
        if not is_fits:
            return Moc.parse(path.read_text(encoding="ascii"))
        return Moc.of_ranges(_moc_ranges(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableCatalogueError(path, str(error)) from error


def _moc_ranges(path: Path) -> NDArray[np.int64]:
    """The ranges of a FITS coverage map, int64 (n, 2)."""
    from astropy.io import fits

    with fits.open(path) as hdus:
        if len(hdus) < 2 or "ORDERING" not in hdus[1].header:
            raise BadRegionError(f"{path.name} holds no coverage map")
        ordering = hdus[1].header["ORDERING"]
        values = np.asarray(hdus[1].data.field(0)).ravel()
        values = values.astype(values.dtype.newbyteorder("=")).astype(np.int64)
    if ordering == "RANGE":
        return values.reshape(-1, 2)
    if ordering not in ("NUNIQ", "UNIQ"):
        raise BadRegionError(f"{path.name} is ordered by {ordering}, not by NUNIQ or RANGE")
    if values.size and values.min() < _ORDER_ZERO_UNIQ:
        raise BadRegionError(f"{path.name} holds a cell that is none")
    # uniq = 4·4^order + number: its highest bit tells the order.
    order = (np.frexp(values.astype(np.float64))[1] - 3) // 2
    number = values - (_ORDER_ZERO_UNIQ << 2 * order)
    shift = 2 * (HEALPIX_ORDER - order)
    return np.stack([number << shift, (number + 1) << shift], axis=1)
