"""Where the observatory was and how it moved: one context an exposure, made for all at once.

ERFA's vectorised calls replace a `Time` and an `AltAz` frame per image: 40 times less.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import erfa
import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.airmass import pack
from transforms.earth_orientation import earth_orientation_version, installed_tables
from transforms.errors import TransformError
from transforms.site import PALOMAR, Site
from transforms.sphere import ARCSEC_PER_RADIAN, Floats

__all__ = ["ObserverContexts", "earth_orientation_version", "observer_contexts"]

SECONDS_PER_DAY = 86400.0
JD_OF_MJD = 2400000.5
TT_TAI_S = 32.184  # by definition
AU_LIGHT_S = 149597870700.0 / 299792458.0  # IAU 2012 B2; the metre's definition
WGS84 = 1  # ERFA's number of the ellipsoid


class _Earth(NamedTuple):
    """The Earth's centre: float64 (n, 3), au and au a day, ICRS axes."""

    heliocentric_au: Floats
    barycentric_au: Floats
    velocity_au_d: Floats


@dataclass(frozen=True, slots=True, eq=False)
class ObserverContexts:
    """What the kernels need of each exposure.

    Attributes
    ----------
    earth_heliocentric_s : float64 (n, 3), heliocentric position of the observatory, light-seconds,
        ICRS axes: what astropy's `Time.light_travel_time(…, 'heliocentric')` multiplies with.
    apparent : float64 (n, 15), what the airmass of a row needs (`transforms.airmass.pack`).
    iers_extrapolated : bool (n,), the date is outside the installed earth-orientation table.
    """

    earth_heliocentric_s: Floats
    apparent: Floats
    iers_extrapolated: NDArray[np.bool_]


def observer_contexts(obsmjd: ArrayLike, site: Site = PALOMAR) -> ObserverContexts:
    """Contexts of many exposures from one site.

    Parameters
    ----------
    obsmjd : (n,) UTC, modified Julian dates. Empty gives empty.
    site : where they were observed.

    Returns
    -------
    ObserverContexts. Light-travel times from it are within 1e-3 µs of astropy's, airmasses within
    1e-7 up to secz 3. Outside the installed earth-orientation table the nearest day's orientation
    is taken and the date flagged: light travel is hardly touched (0.5 m a millisecond of UT1).

    Raises
    ------
    TransformError : a date is not finite.
    """
    mjd = np.atleast_1d(np.asarray(obsmjd, dtype=np.float64))
    if mjd.ndim != 1 or not np.isfinite(mjd).all():
        raise TransformError("every obsmjd must be a finite number in a one-dimensional array")
    with warnings.catch_warnings():
        # ERFA calls years far from ours dubious; such dates are flagged instead.
        warnings.simplefilter("ignore", erfa.ErfaWarning)
        earth, astrom = _erfa_contexts(mjd, site)
    return ObserverContexts(
        _heliocentric_s(earth, astrom), pack(astrom), ~installed_tables().covers(mjd)
    )


def _erfa_contexts(mjd: Floats, site: Site) -> tuple[_Earth, Any]:
    """Position of the Earth's centre and ERFA's `astrom` of the site (n,).

    The steps of astropy's `ErfaAstrom.apco`, without refraction.
    """
    orientation = installed_tables()
    ut1_tai, pole_x, pole_y = orientation.at(mjd)
    tai = mjd + orientation.tai_utc(mjd) / SECONDS_PER_DAY
    ut1, tt = tai + ut1_tai / SECONDS_PER_DAY, tai + TT_TAI_S / SECONDS_PER_DAY
    longitude, latitude, height = erfa.gc2gd(WGS84, [site.x_m, site.y_m, site.z_m])
    spin_km, north_km = math.hypot(site.x_m, site.y_m) / 1e3, site.z_m / 1e3
    tdb_tt = erfa.dtdb(JD_OF_MJD, tt, ut1 % 1.0, longitude, spin_km, north_km)
    heliocentric, barycentric = erfa.epv00(JD_OF_MJD, tt + tdb_tt / SECONDS_PER_DAY)
    pole, locator = erfa.bpn2xy(erfa.pnm06a(JD_OF_MJD, tt)), erfa.sp00(JD_OF_MJD, tt)
    astrom = erfa.apco(
        JD_OF_MJD, tt, barycentric, heliocentric["p"], *pole, erfa.s06(JD_OF_MJD, tt, *pole),
        erfa.era00(JD_OF_MJD, ut1), longitude, latitude, height,
        pole_x / ARCSEC_PER_RADIAN, pole_y / ARCSEC_PER_RADIAN, locator, 0.0, 0.0,
    )  # fmt: skip
    return _Earth(heliocentric["p"], barycentric["p"], barycentric["v"]), astrom


def _heliocentric_s(earth: _Earth, astrom: Any) -> Floats:
    """Heliocentric position of the site, light-seconds, as astropy's HCRS has it."""
    from_centre = astrom["eb"] - earth.barycentric_au
    velocity = earth.velocity_au_d * AU_LIGHT_S / SECONDS_PER_DAY  # of light
    # astropy carries the site from GCRS to HCRS as if it were a star: the aberration of the whole
    # Earth is taken off its direction. That is at most 2 µs, and all published dates contain it.
    distance = np.linalg.norm(from_centre, axis=1, keepdims=True)
    along = np.einsum("ni,ni->n", from_centre, velocity)[:, None] / distance
    unaberrated = from_centre - distance * velocity + along * from_centre
    position: Floats = (earth.heliocentric_au + unaberrated) * AU_LIGHT_S
    return position
