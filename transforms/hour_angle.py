"""Hour angle of a direction: how far it is past the meridian."""

from __future__ import annotations

import erfa
import numpy as np
from numpy.typing import ArrayLike

from transforms.earth_orientation import installed_tables
from transforms.ephemeris import JD_OF_MJD, SECONDS_PER_DAY, TT_TAI_S, WGS84
from transforms.site import PALOMAR, Site
from transforms.sphere import Floats, unit_vectors


def hour_angle(
    ra_deg: ArrayLike, dec_deg: ArrayLike, obsmjd: ArrayLike, site: Site = PALOMAR
) -> Floats:
    """Local apparent sidereal time less the right ascension of date.

    Parameters
    ----------
    ra_deg, dec_deg : (n,) ICRS degrees.
    obsmjd : (n,) UTC, modified Julian dates.

    Returns
    -------
    float64 (n,), degrees, −180 to 180, positive in the west; NaN where an input is. Within 0.02° of
    astropy's below declination 60°: aberration and polar motion are left out.
    """
    ra, dec, mjd = np.broadcast_arrays(
        *(np.asarray(x, np.float64) for x in (ra_deg, dec_deg, obsmjd))
    )
    known = np.isfinite(mjd)
    dates, of_row = np.unique(np.where(known, mjd, 0.0), return_inverse=True)
    orientation = installed_tables()
    tai = dates + orientation.tai_utc(dates) / SECONDS_PER_DAY
    tt, ut1 = tai + TT_TAI_S / SECONDS_PER_DAY, tai + orientation.at(dates)[0] / SECONDS_PER_DAY
    longitude, _, _ = erfa.gc2gd(WGS84, [site.x_m, site.y_m, site.z_m])
    sidereal = erfa.gst06a(JD_OF_MJD, ut1, JD_OF_MJD, tt) + longitude
    of_date = np.einsum("nij,jn->in", erfa.pnm06a(JD_OF_MJD, tt)[of_row], unit_vectors(ra, dec))
    angle = sidereal[of_row] - np.arctan2(of_date[1], of_date[0])
    return np.where(known, (np.degrees(angle) + 180.0) % 360.0 - 180.0, np.nan)
