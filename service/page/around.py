"""Below the charts: the finder chart, statistics, the points, and what gives them elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from dash import dcc, html

from service.page.frame import card, graph
from service.page.points import flag_words, utc
from service.page.snippets import fetch_of, python_of, sql_of
from service.page.stars import Source, Star
from service.page.state import PageState
from service.page.tables import counted, link, number, table

# Of a table of points; the files have all.
_MOST_LISTED = 300


def below(source: Source, base: str, state: PageState, star: Star) -> html.Div:
    """All of it."""
    return html.Div(
        [
            _finder(source, base, state, star),
            _statistics(source, base, star),
            html.Div(id="details", className="broad"),
        ],
        className="below",
    )


def _finder(source: Source, base: str, state: PageState, star: Star) -> html.Section:
    around = source.around(star)
    others = around.filter(~pl.col("oid").is_in(star.oids))
    rows = [
        [
            link(row["oid"], f"{base}{PageState(q=str(row['oid'])).search()}"),
            row["filtercode"], number(row["mag"]), number(row["separation_arcsec"]),
        ]
        for row in others.iter_rows(named=True)
    ]  # fmt: skip
    listing = (
        table(("neighbour", "filter", "mag", "″ away"), rows, "Neighbours", words=(0, 1))
        if rows
        else html.P("No other reference source lies here.", className="soft")
    )
    return card(
        "Around it",
        graph("finder", "Finder chart, north up and east to the left", "square"),
        html.Details([html.Summary(counted(len(rows), "neighbour")), listing]),
        key="finder",
        note=f"Reference sources within {star.around_arcsec:g}″; click one to see its light curve.",
    )


_STATISTICS = (
    ("field", "field", 0), ("readout channel", "rcid", 0), ("epochs", "nobs", 0),
    ("good", "ngoodobs", 0), ("images that covered it", "n_covered", 0),
    ("median [mag]", "medianmag", 3), ("rms [mag]", "magrms", 3),
    ("robust rms [mag]", "robustrms", 3), ("median error [mag]", "medmagerr", 3),
    ("reduced χ²", "reduced_chi2", 2), ("Stetson J", "stetsonj", 2), ("Stetson K", "stetsonk", 3),
    ("skewness", "skewness", 2), ("von Neumann ratio", "vonneumannratio", 2),
)  # fmt: skip


def _statistics(source: Source, base: str, star: Star) -> html.Section:
    found = source.statistics(star)
    if star.detections.is_empty():
        return card("Statistics", html.P("No point is shown.", className="soft"), key="statistics")
    if found is None or found.is_empty():
        return card(
            "Statistics", table(*_of_rows(star), "Statistics", words=(0,)),
            key="statistics", note="Of the points without flags that are shown.",
        )  # fmt: skip
    header = ["", *(f"{row['filtercode']}" for row in found.iter_rows(named=True))]
    rows: list[list[Any]] = [
        [
            name,
            *(_whole(value) if digits == 0 else number(value, digits) for value in found[column]),
        ]
        for name, column, digits in _STATISTICS
    ]
    links = [
        dcc.Link(
            str(row["oid"]), className=f"chip {row['filtercode']}",
            href=f"{base}{PageState(q=str(row['oid']), alone=True).search()}",
            title=f"Only this object of {row['filtercode']}",
        )
        for row in found.iter_rows(named=True)
    ]  # fmt: skip
    return card(
        "Statistics", table(header, rows, "Statistics of the objects", words=(0,)),
        html.P(links),
        key="statistics",
        note="Of epochs without flags, one column an object, as of the last build.",
    )  # fmt: skip


def _whole(value: Any) -> str:
    return "–" if value is None else str(value)


def _of_rows(star: Star) -> tuple[list[str], list[list[Any]]]:
    """Filter by filter, of the rows themselves."""
    header, columns = [""], []
    for code in sorted(star.detections["filtercode"].unique().drop_nulls()):
        some = star.detections.filter(filtercode=code, catflags=0)
        mag = some["mag"].to_numpy().astype(float)
        header.append(code)
        spread = float(np.std(mag, ddof=1)) if mag.size > 1 else None
        columns.append([
            str(mag.size), number(float(np.median(mag)) if mag.size else None, 3),
            number(spread, 3), number(some["magerr"].median(), 3),
        ])  # fmt: skip
    names = ("good epochs", "median [mag]", "rms [mag]", "median error [mag]")
    return header, [[name, *(column[i] for column in columns)] for i, name in enumerate(names)]


def details(source: Source, star: Star, address: str) -> list[Any]:
    """The points as a table, and what gives them elsewhere.

    Parameters
    ----------
    address : of the page's Parquet file, for others than who has the archive.
    """
    rows = [
        [
            "–" if row["obsmjd"] is None else utc(row["obsmjd"]),
            number(row["hmjd"], 6).replace(",", ""),
            row["filtercode"], number(row["mag"], 3), number(row["magerr"], 3), str(row["expid"]),
            number(row["airmass"]), number(row["seeing"]), flag_words(row["catflags"]),
            str(row["field"]),
        ]
        for row in star.detections.head(_MOST_LISTED).iter_rows(named=True)
    ]  # fmt: skip
    header = (
        "UTC",
        "HMJD",
        "filter",
        "mag",
        "error",
        "exposure",
        "airmass",
        "seeing [pix]",
        "flags",
        "field",
    )
    n = star.detections.height
    title = f"Table of {counted(n, 'point')}"
    if n > _MOST_LISTED:
        title += f", the first {_MOST_LISTED}"
    return [
        html.Details(
            [html.Summary(title), table(header, rows, "Points", words=(0, 2, 8))], className="card"
        ),
        html.Details(
            [
                html.Summary("The same data in Python and SQL"),
                _code("Python, from anywhere", fetch_of(address), "code-fetch"),
                _code(
                    "Python, with the archive", python_of(star, source.archive_path), "code-python"
                ),
                _code("SQL, for nightlake sql", sql_of(star), "code-sql"),
            ],
            className="card",
        ),
    ]


def _code(title: str, text: str, key: str) -> html.Div:
    return html.Div(
        [
            html.H3(title),
            html.Div(
                [
                    html.Pre(html.Code(text, id=key), tabIndex=0),
                    dcc.Clipboard(target_id=key, title=f"Copy the {title}", className="copy"),
                ],
                className="code",
            ),
        ]
    )
