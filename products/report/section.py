"""A section of the report: what is seen, what good looks like, and what to do when it is not."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from markupsafe import Markup

from products.errors import NothingToDrawError
from products.report.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from products.report.data import NightData

Status = Literal["good", "look", "none"]
# Of a table: a page is no place for a night's 55,000 files.
MOST_ROWS = 200
_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)


@dataclass(frozen=True)
class Table:
    """Rows of text; those beyond `shown` are folded away.

    `words` are columns not of numbers, `sentences` those of them that need more room.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[str] = ()
    sentences: Sequence[str] = ()
    shown: int = 12
    folded: str = ""

    @property
    def first(self) -> Sequence[Sequence[str]]:
        """The rows that are seen at once."""
        return self.rows[: self.shown]

    @property
    def rest(self) -> Sequence[Sequence[str]]:
        """Those that are folded away."""
        return self.rows[self.shown : MOST_ROWS]

    @property
    def summary(self) -> str:
        """What is said of these."""
        if self.folded:
            return self.folded.format(len(self.rest))
        left_out = len(self.rows) - MOST_ROWS
        unseen = f"; the query lists {left_out:,} more" if left_out > 0 else ""
        return f"{len(self.rest):,} more{unseen}"


@dataclass(frozen=True)
class Section:
    """One section.

    Parameters
    ----------
    key : its anchor in the page.
    seen, good, remedy : a sentence or two each.
    queries : commands that give what it was made from.
    broad : as wide as the page, where that has two columns.
    """

    key: str
    title: str
    status: Status
    seen: str
    good: str
    remedy: str
    figures: Sequence[Markup] = ()
    tables: Sequence[Table] = ()
    queries: Sequence[str] = ()
    broad: bool = False


def drawn(key: str, label: str, draw: Callable[[], Figure]) -> list[Markup]:
    """The figure as SVG; no figure where there is nothing to draw."""
    try:
        return [inline_svg(draw(), key, label)]
    except NothingToDrawError:
        return []


def command(data: NightData, name: str, **params: object) -> str:
    """A line for the shell that asks the named query of this archive."""
    values = [word for key, value in params.items() for word in ("-p", f"{key}={value}")]
    return command_line(data, "query", name, *values)


def command_line(data: NightData, verb: str, *words: str) -> str:
    """A line for the shell that asks the publication which the report is of."""
    as_of = [] if data.as_of is None else ["--as-of", f"{data.as_of}"]
    root = f"{data.session.snapshot.layout.root}"
    return shlex.join(["nightlake", verb, root, *words, *as_of])


def counted(n: int, what: str) -> str:
    """1 image, 1,234 images."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def have(n: int, what: str) -> str:
    """1 image has, 1,234 images have."""
    return f"{counted(n, what)} {'has' if n == 1 else 'have'}"


def listed(parts: Iterable[str]) -> str:
    """a, b and c."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def number(value: float | None, digits: int = 2) -> str:
    """The value in `digits` decimals, an en dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def signed(value: float, digits: int = 2) -> str:
    """The value with its sign, a true minus."""
    return f"{value:+.{digits}f}".replace("-", "−")


def percent(fraction: float | None) -> str:
    """98.4 %; never rounded up to all."""
    if fraction is None:
        return "–"
    shown = f"{100 * fraction:.1f}"
    return f"{'99.9' if shown == '100.0' and fraction < 1 else shown} %"


def clock(mjd: float | None) -> str:
    """A time of the night, UTC, hours and minutes."""
    return "–" if mjd is None else f"{_MJD_EPOCH + timedelta(days=mjd):%H:%M}"


def median(values: pl.Series) -> float | None:
    """Of the values that are there."""
    known = values.drop_nulls().to_numpy()
    return float(np.median(known)) if known.size else None


def by_filter(frame: pl.DataFrame, column: str) -> dict[str, float]:
    """A column's values by filter, where there are any."""
    rows = frame.select("filtercode", column).drop_nulls().rows()
    return {str(code): float(value) for code, value in rows}


def day(night: date) -> str:
    """2024-01-10, Wednesday."""
    return f"{night}, {night:%A}"
