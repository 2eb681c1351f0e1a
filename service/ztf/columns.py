"""The 24 columns of the API, in its order, under its names."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pyarrow as pa

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


# Text of each number of a CCD or a quadrant.
_HEXADECIMAL = pa.array([f"{number:#x}" for number in range(256)])


def shown(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of light curves in the API's columns."""
    if "ccdid" not in frame.columns:  # an import knows the channel alone
        rcid = pl.col("rcid")
        frame = frame.with_columns(
            ccdid=(rcid // 4 + 1).cast(pl.Int8), qid=(rcid % 4 + 1).cast(pl.Int8)
        )
    # Not `select`: a query of polars costs more than a light curve.
    return pl.DataFrame(
        [
            frame.get_column("obsmjd").alias("mjd") if name == "mjd" else frame.get_column(name)
            for name in NAMES
        ]
    )


def hexadecimal(frame: pl.DataFrame) -> pl.DataFrame:
    """CCD and quadrant as the API's text has them: 0xa."""
    columns = []
    for column in frame.iter_columns():
        if column.name in ("ccdid", "qid"):
            text = _HEXADECIMAL.take(column.to_arrow())
            columns.append(pl.Series(column.name, text, pl.String))
        else:
            columns.append(column)
    return pl.DataFrame(columns)
