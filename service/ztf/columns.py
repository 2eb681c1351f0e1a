"""The 24 columns of the API, in its order, under its names."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

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


def shown(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of light curves in the API's columns."""
    if "ccdid" not in frame.columns:  # an import knows the channel alone
        frame = frame.with_columns(
            ccdid=(pl.col("rcid") // 4 + 1).cast(pl.Int8),
            qid=(pl.col("rcid") % 4 + 1).cast(pl.Int8),
        )
    return frame.rename({"obsmjd": "mjd"}).select(NAMES)


def hexadecimal(frame: pl.DataFrame) -> pl.DataFrame:
    """CCD and quadrant as the API's text has them: 0xa."""
    names = {number: f"{number:#x}" for number in range(-1, 256)}
    return frame.with_columns(
        pl.col("ccdid", "qid").cast(pl.Int64).replace_strict(
            names, default=None, return_dtype=pl.String
        )
    )  # fmt: skip
