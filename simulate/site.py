"""Times and directions as seen from Palomar, all by astropy and never by a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body_barycentric_posvel
from astropy.time import Time
from astropy.utils import iers

from simulate.arrays import Floats

PALOMAR_M = (-2410346.78217658, -4758666.82504051, 3487942.97502457)  # geocentric, IERS frame
LATITUDE_DEG = 33.3573
LIGHT_AU_PER_DAY = 173.1446326846693


@contextmanager
def installed_tables() -> Iterator[None]:
    """Earth orientation from the installed tables alone, whatever their age."""
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
    ):
        yield


def _times(mjd: Floats) -> Time:
    place = EarthLocation.from_geocentric(*PALOMAR_M, unit="m")
    return Time(mjd, format="mjd", scale="utc", location=place)


@dataclass(frozen=True)
class Aspect:
    """How the atmosphere and the Earth's motion see a direction at a time.

    Parameters
    ----------
    secz : secant of the zenith distance without refraction.
    parallactic : angle at the direction from north to the zenith, through east, radians.
    approach : Earth's velocity along the direction in units of c; positive when approaching.
    """

    secz: Floats
    parallactic: Floats
    approach: Floats


def load_tables() -> None:
    """Read the Earth-orientation tables now, half a second, and not with the first image."""
    aspects(np.array([60000.0]), np.zeros(1), np.zeros(1))


def altitude_secz(mjd: Floats, ra_deg: Floats, dec_deg: Floats) -> Floats:
    """Secant of the zenith distance; infinite below the horizon.

    Parameters
    ----------
    mjd : float64 (t,), UTC days.
    ra_deg, dec_deg : float64 (n,), ICRS degrees.

    Returns
    -------
    float64 (t, n).
    """
    with installed_tables():
        times = _times(mjd)
        sky = SkyCoord(ra_deg, dec_deg, unit="deg")[None, :]
        frame = AltAz(obstime=times[:, None], location=times.location)
        sin_alt = np.sin(sky.transform_to(frame).alt.rad)
    return np.where(sin_alt > 0.05, 1 / np.maximum(sin_alt, 0.05), np.inf)


def aspects(mjd: Floats, ra_deg: Floats, dec_deg: Floats) -> Aspect:
    """Aspect of one direction per time.

    Parameters
    ----------
    mjd : float64 (t,), UTC days.
    ra_deg, dec_deg : float64 (t,), ICRS degrees.

    Returns
    -------
    Aspect with arrays of (t,).
    """
    with installed_tables():
        times = _times(mjd)
        sky = SkyCoord(ra_deg, dec_deg, unit="deg")
        altaz = sky.transform_to(AltAz(obstime=times, location=times.location))
        sin_alt = np.maximum(np.sin(altaz.alt.rad), 0.05)
        # Precession moves the hour angle by 0.3 deg in 25 years: nothing for a parallactic angle.
        hour = times.sidereal_time("apparent").rad - sky.ra.rad
        _, velocity = get_body_barycentric_posvel("earth", times)
        unit = sky.cartesian.xyz.value
        approach = (velocity.xyz.to_value(u.au / u.day) * unit).sum(axis=0) / LIGHT_AU_PER_DAY
    latitude, dec = np.radians(LATITUDE_DEG), sky.dec.rad
    parallactic = np.arctan2(
        np.sin(hour), np.tan(latitude) * np.cos(dec) - np.sin(dec) * np.cos(hour)
    )
    return Aspect(1 / sin_alt, parallactic, approach)


def heliocentric_mjd(mjd: Floats, exposure_s: float, ra_deg: Floats, dec_deg: Floats) -> Floats:
    """Mid-exposure times at the Sun, as the survey's light curves give them.

    Parameters
    ----------
    mjd : float64 (t,), start of the exposures, UTC.
    exposure_s : length of the exposures, seconds.
    ra_deg, dec_deg : float64 (n,), ICRS degrees.

    Returns
    -------
    float64 (t, n), MJD (UTC) = start + light-travel time at the start + half the exposure.
    """
    with installed_tables():
        sky = SkyCoord(ra_deg, dec_deg, unit="deg")
        travel = _times(mjd)[:, None].light_travel_time(sky, "heliocentric").to_value("day")
    hmjd: Floats = mjd[:, None] + travel + exposure_s / 2 / 86400
    return hmjd
