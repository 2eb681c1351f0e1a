"""Frames as files: CSV, Parquet and VOTable.

What the column contract says of a column (unit, UCD, description) goes along into each format
that can hold it: Parquet's field metadata, VOTable's FIELD.
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
    file_format : csv, parquet or votable.
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
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    fields = [_field(field, columns.get(field.name)) for field in table.schema]
    metadata = {"description": description} if description else None
    schema = pa.schema(fields, metadata=metadata)
    sink = io.BytesIO()
    pq.write_table(table.cast(schema), sink, compression=CODEC, compression_level=CODEC_LEVEL)
    return sink.getvalue()


def _field(field: pa.Field, column: Column | None) -> pa.Field:  # type: ignore[name-defined] # noqa: F821
    import pyarrow as pa

    kind = pa.string() if pa.types.is_large_string(field.type) else field.type
    said = column.field().metadata if column else None
    return pa.field(field.name, kind, nullable=True, metadata=said)


def _votable(frame: pl.DataFrame, columns: Columns, description: str) -> bytes:
    from products.votable import encode_votable

    return encode_votable(frame, columns, description)


ENCODERS: dict[str, Callable[[pl.DataFrame, Columns, str], bytes]] = {
    "csv": _csv,
    "parquet": _parquet,
    "votable": _votable,
}
