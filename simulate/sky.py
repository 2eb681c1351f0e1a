"""The true sky of one quadrant: positions, magnitudes, colours, and what varies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS

from simulate import variables
from simulate.arrays import Bools, Floats, Ints
from simulate.geometry import CHIP_X_PX, CHIP_Y_PX, PIXEL_ARCSEC
from simulate.neighbours import pairs_within
from simulate.plan import SurveyPlan
from simulate.skyfile import SkyFile
from simulate.streams import SKY, stream

PAD_ARCSEC = 60.0  # beyond the chip's edge, for the telescope's pointing errors
BRIGHT_MAG, COUNT_MAG, FAINT_MAG = 12.0, 22.5, 23.4  # r; the density is counted to COUNT_MAG
COUNT_SLOPE = 0.24  # d log10 N / d mag, as high-latitude fields show
NEAR_ARCSEC = 6.0  # a source with no rival within this is isolated
VARIABLE_MAG = (13.5, 20.5)
SHOWPIECE_MAG = (15.0, 16.8)  # the RR Lyrae that every quadrant has
TRANSIENT_MAG = (16.5, 20.0)  # at maximum


@dataclass(frozen=True)
class Sky:
    """True sources of a quadrant, transients last.

    Parameters
    ----------
    source_id : int64 (n,), field·1e9 + rcid·1e7 + number.
    ra, dec : float64 (n,), ICRS degrees.
    mag : float64 (3, n), mean magnitude in g, r, i; of a transient at its maximum.
    kind : int64 (n,), see `variables.KINDS`.
    period_d, epoch_hmjd, amplitude : float64 (n,), NaN where they mean nothing.
    varying : int64 (v,), indices of all that are not constant.
    pair_first, pair_second : int64 (p,), pairs within NEAR_ARCSEC.
    pair_arcsec : float64 (p,), their separations.
    """

    source_id: Ints
    ra: Floats
    dec: Floats
    mag: Floats
    kind: Ints
    period_d: Floats
    epoch_hmjd: Floats
    amplitude: Floats
    varying: Ints
    pair_first: Ints
    pair_second: Ints
    pair_arcsec: Floats

    def colour(self, fid: int) -> Floats:
        """Colour of a filter's photometric calibration: g − r, of i-band images r − i."""
        blue, red = (0, 1) if fid < 3 else (1, 2)
        colour: Floats = self.mag[blue] - self.mag[red]
        return colour


def make_sky(
    plan: SurveyPlan,
    field: int,
    rcid: int,
    centre_deg: Floats,
    rotation: float,
    mjd_range: tuple[float, float],
    sky_file: SkyFile | None,
) -> Sky:
    """The sky of one quadrant; the same for every exposure of it.

    Parameters
    ----------
    plan, field, rcid : what is asked for, and which quadrant.
    centre_deg : (ra, dec) of the quadrant without pointing error, ICRS degrees.
    rotation : of the chip there, radians, so that the padded patch covers it.
    mjd_range : first and last time of the survey: transients flare within.
    sky_file : real sources to use instead of invented ones.
    """
    rng = stream(plan.seed, SKY, field, rcid)
    half = np.array([CHIP_X_PX, CHIP_Y_PX]) * PIXEL_ARCSEC / 2 + PAD_ARCSEC
    plane = _plane(centre_deg, rotation)
    if sky_file is None:
        x, y, r = _invented(rng, plan.sources_per_quadrant, half)
        g_r = _colours(rng, len(r))
        mag = _bands(rng, r, g_r)
    else:
        x, y = plane.wcs_world2pix(np.stack([sky_file.ra, sky_file.dec], axis=1), 1).T
        mag = _bands(rng, np.zeros(len(x)), _colours(rng, len(x)))
        mag += sky_file.mag - mag[sky_file.fid - 1]

    n_stars = len(x)
    n_transients = max(1, round(plan.transient_fraction * n_stars))
    inside = half - 2 * PAD_ARCSEC
    x, y = (
        np.concatenate([old, rng.uniform(-side, side, n_transients)])
        for old, side in ((x, inside[0]), (y, inside[1]))
    )
    peak = rng.uniform(*TRANSIENT_MAG, n_transients)
    mag = np.concatenate([mag, np.stack([peak + 0.1, peak, peak + 0.05])], axis=1)

    first, second, arcsec = pairs_within(x, y, NEAR_ARCSEC)
    crowded = np.zeros(len(x), bool)
    crowded[first] = crowded[second] = True
    usable = ~crowded & (np.abs(x) < 0.9 * half[0]) & (np.abs(y) < 0.9 * half[1])
    usable[n_stars:] = False
    kind = np.zeros(len(x), np.int64)
    kind[n_stars:] = variables.TRANSIENT
    star = _showpiece(rng, mag[1], usable)
    if sky_file is None and mag[1, star] > SHOWPIECE_MAG[1]:
        # A poor sky may have no star as bright: the one chosen then brightens.
        mag[:, star] -= mag[1, star] - rng.uniform(*SHOWPIECE_MAG)
    _choose_variables(rng, kind[:n_stars], mag[1, :n_stars], plan.variable_fraction)
    kind[star] = variables.RRLYRAE

    world = plane.wcs_pix2world(np.stack([x, y], axis=1), 1)
    if sky_file is not None:
        # The file's own digits, not their way through the plane and back.
        world[:n_stars] = np.stack([sky_file.ra, sky_file.dec], axis=1)
    period, epoch, amplitude = _elements(rng, kind, mjd_range)
    amplitude[star] = rng.uniform(0.7, 1.1)
    return Sky(
        source_id=field * 10**9 + rcid * 10**7 + np.arange(len(x)),
        ra=world[:, 0], dec=world[:, 1], mag=mag, kind=kind,
        period_d=period, epoch_hmjd=epoch, amplitude=amplitude,
        varying=np.flatnonzero(kind != variables.CONSTANT),
        pair_first=first, pair_second=second, pair_arcsec=arcsec,
    )  # fmt: skip


