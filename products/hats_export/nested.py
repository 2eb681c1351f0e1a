"""Light curves as one row each, in the form of the public data releases.

objectid, objra, objdec, filterid, fieldid, rcid, nepochs, lightcurve{hmjd, mag, magerr, clrcoeff,
catflags}: the last is a struct of lists, which LSDB and nested-pandas open as nested columns. The
types are those of the releases' files; positions of the archive's own sources are float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from store.arrow import as_arrow
from store.columns import CODEC, Column
from store.contract import DETECTIONS, IMAGES, IMPORTED_LIGHTCURVES, REFERENCE_SOURCES

Values = NDArray[Any]
LIGHTCURVE = "lightcurve"
# Curves of a pixel that are written at once: a row group.
_ROW_GROUP_EPOCHS = 500_000
_LEVEL = 3


def _named(column: Column, name: str, dtype: str | None = None) -> Column:
    return replace(column, name=name, dtype=dtype or column.dtype)


_OF_SOURCE = (
    _named(REFERENCE_SOURCES["_healpix_29"], "_healpix_29"),
    _named(REFERENCE_SOURCES["oid"], "objectid"),
    _named(IMPORTED_LIGHTCURVES["objra"], "objra"),
    _named(IMPORTED_LIGHTCURVES["objdec"], "objdec"),
    _named(REFERENCE_SOURCES["fid"], "filterid"),
    _named(REFERENCE_SOURCES["field"], "fieldid"),
    _named(REFERENCE_SOURCES["rcid"], "rcid"),
    Column("nepochs", "int64", "", "meta.number", "Epochs of the light curve"),
)
_OF_EPOCH = (
    DETECTIONS["hmjd"],
    DETECTIONS["mag"],
    DETECTIONS["magerr"],
    _named(IMAGES["clrcoeff"], "clrcoeff", "float32"),
    _named(DETECTIONS["catflags"], "catflags", "int32"),
)


@dataclass(frozen=True, slots=True)
class Widths:
    """Types in which inputs may differ, and which are kept."""

    position: str = "float64"
    hmjd: str = "float64"


@dataclass(frozen=True, slots=True)
class Curves:
    """Light curves of one pixel, in order.

    Attributes
    ----------
    sources : columns of each curve, by their names in the form but `nepochs`; (n,).
    n : int64 (n,), epochs of each; none is 0.
    epochs : the curves' epochs one after the other, (sum of n,); `clrcoeff` and `catflags` may be
        masked arrays.
    """

    sources: Mapping[str, Values]
    n: NDArray[np.int64]
    epochs: Mapping[str, Values]


def nested_schema(widths: Widths) -> pa.Schema:
    """The Arrow schema, with units, UCDs and meanings of the contract."""
    fields = []
    for column in _OF_SOURCE:
        kind = widths.position if column.name in {"objra", "objdec"} else column.dtype
        fields.append(_field(column, pa.type_for_alias(kind)))
    members = []
    for column in _OF_EPOCH:
        kind = widths.hmjd if column.name == "hmjd" else column.dtype
        members.append(_field(column, pa.list_(pa.type_for_alias(kind))))
    fields.append(pa.field(LIGHTCURVE, pa.struct(members)))
    return pa.schema(fields)


def _field(column: Column, kind: pa.DataType) -> pa.Field:
    return pa.field(column.name, kind, metadata=column.field().metadata)


def write_nested(path: Path, curves: Curves, schema: pa.Schema) -> None:
    """Write the curves of one pixel."""
    ends = np.cumsum(curves.n)
    cuts = np.flatnonzero(np.diff((ends - 1) // _ROW_GROUP_EPOCHS, prepend=0))
    bounds = [0, *cuts.tolist(), len(curves.n)]
    with pq.ParquetWriter(path, schema, compression=CODEC, compression_level=_LEVEL) as writer:
        for low, high in pairwise(bounds):
            if low < high:
                writer.write_table(_table(curves, low, high, ends, schema))


def _table(
    curves: Curves, low: int, high: int, ends: NDArray[np.int64], schema: pa.Schema
) -> pa.Table:
    n = curves.n[low:high]
    first = int(ends[low] - n[0])
    offsets = as_arrow(np.concatenate([[0], np.cumsum(n)]).astype(np.int32))
    arrays: list[pa.Array] = []
    for field in schema:
        if field.name == "nepochs":
            arrays.append(as_arrow(n, field.type))
        elif field.name != LIGHTCURVE:
            arrays.append(as_arrow(curves.sources[field.name][low:high]).cast(field.type))
        else:
            lists = [
                pa.ListArray.from_arrays(
                    offsets, _values(curves.epochs[member.name][first : ends[high - 1]], member)
                )
                for member in field.type
            ]
            arrays.append(pa.StructArray.from_arrays(lists, fields=list(field.type)))
    return pa.Table.from_arrays(arrays, schema=schema)


def _values(values: Values, member: pa.Field) -> pa.Array:
    known = ~np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    return as_arrow(np.asarray(values), member.type.value_type, known)
