"""The error of a magnitude as a function of the magnitude, fitted to the measurements themselves.

σ(m) = A + B·m + C·10^(0.4m) + D·10^(0.8m), with one straight line beyond a faint limit: past its
inflection the polynomial of a fit falls, and turns negative. ZTF's matchfiles have the four
coefficients and this form; how theirs were found is documented nowhere. In the real one the curve
follows the robust scatter of the sources about their medians (1.4826 · MAD / σ is 0.8 to 1.1), and
so does ours where there are epochs enough, else the formal errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from transforms.errors import TransformError
from transforms.sphere import Floats

BIN_MAG = 0.25
# Points of a bin, and bins of a fit: of fewer a median or a curve means little.
LEAST_IN_BIN = 5
LEAST_BINS = 6
# No measurement is better than this; a fit must not say so.
FLOOR_MAG = 1e-4
# Steps in which a faint limit goes back from where the polynomial falls.
LIMIT_STEP_MAG = 0.01
_TENTH = 0.4 * math.log(10.0)
# Where 10^(0.4m) is 1 in the fit: its columns are then of one size.
_PIVOT_MAG = 20.0


@dataclass(frozen=True, slots=True)
class ErrorModel:
    """σ(m) of one set of measurements, magnitudes.

    A, B, C, D up to `limit_mag`; from there `intercept + slope·m`.
    """

    A: float
    B: float
    C: float
    D: float
    limit_mag: float
    slope: float
    intercept: float

    @classmethod
    def tangent(cls, coefficients: ArrayLike, limit_mag: float) -> ErrorModel:
        """The model that goes on along the polynomial's tangent at `limit_mag`."""
        A, B, C, D = (float(value) for value in np.asarray(coefficients))
        slope = float(_slope(np.array([A, B, C, D]), limit_mag))
        intercept = float(_polynomial(np.array([A, B, C, D]), limit_mag)) - slope * limit_mag
        return cls(A, B, C, D, limit_mag, slope, intercept)

    @property
    def coefficients(self) -> Floats:
        """A, B, C and D."""
        return np.array([self.A, self.B, self.C, self.D])

    def errors(self, mag: ArrayLike) -> Floats:
        """σ of each magnitude.

        Parameters
        ----------
        mag : (n,) magnitudes.

        Returns
        -------
        float64 (n,), mag, at least 1e-4; NaN where the magnitude is.
        """
        m = np.asarray(mag, dtype=np.float64)
        # Beyond the limit the powers are not needed, and could overflow.
        near = np.minimum(m, self.limit_mag)
        power = np.exp(_TENTH * near)
        found = self.A + near * self.B + power * (self.C + power * self.D)
        beyond = m > self.limit_mag
        found[beyond] = self.intercept + self.slope * m[beyond]
        return np.maximum(found, FLOOR_MAG)


def fit_error_model(mag: ArrayLike, error: ArrayLike) -> ErrorModel:
    """The model of measured errors: a curve through their medians in bins of magnitude.

    Parameters
    ----------
    mag, error : (n,) magnitude and error of each point, a source's scatter or a measurement's
        formal error. Points that are not finite, or not positive, say nothing.

    Returns
    -------
    ErrorModel : fitted with weights of 1/error in each bin. `limit_mag` is the faint end of the
        bins, or where the polynomial's slope is greatest if that comes before. Of fewer than six
        bins it is the constant median error; of no point, NaN.

    Raises
    ------
    TransformError : lengths differ.
    """
    m, e = (np.asarray(column, dtype=np.float64) for column in (mag, error))
    if m.shape != e.shape or m.ndim != 1:
        raise TransformError(f"a magnitude for each error is needed, got {m.shape} and {e.shape}")
    use = np.isfinite(m) & np.isfinite(e) & (e > 0)
    m, e = m[use], e[use]
    centre, middle = _binned(m, e)
    if centre.size < LEAST_BINS:
        constant = float(np.median(e)) if e.size else math.nan
        return ErrorModel(constant, 0.0, 0.0, 0.0, math.inf, 0.0, constant)
    coefficients = _solve(centre, middle)
    return ErrorModel.tangent(coefficients, _limit(coefficients, float(centre[-1])))


def _binned(m: Floats, e: Floats) -> tuple[Floats, Floats]:
    """Median magnitude and error of each bin that holds enough points, in order of magnitude."""
    if m.size == 0:
        return m, e
    bins = np.floor(m / BIN_MAG).astype(np.int64)
    order = np.argsort(bins, kind="stable")
    _, starts = np.unique(bins[order], return_index=True)
    parts = [part for part in np.split(order, starts[1:]) if part.size >= LEAST_IN_BIN]
    centre = np.array([np.median(m[part]) for part in parts])
    return centre, np.array([np.median(e[part]) for part in parts])


def _solve(m: Floats, e: Floats) -> Floats:
    """Least squares of relative deviations: a bright bin counts as much as a faint one."""
    power = np.exp(_TENTH * (m - _PIVOT_MAG))
    design = np.stack([np.ones_like(m), m - _PIVOT_MAG, power, power**2], axis=1)
    a, b, c, d = np.linalg.lstsq(design / e[:, None], np.ones_like(e), rcond=None)[0]
    unit = math.exp(-_TENTH * _PIVOT_MAG)
    return np.array([a - b * _PIVOT_MAG, b, c * unit, d * unit**2])


def _limit(coefficients: Floats, faint_mag: float) -> float:
    """The faint end, or the inflection before it where the slope begins to fall."""
    _, _, C, D = coefficients
    if C > 0 > D:
        inflection = math.log(-C / (4 * D)) / _TENTH
        limit = min(faint_mag, inflection)
    else:
        limit = faint_mag
    # A slope below 0 would make faint measurements the better ones.
    while float(_slope(coefficients, limit)) < 0 and limit > faint_mag - 10:
        limit -= LIMIT_STEP_MAG
    return limit


def _polynomial(coefficients: Floats, m: float) -> float:
    A, B, C, D = coefficients
    power = math.exp(_TENTH * m)
    return float(A + B * m + power * (C + power * D))


def _slope(coefficients: Floats, m: float) -> float:
    _, B, C, D = coefficients
    power = math.exp(_TENTH * m)
    return float(B + _TENTH * power * (C + 2 * D * power))
