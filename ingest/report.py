"""What an ingest did, or would do: for the command line, for callers, never stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

Outcome = Literal["published", "unchanged", "refused"]

# Called with (done, total, what): what is being done, for example "2024-01-10 images".
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One input that was refused, whole or in part: a row of the `refusals` table."""

    input_file: str
    code: str
    what: str
    hint: str
    night: date | None = None
    input_checksum: str | None = None
    n_rows: int | None = None
    first_row: int | None = None
    pid: int | None = None

    def __str__(self) -> str:
        return f"{self.input_file}: {self.what}. {self.hint}"


@dataclass(frozen=True, slots=True)
class GroupReport:
    """What became of one night, or of one field's references.

    `images` and `rows` count what this ingest brought; `unchanged` images were there already;
    `removed` ones are there no longer, for they were not given to an exact ingest, which `kept`
    those whose files it refused;
    `without_reference` of the new images had no reference catalogue to be matched to.
    """

    name: str
    outcome: Outcome
    images: int = 0
    unchanged: int = 0
    rows: int = 0
    matched: int = 0
    without_reference: int = 0
    removed: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did: every group it touched and every input it refused."""

    groups: tuple[GroupReport, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    publication: int | None = None
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows published by this ingest."""
        return sum(group.rows for group in self.groups)

    @property
    def nothing_done(self) -> bool:
        """Whether every input was refused."""
        return bool(self.refusals) and not any(g.outcome != "refused" for g in self.groups)


@dataclass(frozen=True, slots=True)
class IngestEstimate:
    """What an ingest would do: images and rows of each night, disk for good and meanwhile."""

    nights: dict[date, tuple[int, int]] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    disk_bytes: int = 0
    staging_bytes: int = 0