def _plane(centre_deg: Floats, rotation: float) -> WCS:
    """Tangent plane in arcseconds about a quadrant's centre, along the chip's sides."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crpix = [0, 0]
    wcs.wcs.crval = list(centre_deg)
    sin, cos = np.sin(rotation), np.cos(rotation)
    wcs.wcs.cd = np.array([[cos, sin], [-sin, cos]]) / 3600
    wcs.wcs.set()
    return wcs


def _invented(
    rng: np.random.Generator, density: int, half: Floats
) -> tuple[Floats, Floats, Floats]:
    """Sources strewn evenly, with exponential counts: x, y in arcseconds, r magnitudes."""
    chip = CHIP_X_PX * CHIP_Y_PX * PIXEL_ARCSEC**2
    low, count, high = (10 ** (COUNT_SLOPE * m) for m in (BRIGHT_MAG, COUNT_MAG, FAINT_MAG))
    n = rng.poisson(density * (high - low) / (count - low) * 4 * half[0] * half[1] / chip)
    x, y = rng.uniform(-half[0], half[0], n), rng.uniform(-half[1], half[1], n)
    return x, y, np.log10(rng.uniform(low, high, n)) / COUNT_SLOPE


def _colours(rng: np.random.Generator, n: int) -> Floats:
    """g − r of a mixture: turn-off stars near 0.5 and red dwarfs near 1.3, mag."""
    red = rng.random(n) < 0.45
    return np.where(red, rng.normal(1.3, 0.15, n), rng.normal(0.52, 0.18, n))


def _bands(rng: np.random.Generator, r: Floats, g_r: Floats) -> Floats:
    """Magnitudes (3, n) in g, r, i from r and g − r."""
    r_i = 0.38 * g_r + rng.normal(0, 0.05, len(r))
    return np.stack([r + g_r, r, r - r_i])


def _showpiece(rng: np.random.Generator, r: Floats, usable: Bools) -> int:
    """The star that becomes the quadrant's bright RR Lyrae."""
    well = np.flatnonzero(usable & (r > SHOWPIECE_MAG[0]) & (r < SHOWPIECE_MAG[1]))
    if len(well):
        return int(rng.choice(well))
    bright_enough = np.where(usable & (r > SHOWPIECE_MAG[0]), r, np.inf)
    return int(np.argmin(bright_enough))


def _choose_variables(rng: np.random.Generator, kind: Ints, r: Floats, fraction: float) -> None:
    """Set the kind of some stars, in place."""
    eligible = np.flatnonzero((r > VARIABLE_MAG[0]) & (r < VARIABLE_MAG[1]))
    chosen = eligible[rng.random(len(eligible)) < fraction]
    kind[chosen] = rng.choice(list(variables.MIX), len(chosen), p=list(variables.MIX.values()))


def _elements(
    rng: np.random.Generator, kind: Ints, mjd_range: tuple[float, float]
) -> tuple[Floats, Floats, Floats]:
    """Periods, epochs and amplitudes; NaN where they mean nothing."""
    period, epoch, amplitude = np.full((3, len(kind)), np.nan)
    for which, periods in variables.PERIODS_D.items():
        those = np.flatnonzero(kind == which)
        shortest, longest = periods
        period[those] = shortest * (longest / shortest) ** rng.random(len(those))
        epoch[those] = mjd_range[0] + period[those] * rng.random(len(those))
        amplitude[those] = rng.uniform(*variables.AMPLITUDES_MAG[which], len(those))
    those = np.flatnonzero(kind == variables.TRANSIENT)
    epoch[those] = rng.uniform(mjd_range[0] - 15, mjd_range[1] + 3, len(those))
    return period, epoch, amplitude
