"""The figure of the scale check: change of mean pixel scale against airmass, and refraction's line.

What annual aberration does is taken off each image's scale, and each channel (readout channel and
filter) has a zero of its own: the scale that it would have at the zenith by the model, the median
over its good images. So the model's zero at the zenith is the zero of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from products.canvas import INK, new_figure, style
from products.errors import NothingToDrawError
from transforms.airmass import VELOCITY
from transforms.atmosphere import HPA_PER_ATM, Air
from transforms.ephemeris import observer_contexts
from transforms.hour_angle import hour_angle
from transforms.refraction import aberration_scale, scale_change_percent
from transforms.site import PALOMAR, Site

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

# A channel of one image has no zero but that image's own.
FEWEST_OF_CHANNEL = 2
# Of a normal distribution, this many median absolute deviations are one sigma.
SIGMA_PER_MAD = 1.4826
PPM_PER_PERCENT = 1e4
MOST_SIGMAS = 8.0  # of the residuals that are shown
COLOUR_MAP, LARGEST_HOUR_ANGLE_DEG = "managua_r", 75.0
LINE = "#d1342f"
X_LABEL = "Airmass, recomputed (no refraction)"
Y_LABEL = "Change of mean pixel scale [%]\n0 is the model's at the zenith"


def scale_points(
    images: pl.DataFrame, air: Air | None = None, site: Site = PALOMAR
) -> pl.DataFrame:
    """What the figure shows of each image.

    Parameters
    ----------
    images : columns rcid, fid, obsmjd, ra, dec, secz, pixel_scale_arcsec, is_bad, as the query
        scale_vs_airmass has them.
    air : of the model; None is the paper's for Palomar, 0.80 atm and 15 °C.

    Returns
    -------
    `images` and, in percent against the model's zero at the zenith, `scale_change` and
    `model_change` (null beyond airmass 20), and `hour_angle_deg`; without images of channels that
    have fewer than two good ones.
    """
    if images.is_empty():
        nothing = ("scale_change", "model_change", "hour_angle_deg")
        return images.with_columns(pl.lit(None, pl.Float64).alias(name) for name in nothing)
    ra, dec, mjd, secz, scale = (
        images[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("ra", "dec", "obsmjd", "secz", "pixel_scale_arcsec")
    )
    dates, of_image = np.unique(mjd, return_inverse=True)
    velocity = observer_contexts(dates, site).apparent[of_image, VELOCITY : VELOCITY + 3]
    model = scale_change_percent(secz, air)
    at_rest = scale / aberration_scale(ra, dec, velocity)
    channel = ["rcid", "fid"]
    at_zenith = pl.when(~pl.col("is_bad")).then(pl.col("_at_zenith"))
    return (
        images.with_columns(
            hour_angle_deg=hour_angle(ra, dec, mjd, site),
            model_change=pl.Series(model).fill_nan(None),
            _at_rest=pl.Series(at_rest),
            _at_zenith=pl.Series(at_rest / (1.0 + model / 100.0)).fill_nan(None),
        )
        .with_columns(
            _zero=at_zenith.median().over(channel), _known=at_zenith.count().over(channel)
        )
        .filter(pl.col("_known") >= FEWEST_OF_CHANNEL)
        .with_columns(scale_change=100.0 * (pl.col("_at_rest") / pl.col("_zero") - 1.0))
        .drop("_at_rest", "_at_zenith", "_zero", "_known")
    )


def residuals_ppm(points: pl.DataFrame) -> pl.Series:
    """Scale less the model's, parts per million of the scale; null without a model."""
    return ((points["scale_change"] - points["model_change"]) * PPM_PER_PERCENT).rename("ppm")


def scatter_ppm(points: pl.DataFrame) -> float:
    """How far the good images' scales lie from the model: one sigma, parts per million.

    By the median absolute deviation; NaN without an image. The zeros are medians of the same
    images: with n of a channel it is too small by about 1/(2 n).
    """
    off = residuals_ppm(points.filter(~pl.col("is_bad"))).drop_nulls().to_numpy()
    return float(SIGMA_PER_MAD * np.median(np.abs(off))) if off.size else float("nan")


