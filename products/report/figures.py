"""Figures of the report: drawn for a column as wide as a phone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from products.canvas import INK, new_figure, style
from products.errors import NothingToDrawError
from products.plots import FILTER_COLOURS, FILTER_MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES, HEIGHT_INCHES = 4.2, 2.9
BIN_MAG = 0.5  # of the query repeatability, unless it is asked for others
_MJD_OF_NOTHING = date(1858, 11, 17)
# Of the quadrants of one exposure, those between these lie on its line.
_LOW, _HIGH = 0.1, 0.9


def by_exposure(images: pl.DataFrame, column: str, night: date) -> pl.DataFrame:
    """Of each exposure the median of a column of its images, and where 80 % of them lie.

    Returns
    -------
    expid, filtercode, hour (UTC, counted from the night's date on), is_bad (of all its images),
    middle, low, high; in the order of time, without exposures that have no value.
    """
    start = (night - _MJD_OF_NOTHING).days
    return (
        images.filter(pl.col(column).is_finite())
        .group_by("expid", "filtercode", maintain_order=True)
        .agg(
            hour=(pl.col("obsmjd").first() - start) * 24,
            is_bad=pl.col("is_bad").all(),
            middle=pl.col(column).median(),
            low=pl.col(column).quantile(_LOW, "linear"),
            high=pl.col(column).quantile(_HIGH, "linear"),
        )
        .sort("hour", "expid")
    )


def draw_over_night(
    exposures: pl.DataFrame, label: str, usual: Mapping[str, float], *, least_span: float
) -> Figure:
    """One value of every exposure, in the order of time.

    Parameters
    ----------
    exposures : as `by_exposure` gives them.
    usual : of a filter, the value of the nights before: a dashed line.
    least_span : of the axis: noise is not blown up to fill it.

    Raises
    ------
    NothingToDrawError : there is no exposure.
    """
    if exposures.is_empty():
        raise NothingToDrawError(f"no image tells its {label.lower()}")
    with style():
        figure = new_figure(WIDTH_INCHES, HEIGHT_INCHES)
        axes = figure.add_subplot()
        many = exposures.height > 150
        for code in _filters(exposures):
            colour, marker = FILTER_COLOURS[code], FILTER_MARKERS[code]
            for bad in (True, False):
                some = exposures.filter(filtercode=code, is_bad=bad)
                if some.is_empty():
                    continue
                hour, middle = some["hour"].to_numpy(), some["middle"].to_numpy()
                axes.vlines(hour, some["low"], some["high"], color=colour, alpha=0.45, lw=1)
                axes.plot(
                    hour, middle, marker, color=colour, markersize=3.2 if many else 5.5,
                    markerfacecolor="white" if bad else colour, markeredgewidth=1.0,
                    label=None if bad else code, zorder=3,
                )  # fmt: skip
            if code in usual:
                axes.axhline(usual[code], color=colour, lw=1, ls=(0, (5, 3)), zorder=2)
        if usual:
            axes.plot([], [], color=INK, lw=1, ls=(0, (5, 3)), label="nights before")
        if exposures["is_bad"].any():
            axes.plot([], [], "o", color=INK, markerfacecolor="white", label="judged bad")
        values = [*exposures["low"], *exposures["high"], *usual.values()]
        _span(axes, values, least_span)
        axes.set_xlabel("UTC [h]")
        axes.set_ylabel(label)
        _legend(axes)
    return figure


def draw_zero_points(trend: pl.DataFrame, night: date) -> Figure:
    """Zero points of the nights, the last one's filled.

    Parameters
    ----------
    trend : the answer of the query zero_point_trend up to this night.

    Raises
    ------
    NothingToDrawError : no night has a zero point.
    """
    if trend.is_empty():
        raise NothingToDrawError("no good image tells its zero point")
    nights = trend["night"].unique().sort().to_list()
    with style():
        figure = new_figure(WIDTH_INCHES, HEIGHT_INCHES)
        axes = figure.add_subplot()
        axes.axhline(0, color="#7b8794", lw=0.8)
        codes = _filters(trend)
        for i, code in enumerate(codes):
            some = trend.filter(filtercode=code).fill_null(0.0)
            # Side by side: filters of one night would hide each other.
            beside = 0.24 * (i - (len(codes) - 1) / 2)
            at = np.array([nights.index(one) for one in some["night"]]) + beside
            now = (some["night"] == night).to_numpy()
            change, colour = some["magzp_change"].to_numpy(), FILTER_COLOURS[code]
            scatter = some["magzp_scatter"].to_numpy()
            axes.vlines(at, change - scatter, change + scatter, color=colour, alpha=0.45, lw=1.2)
            axes.plot(
                at[~now], change[~now], FILTER_MARKERS[code], color=colour, markersize=4.5,
                markerfacecolor="white", label=None if now.any() else code,
            )  # fmt: skip
            axes.plot(
                at[now], change[now], FILTER_MARKERS[code], color=colour, markersize=6.5,
                label=code if now.any() else None, zorder=4,
            )  # fmt: skip
        values = trend["magzp_change"].to_numpy()
        scatters = trend["magzp_scatter"].fill_null(0.0).to_numpy()
        _span(axes, [*(values - scatters), *(values + scatters), 0.0], 0.2)
        step = -(-len(nights) // 5)
        shown = list(range(len(nights) - 1, -1, -step))
        axes.set_xticks(shown, [f"{nights[k]:%m-%d}" for k in shown])
        axes.set_xlim(-0.6, len(nights) - 0.4)
        axes.set_xlabel("Night")
        axes.set_ylabel("Change of zero point [mag]")
        _legend(axes)
    return figure


def draw_repeatability(bins: pl.DataFrame, expected: np.ndarray) -> Figure:
    """Scatter of an object's magnitudes against its brightness, filter by filter.

    Parameters
    ----------
    bins : the answer of the query repeatability.
    expected : (n,), of each bin the scatter that the stated errors would give.

    Raises
    ------
    NothingToDrawError : no object was seen often enough.
    """
    if bins.is_empty():
        raise NothingToDrawError("no object was seen often enough")
    with style():
        figure = new_figure(WIDTH_INCHES, HEIGHT_INCHES)
        axes = figure.add_subplot()
        for code in _filters(bins):
            here = (bins["filtercode"] == code).to_numpy()
            some, colour = bins.filter(here), FILTER_COLOURS[code]
            mag = some["mag_bin"].to_numpy() + BIN_MAG / 2
            low, high = some["p16_rms"].to_numpy(), some["p84_rms"].to_numpy()
            axes.fill_between(mag, low, high, color=colour, alpha=0.15, lw=0)
            axes.plot(
                mag, some["median_rms"], color=colour, marker=FILTER_MARKERS[code], markersize=4,
                lw=1.2, label=code, zorder=3,
            )  # fmt: skip
            axes.plot(mag, expected[here], color=colour, lw=1.1, ls=(0, (5, 3)))
        axes.plot([], [], color=INK, lw=1.1, ls=(0, (5, 3)), label="as the errors say")
        axes.set_yscale("log")
        _plain_ticks(axes)
        axes.set_xlabel("Magnitude")
        axes.set_ylabel("Scatter of one object [mag]")
        _legend(axes)
    return figure


def draw_airmass(airmasses: pl.DataFrame) -> Figure:
    """Recomputed airmass less the header's, of all quadrants of every exposure.

    Parameters
    ----------
    airmasses : the answer of the query airmass_across_focal_plane.

    Raises
    ------
    NothingToDrawError : no image has both airmasses.
    """
    exposures = (
        airmasses.drop_nulls("secz_less_airmass")
        .group_by("expid", "airmass", maintain_order=True)
        .agg(
            low=pl.col("secz_less_airmass").min(),
            middle=pl.col("secz_less_airmass").median(),
            high=pl.col("secz_less_airmass").max(),
        )
    )
    if exposures.is_empty():
        raise NothingToDrawError("no image has both airmasses")
    with style():
        figure = new_figure(WIDTH_INCHES, HEIGHT_INCHES)
        axes = figure.add_subplot()
        axes.axhline(0, color="#7b8794", lw=0.8)
        airmass = exposures["airmass"].to_numpy()
        colour = FILTER_COLOURS["zi"]
        many = exposures.height > 150
        axes.vlines(airmass, exposures["low"], exposures["high"], color=colour, alpha=0.5, lw=1)
        axes.plot(airmass, exposures["middle"], "o", color=colour, markersize=2.5 if many else 4.5)
        _span(axes, [*exposures["low"], *exposures["high"], 0.0], 0.02)
        axes.set_xlabel("Airmass of the header")
        axes.set_ylabel("Recomputed less header's")
    return figure


def _filters(frame: pl.DataFrame) -> list[str]:
    return [code for code in FILTER_COLOURS if code in frame["filtercode"]]


def _span(axes: Axes, values: list[float], least: float) -> None:
    """Limits of the axis that hold the values, and no less than `least`."""
    low, high = min(values), max(values)
    short = max(least - (high - low), 0.0) / 2
    pad = 0.06 * max(high - low, least)
    axes.set_ylim(low - short - pad, high + short + pad)


def _legend(axes: Axes) -> None:
    """Above the axes, where it hides nothing; in two lines if one is too short."""
    many = len(axes.get_legend_handles_labels()[1]) > 4
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3 if many else 4, borderaxespad=0.2,
        handletextpad=0.3, columnspacing=1.1, handlelength=1.3,
    )  # fmt: skip


def _plain_ticks(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
