"""Files of what a page shows: rows as CSV, VOTable and Parquet, the picture, a night's report."""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from flask import Blueprint, Response, request

from products.canvas import DPI, prepare, style
from products.exports import ENCODERS
from products.plots import draw_folded, draw_lightcurve
from queries.columns import describe
from service.errors import BadRequestError, Problem, problem_of
from service.page.charts import epoch_of
from service.page.heading import sexagesimal
from service.page.light_curves import chosen
from service.page.points import points_of
from service.page.stars import Source, Star
from service.page.state import PageState
from store.errors import NightlakeError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Suffix: the name of the encoder, and the media type.
FORMATS = {
    "csv": ("csv", "text/csv; charset=utf-8"),
    "vot": ("votable", "application/x-votable+xml"),
    "parquet": ("parquet", "application/vnd.apache.parquet"),
    "png": ("", "image/png"),
}
_MOST_REPORTS = 16
# matplotlib's settings are the process's own: one draws at a time.
_DRAWING = threading.Lock()


def downloads(source: Source, base: str) -> Blueprint:
    """The routes below /page."""
    routes = Blueprint("page-files", __name__, url_prefix=f"{base}page")
    reports = Reports(source)

    @routes.get("/lightcurve.<kind>")
    def file(kind: str) -> Response:
        if kind not in FORMATS:
            raise BadRequestError(f"there is no format {kind!r}", f"Choose {', '.join(FORMATS)}.")
        state = PageState.parse(request.query_string.decode("utf-8", "replace"))
        star = source.star(chosen(state), state, most=None)
        encoder, media = FORMATS[kind]
        if kind == "png":
            data = picture(star, state)
        else:
            rows = star.rows
            data = ENCODERS[encoder](rows, describe(rows.columns), _described(star))
        name = f"lightcurve-{star.target.words.replace(' ', '')}.{kind}"
        return Response(
            data, mimetype=None, content_type=media,
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )  # fmt: skip

    @routes.get("/report/<night>")
    def report(night: str) -> Response:
        try:
            day = date.fromisoformat(night)
        except ValueError:
            raise BadRequestError(f"{night!r} is no night", "Give it as 2024-01-10.") from None
        return Response(reports.page(day), content_type="text/html; charset=utf-8")

    @routes.get("/<path:other>")
    def unknown(other: str) -> Response:
        return Response("there is no such file\n", 404, content_type="text/plain; charset=utf-8")

    @routes.errorhandler(NightlakeError)
    def refused(error: NightlakeError) -> Response:
        return _refusal(problem_of(error))

    return routes


def picture(star: Star, state: PageState) -> bytes:
    """The house's picture of a star, PNG: folded if there is a period, else in time.

    Magnitudes against heliocentric dates, whatever the page shows.

    Raises
    ------
    NothingToDrawError : there is no point.
    """
    import io

    rows = star.rows
    if "is_upper_limit" in rows.columns:
        rows = rows.filter(~pl.col("is_upper_limit"))
    title = sexagesimal(star.ra_deg, star.dec_deg)
    period, usual = state.period_d, PageState(e=state.e)
    points = points_of(rows, usual)
    with _DRAWING:
        _prepared()
        if period is None or not len(points):
            figure: Figure = draw_lightcurve(rows, title)
        else:
            epoch = epoch_of(points, usual)
            figure = draw_folded(rows, period, epoch_hmjd=epoch, title=title)
        sink = io.BytesIO()
        with style():
            figure.savefig(sink, format="png", dpi=2 * DPI, metadata={"Software": None})
    return sink.getvalue()


class Reports:
    """Reports of nights, remembered until something else is published."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._made: OrderedDict[tuple[str, date], bytes] = OrderedDict()

    def page(self, night: date) -> bytes:
        """The report of a night, as HTML.

        Raises
        ------
        UnknownReportNightError : there is no such night.
        PrivateError : some images are of programmes that are not shown.
        """
        from products.report.data import gather
        from service.errors import PrivateError

        with self._source.served.lease() as state:
            if not state.shows_all:
                raise PrivateError("the report")
            key = (state.version, night)
            with _DRAWING:
                if key in self._made:
                    return self._made[key]
                _prepared()
                from products.report.page import make_page

                made = make_page(gather(state.session, night)).encode()
                self._made[key] = made
                while len(self._made) > _MOST_REPORTS:
                    self._made.popitem(last=False)
        return made


def _prepared() -> None:
    # Not in the archive: whoever serves it need not be allowed to write there.
    scratch = Path(tempfile.gettempdir())
    prepare(scratch, scratch / "page")


def _described(star: Star) -> str:
    return f"Light curve: {star.target.words}"


def _refusal(problem: Problem) -> Response:
    return Response(f"{problem}\n", status=problem.status, content_type="text/plain; charset=utf-8")
