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
from numpy.typing import NDArray

from products.crossmatch.columns import ColumnNames, choose
from queries.selection import Selection
from service.api.narrowing import of_ids
from service.errors import LimitError, UnreadableUploadError
from service.settings import Settings
from store.errors import NightlakeError

Floats = NDArray[np.float64]

_MOST_VOTABLE_BYTES = 4 << 20  # astropy reads some 0.3 MB a second of text
_MOST_COLUMN_BYTES = 64 << 20
_RADIUS = "radius_arcsec"


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
    try:
        columns = _reader(upload)(upload.data, settings.max_positions)
    except NightlakeError:
        raise
    except Exception as error:  # every reader has errors of its own, and this file is anything
        raise UnreadableUploadError(type(error).__name__) from error
    if "oid" in columns:
        return of_ids(columns["oid"].tolist(), settings)
    radius = columns.get(_RADIUS, np.asarray(radius_arcsec, np.float64))
    if np.nanmax(radius, initial=0.0) > settings.max_detections_radius_arcsec:
        raise LimitError("a radius", settings.max_detections_radius_arcsec, " arcsec")
    return Selection.of_positions(columns["ra"], columns["dec"], radius)


def _reader(upload: Upload) -> Callable[[bytes, int], dict[str, Any]]:
    """What reads a table, told by its type, its name, or its first bytes."""
    kind, data = f"{upload.media_type} {upload.name}".lower(), upload.data
    if data[:4] == b"PAR1" or "parquet" in kind:
        return _parquet
    if "json" in kind:
        return _json
    if "votable" in kind or "xml" in kind or data.lstrip()[:1] == b"<":
        return _votable
    return _csv


def _csv(data: bytes, most: int) -> dict[str, Any]:
    frame = pl.read_csv(
        io.BytesIO(data), n_rows=most + 1, infer_schema_length=None, comment_prefix="#"
    )
    return _columns(frame.columns, lambda name: frame[name].to_numpy(), frame.height, most)


def _parquet(data: bytes, most: int) -> dict[str, Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(data)) as file:
        metadata = file.metadata
        for group in range(metadata.num_row_groups):
            for i in range(metadata.num_columns):
                if metadata.row_group(group).column(i).total_uncompressed_size > _MOST_COLUMN_BYTES:
                    raise UnreadableUploadError("a column is too large")
        names = file.schema_arrow.names
        return _columns(
            names, lambda name: file.read([name])[name].to_numpy(), metadata.num_rows, most
        )


def _votable(data: bytes, most: int) -> dict[str, Any]:
    from astropy.io.votable import parse_single_table

    if len(data) > _MOST_VOTABLE_BYTES:
        raise LimitError(f"a VOTable of {len(data):,} bytes", _MOST_VOTABLE_BYTES, " bytes")
    table = parse_single_table(io.BytesIO(data), verify="ignore").to_table(use_names_over_ids=True)
    return _columns(table.colnames, lambda name: _unmasked(table[name]), len(table), most)


def _unmasked(column: Any) -> Any:
    return np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)


def _json(data: bytes, most: int) -> dict[str, Any]:
    document = json.loads(data)
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
        names, lambda name: np.array([row[name] for row in rows], np.float64), len(rows), most
    )


def _columns(names: Sequence[str], read: Callable[[str], Any], n: int, most: int) -> dict[str, Any]:
    """Positions of a table, or its ids where it has no positions."""
    if n > most:
        raise LimitError(f"more than {most:,} positions", most)
    lower = {name.lower(): name for name in names}
    if "oid" in lower and not {"ra", "dec"} <= lower.keys():
        return {"oid": np.asarray(read(lower["oid"]), np.int64)}
    try:
        found = choose(list(names), ColumnNames(None, None, None), Path("the table"), "position")
    except NightlakeError as error:
        raise UnreadableUploadError(error.what) from error
    columns = {"ra": read(found.ra), "dec": read(found.dec)}
    if _RADIUS in lower:
        columns[_RADIUS] = read(lower[_RADIUS])
    return {name: np.asarray(column, np.float64) for name, column in columns.items()}
