"""From true sources to measured rows: noise, detection, saturation, flags, spurious sources."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from astropy.wcs import WCS

from simulate.arrays import Bools, Flags, Floats, Ints
from simulate.blends import merge
from simulate.sky import Sky
from simulate.writer import ROW

Projection = Callable[[Ints], tuple[Floats, Floats]]

MAG_PER_LN = 1.0857  # 2.5 / ln 10, to the digits the survey uses for sigmag
PEAK_FRACTION = 0.8825  # of a Gaussian's flux in its central pixel, times FWHM² in pixels
CENTROID_FLOOR_ARCSEC = 0.02
EDGE_PX = 3.5  # flag −1 within; a real image has 0.4 % of its rows so
# Sources this much fainter than the threshold's magnitude are not looked at: noise would have to
# lift them by three sigma.
FAINT_MARGIN_MAG = 1.0

TRACK_BIT, SPIKE_BIT, SATURATED_BIT = 1 << 0, 1 << 7, 1 << 8
# Other mask bits and the fraction of sources that have them, about as in a real image.
RARE_BITS = ((SPIKE_BIT, 1e-3), (1 << 2, 1e-4), (1 << 4, 1e-4), (1 << 5, 1e-4))
TRACK_FRACTION, TRACK_HALF_WIDTH_PX = 0.04, 4.0  # images with a satellite's track


@dataclass(frozen=True)
class Frame:
    """What the detector and the photometry are like in one image.

    Parameters
    ----------
    wcs : world coordinates.
    fid : filter.
    bounds_px : x and y range in which sources are measured: (x0, x1, y0, y1).
    pixel_arcsec : pixel scale.
    seeing_px : FWHM, pixels.
    magzp, clrcoeff : zero point and colour coefficient of the photometry.
    limit_mag : five-sigma limit, calibrated mag.
    gain : electrons per DN.
    saturate_dn : DN at which a pixel saturates.
    background_dn : DN of the sky in a pixel.
    error_floor : error of a bright source's flux as a fraction of it.
    threshold : least signal-to-noise ratio of a row.
    single : a single exposure: flags, spurious rows and misses; a reference image has none.
    missing_fraction : of detectable sources, missed for no reason.
    """

    wcs: WCS
    fid: int
    bounds_px: tuple[float, float, float, float]
    pixel_arcsec: float
    seeing_px: float
    magzp: float
    clrcoeff: float
    limit_mag: float
    gain: float
    saturate_dn: float
    background_dn: float
    error_floor: float
    threshold: float
    single: bool
    missing_fraction: float

    @property
    def faintest_mag(self) -> float:
        """Calibrated magnitude beyond which nothing reaches the threshold."""
        return self.limit_mag + 2.5 * math.log10(5 / self.threshold) + FAINT_MARGIN_MAG

    @property
    def sky_noise_dn(self) -> float:
        """Noise of a faint source's flux: the limit is five of it."""
        return float(10 ** (-0.4 * (self.limit_mag - self.magzp)) / 5)


@dataclass
class _Sources:
    """Columns on their way to rows."""

    index: Ints
    x: Floats
    y: Floats
    flux: Floats
    sigma: Floats
    chi: Floats
    sharp: Floats
    flags: Flags


def measure(
    rng: np.random.Generator, sky: Sky, mag_now: Floats, frame: Frame, place: Projection
) -> tuple[npt.NDArray[np.void], Ints]:
    """Measure an image.

    Parameters
    ----------
    rng : the image's own stream.
    sky : the true sources.
    mag_now : float64 (n,), their magnitudes in the frame's filter at that time.
    frame : the image.
    place : from indices of sources to their 1-based pixels x, y.

    Returns
    -------
    rows : structured (m,), dtype `writer.ROW`, by growing ypos, sourceid from 0.
    index : int64 (m,), index of the true source in `sky`; −1 for a spurious row.
    """
    seen = _seen(rng, sky, mag_now, frame, place)
    if frame.single:
        seen = _with_spurious(rng, seen, frame)
    return _rows(seen, frame)


def _seen(
    rng: np.random.Generator, sky: Sky, mag_now: Floats, frame: Frame, place: Projection
) -> _Sources:
    listed = mag_now - frame.clrcoeff * sky.colour(frame.fid)
    bright = np.flatnonzero(listed < frame.faintest_mag)
    flux = 10 ** (-0.4 * (listed[bright] - frame.magzp))
    x, y = place(bright)
    hosts, flux, x, y = merge(flux, x, y, *_unresolved(sky, bright, frame))
    index = bright[hosts]

    x0, x1, y0, y1 = frame.bounds_px
    noise = frame.sky_noise_dn
    sigma = np.sqrt(noise**2 + flux / frame.gain + (frame.error_floor * flux) ** 2)
    saturated = PEAK_FRACTION * flux / frame.seeing_px**2 + frame.background_dn > frame.saturate_dn
    sigma[saturated] *= 3
    measured = flux + sigma * rng.standard_normal(len(flux))
    measured[saturated] *= 1 - 0.1 * rng.random(int(saturated.sum()))  # the core is cut off
    keep = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & (measured >= frame.threshold * sigma)
    if frame.missing_fraction > 0:
        keep &= rng.random(len(keep)) >= frame.missing_fraction
    index, saturated = index[keep], saturated[keep]
    x, y, measured, sigma = (column[keep] for column in (x, y, measured, sigma))

    blur = np.hypot(
        frame.seeing_px / 2.35 * sigma / measured, CENTROID_FLOOR_ARCSEC / frame.pixel_arcsec
    )
    jitter = rng.standard_normal((2, len(x))) * blur
    # The model of the PSF is never perfect: chi grows with the counts.
    chi = np.exp(0.15 * rng.standard_normal(len(x))) * (1 + 2e-5 * measured)
    chi[saturated] *= 5
    sharp = (0.03 + 0.6 * sigma / measured) * rng.standard_normal(len(x))
    x, y = np.clip(x + jitter[0], x0, x1), np.clip(y + jitter[1], y0, y1)
    return _Sources(index, x, y, measured, sigma, chi, sharp, _flags(rng, x, y, saturated, frame))


