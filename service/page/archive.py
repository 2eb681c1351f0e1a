"""The page of the archive: its nights, what it covers, how good they were, what was refused."""

from __future__ import annotations

from typing import Any

import polars as pl
from dash import dcc, html

from service.errors import PrivateError
from service.page.coverage import coverage_chart
from service.page.figures import BANDS, Figure, blank, colours, framed
from service.page.frame import card, graph
from service.page.points import ARCSEC_PER_PIXEL
from service.page.stars import Source
from service.page.tables import counted, link, table

_MOST_REFUSALS = 200
_QUALITY = (
    ("seeing", "Seeing [″]", "median_seeing", ARCSEC_PER_PIXEL),
    ("limit", "Limiting magnitude", "median_limitmag", 1.0),
    ("matched", "Matched to a reference [%]", "matched_fraction", 100.0),
    ("airmass", "Airmass", "median_airmass", 1.0),
)


def archive_page(source: Source, base: str) -> list[Any]:
    """All that stands below the bar."""
    nights = source.query("nights")
    publication, _ = source.version()
    if not source.is_public():
        return [
            html.P(
                "Some images are of programmes that are not shown here: what is told of single "
                "images is not, either.",
                className="message",
            ),
            _nights(nights, base, reports=False),
        ]
    refusals = source.query("refusals", private=True)
    return [
        _summary(nights, publication),
        card(
            "What is covered",
            html.Fieldset(
                [
                    html.Legend("Filter"),
                    dcc.RadioItems(
                        [{"label": "all", "value": ""}, "zg", "zr", "zi"], "",
                        id="coverage-filter", inline=True,
                    ),
                ]
            ),
            graph("coverage", "Map of the sky that is covered", "map"),
            key="coverage", broad=True,
            note="Point at a field for its number; east is to the left.",
        ),
        card(
            "How the nights were", html.Div(id="quality", className="charts"), key="nights-quality",
            broad=True, note="Medians of the good images, night by night.",
        ),
        _nights(nights, base, reports=True),
        _refused(refusals),
    ]  # fmt: skip


def quality_charts(source: Source, theme: str) -> list[Any]:
    """A chart for each figure, all filters in it."""
    summary = source.query("night_summary", private=True)
    trend = source.query("zero_point_trend", private=True)
    drawn = [
        (key, title, _by_night(summary, column, title, theme, factor))
        for key, title, column, factor in _QUALITY
    ]
    title = "Change of zero point [mag]"
    drawn.append(("zero", title, _by_night(trend, "magzp_change", title, theme)))
    try:
        scale = source.query("scale_qa_by_night", private=True).with_columns(filtercode=pl.lit("?"))
        title = "Pixel scale, rms from the prior [%]"
        drawn.append(("scale", title, _by_night(scale, "median_scale_rms", title, theme)))
    except PrivateError:
        pass
    return [
        html.Div([html.H3(title), graph(key, f"{title}, night by night", "low", figure)])
        for key, title, figure in drawn
    ]


def coverage_of(source: Source, filtercode: str | None, theme: str) -> Figure:
    """The map of all nights."""
    depths = source.query("depth_map", private=True, filtercode=filtercode).drop_nulls(
        ["ra", "dec"]
    )
    if depths.is_empty():
        return blank("No image of this filter has a place on the sky")
    return coverage_chart(depths, theme)


def _by_night(
    frame: pl.DataFrame, column: str, title: str, theme: str, factor: float = 1.0
) -> Figure:
    figure = framed(theme, {"xaxis": {"type": "date", "nticks": 6}, "yaxis": {"nticks": 5}})
    palette = colours(theme)
    figure["data"] = [
        {
            "type": "scatter", "mode": "lines+markers",
            "name": "all filters" if band == "?" else band,
            "x": [str(night) for night in some["night"]], "y": (some[column] * factor).to_list(),
            "line": {"color": palette[band], "width": 1.2}, "marker": {"size": 6},
            "hovertemplate": "%{x|%Y-%m-%d}: %{y:.3f}<extra>%{fullData.name}</extra>",
        }
        for band in BANDS
        for some in [frame.filter(pl.col("filtercode") == band).drop_nulls(column).sort("night")]
        if not some.is_empty()
    ]  # fmt: skip
    if not figure["data"]:
        return blank(f"{title}: nothing is known")
    figure["layout"]["showlegend"] = True
    return figure


def _summary(nights: pl.DataFrame, publication: int) -> html.Section:
    figures = [
        (f"{nights.height:,}", "nights"),
        (f"{nights['n_exposures'].sum():,}", "exposures"),
        (f"{nights['n_images'].sum():,}", "images"),
        (f"{nights['n_bad_images'].sum():,}", "judged bad"),
        (f"{nights['n_published'].sum():,}", "detections"),
        (f"{publication:,}", "publication"),
    ]
    days = sorted(map(str, nights["night"]))
    span = f"{days[0]} to {days[-1]}" if days else "empty"
    return html.Section(
        [
            html.H1(["The archive ", html.Span(span, className="soft")]),
            html.Dl(
                [
                    html.Div([html.Dt(label), html.Dd(value)])
                    for value, label in figures
                ],
                className="key",
            ),
        ],
        className="card",
    )  # fmt: skip


def _nights(nights: pl.DataFrame, base: str, *, reports: bool) -> html.Section:
    rows = [
        [
            link(
                row["night"], f"{base}page/report/{row['night']}",
                title=f"Report of the night of {row['night']}",
            ) if reports else row["night"],
            f"{row['n_exposures']:,}", f"{row['n_images']:,}", f"{row['n_bad_images']:,}",
            f"{row['n_published']:,}",
            "–" if row["matched_fraction"] is None else f"{100 * row['matched_fraction']:.1f}",
            f"{row['n_refused']:,}", f"{row['n_stale']:,}",
        ]
        for row in nights.sort("night", descending=True).iter_rows(named=True)
    ]  # fmt: skip
    header = ("night", "exposures", "images", "bad", "detections", "matched [%]", "refused rows",
              "to rematch")  # fmt: skip
    return card(
        "Nights", table(header, rows, "Nights", words=(0,)), key="nights",
        note="Each opens its report: what was published, and whether to look at something."
        if reports else "",
    )  # fmt: skip


def _refused(refusals: pl.DataFrame) -> html.Section:
    if refusals.is_empty():
        return card("Refused", html.P("No input was refused.", className="soft"), key="refused")
    rows = [
        [
            "–" if row["night"] is None else str(row["night"]), row["input_file"],
            f"{row['what']}. {row['hint']}",
            "the file" if row["n_rows"] is None else f"{row['n_rows']:,}",
        ]
        for row in refusals.head(_MOST_REFUSALS).iter_rows(named=True)
    ]  # fmt: skip
    note = f"{counted(refusals.height, 'refusal')}"
    if refusals.height > _MOST_REFUSALS:
        note += f", the first {_MOST_REFUSALS}"
    header = ("night", "input", "why, and what to do", "rows")
    return card("Refused", table(header, rows, "Refusals", words=(0, 1, 2)), key="refused",
                note=f"{note}.")  # fmt: skip
