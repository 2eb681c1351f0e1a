"""Rows of a light curve as points: axes, errors, which are hollow, and the words of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from service.page.state import PageState
from transforms.flux import microjansky

Floats = NDArray[np.float64]

# ZTF's pixels, as seeing is told in them.
ARCSEC_PER_PIXEL = 1.012
BAD_IMAGE = 32768
_MJD_OF_NOTHING = datetime(1858, 11, 17)  # noqa: DTZ001  # UTC, as all times here


@dataclass(frozen=True, eq=False)
class Points:
    """Points in the order of their rows; each (n,).

    Attributes
    ----------
    time : HMJD, or MJD of the start of the exposure.
    value, error : magnitudes or µJy; of a limit its value, and no error.
    band, field : which curve a point is of.
    bad : flagged, or of a bad image: drawn hollow.
    limit : an upper limit.
    words : what is said of a point that is pointed at.
    """

    time: Floats
    value: Floats
    error: Floats
    band: NDArray[np.str_]
    field: NDArray[np.int64]
    bad: NDArray[np.bool_]
    limit: NDArray[np.bool_]
    words: list[str]

    @property
    def clean(self) -> NDArray[np.bool_]:
        """Measured, and nothing is said against it."""
        return ~self.bad & ~self.limit

    def __len__(self) -> int:
        return self.time.size


def points_of(rows: pl.DataFrame, state: PageState) -> Points:
    """What can be drawn: rows with a time, and a magnitude or a limit."""
    if "is_upper_limit" not in rows.columns:
        rows = rows.with_columns(is_upper_limit=pl.lit(value=False))
    time = "hmjd" if state.time == "hmjd" else "obsmjd"
    rows = rows.with_columns(
        shown=pl.when("is_upper_limit").then("limitmag").otherwise("mag").cast(pl.Float64)
    ).filter(pl.col(time).is_finite(), pl.col("shown").is_finite())
    value = rows["shown"].to_numpy()
    limit = rows["is_upper_limit"].to_numpy()
    error = rows["magerr"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    error = np.where(limit, np.nan, error)
    if state.y == "flux":
        value, error = microjansky(value, error)
    bad = rows.select(
        ((pl.col("catflags").fill_null(0) != 0) | pl.col("is_bad").fill_null(value=False))
        & ~pl.col("is_upper_limit")
    ).to_series()
    return Points(
        time=rows[time].to_numpy(),
        value=value,
        error=error,
        band=rows["filtercode"].fill_null("?").to_numpy().astype(str),
        field=rows["field"].fill_null(0).to_numpy().astype(np.int64),
        bad=bad.to_numpy(),
        limit=limit,
        words=_words(rows),
    )


def utc(mjd: float) -> str:
    """A time as a date: 2024-01-10 04:56:07."""
    return f"{_MJD_OF_NOTHING + timedelta(days=mjd):%Y-%m-%d %H:%M:%S}"


def flag_words(catflags: int | None) -> str:
    """Flags as a number and what of it matters most."""
    if not catflags:
        return "none"
    return f"{catflags} (bad image or pixels)" if catflags & BAD_IMAGE else str(catflags)


def _words(rows: pl.DataFrame) -> list[str]:
    names = (
        "obsmjd", "hmjd", "mag", "magerr", "limitmag", "filtercode", "field", "ccdid", "qid",
        "expid", "exptime", "airmass", "seeing", "catflags", "bad_reason", "is_upper_limit", "oid",
    )  # fmt: skip
    return [_word(row) for row in rows.select(names).iter_rows(named=True)]


def _word(row: dict[str, object]) -> str:
    def told(name: str, digits: int, factor: float = 1.0) -> str:
        value = row[name]
        return f"{float(value) * factor:.{digits}f}" if isinstance(value, float) else "–"

    start = row["obsmjd"]
    if row["is_upper_limit"]:
        value = f"fainter than {told('limitmag', 2)} mag"
    else:
        value = f"{told('mag', 3)} ± {told('magerr', 3)} mag"
    catflags = row["catflags"]
    lines = [
        f"<b>{row['filtercode']}  {value}</b>",
        f"{utc(start)} UTC" if isinstance(start, float) else "",
        f"HMJD {told('hmjd', 6)}, MJD {told('obsmjd', 6)}",
        f"exposure {row['expid']}, {told('exptime', 0)} s",
        f"field {row['field']}, CCD {row['ccdid']}, quadrant {row['qid']}",
        f"airmass {told('airmass', 2)}, seeing {told('seeing', 1, ARCSEC_PER_PIXEL)}″",
        f"limit {told('limitmag', 2)} mag",
        f"flags {flag_words(catflags if isinstance(catflags, int) else None)}",
        f"bad image: {_plain(str(row['bad_reason']))}" if row["bad_reason"] else "",
        f"object {row['oid']}" if row["oid"] is not None else "no object",
    ]
    return "<br>".join(line for line in lines if line)


def _plain(text: str) -> str:
    """Text from files, where plotly would read tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
