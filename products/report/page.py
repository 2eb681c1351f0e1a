"""The report as one HTML file: everything is in it, nothing is loaded, nothing runs.

Text from outside (names of files, reasons, the archive's own name) is escaped by the template, and
shown in words where it is not printable. The same archive gives the same bytes.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from products.report.counts import (
    by_filter_section,
    match_section,
    refusals_section,
    worst_section,
)
from products.report.data import NightData
from products.report.geometry import airmass_section, map_section, scale_section
from products.report.photometry import (
    depth_section,
    repeatability_section,
    seeing_section,
    zero_point_section,
)
from products.report.section import day, percent
from products.report.verdict import judge
from store.words import printable

if TYPE_CHECKING:
    from products.report.section import Section

# In the order of a morning: what to do first, then how the night was.
SECTIONS = (
    by_filter_section,
    worst_section,
    refusals_section,
    map_section,
    match_section,
    depth_section,
    seeing_section,
    zero_point_section,
    repeatability_section,
    scale_section,
    airmass_section,
)


def make_page(data: NightData) -> str:
    """The report of a night."""
    sections: list[Section] = [make(data) for make in SECTIONS]
    record = data.session.snapshot.record
    return (
        _environment()
        .get_template("page.html")
        .render(
            archive=data.settings.name,
            night=data.night,
            day=day(data.night),
            verdict=judge(data),
            figures=_key_figures(data),
            sections=sections,
            publication=data.session.snapshot.number,
            published=datetime.fromisoformat(record["published"]).strftime("%Y-%m-%d %H:%M:%S"),
            code_version=data.record.get("code_version"),
            iers_version=data.record.get("iers_version"),
        )
    )


def _key_figures(data: NightData) -> list[tuple[str, str]]:
    record = data.record
    published = record.get("n_published", 0)
    counts = [
        (f"{record.get(column, 0):,}", label)
        for column, label in (
            ("n_exposures", "exposures"),
            ("n_images", "images"),
            ("n_bad_images", "judged bad"),
            ("n_published", "detections"),
        )
    ]
    matched = percent(record["n_matched"] / published if published else None)
    return [
        *counts,
        (matched, "matched"),
        (f"{data.refusals['input_file'].n_unique():,}", "refused"),
    ]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("products.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    """Text without what would move or hide its neighbours; our own markup as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return printable(value)
