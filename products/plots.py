"""Pictures of light curves: against time, and folded at a period.

Colours are those of the filters; a bad point (catflags not 0, or its image judged bad) is hollow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from products.canvas import new_figure, style
from products.errors import NothingToDrawError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by whoever sees no red or no green (M. Okabe and K. Ito, Color Universal Design); where
# points of several filters crowd, by their shapes too.
FILTER_COLOURS = {"zg": "#009e73", "zr": "#d55e00", "zi": "#6a51a3"}
FILTER_MARKERS = {"zg": "o", "zr": "s", "zi": "D"}
_OTHER = "#5b6770"
_MJD_OF_1970 = 40587.0
# Flagged points may be anything: they do not set the scale.
_MARGIN = 0.08


def draw_lightcurve(curve: pl.DataFrame, title: str = "") -> Figure:
    """Magnitude against hmjd, dates above.

    Parameters
    ----------
    curve : columns hmjd, mag, magerr, catflags, filtercode, is_bad, as a light curve has them.

    Raises
    ------
    NothingToDrawError : no detection has a date and a magnitude.
    """
    points = _points(curve)
    with style():
        figure = new_figure(9, 5)
        axes = figure.add_subplot()
        _scatter(axes, points, points["hmjd"].to_numpy(), repeat=1)
        axes.set_xlabel("HMJD (UTC, mid-exposure) [d]")
        axes.ticklabel_format(axis="x", useOffset=False, style="plain")
        hmjd = points["hmjd"].to_numpy()
        pad = max(0.03 * float(np.ptp(hmjd)), 0.02)
        axes.set_xlim(hmjd.min() - pad, hmjd.max() + pad)
        _date_axis(axes, span_days=float(np.ptp(hmjd)))
        _finish(axes, points, title)
    return figure


def draw_folded(
    curve: pl.DataFrame, period_days: float, *, epoch_hmjd: float | None = None, title: str = ""
) -> Figure:
    """Magnitude against phase, shown twice over.

    Parameters
    ----------
    period_days : above 0.
    epoch_hmjd : where the phase is 0; None is the brightest clean point.

    Raises
    ------
    NothingToDrawError : no detection has a date and a magnitude.
    """
    points = _points(curve)
    if epoch_hmjd is None:
        clean = points.filter(~pl.col("bad"))
        best = (clean if clean.height else points).sort("mag").row(0, named=True)
        epoch_hmjd = float(best["hmjd"])
    phase = np.mod((points["hmjd"].to_numpy() - epoch_hmjd) / period_days, 1.0)
    with style():
        figure = new_figure(9, 5)
        axes = figure.add_subplot()
        _scatter(axes, points, phase, repeat=2)
        axes.axvline(1.0, color="#7b8794", linewidth=0.8, linestyle=(0, (4, 3)))
        axes.set_xlim(-0.02, 2.02)
        axes.set_xticks(np.arange(0, 2.01, 0.25))
        axes.set_xlabel(f"Phase (period {period_days:.9g} d, phase 0 at HMJD {epoch_hmjd:.5f})")
        _finish(axes, points, title)
    return figure


def _points(curve: pl.DataFrame) -> pl.DataFrame:
    """Detections that can be drawn, clean and bad told apart."""
    flagged = pl.col("catflags").fill_null(0) != 0
    points = curve.filter(pl.col("hmjd").is_finite(), pl.col("mag").is_finite()).with_columns(
        (flagged | pl.col("is_bad").fill_null(value=False)).alias("bad"),
        pl.col("filtercode").fill_null("?"),
        pl.col("magerr").fill_null(0.0).fill_nan(0.0),
    )
    if points.is_empty():
        raise NothingToDrawError("no detection has both a date and a magnitude")
    return points


def _scatter(axes: Axes, points: pl.DataFrame, x: NDArray[np.float64], repeat: int) -> None:
    """All points, a filter at a time; `repeat` draws them again one unit to the right."""
    crowd = points.height * repeat
    size = 5.5 if crowd < 300 else 4.0 if crowd < 2000 else 2.5
    filters = points["filtercode"].to_numpy()
    bad = points["bad"].to_numpy()
    mag, magerr = points["mag"].to_numpy(), points["magerr"].to_numpy()
    order = [code for code in (*FILTER_COLOURS, "?") if code in set(filters)]
    for code in order:
        colour = FILTER_COLOURS.get(code, _OTHER)
        for hollow in (True, False):
            at = (filters == code) & (bad == hollow)
            if not at.any():
                continue
            # Filters are named by their clean points; what is hollow is told once for all.
            label = "" if hollow else f"{code}, {at.sum():,}"
            axes.errorbar(
                np.concatenate([x[at] + k for k in range(repeat)]),
                np.tile(mag[at], repeat),
                np.tile(magerr[at], repeat),
                label=label or None,
                fmt="o",
                markersize=size,
                color=colour,
                ecolor=(colour, 0.35),
                elinewidth=0.9,
                markerfacecolor="white" if hollow else (colour, 0.85),
                markeredgecolor=colour if hollow else "white",
                markeredgewidth=0.9 if hollow else 0.4,
                zorder=2 if hollow else 3,
            )


def _finish(axes: Axes, points: pl.DataFrame, title: str) -> None:
    clean = points.filter(~pl.col("bad"))
    shown = clean if clean.height else points
    error = np.minimum(shown["magerr"].to_numpy(), 0.5)
    mag = shown["mag"].to_numpy()
    low, high = float((mag - error).min()), float((mag + error).max())
    pad = max(high - low, 0.05) * _MARGIN
    axes.set_ylim(high + pad, low - pad)  # bright is up
    axes.set_ylabel("Magnitude [mag]")
    axes.set_title(title)
    flagged = points.height - clean.height
    hidden = points.filter((pl.col("mag") > high + pad) | (pl.col("mag") < low - pad)).height
    if flagged:
        beyond = f"\n({hidden:,} off the scale)" if hidden else ""
        axes.errorbar(
            [], [], fmt="o", markersize=5, markerfacecolor="white", markeredgecolor=_OTHER,
            label=f"flagged, {flagged:,}{beyond}",
        )  # fmt: skip
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.2, borderaxespad=0)


def _date_axis(axes: Axes, span_days: float) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    top = axes.secondary_xaxis("top", functions=(_days_of_1970, _hmjd))
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    top.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator,
        # Over a year and more the labels themselves name the years.
        show_offset=span_days < 300,
        formats=["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", "%S"],
        zero_formats=["", "%Y", "%b", "%-d %b", "%H:%M", "%H:%M"],
        offset_formats=["", "%Y", "%Y", "%Y %b %-d", "%Y %b %-d", "%Y %b %-d %H:%M"],
    )
    top.xaxis.set_major_formatter(formatter)
    top.tick_params(labelsize=9)


def _days_of_1970(hmjd: Any) -> Any:
    """matplotlib counts its dates from 1970."""
    return np.asarray(hmjd) - _MJD_OF_1970


def _hmjd(days: Any) -> Any:
    return np.asarray(days) + _MJD_OF_1970
