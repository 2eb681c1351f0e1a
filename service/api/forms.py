"""The formats of `/api/v1`, chosen by `format=` or by the header Accept."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from products.arrow_pieces import ARROW_TYPE, PARQUET_TYPE, ArrowPieces, ParquetPieces
from products.fields import Writer, fields_of
from products.json_rows import JsonRows
from products.separated import Separated
from products.votable import Binary2Table, TableData
from queries.columns import describe
from service.answers import Form
from service.errors import NotAcceptableError
from store.columns import Column

Known = Mapping[str, Column] | None

_MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "votable": "application/x-votable+xml",
    "votable_text": "application/x-votable+xml",
    "parquet": PARQUET_TYPE,
    "arrow": ARROW_TYPE,
}
_SUFFIXES = {"json": ".json", "csv": ".csv", "votable": ".vot", "votable_text": ".vot",
             "parquet": ".parquet", "arrow": ".arrows"}  # fmt: skip
NAMES = tuple(_MEDIA_TYPES)
DEFAULT = "json"
_ACCEPTED = {
    "application/json": "json",
    "text/csv": "csv",
    "application/x-votable+xml": "votable",
    "text/xml": "votable",
    "application/xml": "votable",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/*": "json",
    "text/*": "csv",
    "*/*": "json",
}


def choose(wanted: str | None, accept: str) -> str:
    """The name of a format: what is `wanted`, else the first that the header takes.

    Raises
    ------
    NotAcceptableError : there is none of that name, or none that the header takes.
    """
    if wanted:
        if wanted.lower() not in NAMES:
            raise NotAcceptableError(wanted, list(NAMES))
        return wanted.lower()
    weighed = []
    for place, one in enumerate(accept.split(",")):
        kind, _, rest = one.partition(";")
        weighed.append((-_weight(rest), place, kind.strip().lower()))
    for weight, _, kind in sorted(weighed):
        if weight < 0 and kind in _ACCEPTED:
            return _ACCEPTED[kind]
    if not accept.strip() or "text/html" in accept:
        return DEFAULT  # a browser takes what it gets
    raise NotAcceptableError(accept[:80], list(NAMES))


def form(name: str, description: str, columns: Known = None) -> Form:
    """The format of that name, for rows that are described so."""

    def writer(first: pl.DataFrame) -> Writer:
        known = describe(first.columns) if columns is None else columns
        fields = fields_of(first.schema, known)
        if name == "csv":
            return Separated(fields)
        if name == "votable":
            return Binary2Table(fields, description)
        if name == "votable_text":
            return TableData(fields, description)
        if name == "parquet":
            return ParquetPieces(first.schema, known, description)
        if name == "arrow":
            return ArrowPieces(first.schema, known, description)
        return JsonRows(fields, description=description)

    packed = name in ("parquet", "arrow")
    return Form(_MEDIA_TYPES[name], writer, compressible=not packed, suffix=_SUFFIXES[name])


def _weight(parameters: str) -> float:
    for one in parameters.split(";"):
        key, _, value = one.partition("=")
        if key.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
