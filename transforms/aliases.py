"""Which peaks of a periodogram are one period seen again: harmonics, and aliases of the nights.

Of a signal of frequency f, sampled once a sidereal day, peaks stand at |f + k| for small k as well
(J. T. VanderPlas 2018, ApJS 236, 16, section 7); a curve that is no sine has peaks at multiples of
f, and one of two unlike minima at f/2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Cycles per day: stars are observed at the same sidereal time, nights begin by the Sun.
SIDEREAL_PER_DAY, SOLAR_PER_DAY = 1.002737909, 1.0
PER_YEAR, PER_MONTH = 1.0 / 365.25, 1.0 / 29.530588
_RATIOS = ((1, 2, "P × 2"), (2, 1, "P ÷ 2"), (1, 3, "P × 3"), (3, 1, "P ÷ 3"))
# Near a multiple of the day itself: what nights alone make of a slow change.
_DAY = tuple((k, f"{k}/d") for k in (1, 2, 3))


class Relation(NamedTuple):
    """What a peak is to the strongest one: `kind` is harmonic, alias or day, `text` how."""

    kind: str
    text: str


def relations(frequencies: Floats, resolution: float) -> list[Relation | None]:
    """What each peak is to the first, the strongest; None of one that stands for itself.

    Parameters
    ----------
    frequencies : float64 (n,), cycles per day, the strongest first.
    resolution : cycles per day that two peaks may be apart and still be one: 1/baseline.
    """
    if len(frequencies) == 0:
        return []
    first = float(frequencies[0])
    return [_of_day(first, resolution)] + [
        _relation(float(one), first, resolution) for one in frequencies[1:]
    ]


def _relation(frequency: float, first: float, resolution: float) -> Relation | None:
    for over, under, text in _RATIOS:
        if abs(frequency - first * over / under) < resolution:
            return Relation("harmonic", text)
    for name, step, most in (
        ("sidereal d", SIDEREAL_PER_DAY, 3),
        ("d", SOLAR_PER_DAY, 3),
        ("month", PER_MONTH, 2),
        ("year", PER_YEAR, 2),
    ):
        # A step that is not resolved would make an alias of everything.
        if step < 2 * resolution:
            continue
        for k in range(1, most + 1):
            for sign, symbol in ((1, "+"), (-1, "−")):
                if abs(frequency - abs(first + sign * k * step)) < resolution:
                    return Relation("alias", f"f {symbol} {k}/{name}")
            if abs(frequency - abs(2 * first - k * step)) < resolution:
                return Relation("alias", f"2f − {k}/{name}")
    return _of_day(frequency, resolution)


def _of_day(frequency: float, resolution: float) -> Relation | None:
    for k, text in _DAY:
        if min(abs(frequency - k * SIDEREAL_PER_DAY), abs(frequency - k)) < resolution:
            return Relation("day", f"the day itself, {text}")
    return None
