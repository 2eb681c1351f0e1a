"""The 24 columns of the API, in its order, under its names."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from products.fields import fields_of
from queries.derived import DERIVED
from store.columns import Column
from store.contract import DETECTIONS, IMAGES

_OF_DETECTION = ("oid", "expid", "mag", "magerr", "catflags", "ra", "dec", "chi", "sharp",
                 "field", "ccdid", "qid")  # fmt: skip
NAMES = (
    "oid", "expid", "hjd", "mjd", "mag", "magerr", "catflags", "filtercode", "ra", "dec", "chi",
    "sharp", "filefracday", "field", "ccdid", "qid", "limitmag", "magzp", "magzprms", "clrcoeff",
    "clrcounc", "exptime", "airmass", "programid",
)  # fmt: skip
COLUMNS: dict[str, Column] = {
    name: DERIVED["hjd"] if name == "hjd"
    else replace(IMAGES["obsmjd"], name="mjd") if name == "mjd"
    else DETECTIONS[name] if name in _OF_DETECTION
    else IMAGES[name]
    for name in NAMES
}  # fmt: skip


_POLARS: dict[str, pl.DataType] = {
    "int8": pl.Int8(), "int16": pl.Int16(), "int32": pl.Int32(), "int64": pl.Int64(),
    "uint16": pl.UInt16(), "float32": pl.Float32(), "float64": pl.Float64(),
    "string": pl.String(),
}  # fmt: skip
FIELDS = fields_of({name: _POLARS[COLUMNS[name].dtype] for name in NAMES}, COLUMNS)
TEXT_FIELDS = [
    replace(field, dtype=pl.String(), width=4) if field.name in ("ccdid", "qid") else field
    for field in FIELDS
]
# Text of each number of a CCD or a quadrant.
_HEXADECIMAL = pa.array([f"{number:#x}" for number in range(256)], pa.large_string())


def shown(rows: pa.Table) -> pa.Table:
    """Rows of light curves in the API's columns.

    Arrow, not polars: a query of polars costs as much as a whole light curve.
    """
    if "ccdid" not in rows.column_names:  # an import knows the channel alone
        rcid = pc.cast(rows.column("rcid"), pa.int32())
        rows = rows.append_column("ccdid", pc.add(pc.divide(rcid, 4), 1))
        quadrant = pc.subtract(rcid, pc.multiply(pc.divide(rcid, 4), 4))
        rows = rows.append_column("qid", pc.add(quadrant, 1))
    columns = [rows.column("obsmjd" if name == "mjd" else name) for name in NAMES]
    return pa.table(columns, names=list(NAMES))


def hexadecimal(rows: pa.Table) -> pa.Table:
    """CCD and quadrant as the API's text has them: 0xa."""
    for name in ("ccdid", "qid"):
        text = _HEXADECIMAL.take(rows.column(name).combine_chunks())
        rows = rows.set_column(NAMES.index(name), name, text)
    return rows
