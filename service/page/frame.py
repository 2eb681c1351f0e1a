"""What all pages share: the bar at the top, messages, cards."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from service.errors import Problem
from service.page.figures import Figure, blank

_GRAPH: dict[str, Any] = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": [
        # What would leave for plotly's own server, and what has no use here.
        "sendChartToCloud",
        "sendDataToCloud",
        "lasso2d",
        "select2d",
        "autoScale2d",
        "zoomIn2d",
        "zoomOut2d",
    ],
    "plotlyServerURL": "",
    "toImageButtonOptions": {"format": "png", "scale": 2},
}
_PAGES = (("", "Light curves"), ("archive", "Archive"))


def bar(base: str, here: str, name: str) -> html.Header:
    """The bar: which archive, where one is, and the switch of light and dark."""
    links = [
        html.A(
            text,
            href=f"{base}{path}",
            className="here" if path == here else "",
            **({"aria-current": "page"} if path == here else {}),
        )
        for path, text in _PAGES
    ]
    links.append(html.A("API", href=f"{base}api/v1/openapi.json"))
    return html.Header(
        [
            html.A("Skip to the content", href="#content", className="skip"),
            html.P([html.B("Nightlake"), html.Span(name, className="soft")], className="brand"),
            html.Nav(links, **{"aria-label": "Pages"}),
            html.Button(
                "◐",
                id="theme-switch",
                type="button",
                title="Light or dark",
                **{"aria-label": "Switch light and dark"},
            ),
        ],
        className="bar",
    )


def told(problem: Problem) -> html.Div:
    """What went wrong, and what to do about it."""
    sentence = f"{problem.message[:1].upper()}{problem.message[1:]}."
    return html.Div(
        [html.B(sentence), html.Span(f" {problem.hint}")], className="message", role="alert"
    )


def graph(key: str, label: str, css: str = "", figure: Figure | None = None) -> html.Div:
    """A chart, g-`key`, empty until it is drawn; `label` is what is read out."""
    drawing = dcc.Graph(
        id=f"g-{key}", figure=blank("") if figure is None else figure, config=_GRAPH,
        className=f"graph {css}", responsive=True,
    )  # fmt: skip
    return html.Div(drawing, role="img", **{"aria-label": label})


def card(title: str, *children: Any, key: str, broad: bool = False, note: str = "") -> html.Section:
    """A part of a page under a heading."""
    heading: list[Any] = [html.H2(title, id=f"{key}-title")]
    if note:
        heading.append(html.P(note, className="soft"))
    return html.Section(
        [*heading, *children],
        id=key,
        className="card broad" if broad else "card",
        **{"aria-labelledby": f"{key}-title"},
    )
