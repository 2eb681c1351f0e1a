"""Tables in files, read in pieces of rows: Parquet, FITS and CSV."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from products.crossmatch.columns import (
    UNIT,
    ColumnNames,
    Columns,
    check_position,
    choose,
    degrees,
    id_type,
)
from products.crossmatch.rows import Floats
from products.errors import BadColumnError, MissingColumnError, UnreadableCatalogueError

PIECE_ROWS = 1 << 20
_CSV_BLOCK_BYTES = 1 << 24
_SEPARATORS = ",;\t|"


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some rows of a table as they come: ra and dec float64 in degrees, ids Arrow, (n,) each."""

    ra: Floats
    dec: Floats
    ids: pa.Array


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose columns are chosen. `n_rows` is None where only reading it would tell."""

    name: str
    columns: Columns
    id_type: pa.DataType
    n_rows: int | None
    pieces: Callable[[], Iterator[Piece]]


def open_parquet(paths: list[Path], where: Path, wanted: ColumnNames, side: str) -> Table:
    """One Parquet file, or those of a folder in the order of their names."""
    schema = pq.read_schema(paths[0])
    columns = choose(schema.names, wanted, where, side)

    def batches() -> Iterator[pa.RecordBatch]:
        for path in paths:
            with pq.ParquetFile(path) as file:
                absent = [name for name in columns.names if name not in file.schema_arrow.names]
                if absent:
                    raise BadColumnError(f"column {absent[0]!r} is missing", path, "Take it out.")
                yield from file.iter_batches(PIECE_ROWS, columns=columns.names)

    n_rows = sum(pq.read_metadata(path).num_rows for path in paths)
    return _table(where, columns, schema, n_rows, batches)


def open_csv(path: Path, wanted: ColumnNames, side: str) -> Table:
    """Text with a line of names; lines before it that begin with # are passed over (ECSV)."""
    skipped, separator = _look_at_text(path)
    read = pyarrow.csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, skip_rows=skipped)
    parse = pyarrow.csv.ParseOptions(delimiter=separator)

    def opened(**convert: Any) -> Any:
        options = pyarrow.csv.ConvertOptions(**convert)
        return pyarrow.csv.open_csv(path, read, parse, options)

    with opened() as reader:
        names = reader.schema.names
    columns = choose(names, wanted, path, side)

    def batches() -> Iterator[pa.RecordBatch]:
        with opened(include_columns=columns.names) as reader:
            yield from reader

    with opened(include_columns=columns.names) as reader:
        schema = reader.schema
    return _table(path, columns, schema, None, batches)


def _look_at_text(path: Path) -> tuple[int, str]:
    """Lines of comment before the line of names, and what separates the names."""
    with pa.input_stream(str(path)) as stream:  # decompresses .gz and .bz2
        lines = stream.read(1 << 16).decode("utf-8", errors="replace").splitlines()
    skipped = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header = lines[skipped] if skipped < len(lines) else ""
    separator = max(_SEPARATORS, key=header.count)
    return skipped, separator if separator in header or " " not in header else " "


def open_fits(path: Path, wanted: ColumnNames, side: str) -> Table:
    """The first table extension of a FITS file that has the columns."""
    with _opened_fits(path) as hdus:
        extension, columns = _choose_table(hdus, path, wanted, side)
        data = _fits_rows(hdus, extension, path)
        n_rows, empty = len(data), _fits_batch(data[:0], columns, path)
        units = {column.name: column.unit for column in hdus[extension].columns if column.unit}

    def batches() -> Iterator[pa.RecordBatch]:
        with _opened_fits(path) as hdus:
            data = _fits_rows(hdus, extension, path)
            for begin in range(0, n_rows, PIECE_ROWS):
                yield _fits_batch(data[begin : begin + PIECE_ROWS], columns, path)

    fields = [
        field.with_metadata({UNIT: units[field.name]}) if field.name in units else field
        for field in empty.schema
    ]
    return _table(path, columns, pa.schema(fields), n_rows, batches)


@contextmanager
def _opened_fits(path: Path) -> Iterator[Any]:
    """The extensions of a FITS file, their headers read."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyUserWarning

    # That a file is cut off is only warned of here, and said by `_fits_rows`.
    with warnings.catch_warnings(action="ignore", category=AstropyUserWarning):
        hdus = fits.open(path)
        len(hdus)
    with hdus:
        yield hdus


def _fits_rows(hdus: Any, extension: int, path: Path) -> Any:
    """The rows of a table; they are read when they are looked at.

    Raises
    ------
    UnreadableCatalogueError : the file ends before they do.
    """
    try:
        return hdus[extension].data
    except TypeError as error:
        raise UnreadableCatalogueError(path, "it ends before its table does") from error


def _choose_table(hdus: Any, path: Path, wanted: ColumnNames, side: str) -> tuple[int, Columns]:
    """Number of the first table that has the columns, and which they are."""
    from astropy.io import fits

    missing: MissingColumnError | None = None
    for i, hdu in enumerate(hdus):
        if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
            try:
                return i, choose(hdu.columns.names, wanted, path, side)
            except MissingColumnError as error:
                missing = missing or error
    raise missing or UnreadableCatalogueError(path, "holds no table extension")


def _fits_batch(rows: Any, columns: Columns, path: Path) -> pa.RecordBatch:
    arrays = []
    for name in columns.names:
        values = np.asarray(rows[name])
        if values.ndim != 1:
            raise BadColumnError(
                f"column {name!r} has several values a row", path, "Name a column of single values."
            )
        if values.dtype.kind in "SU":
            arrays.append(pa.array(np.char.strip(values.astype(str)).tolist(), pa.string()))
        else:
            arrays.append(pa.array(values.astype(values.dtype.newbyteorder("="))))
    return pa.RecordBatch.from_arrays(arrays, columns.names)


def _table(
    where: Path,
    columns: Columns,
    schema: pa.Schema,
    n_rows: int | None,
    batches: Callable[[], Iterator[pa.RecordBatch]],
) -> Table:
    kind = id_type(schema.field(columns.id).type, columns.id, where) if columns.id else pa.int64()
    for name in (columns.ra, columns.dec):
        check_position(schema.field(name), where)

    def pieces() -> Iterator[Piece]:
        begin = 0
        try:
            for rows in _in_pieces(batches()):
                ids = rows.column(columns.id).cast(kind) if columns.id else None
                if ids is None:
                    ids = pa.array(np.arange(begin, begin + rows.num_rows))
                begin += rows.num_rows
                yield Piece(
                    degrees(rows.column(columns.ra), columns.ra, where),
                    degrees(rows.column(columns.dec), columns.dec, where),
                    ids,
                )
        except (pa.ArrowException, OSError) as error:
            raise UnreadableCatalogueError(where, str(error)) from error

    return Table(where.name, columns, kind, n_rows, pieces)


def _in_pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of about PIECE_ROWS from such of any size up to that."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if held and sum(map(len, held)) + len(batch) > PIECE_ROWS:
            yield _combined(held)
            held = []
        held.append(batch)
    if held:
        yield _combined(held)


def _combined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
