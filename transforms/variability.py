"""How one object's magnitudes follow each other: trends, slopes, excursions, correlation.

Kernels on one object's usable epochs in order of time: float64 (n,) without NaN. `inverse_errors`
is 1/σ of each epoch, 0 where σ is not known.
"""

from __future__ import annotations

import math

from transforms.kernel import kernel
from transforms.moments import mean
from transforms.sphere import Floats

# What an integer statistic has where it cannot be known.
NO_COUNT = -1
# Epochs that `npairposslope` looks at (Richards et al. 2011, ApJ 733, 10, table 5).
LAST_EPOCHS = 30
# `con` counts triples beyond so many rms (Wozniak 2000, AcA 50, 421).
TRIPLE_SIGMAS = 2.0
# `nmedianbufferrange` counts epochs beyond this part of the amplitude.
BUFFER = 0.2


@kernel
def von_neumann_ratio(values: Floats, second: float) -> float:
    """η = Σ(mᵢ₊₁−mᵢ)²/(n−1) / s² with s² = Σd²/(n−1) (von Neumann 1941, AMS 12, 367).

    About 2 of noise, less of what varies slowly. NaN of fewer than 3 epochs (it is 2 of any two),
    and where all are equal.
    """
    n = values.size
    if n < 3 or second <= 0.0:
        return math.nan
    steps = 0.0
    for i in range(n - 1):
        step = values[i + 1] - values[i]
        steps += step * step
    return steps / second


@kernel
def linear_trend(hmjd: Floats, values: Floats, centre: float) -> tuple[float, float]:
    """Slope b = Σ(t−t̄)(m−m̄)/Σ(t−t̄)² of the least-squares line without weights, and its error.

    The error is √(Σr²/(n−2)/Σ(t−t̄)²) of the residuals r, mag/day like the slope. The slope is NaN
    of fewer than 2 epochs or if all are at one time, the error of fewer than 3.
    """
    n = values.size
    if n < 2:
        return math.nan, math.nan
    middle = mean(hmjd)
    squares = products = 0.0
    for i in range(n):
        t = hmjd[i] - middle
        squares += t * t
        products += t * (values[i] - centre)
    if not squares > 0.0:
        return math.nan, math.nan
    slope = products / squares
    if n < 3:
        return slope, math.nan
    residuals = 0.0
    for i in range(n):
        residual = values[i] - centre - slope * (hmjd[i] - middle)
        residuals += residual * residual
    return slope, math.sqrt(residuals / (n - 2) / squares)


@kernel
def max_slope(hmjd: Floats, values: Floats) -> float:
    """The largest |mᵢ₊₁−mᵢ|/(tᵢ₊₁−tᵢ) of consecutive epochs, mag/day (Richards et al. 2011).

    Epochs at one time have no slope and are passed over. NaN where no pair has one.
    """
    largest = -1.0
    for i in range(values.size - 1):
        days = hmjd[i + 1] - hmjd[i]
        # Not the quotient of each: that would take longer than all else here.
        step = abs(values[i + 1] - values[i])
        if days > 0.0 and step > largest * days:
            largest = step / days
    return largest if largest >= 0.0 else math.nan


@kernel
def brightenings(values: Floats) -> int:
    """`npairposslope`: of the last 30 epochs, how many are brighter than the one before.

    At most 29. The matchfile's documents say "all consecutive pairs", but its sources of 28 to 84
    epochs have 12 to 16: which the last 30 would explain. −1 of fewer than 2 epochs.
    """
    n = values.size
    if n < 2:
        return NO_COUNT
    count = 0
    for i in range(max(0, n - LAST_EPOCHS), n - 1):
        count += values[i + 1] < values[i]
    return count


@kernel
def con(values: Floats, centre: float, deviation: float) -> float:
    """1 + the part of the epochs that begin three in a row beyond 2 rms of the median.

    All three on one side (Wozniak 2000); divided by n. NaN of fewer than 3 epochs.
    """
    n = values.size
    if n < 3:
        return math.nan
    limit = TRIPLE_SIGMAS * deviation
    triples = above = below = 0
    for i in range(n):
        d = values[i] - centre
        above = above + 1 if d > limit else 0
        below = below + 1 if d < -limit else 0
        triples += (above >= 3) | (below >= 3)
    return 1.0 + triples / n


@kernel
def outside_buffer(values: Floats, centre: float, amplitude: float) -> int:
    """`nmedianbufferrange`: epochs farther from the weighted mean than 20 % of the amplitude.

    The amplitude is half of maximum − minimum (Richards et al. 2011). −1 where the weighted mean
    is not known.
    """
    if math.isnan(centre):
        return NO_COUNT
    count = 0
    for value in values:
        count += abs(value - centre) > BUFFER * amplitude
    return count


@kernel
def excursions(values: Floats, centre: float, limit: float) -> tuple[int, int, int, int, int]:
    """Epochs farther than `limit` from the centre, and the longest runs of such epochs.

    Strictly farther. Above means a larger magnitude: fainter.

    Returns
    -------
    above, below : how many.
    run_above, run_below : length of the longest run of consecutive epochs above, below.
    run_beyond : length of the longest run of epochs that each are above or below.
    All −1 where the centre or the limit is NaN.
    """
    if math.isnan(centre) or math.isnan(limit):
        return NO_COUNT, NO_COUNT, NO_COUNT, NO_COUNT, NO_COUNT
    above = below = run_above = run_below = run_beyond = 0
    now_above = now_below = now_beyond = 0
    for value in values:
        d = value - centre
        is_above, is_below = d > limit, d < -limit
        above += is_above
        below += is_below
        now_above = now_above + 1 if is_above else 0
        now_below = now_below + 1 if is_below else 0
        now_beyond = now_beyond + 1 if is_above | is_below else 0
        run_above = max(run_above, now_above)
        run_below = max(run_below, now_below)
        run_beyond = max(run_beyond, now_beyond)
    return above, below, run_above, run_below, run_beyond


@kernel
def stetson(
    values: Floats, inverse_errors: Floats, centre: float, known: int
) -> tuple[float, float]:
    """Stetson's J and K about the weighted mean (Stetson 1996, PASP 108, 851, eqs. 1-3).

    With δ = √(k/(k−1))·(m−centre)/σ of the k epochs that have σ:
    J = Σ sgn(P)√|P| / (k−1) over the pairs P = δᵢδᵢ₊₁ of consecutive epochs, each of weight 1,
    whatever the time between them; K = (Σ|δ|/k)/√(Σδ²/k), which is 0.798 of a normal distribution.
    NaN where fewer than 2 epochs have σ; K also where all are equal.
    """
    if known < 2:
        return math.nan, math.nan
    scale = math.sqrt(known / (known - 1))
    pairs = absolute = squares = 0.0
    before = math.nan
    for i in range(values.size):
        if inverse_errors[i] == 0.0:
            continue
        delta = scale * (values[i] - centre) * inverse_errors[i]
        absolute += abs(delta)
        squares += delta * delta
        if not math.isnan(before):
            product = before * delta
            pairs += math.copysign(math.sqrt(abs(product)), product)
        before = delta
    k = absolute / math.sqrt(known * squares) if squares > 0.0 else math.nan
    return pairs / (known - 1), k
