"""What a report is made from: the answers of the library's queries about one night."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from products.errors import EmptyArchiveError, UnknownReportNightError
from queries.named import query
from store.settings import ArchiveSettings, read_settings

if TYPE_CHECKING:
    from queries.connection import Session

# The nights before it that a night is held against.
NIGHTS_BEFORE = 30
# Detections of one object in one night: of one there is no scatter.
MIN_EPOCHS = 2
# Of a pixel; the tables give seeing in pixels.
ARCSEC_PER_PIXEL = 1.0126
# Of the survey's century: a name may hold any digits, and no calendar any year.
_NAME = r"^ztf_(20\d{6})(\d{6})_"


@dataclass(frozen=True)
class NightData:
    """One night in the frames that the queries of these names answer.

    `summaries` and `zero_points` are of this night and of up to 30 nights before it; `by_field` is
    the match rate. Frames of a night of which nothing was published have no rows. `as_of` is the
    number of the publication, unless the report is of the one that is current.
    """

    night: date
    session: Session = field(repr=False)
    as_of: int | None
    nights: pl.DataFrame
    summaries: pl.DataFrame
    zero_points: pl.DataFrame
    images: pl.DataFrame
    refusals: pl.DataFrame
    to_look_at: pl.DataFrame
    by_field: pl.DataFrame
    places: pl.DataFrame
    depths: pl.DataFrame
    repeatability: pl.DataFrame
    scales: pl.DataFrame
    scale_check: pl.DataFrame
    airmasses: pl.DataFrame

    @cached_property
    def record(self) -> dict[str, Any]:
        """The night's own row of `nights`; nothing where nothing was published."""
        rows = self.nights.filter(pl.col("night") == self.night).to_dicts()
        return rows[0] if rows else {}

    @cached_property
    def filters(self) -> list[str]:
        """The filters of the night's images, in the order of wavelength."""
        return [code for code in ("zg", "zr", "zi") if code in self.images["filtercode"]]

    @cached_property
    def tonight(self) -> pl.DataFrame:
        """The night's summary, one row a filter, in the order of wavelength."""
        rows = self.summaries.filter(pl.col("night") == self.night)
        return rows.sort(
            pl.col("filtercode").replace_strict({"zg": 1, "zr": 2, "zi": 3}, default=4)
        )

    @cached_property
    def before(self) -> pl.DataFrame:
        """The summaries of the nights before it."""
        return self.summaries.filter(pl.col("night") < self.night)

    @cached_property
    def settings(self) -> ArchiveSettings:
        """What the archive is."""
        return read_settings(self.session.snapshot.layout.root)

    def usual(self, column: str) -> dict[str, float]:
        """Of each filter, the median over the nights before of a column of their summaries."""
        frame = self.before.group_by("filtercode").agg(pl.col(column).median()).drop_nulls()
        return dict(frame.rows())


def gather(session: Session, night: date | None = None, as_of: int | None = None) -> NightData:
    """Ask all that a report says of one night; None is the newest.

    Raises
    ------
    EmptyArchiveError : the archive holds no night at all.
    UnknownReportNightError : nothing was published of that night, and nothing refused.
    """

    def ask(name: str, **params: Any) -> pl.DataFrame:
        named = query(name)
        return session.sql(named.sql, named.bind(params))

    root = session.snapshot.layout.root
    nights, refusals = ask("nights"), ask("refusals")
    recorded = {*nights["night"], *refusals["night"].drop_nulls()}
    refusals = _with_nights(refusals, read_settings(root).night_offset_hours)
    known = sorted(recorded | {*refusals["night"].drop_nulls()})
    if not known:
        raise EmptyArchiveError(root)
    # A file's name alone, which may hold any date, does not make a night the newest.
    chosen = max(recorded or known) if night is None else night
    if chosen not in known:
        raise UnknownReportNightError(root, chosen, known)
    shown = [one for one in known if one <= chosen][-NIGHTS_BEFORE - 1 :]
    return NightData(
        night=chosen,
        session=session,
        as_of=as_of,
        nights=nights,
        summaries=ask("night_summary").filter(pl.col("night").is_in(shown)),
        zero_points=ask("zero_point_trend", first_night=shown[0], last_night=chosen),
        images=ask("images_of_night", night=chosen),
        refusals=refusals.filter(pl.col("night") == chosen),
        to_look_at=ask("images_to_look_at", night=chosen),
        by_field=ask("match_rate", night=chosen),
        places=ask("map_of_night", night=chosen),
        depths=ask("depth_map", night=chosen),
        repeatability=ask("repeatability", night=chosen, min_epochs=MIN_EPOCHS),
        scales=ask("scale_vs_airmass", night=chosen),
        scale_check=ask("scale_qa_by_night", first_night=chosen, last_night=chosen),
        airmasses=ask("airmass_across_focal_plane", night=chosen),
    )


def _with_nights(refusals: pl.DataFrame, night_offset_hours: float) -> pl.DataFrame:
    """Refusals whose night nobody could read with that of their names, ztf_yyyymmddffffff_…"""
    day, fraction = (pl.col("input_file").str.extract(_NAME, group) for group in (1, 2))
    hours = fraction.cast(pl.Float64) / 1e6 * 24 + night_offset_hours
    start = day.str.to_datetime("%Y%m%d", strict=False)
    named = (start + pl.duration(microseconds=(hours * 3.6e9).cast(pl.Int64))).dt.date()
    return refusals.with_columns(night=pl.coalesce("night", named))
