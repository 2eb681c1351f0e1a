"""Phases of a period, and magnitudes or fluxes averaged within bins of phase.

Plain functions on arrays. A value without a known error has no weight where another has one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class PhaseBins(NamedTuple):
    """Bins that hold something, in the order of phase; float64 (m,) but for `n`.

    Attributes
    ----------
    phase : middle of the bin, 0 to 1.
    value : mean, weighted by 1/error².
    error : of that mean, as the errors say; NaN where none is known.
    scatter : standard deviation within the bin with n − 1, NaN of one value.
    n : int64 (m,), values in the bin.
    """

    phase: Floats
    value: Floats
    error: Floats
    scatter: Floats
    n: NDArray[np.int64]


def phases(time_d: Floats, period_d: float, epoch_d: float) -> Floats:
    """Phase of each time, 0 ≤ phase < 1; NaN where the time is.

    Parameters
    ----------
    time_d : float64 (n,), days.
    period_d : above 0.
    epoch_d : where the phase is 0.

    Raises
    ------
    ValueError : the period is not above 0, or not finite.
    """
    if not (np.isfinite(period_d) and period_d > 0):
        raise ValueError(f"a period is above 0, not {period_d}")
    # The difference first: it is exact where times of the size of an MJD are close to the epoch.
    cycles = (np.asarray(time_d, np.float64) - epoch_d) / period_d
    phase = cycles - np.floor(cycles)
    # A cycle a hair below a whole number rounds up to 1.
    return np.where(phase >= 1.0, 0.0, phase)


def bin_by_phase(phase: Floats, value: Floats, error: Floats, n_bins: int) -> PhaseBins:
    """Means within `n_bins` equal bins of phase.

    Parameters
    ----------
    phase : float64 (n,), 0 ≤ phase < 1.
    value, error : float64 (n,); a value that is NaN is left out, an error that is NaN or not above
        0 is not known.

    Raises
    ------
    ValueError : there is no bin.
    """
    if n_bins < 1:
        raise ValueError(f"there is at least one bin, not {n_bins}")
    at = np.isfinite(phase) & np.isfinite(value)
    phase, value, error = phase[at], value[at], error[at]
    number = np.minimum((phase * n_bins).astype(np.int64), n_bins - 1)
    n = np.bincount(number, minlength=n_bins)
    known = np.isfinite(error) & (error > 0)
    weight = np.where(known, 1.0 / np.square(np.where(known, error, 1.0)), 0.0)
    total = np.bincount(number, weight, n_bins)
    # A bin of values without any error is their plain mean.
    weight = np.where(total[number] > 0, weight, 1.0)
    used = np.bincount(number, weight, n_bins)
    # About one of them: magnitudes of 20 would cost digits of their differences.
    first = value[0] if value.size else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first + np.bincount(number, weight * (value - first), n_bins) / used
        plain = first + np.bincount(number, value - first, n_bins) / n
        squares = np.bincount(number, np.square(value - plain[number]), n_bins)
        scatter = np.sqrt(squares / np.where(n > 1, n - 1, np.nan))
        mean_error = np.where(total > 0, 1.0 / np.sqrt(total), np.nan)
    full = n > 0
    middle = (np.arange(n_bins) + 0.5) / n_bins
    return PhaseBins(middle[full], mean[full], mean_error[full], scatter[full], n[full])
