"""Sections of how well the night measured: depth, seeing, zero points, repeatability."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from products.report.data import ARCSEC_PER_PIXEL, MIN_EPOCHS
from products.report.figures import (
    by_exposure,
    draw_over_night,
    draw_repeatability,
    draw_zero_points,
)
from products.report.maps import draw_depths
from products.report.section import (
    Section,
    Status,
    by_filter,
    command,
    counted,
    drawn,
    listed,
    number,
    signed,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from products.report.data import NightData

# Beyond these a section says: look.
DEPTH_LOSS_MAG = 1.0
SEEING_ARCSEC = 3.0
ZERO_POINT_CHANGE_MAG = 0.2
FLOOR_MAG = 0.03
_BRIGHT_MAG = 18.0


def depth_section(data: NightData) -> Section:
    """Limiting magnitude over the night, and on the sky."""
    limits, usual = by_filter(data.tonight, "median_limitmag"), data.usual("median_limitmag")
    lost = [code for code in limits if limits[code] < usual.get(code, -99.0) - DEPTH_LOSS_MAG]
    exposures = by_exposure(data.images, "limitmag", data.night)
    figures = drawn(
        "depth-time", "Limiting magnitude of each exposure against time",
        lambda: draw_over_night(exposures, "Limiting magnitude", usual, least_span=1.0),
    )  # fmt: skip
    for code in data.filters:
        draw = partial(draw_depths, data.depths, data.places, code)
        figures += drawn(f"depth-{code}", f"Map of the limiting magnitude in {code}", draw)
    return Section(
        key="depth",
        title="Depth",
        status=_status(limits, lost),
        seen=f"5-sigma limits, medians: {_against(limits, usual, 'mag')}."
        if limits else "No good image tells its limiting magnitude.",
        good="Points near the dashed lines, the median of the nights before, and maps of one "
        "colour. The Moon takes a magnitude or two, from all quadrants alike.",
        remedy="A sharp dip is a cloud: see the zero points. A slow sag is the Moon or twilight. "
        "One corner of the maps that is shallow in every field is its detector.",
        figures=figures,
        queries=[command(data, "depth_map", night=data.night)],
        broad=True,
    )  # fmt: skip


def seeing_section(data: NightData) -> Section:
    """Seeing over the night."""
    scale = ARCSEC_PER_PIXEL
    seeing = {k: v * scale for k, v in by_filter(data.tonight, "median_seeing").items()}
    usual = {k: v * scale for k, v in data.usual("median_seeing").items()}
    blurred = [code for code, value in seeing.items() if value > SEEING_ARCSEC]
    in_arcsec = data.images.with_columns(pl.col("seeing") * scale)
    exposures = by_exposure(in_arcsec, "seeing", data.night)
    return Section(
        key="seeing",
        title="Seeing",
        status=_status(seeing, blurred),
        seen=f"Medians: {_against(seeing, usual, '″', 1)}."
        if seeing else "No good image tells its seeing.",
        good=f"About 2″, and below {SEEING_ARCSEC:.0f}″ in the median of every filter.",
        remedy="High all night is focus or the air; a single exposure is wind or tracking: "
        "see the images to look at. The bar of a point is what the quadrants differ by: "
        "a long one is tilt or focus.",
        figures=drawn(
            "seeing-time", "Seeing of each exposure against time",
            lambda: draw_over_night(exposures, "Seeing [arcsec]", usual, least_span=1.0),
        ),
        queries=[command(data, "images_of_night", night=data.night)],
    )  # fmt: skip


def zero_point_section(data: NightData) -> Section:
    """Zero points, against those of the nights before."""
    tonight = data.zero_points.filter(pl.col("night") == data.night)
    change = by_filter(tonight, "magzp_change")
    off = [code for code, value in change.items() if abs(value) > ZERO_POINT_CHANGE_MAG]
    alone = data.nights.height < 2
    airmass = by_filter(tonight, "median_airmass")
    parts = [
        f"{code} {signed(change[code])} mag"
        + (f" at airmass {airmass[code]:.2f}" if code in airmass else "")
        for code in _ordered(change)
    ]
    return Section(
        key="zero-points",
        title="Zero points",
        status="none" if alone else _status(change, off),
        seen=(
            "The only night: nothing to compare with." if alone and change
            else f"Against the median of all nights: {listed(parts)}." if change
            else "No good image tells its zero point."
        ),
        good=f"Within {ZERO_POINT_CHANGE_MAG:g} mag of zero, with short bars (the scatter of the "
        "night's images). Each channel is compared with its own median over the archive.",
        remedy="Low in all filters: clouds, dust or a high airmass. Low in one: its filter or "
        "calibrators. A drift over weeks is the mirror; a step is work on the telescope.",
        figures=drawn(
            "zero-points", "Change of zero points, night by night",
            lambda: draw_zero_points(data.zero_points, data.night),
        ),
        queries=[command(data, "zero_point_trend", last_night=data.night)],
    )  # fmt: skip


def repeatability_section(data: NightData) -> Section:
    """Scatter of objects that were seen several times in the night."""
    bins = data.repeatability
    expected = expected_scatter(bins)
    bright = bins.with_columns(ratio=pl.col("median_rms") / pl.Series(expected)).filter(
        pl.col("mag_bin") < _BRIGHT_MAG
    )
    floors = by_filter(_weighted(bright, "median_rms"), "median_rms")
    ratios = by_filter(_weighted(bright, "ratio"), "ratio")
    noisy = [code for code, floor in floors.items() if floor > FLOOR_MAG]
    n_objects = int(bins["n_objects"].sum())
    parts = [
        f"{code} {1000 * floors[code]:.0f} mmag, {number(ratios.get(code), 1)} times the errors'"
        for code in _ordered(floors)
    ]
    seen = f"{counted(n_objects, 'object')} measured twice or more in this night"
    return Section(
        key="repeatability",
        title="Repeatability",
        status=_status(floors, noisy),
        seen=(
            f"{seen}; brighter than {_BRIGHT_MAG:g} mag they scatter by {listed(parts)}." if parts
            else f"{seen}." if n_objects
            else "No object was measured twice in this night."
        ),
        good="Solid lines on the dashed ones, the scatter that the stated errors would give; "
        f"where stars are bright, 10 to 25 mmag, and below {1000 * FLOOR_MAG:.0f}. Two of three "
        "objects lie in the shade. The colour term is not in it.",
        remedy="Above the dashed line at the bright end: zero points or flat field; at all "
        "magnitudes: errors too small, or clouds between exposures: see the zero points. "
        "The second line asks of all nights.",
        figures=drawn(
            "repeatability", "Scatter of objects against magnitude",
            lambda: draw_repeatability(bins, expected),
        ),
        queries=[
            command(data, "repeatability", night=data.night, min_epochs=MIN_EPOCHS),
            command(data, "repeatability"),  # of all nights, which may take a while
        ],
    )  # fmt: skip


def expected_scatter(bins: pl.DataFrame) -> NDArray[np.float64]:
    """What median_rms would be if the stated errors were right: float64 (n,), magnitudes.

    A standard deviation of few measurements is mostly too small: of k degrees of freedom its
    square has the median chi2_k / k, which is (1 − 2/(9 k))³ to 3 % (Wilson and Hilferty 1931).
    """
    freedom = (bins["n_epochs"] / bins["n_objects"] - 1.0).to_numpy()
    chi2 = (1.0 - 2.0 / (9.0 * freedom)) ** 3
    found: NDArray[np.float64] = bins["median_magerr"].to_numpy() * np.sqrt(chi2)
    return found


def _weighted(bins: pl.DataFrame, column: str) -> pl.DataFrame:
    """Of each filter the mean of a column over the bins, each weighted by its objects."""
    weight = pl.col("n_objects")
    mean = (pl.col(column) * weight).sum() / weight.sum()
    return bins.group_by("filtercode").agg(mean.alias(column))


def _status(values: dict[str, float], off: list[str]) -> Status:
    return "none" if not values else "look" if off else "good"


def _ordered(values: dict[str, float]) -> list[str]:
    return [code for code in ("zg", "zr", "zi") if code in values]


def _against(values: dict[str, float], usual: dict[str, float], unit: str, digits: int = 2) -> str:
    """zg 21.09 mag (−0.02), zr 20.94 mag (+0.31); in brackets against the nights before."""
    space = "" if unit == "″" else " "
    parts = [
        f"{code} {values[code]:.{digits}f}{space}{unit}"
        + (f" ({signed(values[code] - usual[code], digits)})" if code in usual else "")
        for code in _ordered(values)
    ]
    return listed(parts) + ("; in brackets against the nights before" if usual else "")
