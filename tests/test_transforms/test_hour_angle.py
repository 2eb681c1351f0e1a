"""Hour angles, against astropy's."""

import numpy as np
from astropy import units as u
from astropy.coordinates import EarthLocation, HADec, SkyCoord
from astropy.time import Time
from astropy.utils import iers

from transforms.hour_angle import hour_angle
from transforms.site import PALOMAR, Site

FIFTIETH_DEG = 0.02


def of_astropy(ra, dec, mjd, site):
    place = EarthLocation.from_geocentric(site.x_m, site.y_m, site.z_m, u.m)
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        frame = HADec(obstime=Time(mjd, format="mjd"), location=place)
        return SkyCoord(ra, dec, unit="deg").transform_to(frame).ha.wrap_at(180 * u.deg).deg


def test_hour_angles_are_those_of_astropy():
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 300), rng.uniform(-30, 60, 300)
    mjd = np.repeat(rng.uniform(58200, 60600, 60), 5)
    for site in (PALOMAR, Site("ctio", 1825000.0, -5055000.0, -3427000.0)):
        off = hour_angle(ra, dec, mjd, site) - of_astropy(ra, dec, mjd, site)
        assert np.abs((off + 180) % 360 - 180).max() < FIFTIETH_DEG


def test_the_sky_moves_west_by_fifteen_degrees_an_hour():
    found = hour_angle([40.0, 40.0], [20.0, 20.0], [60319.2, 60319.2 + 1 / 24])
    assert 15.03 < found[1] - found[0] < 15.05


def test_what_is_not_known_has_none_and_nothing_gives_nothing():
    found = hour_angle([40.0, np.nan, 40.0], [20.0, 20.0, 20.0], [60319.2, 60319.2, np.nan])
    assert np.isnan(found).tolist() == [False, True, True]
    assert hour_angle([], [], []).shape == (0,)