def draw_scale(
    images: pl.DataFrame, *, title: str = "", air: Air | None = None, site: Site = PALOMAR
) -> Figure:
    """The figure by itself: change against airmass, and below it what the model leaves.

    Parameters
    ----------
    images : the answer of the query scale_vs_airmass.
    air : of the model; None is the paper's for Palomar, 0.80 atm and 15 °C.

    Raises
    ------
    NothingToDrawError : no channel has two good images with a WCS.
    """
    points = scale_points(images, air, site)
    with style():
        figure = new_figure(8, 6)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        colours = plot_scale(upper, points, air)
        plot_residuals(lower, points)
        upper.set_xlabel("")
        upper.tick_params(labelbottom=False)
        bar = figure.colorbar(colours, ax=[upper, lower], shrink=0.9, aspect=34, pad=0.02)
        bar.set_label("Hour angle [deg], west is positive")
        bar.outline.set_visible(False)
        upper.set_title(title, pad=24)
        words = upper.text(
            0, 1.015, summary(points), transform=upper.transAxes, fontsize=9, va="bottom"
        )
        words.set_in_layout(False)  # or else a long line makes the picture narrow
    return figure


def plot_scale(axes: Axes, points: pl.DataFrame, air: Air | None = None) -> ScalarMappable:
    """Draw points and model into axes of a figure; returns what a colour bar is made of.

    Raises
    ------
    NothingToDrawError : there are no points.
    """
    good, bad = points.filter(~pl.col("is_bad")), points.filter(pl.col("is_bad"))
    if good["scale_change"].count() == 0:
        raise NothingToDrawError("no channel has two good images with a world coordinate system")
    change = good["scale_change"].to_numpy()
    line = np.linspace(1.0, _last_airmass(points), 300)
    model = scale_change_percent(line, air)
    low = min(float(change.min()), 0.0)
    high = max(float(change.max()), float(np.nanmax(model)))
    pad = 0.06 * (high - low)
    here = air or Air()
    label = f"model: {here.pressure_hpa / HPA_PER_ATM:.2f} atm, {here.temperature_c:.0f} °C"
    axes.plot(line, model, color=LINE, linewidth=2.0, label=label, zorder=2)
    colours = _scatter(axes, good, change)
    if bad.height:
        off = bad.filter((pl.col("scale_change") - (low + high) / 2).abs() > (high - low) / 2 + pad)
        beyond = f" ({off.height:,} off the scale)" if off.height else ""
        axes.plot(
            bad["secz"].to_numpy(), bad["scale_change"].to_numpy(), "o", markersize=4.5,
            markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.9, zorder=4,
            label=f"judged bad, {bad.height:,}{beyond}",
        )  # fmt: skip
    axes.set_ylim(low - pad, high + pad)
    axes.set_xlim(1.0 - 0.02 * (line[-1] - 1.0), line[-1])
    axes.set_xlabel(X_LABEL)
    axes.set_ylabel(Y_LABEL)
    axes.legend(loc="upper left")
    return colours


def plot_residuals(axes: Axes, points: pl.DataFrame) -> None:
    """Draw what the model leaves of the good images; of those far off, as many as there are."""
    good = points.filter(~pl.col("is_bad") & pl.col("model_change").is_not_null())
    off = residuals_ppm(good).to_numpy()
    axes.axhline(0.0, color=LINE, linewidth=1.2, zorder=2)
    _scatter(axes, good, off)
    most = max(MOST_SIGMAS * scatter_ppm(points), 1.0) if off.size else 1.0
    beyond = int((np.abs(off) > most).sum())
    limit = min(most, 1.15 * float(np.abs(off).max())) if off.size and off.any() else most
    axes.set_ylim(-limit, limit)
    if beyond:
        axes.set_title(f"{beyond:,} off the scale", fontsize=8, loc="right", pad=2, weight="normal")
    axes.set_xlabel(X_LABEL)
    axes.set_ylabel("less model [ppm]")


def _scatter(axes: Axes, good: pl.DataFrame, y: NDArray[np.float64]) -> ScalarMappable:
    """Good images coloured by hour angle, far ones on top: near the meridian there are most."""
    angle = good["hour_angle_deg"].to_numpy()
    order = np.argsort(np.abs(angle))
    return axes.scatter(
        good["secz"].to_numpy()[order], y[order], c=angle[order], cmap=COLOUR_MAP,
        vmin=-LARGEST_HOUR_ANGLE_DEG, vmax=LARGEST_HOUR_ANGLE_DEG,
        s=16 if y.size < 2000 else 5, linewidth=0, zorder=3,
    )  # fmt: skip


def _last_airmass(points: pl.DataFrame) -> float:
    """Where the axis of airmasses ends."""
    return max(1.0 + 1.03 * (float(points["secz"].to_numpy().max()) - 1.0), 1.02)


def summary(points: pl.DataFrame) -> str:
    """What a figure says above itself."""
    good = points.filter(~pl.col("is_bad"))
    channels = good["rcid"].n_unique()
    return (
        f"{good.height:,} images of {channels:,} readout channel{'s' if channels > 1 else ''}, "
        f"annual aberration removed; scatter about the model {scatter_ppm(points):.1f} ppm"
    )
