"""Zero points of exposures relative to each other, from the stars that all of them see.

m_ij = M_i + z_j + noise: star i of magnitude M_i, exposure j with an error z_j of its zero point
(clouds, a calibration of few stars). Solved by alternating weighted means, which converge in a few
rounds where stars are in most exposures, with Huber's weights against outliers. Stars whose scatter
about the solution is more than their errors and that of their like explain are variable: they are
left out, and the rest is solved again. (Honeycutt 1992, PASP 104, 435; Ofek et al. 2011, ApJ 740,
65.)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.quantiles import median
from transforms.sphere import Floats

# A calibrator is no fainter than this error tells, and is measured at least so often.
LARGEST_ERROR_MAG = 0.05
LEAST_EPOCHS = 2
# An exposure with fewer calibrators is not refined.
LEAST_CALIBRATORS = 10
# Calibrators of one set of exposures: more make it slower, and no better than 1 mmag.
MOST_CALIBRATORS = 500
# Flat fields and the like: no star counts more than one with this error.
SYSTEMATIC_MAG = 0.01
# Huber's limit, in errors: the mean of a normal distribution keeps 95 % of its efficiency.
HUBER_SIGMAS = 1.345
# A star is variable if its scatter, in errors, exceeds that of the stars in the median by so much.
VARIABLE_FACTOR = 2.5
# Rounds of variable stars left out; steps of one solution, and where they may end.
ROUNDS = 3
STEPS = 100
CONVERGED_MAG = 1e-5

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Refinement(NamedTuple):
    """What is to be added to the magnitudes of each exposure."""

    correction: Floats
    """float64 (k,), mag; 0 where an exposure is not refined. Their median over refined is 0."""
    error: Floats
    """float64 (k,), mag, 1/√Σ(1/σ²) of the calibrators; NaN where it is not refined."""
    refined: Mask
    """bool (k,)"""
    calibrators: Mask
    """bool (m,), the stars that were used."""


def refine_zero_points(
    star: ArrayLike,
    exposure: ArrayLike,
    mag: ArrayLike,
    magerr: ArrayLike,
    usable: ArrayLike,
    *,
    stars: int,
    exposures: int,
) -> Refinement:
    """Solve for the zero points of exposures.

    Parameters
    ----------
    star, exposure : int (n,), numbers of the star and the exposure of each measurement.
    mag, magerr : (n,) calibrated magnitudes and their errors.
    usable : bool (n,), measurements without flags.
    stars, exposures : how many there are.

    Returns
    -------
    Refinement : of no or one exposure, and of too few stars, nothing is refined.

    Raises
    ------
    TransformError : lengths differ.
    """
    i, j = np.asarray(star, dtype=np.int64), np.asarray(exposure, dtype=np.int64)
    m, e = np.asarray(mag, dtype=np.float64), np.asarray(magerr, dtype=np.float64)
    good = np.asarray(usable, dtype=np.bool_)
    if not i.shape == j.shape == m.shape == e.shape == good.shape:
        raise TransformError("star, exposure, mag, magerr and usable must be of one length")
    good = good & np.isfinite(m) & (e > 0) & (e < LARGEST_ERROR_MAG)
    i, j, m, e = i[good], j[good], m[good], e[good]
    candidates = _best(i, e, stars)
    among = candidates[i]
    i, j, m, e = i[among], j[among], m[among], e[among]
    weight = 1.0 / (e**2 + SYSTEMATIC_MAG**2)
    zero = np.zeros(exposures)
    refined = np.zeros(exposures, dtype=np.bool_)
    for _ in range(ROUNDS):
        use = candidates[i]
        refined = np.bincount(j[use], minlength=exposures) >= LEAST_CALIBRATORS
        use &= refined[j]
        if refined.sum() < 2:
            break
        zero, residual = _solve(i[use], j[use], m[use], weight[use], zero, stars, refined)
        scatter = _scatter(i[use], residual, np.sqrt(weight[use]), stars)
        steady = candidates & ~(scatter > VARIABLE_FACTOR * np.nanmedian(scatter))
        if (steady == candidates).all():
            break
        candidates = steady
    if refined.sum() < 2:
        return unrefined(stars, exposures)
    use = candidates[i] & refined[j]
    with np.errstate(divide="ignore"):
        error = 1.0 / np.sqrt(np.bincount(j[use], weight[use], minlength=exposures))
    used = np.zeros(stars, dtype=np.bool_)
    used[i[use]] = True
    return Refinement(
        np.where(refined, -zero, 0.0), np.where(refined, error, np.nan), refined, used
    )


def unrefined(stars: int, exposures: int) -> Refinement:
    """Nothing is added to the magnitudes of any exposure."""
    return Refinement(
        np.zeros(exposures),
        np.full(exposures, np.nan),
        np.zeros(exposures, dtype=np.bool_),
        np.zeros(stars, dtype=np.bool_),
    )


def _best(i: Index, e: Floats, stars: int) -> Mask:
    """The stars with most epochs, and of those with as many the best measured."""
    count = np.bincount(i, minlength=stars)
    error = np.bincount(i, e, minlength=stars) / np.maximum(count, 1)
    order = np.lexsort((error, -count))[:MOST_CALIBRATORS]
    best = np.zeros(stars, dtype=np.bool_)
    best[order] = True
    return best & (count >= LEAST_EPOCHS)


def _solve(
    i: Index, j: Index, m: Floats, weight: Floats, zero: Floats, stars: int, refined: Mask
) -> tuple[Floats, Floats]:
    """Zero points, their median 0, and the residuals of the measurements."""
    robust = np.empty_like(weight)
    step, level = np.empty(zero.size), np.empty(stars)
    # The first magnitude is a star's median: a cloud in half of the exposures must not lead astray.
    _medians(i, m - zero[j], level)
    for _ in range(STEPS):
        _errors_of_exposures(i, j, m, weight, level, zero, robust, step)
        zero = zero + step
        zero = np.where(refined, zero - np.median(zero[refined]), 0.0)
        _levels_of_stars(i, j, m, robust, zero, level)
        if np.abs(step[refined]).max() < CONVERGED_MAG:
            break
    return zero, m - level[i] - zero[j]


@kernel
def _errors_of_exposures(
    i: Index,
    j: Index,
    m: Floats,
    weight: Floats,
    level: Floats,
    zero: Floats,
    robust: Floats,
    step: Floats,
) -> None:
    """Mean residual of each exposure with Huber's weights, and these; 0 of none."""
    total = np.zeros(step.size)
    step[:] = 0.0
    for row in range(m.size):
        residual = m[row] - level[i[row]] - zero[j[row]]
        sigmas = max(abs(residual) * math.sqrt(weight[row]), 1e-12)
        robust[row] = weight[row] * min(1.0, HUBER_SIGMAS / sigmas)
        total[j[row]] += robust[row]
        step[j[row]] += robust[row] * residual
    for k in range(step.size):
        step[k] /= total[k] if total[k] > 0.0 else 1.0


