"""The paper's way, line by line: Shupe et al., Practical Applications of Astropy (SciPy 2018)."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from numpy.typing import NDArray

from transforms.site import PALOMAR

Floats = NDArray[np.float64]

# As in the product: nothing is fetched, and no date is refused.
iers.conf.auto_download = False
iers.conf.auto_max_age = None

LOCATION = EarthLocation.from_geocentric(PALOMAR.x_m, PALOMAR.y_m, PALOMAR.z_m, u.m)


def light_travel_fit(mjd: float, ra: Floats, dec: Floats) -> Floats:
    """Light-travel time, seconds: 9 × 9 grid in a sky-offset frame, six terms, least squares."""
    centre = SkyCoord(ra=np.max(ra) * u.deg, dec=np.max(dec) * u.deg)
    frame = centre.skyoffset_frame()
    rows = SkyCoord(ra=ra * u.deg, dec=dec * u.deg).transform_to(frame)
    lon = np.linspace(np.min(rows.lon).value, np.max(rows.lon).value, endpoint=True, num=9)
    lat = np.linspace(np.min(rows.lat).value, np.max(rows.lat).value, endpoint=True, num=9)
    grid_lon, grid_lat = (axis.flatten() for axis in np.meshgrid(lon, lat))
    grid = SkyCoord(lon=grid_lon * u.deg, lat=grid_lat * u.deg, frame=frame)
    time = Time(mjd, format="mjd", scale="utc", location=LOCATION)
    travel = time.light_travel_time(grid, "heliocentric")
    coefficients, *_ = np.linalg.lstsq(_terms(grid_lon, grid_lat), travel.sec)
    fitted: Floats = np.dot(_terms(rows.lon.value, rows.lat.value), coefficients)
    return fitted


def light_travel_direct(mjd: float, ra: Floats, dec: Floats) -> Floats:
    """Light-travel time, seconds, of every row by astropy."""
    time = Time(mjd, format="mjd", scale="utc", location=LOCATION)
    places = SkyCoord(ra=ra * u.deg, dec=dec * u.deg)
    seconds: Floats = time.light_travel_time(places, "heliocentric").to_value(u.s)
    return seconds


def secz(mjd: float, ra: Floats, dec: Floats) -> Floats:
    """Airmass of every row by astropy's AltAz, no refraction."""
    time = Time(mjd, format="mjd", scale="utc")
    places = SkyCoord(ra=ra * u.deg, dec=dec * u.deg)
    airmass: Floats = places.transform_to(AltAz(obstime=time, location=LOCATION)).secz.value
    return airmass


def nearest(
    ra: Floats, dec: Floats, ref_ra: Floats, ref_dec: Floats, radius_arcsec: float
) -> NDArray[np.int64]:
    """Nearest reference source within the radius, −1 for none, by match_to_catalog_sky."""
    places = SkyCoord(ra=ra * u.deg, dec=dec * u.deg)
    references = SkyCoord(ra=ref_ra * u.deg, dec=ref_dec * u.deg)
    index, separation, _ = places.match_to_catalog_sky(references)
    found: NDArray[np.int64] = np.where(separation.arcsec <= radius_arcsec, index, -1)
    return found


def _terms(x: Floats, y: Floats) -> NDArray[Any]:
    terms: NDArray[Any] = np.c_[np.ones(x.shape), x, y, x * y, x**2, y**2]
    return terms
