"""The star that a page shows: its rows, and what lies around it.

Every answer is of one published state, and of the programmes that are shown to all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from queries.answers import answer
from queries.errors import NotBuiltError
from queries.selection import DEFAULT_RADIUS_ARCSEC, Selection
from service.archive import Served, State
from service.curves import curves
from service.desk import Job, job_here
from service.errors import BadRequestError, LimitError, PrivateError
from service.page.state import PageState
from service.page.targets import Target
from store.settings import ArchiveSettings, read_settings

_FINDER_ARCSEC = 30.0
# More would be no picture any more, and seconds in a browser.
MOST_POINTS = 30_000
# Objects of one star lie within the match radius of each other, and of its middle.
_STAR_ARCSEC = 6.0
_LIGHTCURVES = "lightcurves"


@dataclass(frozen=True, eq=False)
class Star:
    """What is drawn.

    Attributes
    ----------
    asked : how `Archive.lightcurve` gives its rows: its arguments.
    rows : the answer.
    ra_deg, dec_deg : of its middle, ICRS.
    notes : what a reader should know of it, in sentences.
    """

    target: Target
    asked: dict[str, Any]
    rows: pl.DataFrame
    ra_deg: float
    dec_deg: float
    notes: tuple[str, ...] = ()

    @property
    def oids(self) -> list[int]:
        """Objects that the rows are of."""
        return sorted(self.rows["oid"].drop_nulls().unique().to_list())

    @property
    def radius_arcsec(self) -> float:
        """Of the circle that was searched; 0 if none was."""
        return float(self.asked["cone"][2]) if "cone" in self.asked else 0.0

    @property
    def around_arcsec(self) -> float:
        """How far the finder chart goes."""
        return max(_FINDER_ARCSEC, 1.3 * self.radius_arcsec)

    @property
    def detections(self) -> pl.DataFrame:
        """The rows that are measurements, not limits."""
        return self.rows.filter(pl.col("mag").is_not_null())


class Source:
    """What answers the questions of one page.

    Parameters
    ----------
    served : the archive.
    """

    def __init__(self, served: Served) -> None:
        self.served = served

    @property
    def archive_path(self) -> str:
        """How commands name the archive: its folder's own name, no path of this machine."""
        return self.served.root.name

    @cached_property
    def archive_name(self) -> str:
        """What it was called when it was made, or else its folder's name."""
        name = read_settings(self.served.root).name
        return self.archive_path if name == ArchiveSettings().name else name

    @contextmanager
    def _work(self) -> Iterator[tuple[State, Job]]:
        job = job_here() or Job(self.served.settings.max_seconds)
        with self.served.lease() as state, job.working():
            yield state, job

    def check(self) -> None:
        """Go on only if somebody waits for what is made in this thread.

        Raises
        ------
        ClientGoneError, TimeLimitError
        """
        if (job := job_here()) is not None:
            job.check()

    def star(self, target: Target, state: PageState, most: int | None = MOST_POINTS) -> Star:
        """The rows of one target.

        Parameters
        ----------
        most : rows that are too many; None is as many as one answer may have.

        Raises
        ------
        NightlakeError : there is no such object, the place is none, too much is asked for.
        """
        with self._work() as (published, job):
            asked, notes = self._asked(published, job, target, state)
            rows = _rows(published, job, asked, most or self.served.settings.max_rows)
            ra, dec = target.ra_deg, target.dec_deg
            if target.oid is not None:
                ra, dec = _middle(rows, (ra, dec))
            return Star(target, asked, rows, ra, dec, notes)

    def summaries(self, targets: Sequence[Target], state: PageState) -> list[dict[str, Any]]:
        """Of each of several targets: how many points of which filter there are, and how bright."""
        found = []
        for target in targets:
            try:
                star = self.star(target, state)
            except (LookupError, LimitError) as error:
                found.append({"target": target, "error": getattr(error, "what", str(error))})
                continue
            by_filter = (
                star.detections.group_by("filtercode")
                .agg(n=pl.len(), mag=pl.col("mag").median(), scatter=pl.col("mag").std())
                .sort("filtercode")
            )
            found.append({"target": target, "star": star, "filters": by_filter.to_dicts()})
        return found

    def around(self, star: Star) -> pl.DataFrame:
        """The reference sources about a star, the nearest first."""
        return self.query(
            "neighbours", ra=star.ra_deg, dec=star.dec_deg, radius_arcsec=star.around_arcsec
        )

    def fields(self, star: Star) -> list[int]:
        """Fields of the reference sources at a star's place, and of its rows."""
        within = max(star.radius_arcsec, DEFAULT_RADIUS_ARCSEC)
        around = self.around(star).filter(pl.col("separation_arcsec") <= within)
        return sorted({*around["field"], *star.rows["field"].drop_nulls()})

    def statistics(self, star: Star) -> pl.DataFrame | None:
        """The row of each of the star's objects; None if there is none to be shown.

        They count the images of all programmes: where some are not shown, they are not either.
        """
        try:
            found = self.query(
                "object_statistics", private=True,
                ra=star.ra_deg, dec=star.dec_deg, radius_arcsec=_STAR_ARCSEC,
            )  # fmt: skip
        except (NotBuiltError, PrivateError):
            return None
        return found.filter(pl.col("oid").is_in(star.oids)).sort("filtercode", "field", "oid")

    def variables(self, limit: int = 8) -> pl.DataFrame | None:
        """Some objects to begin with; None where no statistics are to be shown."""
        try:
            found = self.query("brightest_variables", private=True, limit=4 * limit)
        except (NotBuiltError, PrivateError):
            return None
        return found.unique("group_id", keep="first", maintain_order=True).head(limit)

    def query(self, name: str, *, private: bool = False, **params: Any) -> pl.DataFrame:
        """The answer of a named query.

        Parameters
        ----------
        private : it tells of all programmes, and is refused where some are not shown.

        Raises
        ------
        PrivateError, NotBuiltError, QueryError
        """
        with self._work() as (published, job):
            if private and not published.shows_all:
                raise PrivateError(name.replace("_", " "))
            return answer(published.session, name, params, job.stop)

    def is_public(self) -> bool:
        """Whether all that the archive holds is shown."""
        with self.served.lease() as published:
            return published.shows_all

    def version(self) -> tuple[int, str]:
        """Number of the publication that is shown, and what tells it from others."""
        with self.served.lease() as published:
            return published.snapshot.number, published.version

    def _asked(
        self, published: State, job: Job, target: Target, state: PageState
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """How the rows of a target are asked for."""
        narrowing = state.narrowing
        if target.oid is None:
            radius = state.radius_arcsec
            most = self.served.settings.max_detections_radius_arcsec
            if not radius > 0:
                raise BadRequestError(
                    f"a radius of “{state.r[:20]}” is none", "Give arcseconds above 0, as 1.5."
                )
            if radius > most:
                raise LimitError("the radius is too large", most, " arcsec")
            return {"cone": (target.ra_deg, target.dec_deg, radius), **narrowing}, ()
        if state.alone:
            return {"oid": target.oid, **narrowing}, ()
        if any(group.startswith(_LIGHTCURVES) for group in published.snapshot.groups):
            return {"oid": target.oid, "group": True, **narrowing}, ()
        # Without groups a star is what lies about its own place.
        own = _rows(published, job, {"oid": target.oid}, MOST_POINTS)
        if own.is_empty():
            return {"oid": target.oid, **narrowing}, ()
        ra, dec = _middle(own, (0.0, 0.0))
        note = (
            "The light-curve product is not built: shown is all within 1.5″ of this object's place."
        )
        return {"cone": (round(ra, 7), round(dec, 7), DEFAULT_RADIUS_ARCSEC), **narrowing}, (note,)


def _rows(published: State, job: Job, asked: dict[str, Any], most: int) -> pl.DataFrame:
    """The answer to a question as `Archive.lightcurve` takes it.

    Raises
    ------
    LimitError : it has too many rows.
    """
    narrowing = dict(asked)
    oid, cone = narrowing.pop("oid", None), narrowing.pop("cone", None)
    selection = Selection.of_objects(oid) if cone is None else Selection.of_cone(*cone)
    frames, n = [], 0
    for frame in curves(published, job, selection.narrowed(**narrowing)):
        frames.append(frame)
        n += frame.height
        if n > most:
            raise LimitError("too many points", most)
    return pl.concat(frames)


def _middle(rows: pl.DataFrame, otherwise: tuple[float, float]) -> tuple[float, float]:
    """The median place of some rows; about the first, so that 0 h is no edge."""
    places = rows.select("ra", "dec").drop_nulls()
    if places.is_empty():
        return otherwise
    first = float(places["ra"][0])
    east = ((places["ra"] - first + 180.0) % 360.0 - 180.0).median()
    dec = places["dec"].median()
    assert isinstance(east, float)
    assert isinstance(dec, float)
    return (first + east) % 360.0, dec
