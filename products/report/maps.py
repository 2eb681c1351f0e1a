"""Maps of the report: where the night looked, how deep, and the airmass across the focal plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from products.canvas import new_figure, style
from products.errors import NothingToDrawError
from products.night_map import is_near, lower_end, plot_quadrants
from products.report.figures import WIDTH_INCHES
from transforms.focal_plane import channel_centres

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

# More shapes than this are drawn as a picture: each costs 150 bytes of SVG, twice.
_MOST_SHAPES = 400
# Of the scale of depths, to either side: noise is not blown up to fill it.
_LEAST_DEPTH_MAG = 0.3


def draw_matched(places: pl.DataFrame) -> Figure:
    """The quadrants of the night, by the fraction of their detections that was matched.

    Parameters
    ----------
    places : the answer of the query map_of_night.

    Raises
    ------
    NothingToDrawError : no image has a place.
    """
    if places.is_empty():
        raise NothingToDrawError("no image has a place on the sky")
    values = _floats(places["matched_fraction"])
    with style():
        figure = new_figure(WIDTH_INCHES, _height(places))
        axes = figure.add_subplot()
        shown = _plot(axes, places, values, (lower_end(values), 1.0), "viridis")
        add_bar(figure, axes, shown, "Fraction matched to a reference source")
    return figure


def draw_depths(depths: pl.DataFrame, places: pl.DataFrame, filtercode: str) -> Figure:
    """The quadrants of the night by their limiting magnitude in one filter.

    Parameters
    ----------
    depths : the answer of the query depth_map.
    places : the answer of the query map_of_night, which knows how quadrants are turned.

    Raises
    ------
    NothingToDrawError : no good image has both a place and a limiting magnitude.
    """
    columns = ["field", "ccdid", "qid", "median_limitmag"]
    some = depths.filter(pl.col("median_limitmag").is_finite(), filtercode=filtercode)
    seen = some.select(columns).join(places, on=columns[:3], how="inner", maintain_order="left")
    if seen.is_empty():
        raise NothingToDrawError("no good image has both a place and a limiting magnitude")
    values = seen["median_limitmag"].to_numpy()
    middle = float(np.median(values))
    reach = max(float(np.abs(values - middle).max()), _LEAST_DEPTH_MAG)
    with style():
        figure = new_figure(WIDTH_INCHES, _height(seen))
        axes = figure.add_subplot()
        shown = _plot(axes, seen, values, (middle - reach, middle + reach), "cividis")
        add_bar(figure, axes, shown, f"Limiting magnitude in {filtercode}")
    return figure


def draw_focal_plane(exposure: pl.DataFrame) -> Figure:
    """Recomputed airmass of each quadrant of one exposure, where it lies in the focal plane.

    Parameters
    ----------
    exposure : rows of one exposure of the query airmass_across_focal_plane, with both airmasses.
    """
    from matplotlib.collections import PolyCollection

    centres = channel_centres(exposure["rcid"].to_numpy())
    values = _floats(exposure["secz_less_airmass"])
    half = 0.42
    square = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
    with style():
        figure = new_figure(WIDTH_INCHES, 3.8)
        axes = figure.add_subplot()
        largest = max(float(np.abs(values).max()), 1e-4)
        shown = PolyCollection(
            list(centres[:, None, :] * (-1, 1) + square), array=values, cmap="PuOr", lw=0
        )
        shown.set_clim(-largest, largest)
        axes.add_collection(shown)
        axes.set_aspect("equal")
        axes.set_xlim(-3.9, 3.9)
        axes.set_ylim(-3.9, 3.9)
        axes.set_xticks([-3, 0, 3], ["3", "0", "−3"])
        axes.set_yticks([-3, 0, 3], ["−3", "0", "3"])
        axes.grid(visible=False)
        axes.set_xlabel("East [deg]")
        axes.set_ylabel("North [deg]")
        add_bar(figure, axes, shown, "Recomputed less header's")
    return figure


def _floats(values: pl.Series) -> NDArray[np.float64]:
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _height(places: pl.DataFrame) -> float:
    """A part of the sky is a square, all of it half as high as wide; the bar is below."""
    return 4.5 if is_near(places) else 3.0


def _plot(
    axes: Axes,
    places: pl.DataFrame,
    values: NDArray[np.float64],
    limits: tuple[float, float] | None,
    colour_map: str,
) -> ScalarMappable:
    quadrants = plot_quadrants(axes, places, values, colour_map, limits, small=True)
    quadrants.set_rasterized(places.height > _MOST_SHAPES)
    return quadrants


def add_bar(figure: Figure, axes: Axes, shown: ScalarMappable, label: str) -> None:
    """A colour bar below the axes: a phone is narrow."""
    from matplotlib.ticker import MaxNLocator

    bar = figure.colorbar(shown, ax=axes, location="bottom", shrink=0.8, aspect=34, pad=0.04)
    bar.locator = MaxNLocator(5)
    bar.set_label(label)
    bar.outline.set_visible(False)
