"""What an exposure is like: seeing, zero point, limit, calibration, faults.

Zero points and limits follow the percentiles of the survey's own metadata: p1, median and p99.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Z99 = 2.3263478740408408  # a normal deviate's 99th percentile

# Measured for g and r; i is set a typical 0.6 mag brighter than r, and was not measured.
LIMIT_MAG = {1: (18.98, 21.01, 22.06), 2: (18.77, 20.70, 21.84), 3: (18.30, 20.10, 21.20)}
ZERO_POINT_MAG = {1: (25.85, 26.25, 26.48), 2: (25.79, 26.22, 26.45), 3: (25.20, 25.60, 25.85)}
REFERENCE_LIMIT_MAG = {1: 22.6, 2: 22.3, 3: 21.8}  # five sigma; real r reaches 22.4
# Mean and scatter of CLRCOEFF of 17 headers; of i not measured.
COLOUR_COEFFICIENT = {1: (-0.07, 0.03), 2: (0.11, 0.02), 3: (0.08, 0.02)}
COLOUR_NAME = {1: "g - R   ", 2: "g - R   ", 3: "R - i   "}

SEEING_ARCSEC = 2.0  # median; ln-scatter 0.22
CLOUDY_BITS = (1 << 25, (1 << 25) | (1 << 11), 1 << 26)  # each means: unusable
BAD_EXTINCTION_MAG = 1.5


@dataclass(frozen=True)
class Conditions:
    """What is common to all channels of an exposure.

    Parameters
    ----------
    seeing_px : FWHM, pixels.
    magzp : zero point of the PSF photometry, mag.
    limit_mag : five-sigma limit, calibrated mag.
    clrcoeff : colour coefficient; calibrated = mag + MAGZP + CLRCOEFF·colour.
    infobits : 0, or bits at and above 2^25 for an unusable exposure.
    temperature_c, humidity_percent : of the outside air.
    """

    seeing_px: float
    magzp: float
    limit_mag: float
    clrcoeff: float
    infobits: int
    temperature_c: float
    humidity_percent: float


def draw_conditions(rng: np.random.Generator, fid: int, bad_fraction: float) -> Conditions:
    """Conditions of one exposure in one filter."""
    seeing = SEEING_ARCSEC / 1.0125 * np.exp(rng.normal(0, 0.22))
    magzp = _two_piece(rng, ZERO_POINT_MAG[fid])
    limit = _two_piece(rng, LIMIT_MAG[fid])
    clrcoeff = rng.normal(*COLOUR_COEFFICIENT[fid])
    bad = rng.random() < bad_fraction
    bits = int(rng.choice(CLOUDY_BITS))
    temperature, humidity = rng.normal(12, 6), rng.uniform(5, 85)
    if bad:
        magzp -= BAD_EXTINCTION_MAG
        limit -= BAD_EXTINCTION_MAG
    return Conditions(
        float(seeing), float(magzp), float(limit), float(clrcoeff),
        bits if bad else 0, round(float(temperature), 1), round(float(humidity), 0),
    )  # fmt: skip


def _two_piece(rng: np.random.Generator, percentiles: tuple[float, float, float]) -> float:
    """A draw whose p1, median and p99 are given: a normal with one scatter on either side."""
    low, median, high = percentiles
    deviate = float(np.clip(rng.standard_normal(), -3, 3))
    return median + deviate / Z99 * ((median - low) if deviate < 0 else (high - median))