def _unresolved(sky: Sky, bright: Ints, frame: Frame) -> tuple[Ints, Ints]:
    """Pairs closer than the FWHM, as indices into `bright`."""
    place = np.full(len(sky.ra), -1)
    place[bright] = np.arange(len(bright))
    close = sky.pair_arcsec < frame.seeing_px * frame.pixel_arcsec
    first, second = place[sky.pair_first[close]], place[sky.pair_second[close]]
    both = (first >= 0) & (second >= 0)
    return first[both], second[both]


def _flags(rng: np.random.Generator, x: Floats, y: Floats, saturated: Bools, frame: Frame) -> Flags:
    flags = np.where(saturated, SATURATED_BIT, 0).astype(np.int16)
    if rng.random() < TRACK_FRACTION:
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-1500, 1500)
        along = (x - 1536) * np.cos(angle) + (y - 1540) * np.sin(angle)
        flags[np.abs(along - offset) < TRACK_HALF_WIDTH_PX] |= TRACK_BIT
    if not frame.single:
        return flags
    for bit, fraction in RARE_BITS:
        flags[rng.integers(0, max(len(x), 1), rng.poisson(fraction * len(x)))] |= bit
    flags[_at_edge(x, y, frame)] = -1
    return flags


def _at_edge(x: Floats, y: Floats, frame: Frame) -> Bools:
    x0, x1, y0, y1 = frame.bounds_px
    edge: Bools = (x < x0 + EDGE_PX) | (x > x1 - EDGE_PX) | (y < y0 + EDGE_PX) | (y > y1 - EDGE_PX)
    return edge


def _with_spurious(rng: np.random.Generator, seen: _Sources, frame: Frame) -> _Sources:
    """Add what is no source: noise peaks just above the threshold, and cosmic rays."""
    n = int(rng.poisson(2 + 0.002 * len(seen.x)))
    x0, x1, y0, y1 = frame.bounds_px
    x, y = rng.uniform(x0, x1, n), rng.uniform(y0, y1, n)
    cosmic = rng.random(n) < 0.3
    snr = frame.threshold + np.where(cosmic, rng.exponential(20, n), rng.exponential(0.7, n))
    sigma = np.full(n, frame.sky_noise_dn)
    flags = np.where(cosmic, SPIKE_BIT, 0).astype(np.int16)
    flags[_at_edge(x, y, frame)] = -1
    extra = _Sources(
        np.full(n, -1), x, y, snr * sigma, sigma,
        np.exp(rng.normal(0.6, 0.4, n)), np.where(cosmic, -0.6, 0.0) + rng.normal(0, 0.3, n),
        flags,
    )  # fmt: skip
    return _Sources(
        *(np.concatenate([old, new]) for old, new in zip(_all(seen), _all(extra), strict=True))
    )


def _all(sources: _Sources) -> tuple[npt.NDArray[np.generic], ...]:
    s = sources
    return s.index, s.x, s.y, s.flux, s.sigma, s.chi, s.sharp, s.flags


def _rows(seen: _Sources, frame: Frame) -> tuple[npt.NDArray[np.void], Ints]:
    """Order, round and project as the survey does: three decimals of a pixel, seven of a degree."""
    order = np.argsort(seen.y, kind="stable")
    rows = np.empty(len(order), ROW)
    rows["sourceid"] = np.arange(len(order))
    rows["xpos"] = np.round(seen.x[order], 3)
    rows["ypos"] = np.round(seen.y[order], 3)
    # The positions of the rounded pixels, so that header and columns agree to the last digit.
    pixels = np.stack([rows["xpos"], rows["ypos"]], axis=1).astype(np.float64)
    world = np.round(frame.wcs.wcs_pix2world(pixels, 1), 7)
    rows["ra"] = np.where(world[:, 0] >= 360, world[:, 0] - 360, world[:, 0])
    rows["dec"] = world[:, 1]
    flux, sigma = seen.flux[order], seen.sigma[order]
    snr = flux / sigma
    rows["flux"], rows["sigflux"] = flux, sigma
    rows["mag"] = np.round(-2.5 * np.log10(flux), 3)
    rows["sigmag"] = np.round(MAG_PER_LN / snr, 3)
    rows["snr"] = np.round(snr, 2)
    rows["chi"] = np.round(seen.chi[order], 3)
    rows["sharp"] = np.round(seen.sharp[order], 3)
    rows["flags"] = seen.flags[order]
    return rows, seen.index[order]
