"""What a reader turns: filters and kinds of points, axes, the period."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from service.page.frame import card, graph
from service.page.state import PageState

# Between these the slider of periods goes, by their logarithms.
SHORTEST_D, LONGEST_D = 0.03, 1000.0


def controls(state: PageState, fields: Sequence[int], *, is_object: bool) -> html.Section:
    """Filters, kinds of points, axes; the field, if there are several.

    Parameters
    ----------
    is_object : whether an id was searched, which may stand for all of its star.
    """
    bands = state.filters or ["zg", "zr", "zi"]
    points = [n for n in ("flagged", "images", "limits", "errors") if getattr(state, n)]
    return html.Section(
        [
            _set("Filters", dcc.Checklist(
                ["zg", "zr", "zi"], bands, id="c-bands", inline=True)),
            _set("Field", dcc.RadioItems(
                [{"label": "all", "value": ""}, *map(str, fields)],
                state.field, id="c-field", inline=True), hidden=len(fields) < 2),
            _set("Points", dcc.Checklist(
                [
                    {"label": "error bars", "value": "errors"},
                    {"label": "flagged", "value": "flagged"},
                    {"label": "bad images", "value": "images"},
                    {"label": "upper limits", "value": "limits"},
                ], points, id="c-points", inline=True)),
            _set("Brightness", dcc.RadioItems(
                [{"label": "magnitude", "value": "mag"}, {"label": "flux", "value": "flux"}],
                state.y, id="c-y", inline=True)),
            _set("Time", dcc.RadioItems(
                [{"label": "HJD", "value": "hmjd"}, {"label": "MJD", "value": "mjd"}],
                state.time, id="c-time", inline=True)),
            _set("Phase bins", dcc.RadioItems(
                [{"label": "none" if n == "0" else n, "value": n} for n in ("0", "10", "20", "50")],
                state.bins, id="c-bins", inline=True)),
            _set("Object", dcc.RadioItems(
                [{"label": "all of the star", "value": "0"}, {"label": "this id", "value": "1"}],
                str(int(state.alone)), id="c-alone", inline=True), hidden=not is_object),
        ],
        className="card controls", **{"aria-label": "What is shown"},
    )  # fmt: skip


def _set(legend: str, control: Any, *, hidden: bool = False) -> html.Fieldset:
    return html.Fieldset([html.Legend(legend), control], hidden=hidden)


def chart(key: str, title: str, label: str) -> html.Section:
    """A chart under its heading, empty until it is drawn."""
    return card(title, graph(key, label), key=key)


def period_card(state: PageState) -> html.Section:
    """The period: typed, slid, or found."""
    period = state.period_d
    return card(
        "Period",
        html.Div(
            [
                _typed("Period [d]", "c-period", state.p, 10.5, "0.5"),
                html.Div(
                    [
                        html.Button("P ÷ 2", id="c-half", type="button"),
                        html.Button("P × 2", id="c-double", type="button"),
                    ],
                    className="buttons",
                ),
                _typed("Phase 0 at", "c-epoch", state.e, 9.5, "brightest"),
                html.Div(
                    [
                        html.Span("Any period", className="label", id="coarse-label"),
                        dcc.Slider(
                            math.log10(SHORTEST_D), math.log10(LONGEST_D), 0.0005,
                            value=math.log10(min(max(period or 1.0, SHORTEST_D), LONGEST_D)),
                            marks={float(k): f"{10.0**k:g} d" for k in (-1, 0, 1, 2, 3)},
                            id="c-coarse", updatemode="drag", allow_direct_input=False,
                        ),
                    ],
                    className="slide",
                ),
                html.Div(
                    [
                        html.Span("Finer: a cycle more or less over all the time",
                                  className="label", id="fine-label"),
                        dcc.Slider(
                            -1, 1, 0.002, value=0, marks={-1: "−1", 0: "0", 1: "+1"},
                            id="c-fine", updatemode="drag", allow_direct_input=False,
                        ),
                    ],
                    className="slide",
                ),
            ],
            className="period-row",
        ),
        html.Div(
            [
                html.Button("Find the period", id="c-find", type="button", className="primary"),
                _typed("shortest [d]", "c-pmin", state.pmin, 5.5),
                _typed("longest [d]", "c-pmax", state.pmax, 5.5),
                _set("Terms", dcc.RadioItems(
                    ["1", "2", "3"], state.terms, id="c-terms", inline=True)),
            ],
            className="period-row",
        ),
        dcc.Loading(
            html.Div(
                [
                    graph("power", "Power against period", "low"),
                    html.Div(id="peaks", **{"aria-live": "polite"}),
                ],
                id="found", className="found", hidden=not state.find,
            ),
            delay_show=300, type="dot",
        ),
        key="period", broad=True,
        note="Lomb–Scargle of all filters together, each with a mean and amplitude of its own. "
        "More terms suit curves that are no sines.",
    )  # fmt: skip


def _typed(label: str, key: str, value: str, width_rem: float, hint: str = "") -> html.Div:
    """A number that is kept as the text that it is typed as."""
    field = dcc.Input(
        id=key, value=value, type="text", inputMode="decimal", debounce=True, autoComplete="off",
        placeholder=hint, style={"width": f"{width_rem}rem"},
    )  # fmt: skip
    return html.Div([html.Label(label, htmlFor=key), field], className="field")
