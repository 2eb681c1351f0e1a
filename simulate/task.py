"""What a worker is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from simulate.plan import SurveyPlan
from simulate.pointing import Exposure
from simulate.skyfile import SkyFile


@dataclass(frozen=True)
class Task:
    """What one worker does at a time.

    Parameters
    ----------
    directory, plan, sky_file : of the whole survey.
    field, rcid : the quadrant.
    exposures : some of the field's exposures.
    first : this is the quadrant's first task, which writes what exists once.
    mjd_range : of the whole survey, so that all tasks see the same sky.
    wrong : (expid, rcid) of images whose world coordinates go wrong.
    """

    directory: Path
    plan: SurveyPlan
    sky_file: SkyFile | None
    field: int
    rcid: int
    exposures: tuple[Exposure, ...]
    first: bool
    mjd_range: tuple[float, float]
    wrong: frozenset[tuple[int, int]] = frozenset()


@dataclass
class Outcome:
    """What a task did: counts, and the truth of its sources and rows."""

    n_images: int = 0
    n_rows: int = 0
    n_references: int = 0
    n_reference_rows: int = 0
    sources: list[pa.RecordBatch] = field(default_factory=list)
    detections: list[pa.RecordBatch] = field(default_factory=list)

    def count(self, other: Outcome) -> None:
        """Add another's counts."""
        self.n_images += other.n_images
        self.n_rows += other.n_rows
        self.n_references += other.n_references
        self.n_reference_rows += other.n_reference_rows
