"""The page of light curves, as it is when it is opened; `wiring` brings it to life."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from service.errors import BadRequestError, problem_of
from service.page.around import below
from service.page.controls import chart, controls, period_card
from service.page.frame import card, told
from service.page.heading import heading
from service.page.stars import Source, Star
from service.page.state import PageState
from service.page.tables import link, number, table
from service.page.targets import Target, parse_targets
from store.errors import NightlakeError

_HELP = (
    "Object ids, or positions as astropy reads them: 187.70593 12.39112, 12:30:49.42 "
    "+12:23:28.0, 12h30m49.4s +12d23m28s, galactic 283.78 74.49. One a line shows many."
)


def light_curve_page(source: Source, base: str, state: PageState) -> list[Any]:
    """All that stands below the bar."""
    parts: list[Any] = [html.H1("Light curves", className="unseen"), _search(state)]
    if not state.q.strip():
        return [*parts, _welcome(source, base)]
    try:
        targets = parse_targets(state.q)
        if not targets:
            return [*parts, _welcome(source, base)]
        if len(targets) > 1:
            parts.append(_many(source, base, state, targets))
        target = targets[min(state.n, len(targets) - 1)]
        star = source.star(target, state)
    except NightlakeError as error:
        return [*parts, told(problem_of(error))]
    return [*parts, *_star(source, base, state, star)]


def chosen(state: PageState) -> Target:
    """The target that a page draws.

    Raises
    ------
    NightlakeError : nothing that is one was typed.
    """
    targets = parse_targets(state.q)
    if not targets:
        raise BadRequestError("nothing is searched", "Give an object id or a position.")
    return targets[min(state.n, len(targets) - 1)]


def _search(state: PageState) -> html.Section:
    return html.Section(
        html.Div(
            [
                html.Div(
                    [
                        html.Label("Objects or positions", htmlFor="q"),
                        dcc.Textarea(
                            id="q", value=state.q, rows=max(1, min(state.q.count("\n") + 1, 8)),
                            placeholder="187.70593 12.39112", maxLength=20_000, spellCheck=False,
                        ),
                    ],
                    className="grow",
                ),
                html.Div(
                    [
                        html.Label("Radius [″]", htmlFor="r"),
                        dcc.Input(
                            id="r", value=state.r, type="text", inputMode="decimal",
                            style={"width": "5rem"},
                        ),
                    ]
                ),
                html.Button("Show", id="go", type="button", className="primary"),
            ],
            className="search-row",
        ),
        className="card search",
        role="search",
    )  # fmt: skip


def _welcome(source: Source, base: str) -> html.Section:
    found = source.variables()
    parts: list[Any] = [html.P(_HELP)]
    if found is not None and found.height:
        rows = [
            [
                link(row["oid"], f"{base}{PageState(q=str(row['oid'])).search()}"),
                row["filtercode"], number(row["ra"], 5), number(row["dec"], 5),
                number(row["medianmag"]), number(row["magrms"], 3), number(row["rms_ratio"], 1),
                f"{row['ngoodobs']:,}",
            ]
            for row in found.iter_rows(named=True)
        ]  # fmt: skip
        header = ("object", "filter", "RA [°]", "Dec [°]", "median [mag]", "rms [mag]", "× usual",
                  "epochs")  # fmt: skip
        parts += [
            html.H3("Bright ones that vary"),
            html.P(
                "rms of their good epochs, and how many times that of stars as bright.",
                className="soft",
            ),
            table(header, rows, "Bright objects that vary", words=(0, 1)),
        ]
    return card("What to look for", *parts, key="welcome", broad=True)


def _many(source: Source, base: str, state: PageState, targets: list[Target]) -> html.Section:
    rows = []
    for i, one in enumerate(source.summaries(targets, state)):
        search = PageState.of(state.spelled() | {"n": i, "p": "", "e": "", "find": 0}).search()
        name = link(one["target"].words, f"{base}{search}", css="here" if i == state.n else "")
        if "error" in one:
            rows.append([i + 1, name, one["error"].partition(" (")[0], "", "", ""])
            continue
        told_filters = ", ".join(f"{f['filtercode']} {f['n']}" for f in one["filters"])
        mags = ", ".join(f"{f['filtercode']} {number(f['mag'])}" for f in one["filters"])
        rms = ", ".join(f"{f['filtercode']} {number(f['scatter'], 3)}" for f in one["filters"])
        where = f"{number(one['star'].ra_deg, 5)} {number(one['star'].dec_deg, 5)}"
        rows.append([i + 1, name, told_filters or "nothing", mags, rms, where])
    header = ("", "searched", "points", "median [mag]", "scatter [mag]", "place [°]")
    listing = table(header, rows, "What was searched", words=(1, 2, 3, 4, 5))
    return card(f"{len(targets)} places", listing, key="many", broad=True)


def _star(source: Source, base: str, state: PageState, star: Star) -> list[Any]:
    notes = []
    if star.rows.is_empty():
        words = (
            "Try a larger radius, all filters and fields, flagged points, or those of bad images."
        )
        notes.append(
            html.Div(
                [html.B("Nothing was measured there. "), words], className="message", role="status"
            )
        )
    return [
        heading(base, state, star),
        controls(state, source.fields(star), is_object=star.target.oid is not None),
        *notes,
        html.Div(
            [
                chart("time", "In time", "Brightness against time"),
                chart("fold", "Folded", "Brightness against phase"),
            ],
            className="charts",
        ),
        period_card(state),
        below(source, base, state, star),
        # What the callbacks pass on: what is chosen, shown, folded, and looked for.
        *(dcc.Store(id=f"s-{name}") for name in ("select", "show", "fold", "find", "peaks")),
        dcc.Store(id="s-base", data=state.p),
        dcc.Store(id="s-opened", data=state.spelled()),
        dcc.Store(id="s-usual", data=PageState().spelled()),
    ]
