"""Mean, spread and shape of one object's magnitudes, in two passes that keep their digits.

Kernels on one object's usable epochs: float64 (n,) without NaN, best as differences from one of
them. Deviations are summed, not squares of magnitudes, so that an offset costs no digits.
`inverse_errors` is 1/σ of each epoch, 0 where σ is not known: such an epoch has no weight.
"""

from __future__ import annotations

import math

from transforms.kernel import kernel
from transforms.sphere import Floats


@kernel
def mean(values: Floats) -> float:
    """Arithmetic mean, Σm/n; NaN of none. Equal values give that value exactly."""
    if values.size == 0:
        return math.nan
    first: float = values[0]
    total = 0.0
    for value in values:
        total += value - first
    return first + total / values.size


@kernel
def central_sums(values: Floats, centre: float) -> tuple[float, float, float]:
    """Σd², Σd³ and Σd⁴ of the deviations d = m − centre; 0 of none."""
    second = third = fourth = 0.0
    for value in values:
        d = value - centre
        dd = d * d
        second += dd
        third += dd * d
        fourth += dd * dd
    return second, third, fourth


@kernel
def rms(second: float, n: int) -> float:
    """`magrms`, the standard deviation √(Σd²/(n−1)) about the mean; NaN of fewer than 2 epochs.

    With n−1, as in the real matchfile: its source of 2 epochs has |m₁−m₂|/√2.
    """
    return math.sqrt(second / (n - 1)) if n > 1 else math.nan


@kernel
def skewness(second: float, third: float, n: int) -> float:
    """b₁ = (Σd³/n)/s³ with s² = Σd²/(n−1) (Joanes & Gill 1998, The Statistician 47, 183).

    Of the usual three it is the one that the real matchfile allows, by one of its sources; scipy's
    g₁ is b₁·(n/(n−1))^1.5.
    NaN of fewer than 3 epochs, and where all are equal.
    """
    if n < 3 or second <= 0.0:
        return math.nan
    deviation = math.sqrt(second / (n - 1))
    return third / n / (deviation * deviation * deviation)


@kernel
def small_kurtosis(second: float, fourth: float, n: int) -> float:
    """Excess kurtosis for small samples, G₂; 0 of a normal distribution (Joanes & Gill 1998).

    n(n+1)/((n−1)(n−2)(n−3)) · Σ(d/s)⁴ − 3(n−1)²/((n−2)(n−3)) with s² = Σd²/(n−1), which is scipy's
    kurtosis(bias=False). NaN of fewer than 4 epochs, and where all are equal.
    """
    if n < 4 or second <= 0.0:
        return math.nan
    variance = second / (n - 1)
    pairs = (n - 2.0) * (n - 3.0)
    scaled = n * (n + 1.0) / ((n - 1.0) * pairs) * (fourth / (variance * variance))
    return scaled - 3.0 * (n - 1.0) * (n - 1.0) / pairs


@kernel
def weighted_mean(values: Floats, inverse_errors: Floats) -> tuple[float, float]:
    """Inverse-variance mean Σ(m/σ²)/Σ(1/σ²), and its error 1/√Σ(1/σ²).

    Both NaN where no epoch has a known σ.
    """
    total = weights = first = 0.0
    for i in range(values.size):
        weight = inverse_errors[i] * inverse_errors[i]
        # From the first that has a weight: equal magnitudes give that magnitude exactly.
        first = first if weights > 0.0 else values[i]
        weights += weight
        total += weight * (values[i] - first)
    if not weights > 0.0:
        return math.nan, math.nan
    return first + total / weights, 1.0 / math.sqrt(weights)


@kernel
def chi_square(
    values: Floats, inverse_errors: Floats, centre: float, known: int
) -> tuple[float, float]:
    """`chi2` = Σ((m−centre)/σ)² about the weighted mean, and `weightedmagrms`.

    χ² has known−1 degrees of freedom; it is not divided by them. The weighted rms is
    √(χ²/Σ(1/σ²) · k/(k−1)) of the k epochs with a known σ, so that equal errors give `rms`. Both
    NaN where fewer than 2 epochs have a known σ.
    """
    if known < 2:
        return math.nan, math.nan
    chi2 = weights = 0.0
    for i in range(values.size):
        scaled = (values[i] - centre) * inverse_errors[i]
        chi2 += scaled * scaled
        weights += inverse_errors[i] * inverse_errors[i]
    return chi2, math.sqrt(chi2 / weights * known / (known - 1))
