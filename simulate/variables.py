"""Light curves of the kinds of variable sources, as changes of magnitude with heliocentric time.

Shapes are of unit peak-to-peak height; amplitudes are in g and shrink towards the red.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulate.arrays import Floats

KINDS = ("constant", "rrlyrae", "eclipsing", "longperiod", "eruptive", "transient")
CONSTANT, RRLYRAE, ECLIPSING, LONGPERIOD, ERUPTIVE, TRANSIENT = range(len(KINDS))

# Amplitude in g, r, i over the amplitude in g. RR Lyrae after Sesar et al. 2010 (ApJ 708, 717).
BAND_FACTORS = {
    RRLYRAE: (1.0, 0.72, 0.57),
    ECLIPSING: (1.0, 0.97, 0.95),
    LONGPERIOD: (1.0, 0.8, 0.5),
    ERUPTIVE: (1.0, 0.95, 0.9),
    TRANSIENT: (1.0, 1.0, 1.0),
}
MIX = {RRLYRAE: 0.30, ECLIPSING: 0.35, LONGPERIOD: 0.20, ERUPTIVE: 0.15}
PERIODS_D = {
    RRLYRAE: (0.4, 0.8),
    ECLIPSING: (0.25, 6.0),
    LONGPERIOD: (80.0, 450.0),
    ERUPTIVE: (18.0, 60.0),  # from outburst to outburst
}
AMPLITUDES_MAG = {
    RRLYRAE: (0.4, 1.1),
    ECLIPSING: (0.15, 0.9),
    LONGPERIOD: (0.5, 3.0),
    ERUPTIVE: (2.0, 4.0),
}
TRANSIENT_RISE_D, TRANSIENT_FALL_D = 6.0, 25.0
INVISIBLE_MAG = 40.0  # what a transient adds long before its maximum

_HARMONICS = np.arange(1, 7)
# Lanczos factors keep the steep rise of a cut Fourier series from ringing.
_SAWTOOTH = np.sinc(_HARMONICS / 7) / _HARMONICS


def _sawtooth(phase: Floats) -> Floats:
    sines: Floats = sum(
        weight * np.sin(2 * np.pi * k * phase)
        for k, weight in zip(_HARMONICS, _SAWTOOTH, strict=True)
    )
    return sines


_GRID = np.linspace(0, 0.5, 20_001)
_PEAK_PHASE = float(_GRID[np.argmax(_sawtooth(_GRID))])
_PEAK = float(_sawtooth(_GRID).max())


def rr_lyrae(cycles: Floats) -> Floats:
    """A steep rise and a slow fall, brightest at phase 0: −0.5 there, +0.5 before the rise."""
    shape: Floats = -_sawtooth(cycles + _PEAK_PHASE) / (2 * _PEAK)
    return shape


def eclipsing(cycles: Floats) -> Floats:
    """Flat but for a primary eclipse of depth 1 at phase 0 and a secondary of 0.4 at 0.5."""
    phase = cycles - np.round(cycles)
    other = np.abs(phase) - 0.5
    shape: Floats = np.exp(-((phase / 0.045) ** 4)) + 0.4 * np.exp(-((other / 0.045) ** 4))
    return shape


def long_period(cycles: Floats) -> Floats:
    """A sine, brightest at phase 0."""
    shape: Floats = -0.5 * np.cos(2 * np.pi * cycles)
    return shape


def eruptive(days: Floats, period_d: Floats) -> Floats:
    """Quiet but for outbursts: half a day up, some days down; −1 at the maximum."""
    since = days - np.round(days / period_d) * period_d
    rise = np.exp(-((since / 0.5) ** 2))
    fall = np.exp(-((np.maximum(since, 0) / 5.0) ** 2))
    return -np.where(since < 0, rise, fall)


def transient(days: Floats) -> Floats:
    """Magnitudes above the maximum: a Gaussian rise, an exponential fall, nothing before."""
    rise = 2.5 / np.log(10) * (days / TRANSIENT_RISE_D) ** 2
    fall = 2.5 / np.log(10) * days / TRANSIENT_FALL_D
    change: Floats = np.minimum(np.where(days < 0, rise, fall), INVISIBLE_MAG)
    return change


_PERIODIC: dict[int, Callable[[Floats], Floats]] = {
    RRLYRAE: rr_lyrae,
    ECLIPSING: eclipsing,
    LONGPERIOD: long_period,
}


def magnitude_change(
    kind: int, hmjd: Floats, period_d: Floats, epoch_hmjd: Floats, amplitude: Floats
) -> Floats:
    """Change from the mean magnitude (of a transient: from the maximum).

    Parameters
    ----------
    kind : one of this module's kinds but CONSTANT.
    hmjd : float64 (t, n), heliocentric mid-exposure times, MJD.
    period_d, epoch_hmjd, amplitude : float64 (n,); days, MJD, magnitudes. A transient uses only
        its epoch. The epoch is that of maximum light, of an eclipsing star that of the minimum.

    Returns
    -------
    float64 (t, n), magnitudes; positive is fainter.
    """
    days = hmjd - epoch_hmjd
    if kind == TRANSIENT:
        return transient(days)
    if kind == ERUPTIVE:
        return amplitude * eruptive(days, period_d)
    return amplitude * _PERIODIC[kind](days / period_d)
