"""Sections of where the telescope looked: map of the night, pixel scale, airmass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from products.canvas import new_figure, style
from products.night_map import HALF_HEIGHT_DEG, HALF_WIDTH_DEG
from products.report.figures import WIDTH_INCHES, draw_airmass
from products.report.maps import add_bar, draw_focal_plane, draw_matched
from products.report.section import (
    Section,
    command,
    counted,
    drawn,
    have,
    median,
    number,
    signed,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from products.report.data import NightData

_MOST_POINTS = 1500
# Recomputed against the header's, at the centre of the field: the header's rounds and is Hardie's.
AIRMASS_OFFSET = 0.02


def map_section(data: NightData) -> Section:
    """Where the night looked."""
    places = data.places
    fields = places["field"].n_unique()
    area = places.height * 4 * HALF_WIDTH_DEG * HALF_HEIGHT_DEG
    lost = data.images.height - int(places["n_images"].sum())
    seen = (
        f"{counted(fields, 'field')} in {counted(places.height, 'quadrant')}, {area:,.1f} square "
        "degrees of sky (what overlaps counted twice)"
    )
    if lost:
        seen += f"; {have(lost, 'image')} no place"
    return Section(
        key="map",
        title="Map of the night",
        status="none",
        seen=f"{seen}." if places.height else "No image has a place on the sky.",
        good="Whole fields, 64 quadrants each, in one bright colour: every quadrant was measured "
        "and matched alike.",
        remedy="Gaps are quadrants that were not given or were refused; grey ones have no "
        "detections; dark ones found few reference sources: see the match rate.",
        figures=drawn(
            "map", "Map of the night's quadrants by matched fraction", lambda: draw_matched(places)
        ),
        queries=[command(data, "map_of_night", night=data.night)],
    )


def scale_section(data: NightData) -> Section:
    """Pixel scale against airmass, and its check."""
    from products.scale_figure import scale_points, scatter_ppm
    from transforms.site import Site

    site = data.settings.site
    observatory = Site(site.name, site.x_m, site.y_m, site.z_m)
    points = scale_points(data.scales, site=observatory)
    check = data.scale_check.to_dicts()
    checked, bad = (check[0]["n_checked"], check[0]["n_scale_bad"]) if check else (0, 0)
    limit = data.settings.scale_limit_percent
    seen = "No image has a world coordinate system: pixel scales are not checked."
    if checked:
        worst = check[0]["max_scale_diff"]
        seen = (
            f"{counted(checked, 'image')} checked, {bad:,} judged bad; the farthest pixel scale is "
            f"{number(worst)} % off its prior's (pid {check[0]['worst_pid']})"
        )
        scatter = scatter_ppm(points)
        seen += (
            f"; good images scatter about the model by {scatter:.0f} ppm."
            if (points.height and scatter == scatter)
            else "."
        )
    return Section(
        key="scale",
        title="Pixel scale against airmass",
        status="look" if bad else "good" if checked else "none",
        seen=seen,
        good="Points on the line, which is refraction's: within 10 ppm or so of it for perfect "
        f"astrometry, and no image beyond {limit:g} % of its prior.",
        remedy="A point off the line is a wrong astrometric solution: its coordinates, ids and "
        "light curves are not to be trusted. Look at it, solve it anew, and ingest it again.",
        figures=drawn(
            "scale", "Change of mean pixel scale against airmass",
            lambda: _draw_scale(points),
        ),
        queries=[command(data, "scale_qa_by_image", night=data.night)],
    )  # fmt: skip


def _draw_scale(points: pl.DataFrame) -> Figure:
    from products.scale_figure import plot_scale

    with style():
        figure = new_figure(WIDTH_INCHES, 4.0)
        axes = figure.add_subplot()
        colours = plot_scale(axes, points)
        if points.height > _MOST_POINTS:
            for drawing in axes.collections:
                drawing.set_rasterized(True)
        add_bar(figure, axes, colours, "Hour angle [deg], west is positive")
    return figure


def airmass_section(data: NightData) -> Section:
    """Airmass across the focal plane, against the header's one value."""
    both = data.airmasses.drop_nulls("secz_less_airmass")
    spread = both.group_by("expid", maintain_order=True).agg(
        spread=pl.col("secz").max() - pl.col("secz").min(),
        offset=pl.col("secz_less_airmass").median(),
        airmass=pl.col("airmass").first(),
    )
    title = "Airmass across the focal plane"
    good = (
        "Bars about zero that lengthen with the airmass: the header has one value for the whole "
        "field, and secz of each detection is its own. The plane tilts smoothly."
    )
    remedy = (
        "Bars away from zero as a whole: the header's airmass, date or boresight is wrong; "
        "compare obsmjd with the night's log. A quadrant off the slope has wrong astrometry."
    )
    queries = [command(data, "airmass_across_focal_plane", night=data.night)]
    if spread.is_empty():
        seen = "No image has both airmasses."
        return Section("airmass", title, "none", seen, good, remedy, queries=queries)
    widest = spread.sort("spread", "expid", descending=True).row(0, named=True)
    far = spread.filter(pl.col("offset").abs() > AIRMASS_OFFSET).height
    seen = (
        f"Within one exposure the airmass differs by {number(median(spread['spread']), 3)} in the "
        f"median and by {number(widest['spread'], 3)} at most (exposure {widest['expid']}, airmass "
        f"{number(widest['airmass'])}, drawn here); its middle departs from the header's by "
        f"{signed(median(spread['offset']) or 0.0, 3)} in the median"
    )
    seen += f", and by more than {AIRMASS_OFFSET:g} in {counted(far, 'exposure')}." if far else "."
    plane = both.filter(expid=widest["expid"])
    return Section(
        key="airmass",
        title=title,
        status="look" if far else "good",
        seen=seen,
        good=good,
        remedy=remedy,
        figures=drawn(
            "airmass", "Recomputed airmass less the header's", lambda: draw_airmass(both)
        )
        + drawn(
            "airmass-plane", f"Airmass across the focal plane, exposure {widest['expid']}",
            lambda: draw_focal_plane(plane),
        ),
        queries=queries,
        broad=True,
    )  # fmt: skip
