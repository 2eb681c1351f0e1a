"""Order statistics of one object: median, quantiles and median absolute deviation.

Kernels on float64 (n,), sorted and without NaN.
"""

from __future__ import annotations

import math

from transforms.kernel import kernel
from transforms.sphere import Floats

# 1/Φ⁻¹(3/4): the standard deviation of a normal distribution over its median absolute deviation.
SIGMA_PER_MAD = 1.482602218505602


@kernel
def quantile(ordered: Floats, fraction: float) -> float:
    """The quantile, linear between epochs: numpy's default (Hyndman & Fan 1996, type 7).

    At place (n−1)·fraction, counted from 0. NaN of no epoch.
    """
    n = ordered.size
    if n == 0:
        return math.nan
    place = (n - 1) * fraction
    below = min(int(place), n - 1)
    above = min(below + 1, n - 1)
    low: float = ordered[below]
    high: float = ordered[above]
    return low + (high - low) * (place - below)


@kernel
def median(ordered: Floats) -> float:
    """The middle value, of an even number the mean of the two; NaN of none."""
    n = ordered.size
    if n == 0:
        return math.nan
    low: float = ordered[(n - 1) // 2]
    high: float = ordered[n // 2]
    return low + (high - low) * 0.5


@kernel
def median_absolute_deviation(ordered: Floats, centre: float) -> float:
    """`medianabsdev`, the median of |m − median|, not scaled; NaN of fewer than 2 epochs.

    Deviations grow from the centre to both sides: the two sides are merged, nothing is sorted.
    """
    n = ordered.size
    if n < 2:
        return math.nan
    right = n // 2
    while right > 0 and ordered[right - 1] > centre:
        right -= 1
    while right < n and ordered[right] <= centre:
        right += 1
    left = right - 1
    before = deviation = 0.0
    for _ in range(n // 2 + 1):
        before = deviation
        if right >= n or (left >= 0 and centre - ordered[left] <= ordered[right] - centre):
            deviation = centre - ordered[left]
            left -= 1
        else:
            deviation = ordered[right] - centre
            right += 1
    return deviation if n % 2 else before + (deviation - before) * 0.5
