"""What to simulate, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from simulate.errors import PlanError
from simulate.geometry import fields as survey_fields
from simulate.identity import CHANNELS, FILTER_CODES

FIRST_NIGHT = date(2017, 10, 1)  # first light of the camera
LAST_NIGHT = date(2027, 12, 31)  # ERFA doubts the leap seconds of later years


@dataclass(frozen=True)
class SurveyPlan:
    """What to simulate.

    Parameters
    ----------
    nights : UTC dates. Exposures lie between 3 and 13 h UTC of that date.
    fields : numbers of survey fields. Empty: the sky file's field.
    channels : readout channels, 0 to 63. Empty: all 64, or the sky file's channel.
    filters : 1 = g, 2 = r, 3 = i.
    exposures_per_night : visits of each field in each filter on each night.
    sources_per_quadrant : true sources brighter than r = 22.5 mag on one quadrant. A reference
        catalogue holds about 1.1 times as many, one image about 0.35 times.
    seed : the same seed gives the same bytes, whatever the number of workers.
    sky : a real reference PSF catalogue (refpsfcat); its sources become the true sources of its
        own field and channel, and its file is the reference of its filter.
    references : write reference catalogues, and tell in the truth which row a source became.
    truth_detections : write truth/detections.parquet, one row per measured row.
    variable_fraction : fraction of the sources that vary. At least one bright RR Lyrae is always
        placed on every quadrant.
    transient_fraction : transients per source; at least one on every quadrant.
    missing_fraction : fraction of detectable sources that an image misses for no reason.
    bad_fraction : fraction of exposures with INFOBITS >= 33554432 (unusable).
    wrong_wcs : images whose world coordinates go wrong in a corner of the chip.
    header : "full" writes every keyword into the psfcat; "minimal" only OBSMJD, FIELDID, FILTERID
        and MAGZP, and the rest into a science-image header, ..._sciimg.hdr, beside it.
    flags : write the column `flags`; some files of 2018 have none.
    """

    nights: tuple[date, ...]
    fields: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    filters: tuple[int, ...] = (1, 2)
    exposures_per_night: int = 2
    sources_per_quadrant: int = 2000
    seed: int = 1
    sky: Path | None = None
    references: bool = True
    truth_detections: bool = True
    variable_fraction: float = 0.01
    transient_fraction: float = 0.0005
    missing_fraction: float = 0.005
    bad_fraction: float = 0.0
    wrong_wcs: int = 0
    header: Literal["full", "minimal"] = "full"
    flags: bool = True

    def __post_init__(self) -> None:
        if not self.nights:
            raise PlanError("no night was chosen", hint="Name at least one, as 20240110.")
        if self.sky is None and not self.fields:
            raise PlanError("no field was chosen", hint="Name a field, as 655, or give a sky file.")
        for night in self.nights:
            if not FIRST_NIGHT <= night <= LAST_NIGHT:
                raise PlanError(
                    f"night {night} lies outside {FIRST_NIGHT} to {LAST_NIGHT}",
                    hint="Choose a night of the camera's life.",
                )
        for field in self.fields:
            if field not in survey_fields():
                raise PlanError(
                    f"field {field} is not a field of the survey",
                    hint="Fields run from 1 to 881 and from 1001 to 1895.",
                )
        for rcid in self.channels:
            if rcid not in CHANNELS:
                raise PlanError(
                    f"channel {rcid} does not exist", hint="Readout channels run from 0 to 63."
                )
        if not self.filters:
            raise PlanError("no filter was chosen", hint="Filters are 1 (g), 2 (r) and 3 (i).")
        for fid in self.filters:
            if fid not in FILTER_CODES:
                raise PlanError(
                    f"filter {fid} does not exist", hint="Filters are 1 (g), 2 (r) and 3 (i)."
                )
        self._check_numbers()

    def _check_numbers(self) -> None:
        for name, chosen in (
            ("nights", self.nights),
            ("fields", self.fields),
            ("channels", self.channels),
            ("filters", self.filters),
        ):
            if len(set(chosen)) != len(chosen):
                raise PlanError(f"{name} are named twice", hint="Name each once.")
        for name, number, low, high in (
            ("exposures_per_night", self.exposures_per_night, 1, 800),
            ("sources_per_quadrant", self.sources_per_quadrant, 10, 500_000),
            ("seed", self.seed, 0, 2**63 - 1),
            ("variable_fraction", self.variable_fraction, 0, 0.5),
            ("transient_fraction", self.transient_fraction, 0, 0.5),
            ("missing_fraction", self.missing_fraction, 0, 1),
            ("bad_fraction", self.bad_fraction, 0, 1),
            ("wrong_wcs", self.wrong_wcs, 0, 10_000_000),
        ):
            if not low <= number <= high:
                raise PlanError(
                    f"{name} = {number} is out of range", hint=f"Choose {low} to {high}."
                )
        if self.header not in ("full", "minimal"):
            raise PlanError(f"header {self.header!r} is unknown", hint='"full" or "minimal".')


@dataclass(frozen=True)
class SurveySummary:
    """What was written.

    Parameters
    ----------
    directory : the folder that holds sci/, ref/ and truth/.
    n_exposures, n_images, n_rows : of the single exposures (psfcat).
    n_references, n_reference_rows : reference catalogues (refpsfcat) and their rows.
    sources_truth : truth/sources.parquet.
    detections_truth : truth/detections.parquet, or None where it was not wanted.
    wrong_images : (expid, rcid) of those whose world coordinates go wrong in a corner.
    """

    directory: Path
    n_exposures: int
    n_images: int
    n_rows: int
    n_references: int
    n_reference_rows: int
    sources_truth: Path
    detections_truth: Path | None
    wrong_images: frozenset[tuple[int, int]] = frozenset()