@kernel
def _levels_of_stars(
    i: Index, j: Index, m: Floats, robust: Floats, zero: Floats, level: Floats
) -> None:
    """Mean magnitude of each star with these weights; 0 of none."""
    total = np.zeros(level.size)
    level[:] = 0.0
    for row in range(m.size):
        total[i[row]] += robust[row]
        level[i[row]] += robust[row] * (m[row] - zero[j[row]])
    for k in range(level.size):
        level[k] /= total[k] if total[k] > 0.0 else 1.0


@kernel
def _medians(of: Index, values: Floats, found: Floats) -> None:
    """Median of each group; 0 of none."""
    ends = np.zeros(found.size + 1, dtype=np.int64)
    for row in range(of.size):
        ends[of[row] + 1] += 1
    for k in range(found.size):
        ends[k + 1] += ends[k]
    free = ends[:-1].copy()
    grouped = np.empty(values.size)
    for row in range(of.size):
        grouped[free[of[row]]] = values[row]
        free[of[row]] += 1
    for k in range(found.size):
        ordered = grouped[ends[k] : ends[k + 1]]
        ordered.sort()
        found[k] = median(ordered) if ordered.size else 0.0


def _scatter(i: Index, residual: Floats, root: Floats, stars: int) -> Floats:
    """Root mean square of each star's residuals in errors; NaN without."""
    count = np.bincount(i, minlength=stars)
    squares = np.bincount(i, (residual * root) ** 2, minlength=stars)
    # A star of n epochs has fitted its own level: n − 1.
    free = np.maximum(count - 1, 1)
    return np.where(count > 1, np.sqrt(squares / free), np.nan)
