"""Writing a matchfile with PyTables: the file appears whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import tables

from products.errors import UnwritableOutputError
from products.matchfile.build import Match
from products.matchfile.columns import Columns, Row
from products.matchfile.rows import PIECE, packed
from products.outputs import beside
from store import disk
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
# What a file has beside its rows, about: the ends of chunks, and where they are.
_BESIDE_ROWS = 1 << 20


def write_match(
    match: Match, out: Path, compress: str | None = None, *, lasting: bool = False
) -> None:
    """Write the file `out`, and the folders that it lies in.

    Parameters
    ----------
    lasting : return when a loss of power can take nothing of it any more.

    Raises
    ------
    UnwritableOutputError : it cannot be written; what was there before stays, and no part is left.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutputError(out, error.strerror or str(error)) from error
    with beside(out, "partial") as partial:
        try:
            _write(match, partial, compress)
            # Opened again, a file that ends too soon is found out.
            tables.open_file(str(partial)).close()
        except tables.HDF5ExtError as error:
            raise UnwritableOutputError(out, "not all of it was: is the disk full?") from error
        if lasting:
            disk.sync_file(partial)
        partial.replace(out)
        if lasting:
            disk.sync_folder(out.parent)


def _reserve(match: Match, path: Path, compress: str | None) -> None:
    """Ask the system for as much space as the file will take, now that PyTables has begun it.

    PyTables and HDF5 pass over a write that fails: a full disk has to be found before. And ext4
    waits at the renaming for the space of what was written without.
    """
    size = match.exposures.nbytes + match.sources.nbytes + match.transients.nbytes
    size += SOURCEDATA.dtype.itemsize * match.sourcedata["matchid"].size
    size += TRANSIENTDATA.dtype.itemsize * match.transientdata["matchid"].size
    with path.open("r+b") as file:
        size = size // _COMPRESSION if compress else size + _BESIDE_ROWS
        os.posix_fallocate(file.fileno(), 0, size)


def _write(match: Match, path: Path, compress: str | None) -> None:
    with tables.open_file(str(path), "w", filters=FILTERS[compress]) as file:
        _reserve(match, path, compress)
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
        file.flush()
        size = file.get_filesize()
    # What was reserved and is not needed; the library may have cut it off itself.
    if path.stat().st_size > size:
        os.truncate(path, size)


def _add(file: tables.File, match: Match, table: MatchTable, rows: Row | Columns) -> tables.Table:
    count = rows.size if isinstance(rows, np.ndarray) else rows["matchid"].size
    title = table.title_of(match.channel.field, match.channel.rcid)
    made = file.create_table(
        f"/{GROUP}", table.name, table.dtype, title, expectedrows=max(count, 1), track_times=False
    )
    if isinstance(rows, np.ndarray):
        made.append(rows)
    elif file.filters.complevel:
        for piece in packed(table.dtype, rows, count):
            made.append(piece)
    else:
        _add_chunks(made, table.dtype, rows, count)
    return made


def _add_chunks(made: tables.Table, dtype: np.dtype[np.void], rows: Columns, count: int) -> None:
    """Write a table chunk by chunk, as its chunks stand in the file: nothing is copied again."""
    [chunk] = made.chunkshape
    whole = max(0, count - 1) // chunk * chunk
    # Makes room for the whole chunks; to append the rest makes PyTables count all.
    made.truncate(whole)
    start = 0
    for piece in packed(dtype, rows, count, max(1, PIECE // chunk) * chunk):
        for first in range(0, piece.size, chunk):
            some = piece[first : first + chunk]
            if start < whole:
                made.write_chunk((start,), some.view(np.uint8))
            else:
                made.append(some)
            start += some.size
