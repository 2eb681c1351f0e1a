"""Lomb–Scargle periodograms of a star in several filters at once, and their peaks.

Each filter has a mean, and a truncated Fourier series, of its own; what they leave of χ² is added
(J. T. VanderPlas & Ž. Ivezić 2015, ApJ 812, 18, with no base terms). nifty-ls makes each of them
by a non-uniform FFT (Garrison et al. 2024, RNAAS 8, 250).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from products.errors import NoPeriodError
from transforms.aliases import Relation, relations

Floats = NDArray[np.float64]

OVERSAMPLING = 5
# Ten years down to 15 minutes are 1.8 million of them: 0.2 s.
MOST_FREQUENCIES = 2_000_000
# A series of k terms has 2k + 1 parameters: with fewer points than two more a filter tells nothing.
_SPARE = 2
_FINE = 64


@dataclass(frozen=True, eq=False)
class Photometry:
    """Points to look for a period in; each (n,).

    Attributes
    ----------
    time_d : float64, days.
    value : float64, magnitudes or fluxes.
    error : float64, in the same unit, above 0.
    band : which filter, anything that can be compared.
    """

    time_d: Floats
    value: Floats
    error: Floats
    band: NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Periodogram:
    """Power, 0 to 1, on a regular grid of frequencies.

    Attributes
    ----------
    first, step : cycles per day.
    power : float64 (n,): the part of χ² that the period takes away.
    baseline_d : from the first point to the last.
    """

    first: float
    step: float
    power: Floats
    baseline_d: float

    @property
    def frequency(self) -> Floats:
        """Cycles per day, float64 (n,)."""
        steps: Floats = np.arange(self.power.size, dtype=np.float64)
        return self.first + self.step * steps


class Peak(NamedTuple):
    """A period that was found: days, its power, and what it is to the strongest."""

    period_d: float
    power: float
    relation: Relation | None


def _go_on() -> None:
    """Nobody has to be asked."""


def periodogram(
    points: Photometry,
    shortest_d: float,
    longest_d: float,
    *,
    n_terms: int = 1,
    check: Callable[[], object] = _go_on,
) -> Periodogram:
    """The power of every period from `shortest_d` to `longest_d`.

    Parameters
    ----------
    check : called before each filter, of which a million periods and three terms take a second;
        what it raises ends the search.

    Raises
    ------
    NoPeriodError : too few points, all at one time, or too many periods.
    """
    points = _usable(points, n_terms)
    baseline = float(np.ptp(points.time_d))
    if not 0 < shortest_d < longest_d < np.inf:
        raise NoPeriodError("the shortest period is above 0, and shorter than the longest")
    first, step = 1 / longest_d, 1 / (OVERSAMPLING * baseline)
    n = int(np.ceil((1 / shortest_d - first) / step)) + 1
    if n > MOST_FREQUENCIES:
        raise NoPeriodError(
            f"{n:,} periods are to be tried, more than {MOST_FREQUENCIES:,}: "
            "take a longer shortest period"
        )
    power = _power(points, first, step, n, n_terms, check)
    return Periodogram(first, step, power, baseline)


def find_peaks(
    points: Photometry, found: Periodogram, n_peaks: int = 8, *, n_terms: int = 1
) -> list[Peak]:
    """The highest peaks, the strongest first, each no closer to another than 1/baseline.

    A peak's period is that of the highest power on a grid 64 times as fine about it.
    """
    points = _usable(points, n_terms)
    power = found.power
    inner = np.flatnonzero((power[1:-1] >= power[:-2]) & (power[1:-1] > power[2:])) + 1
    order = inner[np.argsort(power[inner], kind="stable")[::-1]]
    kept: list[int] = []
    for index in order.tolist():
        if all(abs(index - other) >= OVERSAMPLING for other in kept):
            kept.append(index)
        if len(kept) == n_peaks:
            break
    fine = [_refined(points, found, index, n_terms) for index in kept]
    fine.sort(key=lambda one: -one[1])
    kinds = relations(np.array([frequency for frequency, _ in fine]), 1 / found.baseline_d)
    return [
        Peak(1 / frequency, height, kind)
        for (frequency, height), kind in zip(fine, kinds, strict=True)
    ]


def envelope(found: Periodogram, n_columns: int) -> tuple[Floats, Floats]:
    """The periodogram for a picture `n_columns` wide: of each column, the highest power.

    Returns
    -------
    frequency, power : float64 (m,), m at most `n_columns`.
    """
    size = found.power.size
    if size <= n_columns:
        return found.frequency, found.power
    starts = np.arange(n_columns) * size // n_columns
    highest: Floats = np.maximum.reduceat(found.power, starts)
    # Where in its column the highest stands: a peak is drawn where it is.
    column = np.repeat(np.arange(n_columns), np.diff(np.append(starts, size)))
    at = np.flatnonzero(found.power == highest[column])
    _, first = np.unique(column[at], return_index=True)
    return found.frequency[at[first]], highest


def _usable(points: Photometry, n_terms: int) -> Photometry:
    """Finite points with an error, of filters that have enough of them, in the order of time."""
    at = np.isfinite(points.time_d) & np.isfinite(points.value)
    at &= np.isfinite(points.error) & (points.error > 0)
    bands, number = np.unique(points.band, return_inverse=True)
    enough = np.bincount(number[at], minlength=bands.size) >= 2 * n_terms + 1 + _SPARE
    at &= enough[number]
    if not at.any():
        raise NoPeriodError(
            f"no filter has the {2 * n_terms + 1 + _SPARE} good points that a period needs"
        )
    order = np.flatnonzero(at)[np.argsort(points.time_d[at], kind="stable")]
    time = points.time_d[order]
    if time[0] == time[-1]:
        raise NoPeriodError("all points are of one moment")
    return Photometry(time, points.value[order], points.error[order], number[order])


def _power(
    points: Photometry,
    first: float,
    step: float,
    n: int,
    n_terms: int,
    check: Callable[[], object] = _go_on,
) -> Floats:
    import nifty_ls

    total, taken = 0.0, np.zeros(n)
    # From the middle: phases of times as large as an MJD would cost digits.
    middle = (points.time_d[0] + points.time_d[-1]) / 2
    for band in np.unique(points.band):
        check()
        at = points.band == band
        time, value, error = points.time_d[at] - middle, points.value[at], points.error[at]
        weight = 1 / np.square(error)
        mean = np.sum(weight * value) / np.sum(weight)
        chi2 = float(np.sum(weight * np.square(value - mean)))
        result = nifty_ls.lombscargle(
            time, value - mean, error,
            fmin=first, fmax=first + step * (n - 1), Nf=n, nterms=n_terms,
            backend="finufft_chi2" if n_terms > 1 else "finufft", nthreads=1,
        )  # fmt: skip
        total += chi2
        taken += chi2 * np.nan_to_num(result.power)
    return taken / total if total > 0 else taken


def _refined(
    points: Photometry, found: Periodogram, index: int, n_terms: int
) -> tuple[float, float]:
    """Frequency and power of the peak at `index`."""
    step = found.step / _FINE
    first = found.first + found.step * (index - 1)
    power = _power(points, first, step, 2 * _FINE + 1, n_terms)
    best = int(np.argmax(power))
    # The top of the parabola through the highest and its neighbours.
    shift = 0.0
    if 0 < best < power.size - 1:
        left, top, right = power[best - 1 : best + 2]
        bend = left - 2 * top + right
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return first + step * (best + shift), float(power[best])
