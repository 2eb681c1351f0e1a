"""Frames as files: CSV, ECSV, Parquet and VOTable.

What the column contract says of a column (unit, UCD, description) goes along into each format
that can hold it: Parquet's field metadata, VOTable's FIELD, ECSV's header.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from products.errors import UnknownFormatError
from products.outputs import write_output
from store.columns import CODEC, CODEC_LEVEL, Column

Columns = Mapping[str, Column]

SUFFIXES = {
    ".csv": "csv",
    ".ecsv": "ecsv",
    ".parquet": "parquet",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
    ".txt": "table",
}


def export(
    frame: pl.DataFrame,
    file_format: str,
    out: Path | None = None,
    *,
    columns: Columns | None = None,
    description: str = "",
) -> None:
    """Write all rows of `frame` to `out`, or to standard output.

    Parameters
    ----------
    file_format : csv, ecsv, parquet or votable.
    columns : what is known of each column; a column that is not among them goes without.
    description : what the rows are, in a sentence.

    Raises
    ------
    UnknownFormatError, UnwritableOutputError
    """
    encoders = ENCODERS
    if file_format not in encoders:
        raise UnknownFormatError(f"format {file_format!r} is not known", out or "", encoders)
    write_output(encoders[file_format](frame, columns or {}, description), out)


def format_of(out: Path) -> str:
    """The format that a file's name tells.

    Raises
    ------
    UnknownFormatError : it tells none.
    """
    try:
        return SUFFIXES[out.suffix.lower()]
    except KeyError:
        raise UnknownFormatError("the name tells no format", out, SUFFIXES) from None


def _csv(frame: pl.DataFrame, columns: Columns, description: str) -> bytes:
    return frame.write_csv().encode()


def _parquet(frame: pl.DataFrame, columns: Columns, description: str) -> bytes:
    import pyarrow.parquet as pq

    from products.arrow_tables import to_arrow

    table, sink = to_arrow(frame, columns, description), io.BytesIO()
    pq.write_table(table, sink, compression=CODEC, compression_level=CODEC_LEVEL)
    return sink.getvalue()


def _ecsv(frame: pl.DataFrame, columns: Columns, description: str) -> bytes:
    from products.astropy_tables import encode_ecsv

    return encode_ecsv(frame, columns, description)


def _votable(frame: pl.DataFrame, columns: Columns, description: str) -> bytes:
    from products.votable import encode_votable

    return encode_votable(frame, columns, description)


ENCODERS: dict[str, Callable[[pl.DataFrame, Columns, str], bytes]] = {
    "csv": _csv,
    "ecsv": _ecsv,
    "parquet": _parquet,
    "votable": _votable,
}
