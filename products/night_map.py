"""Map of a night: the footprint of every quadrant on the sky, coloured by what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from products.canvas import INK, new_figure, style
from products.errors import NothingToDrawError
from products.projection import Projection, all_sky, corners, zoomed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

# One quadrant: 3072 × 3080 pixels of 1.012 arcsec.
HALF_WIDTH_DEG, HALF_HEIGHT_DEG = 3072 * 1.012 / 7200, 3080 * 1.012 / 7200
# What lies further from the middle than this is shown on the whole sky.
_ZOOM_LIMIT_DEG = 25.0
_COLOURS = {
    "matched": ("matched_fraction", "Fraction matched to a reference source", "viridis"),
    "detections": ("detections_per_image", "Detections per image", "YlGnBu"),
}


def draw_night_map(night: pl.DataFrame, *, title: str = "", colour: str = "matched") -> Figure:
    """The quadrants of a night, east to the left.

    Parameters
    ----------
    night : the answer of the query map_of_night.
    colour : matched (fraction) or detections (per image).

    Raises
    ------
    NothingToDrawError : the night has no image with a place.
    """
    if night.is_empty():
        raise NothingToDrawError("the night has no image with a place on the sky")
    column, label, name = _COLOURS[colour]
    values = night[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    limits = (lower_end(values), 1.0) if colour == "matched" else None
    with style():
        near = is_near(night)
        figure = new_figure(*((7.5, 6.5) if near else (10, 5.6)))
        axes = figure.add_subplot()
        quadrants = plot_quadrants(axes, night, values, name, limits)
        bar = figure.colorbar(quadrants, ax=axes, shrink=0.75, aspect=28, pad=0.02)
        bar.set_label(label)
        bar.outline.set_visible(False)
        axes.set_title(title, pad=24)
        axes.text(0, 1.015, _summary(night), transform=axes.transAxes, fontsize=9, va="bottom")
    return figure


def plot_quadrants(
    axes: Axes,
    places: pl.DataFrame,
    values: NDArray[np.float64],
    colour_map: str,
    limits: tuple[float, float] | None = None,
    *,
    small: bool = False,
) -> PolyCollection:
    """Draw quadrants on the sky into axes of a figure; returns what a colour bar is made of.

    Parameters
    ----------
    places : columns ra, dec, axis2_angle (null is north), degrees.
    values : (n,), what colours each; NaN is grey.
    limits : of the colours; None is the range of the values.
    small : a map for a narrow column, with fewer words about it.
    """
    from matplotlib import colormaps
    from matplotlib.collections import PolyCollection

    ra, dec = places["ra"].to_numpy(), places["dec"].to_numpy()
    projection = projection_of(ra, dec)
    angle = places["axis2_angle"].cast(pl.Float64).fill_null(0.0).to_numpy()
    quadrants = PolyCollection(
        projection.polygons(corners(ra, dec, HALF_WIDTH_DEG, HALF_HEIGHT_DEG, angle)),
        array=values,
        cmap=colormaps[colour_map].with_extremes(bad="#c4ccd4"),
        edgecolor="white",
        # On the whole sky a quadrant is a few pixels: an edge would hide it.
        linewidth=0.4 if projection.zoomed else 0.0,
        zorder=3,
    )
    if limits is not None:
        quadrants.set_clim(*limits)
    _graticule(axes, projection, every=2 if small and not projection.zoomed else 1)
    axes.add_collection(quadrants)
    axes.set_aspect("equal")
    axes.set_axis_off()
    low, high = projection.limits
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    return quadrants


def is_near(places: pl.DataFrame) -> bool:
    """Whether all places lie in one part of the sky, which is drawn large."""
    return projection_of(places["ra"].to_numpy(), places["dec"].to_numpy()).zoomed


def projection_of(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> Projection:
    """How places (degrees) are drawn: near ones large about their middle, others on all the sky."""
    phi, theta = np.radians(ra), np.radians(dec)
    unit = np.stack([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta)], -1)
    mean = unit.mean(axis=0)
    mean /= max(float(np.linalg.norm(mean)), 1e-12)
    # Chords, not cosines: arccos loses the small separations.
    chord = np.linalg.norm(unit - mean, axis=1).max()
    if chord > 2 * np.sin(np.radians(_ZOOM_LIMIT_DEG) / 2):
        return all_sky()
    centre_ra = float(np.degrees(np.arctan2(mean[1], mean[0])) % 360)
    return zoomed(centre_ra, float(np.degrees(np.arcsin(mean[2]))), ra, dec)


def lower_end(fractions: NDArray[np.float64]) -> float:
    """Where the scale of fractions begins: the tenth below the smallest, 0.9 at most."""
    finite = fractions[np.isfinite(fractions)]
    return min(float(np.floor(finite.min() * 10) / 10), 0.9) if finite.size else 0.0


def _graticule(axes: Axes, projection: Projection, every: int) -> None:
    """Lines, and words at `every` second or so of them."""
    for line in projection.meridians + projection.parallels:
        axes.plot(line[:, 0], line[:, 1], color="#c4ccd4", linewidth=0.6, zorder=1)
    if projection.outline is not None:
        axes.fill(*projection.outline.T, facecolor="#f6f8fa", edgecolor="#7b8794", lw=0.8, zorder=0)
    for x, y, text, horizontal, vertical in projection.labels[::every]:
        axes.annotate(
            text, (x, y), fontsize=8.5, color=INK, ha=horizontal, va=vertical,
            annotation_clip=False, zorder=4,
        )  # fmt: skip


def _summary(night: pl.DataFrame) -> str:
    images, bad = int(night["n_images"].sum()), int(night["n_bad_images"].sum())
    rows, matched = int(night["n_published"].sum()), int(night["n_matched"].sum())
    share = f"{matched / rows:.1%} matched" if rows else "none"
    fields = night["field"].n_unique()
    return (
        f"{images:,} images of {fields:,} field{'s' if fields > 1 else ''}, {bad:,} bad; "
        f"{rows:,} detections, {share}"
    )
