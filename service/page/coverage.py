"""The map of what an archive covers: quadrants on the sky, coloured by their number of images."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from products.night_map import HALF_HEIGHT_DEG, HALF_WIDTH_DEG, projection_of
from products.projection import Projection, corners
from service.page.figures import Figure, colours, framed

# More quadrants than these are drawn a field at a time.
_MOST_QUADRANTS = 4000
_HALF_FIELD_DEG = 3.7
_CLASSES = 6
# Viridis without its ends, which vanish on dark and on white.
_SHADES = ("#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39")
# The mean right ascension of some places, through 0 h too.
_RA = pl.col("ra").radians()
_MIDDLE_RA = pl.arctan2(_RA.sin().mean(), _RA.cos().mean()).degrees() % 360


def coverage_chart(depths: pl.DataFrame, theme: str) -> Figure:
    """Where images were taken, and how many.

    Parameters
    ----------
    depths : the answer of the query depth_map, not empty.
    """
    palette = colours(theme)
    quadrants = depths.group_by("field", "rcid").agg(
        pl.col("ra").first(), pl.col("dec").first(), n_images=pl.col("n_images").sum(),
        limit=pl.col("median_limitmag").median(),
    )  # fmt: skip
    fields = quadrants.group_by("field").agg(
        ra=_MIDDLE_RA,
        dec=pl.col("dec").mean(), n_images=pl.col("n_images").max(), limit=pl.col("limit").median(),
    )  # fmt: skip
    projection = projection_of(quadrants["ra"].to_numpy(), quadrants["dec"].to_numpy())
    shown, half = quadrants, (HALF_WIDTH_DEG, HALF_HEIGHT_DEG)
    if quadrants.height > _MOST_QUADRANTS:
        shown, half = fields, (_HALF_FIELD_DEG, _HALF_FIELD_DEG)
    axis: dict[str, Any] = {"visible": False, "showgrid": False, "constrain": "domain"}
    low, high = projection.limits
    figure = framed(theme, {
        "xaxis": axis | {"range": _wider(low[0], high[0])},
        "yaxis": axis | {"range": _wider(low[1], high[1]), "scaleanchor": "x"},
    })  # fmt: skip
    figure["data"] = [
        *_grid(projection, palette), *_areas(projection, shown, half),
        _names(projection, fields),
    ]  # fmt: skip
    figure["layout"]["margin"] = {"l": 30, "r": 30, "t": 34, "b": 24}
    figure["layout"]["annotations"] = [
        {"x": x, "y": y, "text": text, "showarrow": False, "font": {"size": 11},
         "xanchor": horizontal, "yanchor": {"center": "middle"}.get(vertical, vertical)}
        for x, y, text, horizontal, vertical in projection.labels
    ]  # fmt: skip
    return figure


def _wider(low: float, high: float) -> list[float]:
    """With room for the words at the edges."""
    pad = 0.06 * (high - low)
    return [low - pad, high + pad]


def _grid(projection: Projection, palette: dict[str, str]) -> list[dict[str, Any]]:
    x: list[float | None] = []
    y: list[float | None] = []
    lines = projection.meridians + projection.parallels
    if projection.outline is not None:
        lines = [*lines, projection.outline]
    for line in lines:
        x += [*line[:, 0].tolist(), None]
        y += [*line[:, 1].tolist(), None]
    return [
        {"type": "scatter", "mode": "lines", "x": x, "y": y, "hoverinfo": "skip",
         "showlegend": False, "opacity": 0.5,
         "line": {"color": palette["edge"], "width": 0.8}}
    ]  # fmt: skip


def _areas(
    projection: Projection, places: pl.DataFrame, half: tuple[float, float]
) -> list[dict[str, Any]]:
    """A trace for each class of how many images there are."""
    counts = places["n_images"].to_numpy()
    edges = np.unique(np.round(np.geomspace(counts.min(), counts.max() + 1, _CLASSES + 1)))
    number = np.clip(np.searchsorted(edges, counts, side="right") - 1, 0, max(len(edges) - 2, 0))
    ra, dec = places["ra"].to_numpy(), places["dec"].to_numpy()
    shapes = projection.polygons(corners(ra, dec, *half, np.zeros(ra.size)))
    traces: list[dict[str, Any]] = []
    n_classes = max(len(edges) - 1, 1)
    middle = (_CLASSES - n_classes) // 2
    shades = _SHADES[middle:]
    for i in range(n_classes):
        x: list[float | None] = []
        y: list[float | None] = []
        for k in np.flatnonzero(number == i):
            x += [*shapes[k][:, 0].tolist(), float(shapes[k][0, 0]), None]
            y += [*shapes[k][:, 1].tolist(), float(shapes[k][0, 1]), None]
        if not x:
            continue
        some = counts[number == i]
        first, last = some.min(), some.max()
        name = f"{first:,}" if first == last else f"{first:,}–{last:,}"
        traces.append(
            {
                "type": "scatter", "mode": "lines", "x": x, "y": y, "fill": "toself",
                "fillcolor": shades[i], "line": {"width": 0.5, "color": shades[i]},
                "opacity": 0.85, "hoverinfo": "skip", "name": f"{name} images",
            }
        )  # fmt: skip
    return traces


def _names(projection: Projection, fields: pl.DataFrame) -> dict[str, Any]:
    """Middles of the fields, invisible, which say what is there."""
    places = projection(fields["ra"].to_numpy(), fields["dec"].to_numpy())
    words = [
        f"<b>field {row['field']}</b><br>{row['n_images']:,} images of a quadrant"
        + ("" if row["limit"] is None else f"<br>limit {row['limit']:.2f} mag, median")
        for row in fields.iter_rows(named=True)
    ]
    return {
        "type": "scatter", "mode": "markers", "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(), "marker": {"size": 22, "opacity": 0}, "showlegend": False,
        "hovertext": words, "hovertemplate": "%{hovertext}<extra></extra>", "name": "fields",
    }  # fmt: skip
