"""Writing a matchfile with PyTables: the file appears whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import tables

from products.errors import UnwritableOutputError
from products.matchfile.build import Match
from products.matchfile.columns import Columns, Row
from products.matchfile.rows import packed
from products.outputs import beside
from store.matchfile import (
    EXPOSURES,
    GROUP,
    GROUP_ATTRIBUTES,
    GROUP_TITLE,
    MODEL_ATTRIBUTES,
    SOURCEDATA,
    SOURCES,
    TRANSIENTDATA,
    TRANSIENTS,
    MatchTable,
)

# gzip is in every build of HDF5; blosc, several times faster, in PyTables and in hdf5plugin.
FILTERS = {
    None: tables.Filters(complevel=0),
    "gzip": tables.Filters(complevel=1, complib="zlib", shuffle=True),
    "blosc": tables.Filters(complevel=5, complib="blosc:lz4", shuffle=True),
}

# How many times smaller a compressed file is, about.
_COMPRESSION = 3


def write_match(match: Match, out: Path, compress: str | None = None) -> None:
    """Write the file `out`, and the folders that it lies in.

    Raises
    ------
    UnwritableOutputError : it cannot be written; what was there before stays, and no part is left.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutputError(out, error.strerror or str(error)) from error
    with beside(out, "partial") as partial:
        _reserve(match, partial, compress)
        try:
            _write(match, partial, compress)
            # Opened again, a file that ends too soon is found out.
            tables.open_file(str(partial)).close()
        except tables.HDF5ExtError as error:
            raise UnwritableOutputError(out, "not all of it was: is the disk full?") from error
        partial.replace(out)


def _reserve(match: Match, path: Path, compress: str | None) -> None:
    """Ask the system for as much space as the file will take; PyTables begins it anew.

    PyTables and HDF5 pass over a write that fails: a full disk has to be found before.
    """
    size = match.exposures.nbytes + match.sources.nbytes + match.transients.nbytes
    size += SOURCEDATA.dtype.itemsize * match.sourcedata["matchid"].size
    size += TRANSIENTDATA.dtype.itemsize * match.transientdata["matchid"].size
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, size // (_COMPRESSION if compress else 1)))


def _write(match: Match, path: Path, compress: str | None) -> None:
    with tables.open_file(str(path), "w", filters=FILTERS[compress]) as file:
        group = file.create_group("/", GROUP, GROUP_TITLE)
        for name, kind in GROUP_ATTRIBUTES.items():
            group._v_attrs[name] = kind(match.attributes[name])
        _add(file, match, EXPOSURES, match.exposures)
        _add(file, match, SOURCES, match.sources)
        data = _add(file, match, SOURCEDATA, match.sourcedata)
        for name, value in zip(MODEL_ATTRIBUTES, match.model.coefficients, strict=True):
            data._v_attrs[name] = np.float64(value)
        _add(file, match, TRANSIENTS, match.transients)
        _add(file, match, TRANSIENTDATA, match.transientdata)


def _add(file: tables.File, match: Match, table: MatchTable, rows: Row | Columns) -> tables.Table:
    count = rows.size if isinstance(rows, np.ndarray) else rows["matchid"].size
    title = table.title_of(match.channel.field, match.channel.rcid)
    made = file.create_table(
        f"/{GROUP}", table.name, table.dtype, title, expectedrows=max(count, 1), track_times=False
    )
    if isinstance(rows, np.ndarray):
        made.append(rows)
    else:
        for piece in packed(table.dtype, rows, count):
            made.append(piece)
    return made
