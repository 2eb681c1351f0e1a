"""One pass over the rows of an image: light-travel time and airmass from the same unit vectors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from transforms.airmass import APPARENT_SIZE, secz_of
from transforms.errors import TransformError
from transforms.frame import axes
from transforms.hjd import OffsetFrameFit
from transforms.kernel import kernel
from transforms.sphere import DEGREE, Floats, columns, sincos_degrees, vector

SECONDS_PER_DAY = 86400.0


@kernel
def _exact(
    ra: Floats, dec: Floats, earth: Floats, context: Floats, seconds: Floats, airmass: Floats
) -> None:
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        px, py, pz = cos_dec * cos_ra, cos_dec * sin_ra, sin_dec
        seconds[i] = px * earth[0] + py * earth[1] + pz * earth[2]
        airmass[i] = secz_of(px, py, pz, context)


@kernel
def _fitted(
    ra: Floats,
    dec: Floats,
    earth: Floats,
    context: Floats,
    frame: Floats,
    c: Floats,
    limit: float,
    seconds: Floats,
    airmass: Floats,
) -> float:
    largest = np.int64(0)
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        px, py, pz = cos_dec * cos_ra, cos_dec * sin_ra, sin_dec
        exact = px * earth[0] + py * earth[1] + pz * earth[2]
        x = frame[0, 0] * px + frame[0, 1] * py
        y = frame[1, 0] * px + frame[1, 1] * py + frame[1, 2] * pz
        up = frame[2, 0] * px + frame[2, 1] * py + frame[2, 2] * pz
        fitted = c[0] + x * (c[1] + c[3] * y + c[4] * x) + y * (c[2] + c[5] * y)
        inside = (abs(x) <= limit) & (abs(y) <= limit) & (up > 0.0)
        value = fitted if inside else exact
        seconds[i] = value
        airmass[i] = secz_of(px, py, pz, context)
        # As integers non-negative floats sort alike, and integers' maxima vectorise.
        difference = abs(value - exact) if inside else 0.0
        bits = np.float64(difference).view(np.int64)
        largest = bits if bits > largest else largest
    return np.int64(largest).view(np.float64)


def heliocentric_and_airmass(
    ra_deg: ArrayLike,
    dec_deg: ArrayLike,
    earth_heliocentric_s: ArrayLike,
    apparent_row: ArrayLike,
    *,
    fit: OffsetFrameFit | None,
    out: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats, float]:
    """Light-travel time and airmass of the rows of one image.

    Parameters
    ----------
    ra_deg, dec_deg : (n,) ICRS degrees.
    earth_heliocentric_s : (3,) heliocentric position of the observatory, light-seconds.
    apparent_row : (15,) the exposure's row of `ObserverContexts.apparent`.
    fit : the offset-frame fit to use inside its footprint, rows outside it get the exact value;
        None for the exact value everywhere.
    out : two contiguous float64 (n,) arrays to write into.

    Returns
    -------
    light_travel_s : float64 (n,), seconds; NaN where a coordinate is NaN.
    secz : float64 (n,), see `secz`.
    residual_max_s : largest |fit − exact| over the rows in the footprint, 0 where there is none;
        NaN without a fit.
    """
    ra, dec = columns(ra_deg, dec_deg)
    earth, context = vector(earth_heliocentric_s, 3), vector(apparent_row, APPARENT_SIZE)
    seconds, airmass = (np.empty(ra.size), np.empty(ra.size)) if out is None else out
    for buffer in (seconds, airmass):
        if buffer.shape != ra.shape or buffer.dtype != np.float64 or not buffer.flags.carray:
            raise TransformError(f"out is {buffer.dtype} {buffer.shape} for rows {ra.shape}")
    if fit is None:
        _exact(ra, dec, earth, context, seconds, airmass)
        return seconds, airmass, math.nan
    frame = axes(fit.frame_ra_deg, fit.frame_dec_deg)
    limit = math.sin(fit.half_width_deg * DEGREE)
    residual = _fitted(
        ra, dec, earth, context, frame, vector(fit.coefficients, 6), limit, seconds, airmass
    )
    return seconds, airmass, float(residual)


@kernel
def _secz(ra: Floats, dec: Floats, context: Floats, airmass: Floats) -> None:
    for i in range(ra.size):
        sin_ra, cos_ra = sincos_degrees(ra[i])
        sin_dec, cos_dec = sincos_degrees(dec[i])
        airmass[i] = secz_of(cos_dec * cos_ra, cos_dec * sin_ra, sin_dec, context)


def secz(ra_deg: ArrayLike, dec_deg: ArrayLike, apparent_row: ArrayLike) -> Floats:
    """Airmass: secant of the true, unrefracted zenith distance.

    Parameters
    ----------
    ra_deg, dec_deg : (n,) ICRS degrees.
    apparent_row : (15,) the exposure's row of `ObserverContexts.apparent`.

    Returns
    -------
    float64 (n,); NaN where a coordinate is NaN or the source is below the horizon. Within 1e-7 of
    astropy's `AltAz(pressure=0).secz` up to secz 3.
    """
    ra, dec = columns(ra_deg, dec_deg)
    airmass = np.empty(ra.size)
    _secz(ra, dec, vector(apparent_row, APPARENT_SIZE), airmass)
    return airmass


def heliocentric_mjd(obsmjd: float, exptime_s: float | None, light_travel_s: ArrayLike) -> Floats:
    """Heliocentric modified Julian date (UTC) of mid-exposure.

    obsmjd + light-travel time + exptime/2. The light-travel time belongs to `obsmjd`, the start of
    the exposure, as in IRSA's light curves (measured on 35,106 rows).

    Parameters
    ----------
    obsmjd : start of the exposure, UTC, days.
    exptime_s : exposure time, seconds; None or NaN where it is not known.
    light_travel_s : (n,) seconds.

    Returns
    -------
    float64 (n,), days, in steps of 0.6 µs; NaN where an input is.
    """
    half = math.nan if exptime_s is None else exptime_s / 2.0
    return obsmjd + (np.asarray(light_travel_s, dtype=np.float64) + half) / SECONDS_PER_DAY
