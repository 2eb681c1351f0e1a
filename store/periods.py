"""Periods: nights whose detections stand together, in one file a pixel.

A night's own group holds its small tables always, its detections until they are compacted. What
comes later, a late image or one that is replaced, is the night's own again; then rows of one
night stand in two files of a pixel, and no row in both.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Self


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From night to night, both included."""

    first: date
    last: date

    @property
    def part(self) -> str:
        """Name of its files, for example 20240110-20240209."""
        return f"{self.first:%Y%m%d}-{self.last:%Y%m%d}"

    @property
    def group(self) -> str:
        """The group of its files."""
        return f"periods/{self.part}"

    @classmethod
    def named(cls, name: str) -> Self | None:
        """The period of a part or a group; None if it is no period's."""
        match = re.fullmatch(r"(?:periods/)?(\d{8})-(\d{8})", name)
        if match is None:
            return None
        return cls(*(parse_night(night) for night in match.groups()))

    @classmethod
    def around(cls, nights: Iterable[date]) -> Self:
        """From the first of some nights to the last."""
        ordered = sorted(nights)
        return cls(ordered[0], ordered[-1])

    def __contains__(self, night: date) -> bool:
        return self.first <= night <= self.last

    def overlaps(self, other: Period) -> bool:
        """Whether they have a night in common."""
        return self.first <= other.last and other.first <= self.last


def parse_night(text: str) -> date:
    """A night as parts and groups spell it, for example 20240110."""
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def parts_about(nights: Collection[date], parts: Iterable[str]) -> set[str]:
    """Those of `parts` whose files may hold rows of some nights: their own, periods about them."""
    own = {f"{night:%Y%m%d}" for night in nights}
    found = set()
    for part in set(parts):
        period = Period.named(part)
        if part in own or (period is not None and any(night in period for night in nights)):
            found.add(part)
    return found
