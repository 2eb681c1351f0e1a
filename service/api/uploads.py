"""Tables of positions or ids that clients send: CSV, VOTable, Parquet or JSON.

They come from outside: no file is larger in memory than the limits allow, whatever it says.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from products.crossmatch.columns import UNIT, ColumnNames, check_position, choose
from queries.selection import Selection
from service.api.narrowing import of_ids
from service.errors import LimitError, UnreadableUploadError
from service.settings import Settings
from store.errors import NightlakeError

Floats = NDArray[np.float64]

_MOST_VOTABLE_BYTES = 4 << 20  # astropy reads some 0.3 MB a second of text
_MOST_COLUMN_BYTES = 64 << 20
_RADIUS = "radius_arcsec"
_TABLE = Path("the table")


@dataclass(frozen=True)
class Upload:
    """A table in the form that its sender says."""

    data: bytes
    media_type: str
    name: str = ""


def selection_of(upload: Upload, radius_arcsec: float, settings: Settings) -> Selection:
    """The positions, or the ids, of a table: columns ra and dec, or oid.

    Raises
    ------
    UnreadableUploadError : it is no such table.
    LimitError : it has more rows than a request may, or a wider cone.
    BadConeError : a position is not on the sky; its row is named, from 0.
    """
    if not upload.data.strip():
        raise UnreadableUploadError("it is empty")
    kind, read = _reader(upload)
    try:
        columns = read(upload.data, settings.max_positions)
    except NightlakeError:
        raise
    except Exception as error:  # every reader has errors of its own, and this file is anything
        raise UnreadableUploadError(f"as {kind}") from error
    if "oid" in columns:
        return of_ids(columns["oid"].tolist(), settings)
    radius = columns.get(_RADIUS, np.asarray(radius_arcsec, np.float64))
    largest = np.nanmax(radius, initial=0.0)
    if largest > settings.max_detections_radius_arcsec:
        most = settings.max_detections_radius_arcsec
        raise LimitError(f"radius {largest:g} arcsec", most, " arcsec")
    return Selection.of_positions(columns["ra"], columns["dec"], radius)


def _reader(upload: Upload) -> tuple[str, Callable[[bytes, int], dict[str, Any]]]:
    """The kind of a table and what reads it, told by its type, its name, or its first bytes."""
    kind, data = f"{upload.media_type} {upload.name}".lower(), upload.data
    if data[:4] == b"PAR1" or "parquet" in kind:
        return "Parquet", _parquet
    if "json" in kind:
        return "JSON", _json
    if "votable" in kind or "xml" in kind or data.lstrip()[:1] == b"<":
        return "a VOTable", _votable
    return "CSV", _csv


def _csv(data: bytes, most: int) -> dict[str, Any]:
    frame = pl.read_csv(
        io.BytesIO(data), n_rows=most + 1, infer_schema_length=None, comment_prefix="#"
    )

    def field(name: str) -> pa.Field:
        return pa.field(name, pa.float64() if frame[name].dtype.is_numeric() else pa.string())

    return _columns(frame.columns, lambda name: frame[name].to_numpy(), field, frame.height, most)


def _parquet(data: bytes, most: int) -> dict[str, Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(data)) as file:
        metadata = file.metadata
        for group in range(metadata.num_row_groups):
            for i in range(metadata.num_columns):
                if metadata.row_group(group).column(i).total_uncompressed_size > _MOST_COLUMN_BYTES:
                    raise UnreadableUploadError("a column is too large")
        schema = file.schema_arrow
        return _columns(
            schema.names, lambda name: file.read([name])[name].to_numpy(), schema.field,
            metadata.num_rows, most,
        )  # fmt: skip


def _votable(data: bytes, most: int) -> dict[str, Any]:
    from astropy.io.votable import parse_single_table

    if len(data) > _MOST_VOTABLE_BYTES:
        raise LimitError(f"a VOTable of {len(data):,} bytes", _MOST_VOTABLE_BYTES, " bytes")
    table = parse_single_table(io.BytesIO(data), verify="ignore").to_table(use_names_over_ids=True)

    def field(name: str) -> pa.Field:
        kind = pa.float64() if table[name].dtype.kind in "fiu" else pa.string()
        unit = str(table[name].unit or "")
        # So astropy writes an hour of right ascension.
        return pa.field(name, kind, metadata={UNIT: "hourangle" if unit == "15 deg" else unit})

    return _columns(table.colnames, lambda name: _unmasked(table[name]), field, len(table), most)


def _unmasked(column: Any) -> Any:
    values = np.ma.asarray(column)
    if np.ma.is_masked(values):
        return np.ma.filled(values.astype(np.float64), np.nan)
    return values.data


def _json(data: bytes, most: int) -> dict[str, Any]:
    document = json.loads(data)
    if not isinstance(document, dict) or not document.keys() & {"oids", "positions"}:
        raise UnreadableUploadError("there are neither positions nor oids in it")
    if "oids" in document:
        oids = document["oids"]
        if not isinstance(oids, list) or not all(type(oid) is int for oid in oids):
            raise UnreadableUploadError("oids are no list of whole numbers")
        return {"oid": np.asarray(oids, np.int64)}
    rows = document["positions"]
    if len(rows) > most:
        raise LimitError(f"{len(rows):,} positions", most)
    names = list(rows[0]) if rows else ["ra", "dec"]
    return _columns(
        names, lambda name: np.array([row[name] for row in rows], np.float64),
        lambda name: pa.field(name, pa.float64()), len(rows), most,
    )  # fmt: skip


def _columns(
    names: Sequence[str],
    read: Callable[[str], Any],
    field: Callable[[str], pa.Field],
    n: int,
    most: int,
) -> dict[str, Any]:
    """Positions of a table, or its ids where it has no positions.

    Parameters
    ----------
    read, field : the values of a column, and what is known of it: its type, its unit.
    """
    if n > most:
        raise LimitError(f"more than {most:,} positions", most)
    lower = {name.lower(): name for name in names}
    if "oid" in lower and not {"ra", "dec"} <= lower.keys():
        oid = np.asarray(read(lower["oid"]))
        if oid.dtype.kind not in "iu":
            raise UnreadableUploadError("column oid has more than whole numbers")
        return {"oid": oid}
    try:
        found = choose(list(names), ColumnNames(None, None, None), _TABLE, "position")
        for name in (found.ra, found.dec):
            check_position(field(name), _TABLE)
    except NightlakeError as error:
        raise UnreadableUploadError(error.what) from error
    columns = {"ra": read(found.ra), "dec": read(found.dec)}
    if _RADIUS in lower:
        columns[_RADIUS] = read(lower[_RADIUS])
    return {name: np.asarray(column, np.float64) for name, column in columns.items()}
