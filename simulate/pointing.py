"""The schedule: which field is observed when, in which filter, and where the telescope points."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from simulate.arrays import Bools, Floats, Ints
from simulate.conditions import Conditions, draw_conditions
from simulate.errors import PlanError
from simulate.geometry import fields as survey_fields
from simulate.identity import expid_of, mjd_of
from simulate.optics import offset_position
from simulate.plan import SurveyPlan
from simulate.site import altitude_secz
from simulate.streams import EXPOSURE, SCHEDULE, stream

EXPOSURE_S = 30.0
NIGHT_START_S, NIGHT_END_S = 3 * 3600, 13 * 3600  # UTC seconds of the day
SLOT_S, JITTER_S = 45, 4  # starts lie at least 41 s apart
MAX_SECZ, LAST_SECZ = 2.5, 6.0  # the survey's limit; beyond the second a field is not up
POINTING_RMS_ARCSEC = 20.0  # the paper: about 20" rms
NAME_LEAD_S = 118  # a file's name was seen to be up to this much off the shutter's time


@dataclass(frozen=True)
class Exposure:
    """One opening of the shutter.

    Parameters
    ----------
    night : UTC date.
    second : of the UTC day at the start; whole, as OBSMJD in real headers.
    obsmjd : start, MJD (UTC), seven decimals.
    file_time : YYYYMMDDffffff of its files' names; never a time.
    field, fid : survey field and filter.
    field_deg : (ra, dec) that were asked for, ICRS degrees.
    boresight_deg : (ra, dec) that the telescope reached.
    airmass : at the boresight, Hardie's formula.
    """

    night: date
    second: int
    obsmjd: float
    file_time: str
    field: int
    fid: int
    field_deg: tuple[float, float]
    boresight_deg: tuple[float, float]
    airmass: float
    conditions: Conditions

    @property
    def expid(self) -> int:
        """Exposure id, by the survey's rule."""
        return expid_of(self.obsmjd)


def schedule(plan: SurveyPlan, field_numbers: tuple[int, ...]) -> list[Exposure]:
    """All exposures of a survey, in order of time.

    Raises
    ------
    PlanError : a field does not rise that night, or the night is too short.
    """
    return [e for night in sorted(plan.nights) for e in _night(plan, night, field_numbers)]


def _night(plan: SurveyPlan, night: date, field_numbers: tuple[int, ...]) -> list[Exposure]:
    rng = stream(plan.seed, SCHEDULE, night.toordinal())
    starts = np.arange(NIGHT_START_S, NIGHT_END_S, SLOT_S)
    seconds = starts + rng.integers(0, JITTER_S + 1, len(starts))
    centres = np.array([survey_fields()[number] for number in field_numbers])
    secz = altitude_secz(mjd_of(night) + seconds / 86400, centres[:, 0], centres[:, 1])
    visits = len(field_numbers) * len(plan.filters) * plan.exposures_per_night
    if visits > len(seconds):
        raise PlanError(
            f"{visits} exposures do not fit in a night of {len(seconds)}",
            where=str(night), hint="Ask for fewer fields, filters or exposures.",
        )  # fmt: skip
    placed = _place(rng, plan, night, field_numbers, secz)
    leads_s = np.minimum(1 + rng.exponential(15, visits), NAME_LEAD_S)
    exposures = []
    named: set[tuple[int, int, int]] = set()
    for (slot, row, field, fid), lead_s in zip(sorted(placed), leads_s, strict=True):
        second = int(seconds[slot])
        fraction = int((second - lead_s) / 86400 * 1_000_000)
        while (fraction, field, fid) in named:  # two visits in a row, one with a long lead
            fraction -= 1
        named.add((fraction, field, fid))
        file_time = f"{night:%Y%m%d}{fraction:06d}"
        secz_now = float(secz[slot, row])
        exposures.append(_exposure(plan, night, second, file_time, field, fid, secz_now))
    return exposures


def _observable(secz: Floats, field: int, night: date) -> Bools:
    """Slots (t,) at which a field is high enough; the best it has where it never is."""
    allowed = secz <= MAX_SECZ
    if allowed.sum() >= 10:
        return allowed
    if secz.min() > LAST_SECZ:
        raise PlanError(
            f"field {field} does not rise high enough between 3 and 13 h UTC",
            where=str(night), hint="Choose another field or another season.",
        )  # fmt: skip
    return secz <= max(MAX_SECZ, 1.2 * float(secz.min()))


def _place(
    rng: np.random.Generator,
    plan: SurveyPlan,
    night: date,
    field_numbers: tuple[int, ...],
    secz: Floats,
) -> list[tuple[int, int, int, int]]:
    """Give each visit a slot of its own: (slot, row of the field, field, filter)."""
    wishes: list[tuple[float, int, int, int]] = []
    slots_of: dict[int, Ints] = {}
    rounds = plan.exposures_per_night
    for row, field in enumerate(field_numbers):
        slots_of[row] = np.flatnonzero(_observable(secz[:, row], field, night))
        for fid in plan.filters:
            # Evenly over the hours it is up, with some irregularity against aliases.
            parts = (np.arange(rounds) + rng.random(rounds)) / rounds
            picks = slots_of[row][(parts * len(slots_of[row])).astype(int)]
            wishes += [(float(pick), row, field, fid) for pick in picks]
    free = np.ones(len(secz), bool)
    placed = []
    for wish, row, field, fid in sorted(wishes):
        slots = slots_of[row][free[slots_of[row]]]
        if len(slots) == 0:
            raise PlanError(
                f"field {field} is not up long enough for all its exposures",
                where=str(night), hint="Ask for fewer exposures or other fields.",
            )  # fmt: skip
        slot = int(slots[np.argmin(np.abs(slots - wish))])
        free[slot] = False
        placed.append((slot, row, field, fid))
    return placed


def _exposure(
    plan: SurveyPlan, night: date, second: int, file_time: str, field: int, fid: int, secz: float
) -> Exposure:
    obsmjd = round(mjd_of(night) + second / 86400, 7)
    rng = stream(plan.seed, EXPOSURE, expid_of(obsmjd))
    asked = survey_fields()[field]
    error = rng.normal(0, POINTING_RMS_ARCSEC / 3600 / np.sqrt(2), 2)
    reached = offset_position(*asked, *error)
    return Exposure(
        night=night, second=second, obsmjd=obsmjd,
        file_time=file_time,
        field=field, fid=fid, field_deg=asked,
        boresight_deg=(float(reached[0]), float(reached[1])),
        airmass=_hardie(secz),
        conditions=draw_conditions(rng, fid, plan.bad_fraction),
    )  # fmt: skip


def _hardie(secz: float) -> float:
    """Airmass of Hardie (1962), which the telescope's control system lists; three decimals."""
    s = secz - 1
    return round(secz - 0.0018167 * s - 0.002875 * s**2 - 0.0008083 * s**3, 3)
