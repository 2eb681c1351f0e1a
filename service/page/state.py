"""What a page shows, in its address: whoever opens the link sees the same.

Numbers that people type (periods, epochs) stay the text that they typed: no digit is lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self
from urllib.parse import parse_qsl, urlencode

from store.channel import FILTER_IDS

# Bits of catflags, all sixteen: any of them makes a point a flagged one.
ANY_FLAG = 2**16 - 1
# Browsers and proxies cut addresses that are much longer.
MOST_SEARCH = 20_000
_CHOICES = {
    "time": ("hmjd", "mjd"),
    "y": ("mag", "flux"),
    "bins": ("0", "10", "20", "50"),
    "terms": ("1", "2", "3"),
}


@dataclass(frozen=True)
class PageState:
    """What is looked at; the names are those of the address.

    Attributes
    ----------
    q : what is searched: ids and positions, one a line.
    r : radius about positions, arcsec.
    n : which of several is drawn, from 0.
    alone : only the object itself of an id, not all of its star.
    bands : filters that are shown, apart by commas; empty is all.
    field : the one field that is shown; empty is all.
    flagged : points with flags too, hollow.
    images : points of images that were judged bad too.
    limits : upper limits of images that did not see it.
    errors : bars.
    time : hmjd, or mjd (of the start of the exposure).
    y : mag, or flux.
    bins : bins of phase whose means are drawn; 0 is none.
    p, e : period, days, and the time of phase 0, as they were typed.
    find : whether a period is looked for, between pmin and pmax (days), with so many terms.
    tx, ty, fx, fy : what part of the two charts is seen: two numbers, apart by a comma.
    """

    q: str = ""
    r: str = "1.5"
    n: int = 0
    alone: bool = False
    bands: str = ""
    field: str = ""
    flagged: bool = True
    images: bool = False
    limits: bool = False
    errors: bool = True
    time: str = "hmjd"
    y: str = "mag"
    bins: str = "0"
    p: str = ""
    e: str = ""
    find: bool = False
    pmin: str = "0.05"
    pmax: str = "100"
    terms: str = "1"
    tx: str = ""
    ty: str = ""
    fx: str = ""
    fy: str = ""

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Self:
        """The state that values spell; what is no value of its kind is as if it were not given."""
        values: dict[str, object] = {}
        for field in fields(cls):
            if field.name not in given:
                continue
            text = str(given[field.name])[:MOST_SEARCH]
            if isinstance(field.default, bool):
                if text in ("0", "1", "True", "False"):
                    values[field.name] = text in ("1", "True")
            elif isinstance(field.default, int):
                if text.isascii() and text.isdigit() and len(text) < 7:
                    values[field.name] = int(text)
            elif text in _CHOICES.get(field.name, (text,)):
                values[field.name] = text
        return cls(**values)  # type: ignore[arg-type]

    @classmethod
    def parse(cls, search: str) -> Self:
        """The state in an address: what stands behind its question mark."""
        return cls.of(dict(parse_qsl(search.removeprefix("?"), max_num_fields=100)))

    def spelled(self) -> dict[str, str]:
        """Every value as the address spells it."""
        return {
            field.name: str(int(value)) if isinstance(value, bool | int) else str(value)
            for field in fields(self)
            for value in [getattr(self, field.name)]
        }

    def search(self) -> str:
        """What stands behind the question mark of the address: only what is not usual."""
        usual = PageState().spelled()
        given = {name: text for name, text in self.spelled().items() if text != usual[name]}
        return f"?{urlencode(given)}" if given else ""

    @property
    def rows(self) -> Self:
        """The state without what changes no row: how they are drawn, and the period."""
        names = ("q", "r", "n", "alone", "bands", "field", "flagged", "images", "limits")
        return type(self)(**{name: getattr(self, name) for name in names})

    @property
    def radius_arcsec(self) -> float:
        """About positions; NaN if what was typed is none."""
        return number(self.r) or math.nan

    @property
    def filters(self) -> list[str] | None:
        """Filters that are shown; None is all."""
        known = [code for code in FILTER_IDS if code in self.bands.split(",")]
        return known or None

    @property
    def period_d(self) -> float | None:
        """Days; None if none is given, or what was typed is none."""
        period = number(self.p)
        return period if period is not None and period > 0 else None

    @property
    def narrowing(self) -> dict[str, object]:
        """What narrows the rows, as `Archive.lightcurve` takes it; only what is not usual."""
        given: dict[str, object] = {}
        if self.filters is not None:
            given["filters"] = self.filters
        if self.field.isascii() and self.field.isdigit() and len(self.field) < 5:
            given["fields"] = [int(self.field)]
        if not self.flagged:
            given["flags_mask"] = ANY_FLAG
        if self.images:
            given["all_images"] = True
        if self.limits:
            given["upper_limits"] = True
        return given


def number(text: str) -> float | None:
    """The finite number that a text is; None if it is none."""
    try:
        value = float(text.replace(",", ".")) if text.count(",") == 1 else float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def span(text: str) -> list[float] | None:
    """The two numbers of a text as 1.5,3; None if they are not there."""
    parts = [number(part) for part in text.split(",")]
    if len(parts) != 2 or None in parts:
        return None
    return [part for part in parts if part is not None]
