"""The paper's way, line by line: Shupe et al., Practical Applications of Astropy (SciPy 2018)."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from astropy.wcs import WCS
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


def scale_difference(wcs_final: WCS, wcs_prior: WCS, *, sheared: bool = False) -> Floats:
    """Percent change of pixel scale at 575 points, (575,): final solution against the prior.

    Half the product of a pixel's diagonals is its area only if they are perpendicular. `sheared`,
    which the paper has not, multiplies it with the sine of their angle.
    """
    y_pix1 = np.arange(1, 3082, 140)
    x_pix1 = np.arange(1, 3074, 128)
    m1 = np.meshgrid(x_pix1, y_pix1)
    mx = np.array(m1[0].flat)
    my = np.array(m1[1].flat)
    final, prior = (_areas(wcs, mx, my, sheared) for wcs in (wcs_final, wcs_prior))
    percent: Floats = 100 * (np.sqrt(final) - np.sqrt(prior)) / np.sqrt(prior)
    return percent


def _areas(wcs: WCS, mx: NDArray[Any], my: NDArray[Any], sheared: bool) -> Floats:
    """Half the product of each pixel's diagonals, square degrees."""
    corners = (np.vstack([mx + i, my + j]).T for i, j in ((0, 0), (1, 1), (1, 0), (0, 1)))
    here, both, right, down = (
        SkyCoord(wcs.all_pix2world(corner, 1), unit=u.deg, frame="icrs") for corner in corners
    )
    areas: Floats = (here.separation(both) * right.separation(down) / 2).value
    if sheared:
        one = (both.cartesian - here.cartesian).xyz.value
        other = (down.cartesian - right.cartesian).xyz.value
        areas *= np.linalg.norm(np.cross(one, other, axis=0), axis=0)
        areas /= np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    return areas


def _terms(x: Floats, y: Floats) -> NDArray[Any]:
    terms: NDArray[Any] = np.c_[np.ones(x.shape), x, y, x * y, x**2, y**2]
    return terms
