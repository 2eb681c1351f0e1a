"""Callbacks: from what is chosen on a page to what it shows, each a line or two.

In the browser (assets/page.js) the controls become the state, and the state the address; what is
drawn is made here, from that state alone, so that a link gives what was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, html, no_update
from flask import request

from products.periodogram import find_peaks, periodogram
from service.errors import problem_of
from service.page import charts, figures, frame, period
from service.page.archive import archive_page, coverage_of, quality_charts
from service.page.around import details
from service.page.finder import finder_chart
from service.page.heading import chips, file_link
from service.page.light_curves import chosen, light_curve_page
from service.page.points import Points, points_of
from service.page.stars import Source
from service.page.state import PageState, number
from store.errors import NightlakeError

P = ParamSpec("P")
Given = dict[str, str] | None


def wire(app: Dash, source: Source, base: str) -> None:
    """Register every callback."""
    _in_browser(app)

    @app.callback(
        Output("page", "children"), Input("address", "pathname"), Input("address", "search")
    )
    def open_page(path: str | None, search: str | None) -> list[Any]:
        here = (path or "/").removeprefix(base.rstrip("/")).strip("/")
        bar = frame.bar(base, here, source.archive_name)
        try:
            if here == "archive":
                body = archive_page(source, base)
            else:
                body = light_curve_page(source, base, PageState.parse(search or ""))
        except NightlakeError as error:
            body = [frame.told(problem_of(error))]
        return [bar, html.Main(body, id="content", tabIndex=-1)]

    _draw(app, source)
    _tell(app, source, base)


def _draw(app: Dash, source: Source) -> None:
    """The charts of a star."""

    def drawn(*given: Given) -> tuple[Points, PageState]:
        state = merged(*given)
        return points_of(source.star(chosen(state), state).rows, state), state

    @app.callback(
        Output("g-time", "figure"),
        Input("s-select", "data"), Input("s-show", "data"), Input("theme", "data"),
        State("s-opened", "data"), prevent_initial_call=True,
    )  # fmt: skip
    @_careful(lambda error: figures.blank(problem_of(error).message))
    def draw_time(select: Given, show: Given, theme: str, opened: Given) -> Any:
        points, state = drawn(opened, select, show)
        return _kept(charts.time_chart(points, state, theme), state)

    @app.callback(
        Output("g-fold", "figure"), Output("folded-by", "children"),
        Input("s-select", "data"), Input("s-show", "data"), Input("s-fold", "data"),
        Input("theme", "data"), State("s-opened", "data"), prevent_initial_call=True,
    )  # fmt: skip
    @_careful(lambda error: (figures.blank(problem_of(error).message), ""))
    def draw_fold(select: Given, show: Given, fold: Given, theme: str, opened: Given) -> Any:
        points, state = drawn(opened, select, show, fold)
        title = f" · P = {state.p.strip()} d" if state.period_d else ""
        return _kept(charts.folded_chart(points, state, theme), state), title

    @app.callback(
        Output("g-power", "figure"), Output("peaks", "children"), Output("s-peaks", "data"),
        Output("found", "hidden"),
        Input("s-find", "data"), Input("s-select", "data"), Input("theme", "data"),
        Input("s-show", "data"), State("s-fold", "data"), State("s-opened", "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    @_careful(
        lambda error: (
            figures.blank("No period"), frame.told(problem_of(error)), [], False
        )
    )  # fmt: skip
    def draw_power(find: Given, select: Given, theme: str, show: Given, fold: Given,
                   opened: Given) -> Any:  # fmt: skip
        if not find or find.get("find") != "1":
            return no_update, no_update, no_update, True
        points, state = drawn(opened, select, show, fold, find)
        good, n_terms = period.photometry(points), int(state.terms)
        found = periodogram(
            good, number(state.pmin) or 0.0, number(state.pmax) or 0.0,
            n_terms=n_terms, check=source.check,
        )  # fmt: skip
        peaks = find_peaks(good, found, n_terms=n_terms)
        spelled = [period.spelled(peak, found.baseline_d) for peak in peaks]
        figure = period.periodogram_chart(found, peaks, theme)
        return figure, period.peak_table(peaks, found.baseline_d), spelled, False


def _tell(app: Dash, source: Source, base: str) -> None:
    """What stands around the charts, and the page of the archive."""

    @app.callback(
        Output("g-finder", "figure"), Input("theme", "data"), Input("s-select", "data"),
        State("s-opened", "data"), prevent_initial_call=True,
    )  # fmt: skip
    @_careful(lambda error: no_update)
    def draw_finder(theme: str, select: Given, opened: Given) -> Any:
        state = merged(opened, select)
        star = source.star(chosen(state), state)
        return finder_chart(star, source.around(star), theme)

    @app.callback(
        Output("details", "children"), Output("chips", "children"), Input("s-select", "data"),
        State("s-opened", "data"), prevent_initial_call=True,
    )  # fmt: skip
    @_careful(lambda error: (frame.told(problem_of(error)), []))
    def list_points(select: Given, opened: Given) -> Any:
        state = merged(opened, select)
        star = source.star(chosen(state), state)
        address = f"{request.host_url.rstrip('/')}{file_link(base, state.rows, 'parquet')}"
        return details(source, star, address), chips(star)

    @app.callback(
        Output({"file": ALL}, "href"),
        Input("s-select", "data"), Input("s-show", "data"), Input("s-fold", "data"),
        State("s-opened", "data"), State({"file": ALL}, "id"), prevent_initial_call=True,
    )  # fmt: skip
    def link_files(select: Given, show: Given, fold: Given, opened: Given,
                   files: list[dict[str, str]]) -> list[str]:  # fmt: skip
        state = merged(opened, select, show, fold)
        return [file_link(base, state, one["file"]) for one in files]

    @app.callback(
        Output("quality", "children"), Output("g-coverage", "figure"),
        Input("theme", "data"), Input("coverage-filter", "value"),
    )  # fmt: skip
    @_careful(lambda error: (frame.told(problem_of(error)), figures.blank("No map")))
    def draw_archive(theme: str, filtercode: str | None) -> Any:
        drawn = quality_charts(source, theme)
        return drawn, coverage_of(source, filtercode or None, theme)


def merged(*given: Given) -> PageState:
    """The state that several parts of it make together; later ones count."""
    values: dict[str, object] = {}
    for part in given:
        if isinstance(part, dict):
            values |= part
    return PageState.of(values)


def _careful(otherwise: Callable[[NightlakeError], Any]) -> Callable[..., Any]:
    """A callback that shows what went wrong in the place of its answer."""

    def outer(work: Callable[P, Any]) -> Callable[P, Any]:
        def inner(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return work(*args, **kwargs)
            except NightlakeError as error:
                return otherwise(error)

        return inner

    return outer


def _kept(figure: figures.Figure, state: PageState) -> figures.Figure:
    """Zoomed as it is, as long as the same is drawn."""
    same = f"{state.q}|{state.n}|{state.y}|{state.time}|{state.alone}"
    figure["layout"]["uirevision"] = same
    return figure


def _in_browser(app: Dash) -> None:
    """What page.js does: nothing of it is worth a question to the server."""

    def local(name: str, *arguments: Any, **more: Any) -> None:
        app.clientside_callback(ClientsideFunction("nightlake", name), *arguments, **more)

    local("theme", Output("theme", "data"), Input("theme-switch", "n_clicks"))
    local(
        "search", Output("address", "search"), Input("go", "n_clicks"), Input("r", "n_submit"),
        State("q", "value"), State("r", "value"), prevent_initial_call=True,
    )  # fmt: skip
    local(
        "gather",
        *(Output(f"s-{name}", "data") for name in ("select", "show", "fold", "find")),
        *(Input(f"c-{name}", "value") for name in (
            "bands", "field", "points", "y", "time", "bins", "alone", "period", "epoch", "terms",
            "pmin", "pmax")),
        Input("c-find", "n_clicks"), Input("g-time", "relayoutData"),
        Input("g-fold", "relayoutData"), State("s-opened", "data"), State("s-usual", "data"),
        *(State(f"s-{name}", "data") for name in ("select", "show", "fold", "find")),
    )  # fmt: skip
    local(
        "period",
        Output("c-period", "value"), Output("c-coarse", "value"), Output("c-fine", "value"),
        Output("s-base", "data"),
        Input("c-period", "value"), Input("c-coarse", "value"), Input("c-fine", "value"),
        Input("c-half", "n_clicks"), Input("c-double", "n_clicks"), Input("s-peaks", "data"),
        Input("g-power", "clickData"),
        State("s-base", "data"), State("g-time", "figure"), prevent_initial_call=True,
    )  # fmt: skip
    local(
        "neighbour", Output("address", "search", allow_duplicate=True),
        Input("g-finder", "clickData"), prevent_initial_call=True,
    )  # fmt: skip
    local(
        "copy", Output("copy-link", "children"), Input("copy-link", "n_clicks"),
        prevent_initial_call=True,
    )  # fmt: skip
