"""The head of a star: where it is, how many points it has, and its files."""

from __future__ import annotations

from dash import html

from service.page.stars import Star
from service.page.state import PageState
from service.page.tables import counted

_FORMATS = (("csv", "CSV"), ("vot", "VOTable"), ("parquet", "Parquet"), ("png", "PNG"))


def heading(base: str, state: PageState, star: Star) -> html.Section:
    """The head of the page."""
    detections = star.detections
    links = [
        html.A(
            text,
            id={"file": kind},
            href=file_link(base, state, kind),
            download="",
            className="file",
        )
        for kind, text in _FORMATS
    ]
    notes = list(star.notes)
    if len(star.oids) > 1 and "cone" in star.asked:
        near = int(detections.select("field", "fid", "rcid").n_unique())
        if len(star.oids) > near:
            notes.append("More than one star lies in this circle: see the finder chart.")
    return html.Section(
        [
            html.Div(
                [
                    html.H2(
                        [
                            html.Span(sexagesimal(star.ra_deg, star.dec_deg), id="place"),
                            html.Span(chips(star), id="chips"),
                        ]
                    ),
                    html.P(
                        [
                            f"{star.ra_deg:.6f} {star.dec_deg:+.6f} (ICRS, degrees)",
                            html.Span(id="folded-by"),
                        ],
                        className="soft",
                    ),
                    *(html.P(note, className="note") for note in notes),
                ]
            ),
            html.Div(
                [
                    html.Button("Copy link", id="copy-link", type="button"),
                    *links,
                ],
                className="files", role="group", **{"aria-label": "Link and files"},
            ),
        ],
        className="card heading",
    )  # fmt: skip


def chips(star: Star) -> list[html.Span]:
    """How many points each filter has."""
    by_filter = star.detections.group_by("filtercode").len().sort("filtercode").rows()
    return [
        html.Span(
            f"{code} {n:,}", className=f"chip {code}", title=f"{counted(n, 'point')} in {code}"
        )
        for code, n in by_filter
    ]


def file_link(base: str, state: PageState, kind: str) -> str:
    """Where the file of a page is."""
    return f"{base}page/lightcurve.{kind}{state.search()}"


def sexagesimal(ra_deg: float, dec_deg: float) -> str:
    """12:30:49.42 +12:23:28.0, rounded as a whole: never 60 seconds."""
    centiseconds = round(ra_deg % 360.0 * 24000) % (24 * 360_000)
    hours, rest = divmod(centiseconds, 360_000)
    minutes, centi = divmod(rest, 6000)
    tenths = round(abs(dec_deg) * 36000)
    degrees, rest = divmod(tenths, 36000)
    arcminutes, arc = divmod(rest, 600)
    sign = "−" if dec_deg < 0 and tenths else "+"
    return (
        f"{hours:02d}:{minutes:02d}:{centi / 100:05.2f} "
        f"{sign}{degrees:02d}:{arcminutes:02d}:{arc / 10:04.1f}"
    )
