"""The finder chart: reference sources about a star, and where its own points lie; north is up."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from service.page.figures import BANDS, Figure, colours, framed
from service.page.stars import Star

# The brightest is drawn this large, and what is ten magnitudes fainter a dot.
_LARGEST, _PER_MAG, _SMALLEST = 22.0, 2.2, 4.0


def finder_chart(star: Star, around: pl.DataFrame, theme: str) -> Figure:
    """Offsets in arcseconds, east to the left.

    Parameters
    ----------
    around : the answer of the query neighbours.
    """
    palette, radius, edge = colours(theme), star.radius_arcsec, 1.08 * star.around_arcsec
    axes: dict[str, Any] = {
        "xaxis": {
            "title": {"text": "East [″]"}, "range": [edge, -edge],
            "nticks": 6, "constrain": "domain",
        },
        "yaxis": {
            "title": {"text": "North [″]"}, "range": [-edge, edge],
            "nticks": 6, "scaleanchor": "x", "constrain": "domain",
        },
    }  # fmt: skip
    figure = framed(theme, axes)
    mine = set(star.oids)
    traces = []
    for band in BANDS[:3]:
        some = around.filter(pl.col("filtercode") == band)
        if some.is_empty():
            continue
        east, north = offsets(some, star)
        own = [oid in mine for oid in some["oid"]]
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": band,
                "x": east.tolist(), "y": north.tolist(),
                "customdata": [str(oid) for oid in some["oid"]],
                "hovertext": [_words(row) for row in some.iter_rows(named=True)],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "marker": {
                    "symbol": "circle-open", "color": palette[band],
                    "size": sizes(some["mag"].cast(pl.Float64).to_numpy()).tolist(),
                    "line": {"width": [2.5 if one else 1.2 for one in own]},
                },
            }
        )  # fmt: skip
    detections = star.detections.select("ra", "dec").drop_nulls()
    east, north = offsets(detections, star)
    traces.append(
        {
            "type": "scatter", "mode": "markers", "name": "this star's points",
            "x": east.tolist(), "y": north.tolist(), "hoverinfo": "skip",
            "marker": {"size": 2.5, "color": palette["ink"], "opacity": 0.5},
        }
    )  # fmt: skip
    figure["data"] = traces
    figure["layout"]["margin"] |= {"t": 34}
    if radius:
        figure["layout"]["shapes"] = [
            {"type": "circle", "x0": -radius, "x1": radius, "y0": -radius, "y1": radius,
             "line": {"color": palette["note"], "width": 1, "dash": "dot"}}
        ]  # fmt: skip
    return figure


def offsets(places: pl.DataFrame, star: Star) -> tuple[np.ndarray, np.ndarray]:
    """East and north of the star, arcsec, float64 (n,)."""
    ra, dec = (places[name].to_numpy().astype(float) for name in ("ra", "dec"))
    east = (ra - star.ra_deg + 180) % 360 - 180
    return (
        east * np.cos(np.radians(star.dec_deg)) * 3600,
        (dec - star.dec_deg) * 3600,
    )


def sizes(mag: np.ndarray) -> np.ndarray:
    """Diameters in pixels: the brighter, the larger."""
    brightest = np.nanmin(mag) if np.isfinite(mag).any() else 0.0
    size = _LARGEST - _PER_MAG * (np.nan_to_num(mag, nan=99.0) - brightest)
    clipped: np.ndarray = np.clip(size, _SMALLEST, _LARGEST)
    return clipped


def _words(row: dict[str, Any]) -> str:
    mag = "–" if row["mag"] is None else f"{row['mag']:.2f}"
    return (
        f"<b>{row['filtercode']}  {mag} mag</b><br>{row['separation_arcsec']:.2f}″ away<br>"
        f"field {row['field']}, readout channel {row['rcid']}<br>object {row['oid']}"
    )
