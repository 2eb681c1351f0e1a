"""Airmass and ephemerides against astropy's AltAz."""

import math

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_sun
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.earth_orientation import installed_tables
from transforms.ephemeris import earth_orientation_version, observer_contexts
from transforms.errors import TransformError
from transforms.hjd import fit_light_travel_time, light_travel_time
from transforms.image import heliocentric_and_airmass, secz
from transforms.site import PALOMAR, Site

DATES = [58194.1, 58849.0, 59116.4317, 60000.5, 60821.265706]
SITES = [PALOMAR, Site("cerro_pachon", 1818938.94, -5208470.95, -3195172.08)]
RNG = np.random.default_rng(3)
RA, DEC = RNG.uniform(0, 360, 5000), np.degrees(np.arcsin(RNG.uniform(-1, 1, 5000)))


def astropy_secz(mjd, site, ra, dec):
    location = EarthLocation.from_geocentric(site.x_m, site.y_m, site.z_m, u.m)
    time = Time(mjd, format="mjd", scale="utc")
    frame = AltAz(obstime=time, location=location, pressure=0 * u.hPa)
    return SkyCoord(ra * u.deg, dec * u.deg).transform_to(frame).secz.value


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.name)
@pytest.mark.parametrize("mjd", DATES)
def test_airmass_is_astropys_over_the_whole_sky(mjd, site):
    theirs = astropy_secz(mjd, site, RA, DEC)
    ours = secz(RA, DEC, observer_contexts([mjd], site).apparent[0])
    np.testing.assert_array_equal(np.isnan(ours), theirs < 0)
    usual = (theirs > 0) & (theirs < 3)
    assert np.abs(ours - theirs)[usual].max() < 1e-7


def test_airmass_beside_the_sun_is_astropys():
    mjd = 59116.8
    sun = get_sun(Time(mjd, format="mjd", scale="utc"))
    ra, dec = sun.ra.deg + np.linspace(-2, 2, 401), np.full(401, sun.dec.deg)
    ours = secz(ra, dec, observer_contexts([mjd]).apparent[0])
    assert np.abs(ours - astropy_secz(mjd, PALOMAR, ra, dec)).max() < 1e-7


def test_below_the_horizon_there_is_no_airmass():
    context = observer_contexts([59116.4317]).apparent[0]
    assert np.isnan(secz([0.0], [-90.0], context)).all()
    assert np.isnan(secz([math.nan, 1.0, math.inf], [1.0, math.nan, 1.0], context)).all()
    assert secz([], [], context).shape == (0,)


def test_one_pass_gives_what_the_single_functions_give():
    contexts = observer_contexts([59116.4317])
    earth, context = contexts.earth_heliocentric_s[0], contexts.apparent[0]
    out = np.empty(RA.size), np.empty(RA.size)
    seconds, airmass, _ = heliocentric_and_airmass(RA, DEC, earth, context, fit=None, out=out)
    assert seconds is out[0]
    assert airmass is out[1]
    np.testing.assert_allclose(seconds, light_travel_time(RA, DEC, earth), rtol=0, atol=1e-12)
    np.testing.assert_allclose(airmass, secz(RA, DEC, context), rtol=1e-12)
    fit = fit_light_travel_time(10.0, 41.0, 0.5, earth)
    fitted = heliocentric_and_airmass(RA, DEC, earth, context, fit=fit)
    np.testing.assert_allclose(fitted[1], airmass, rtol=1e-12)
    np.testing.assert_allclose(fitted[0], seconds, rtol=0, atol=1e-6)


def test_out_of_another_length_is_refused():
    contexts = observer_contexts([59116.4317])
    with pytest.raises(TransformError, match="out is"):
        heliocentric_and_airmass(
            [1.0, 2.0],
            [1.0, 2.0],
            contexts.earth_heliocentric_s[0],
            contexts.apparent[0],
            fit=None,
            out=(np.empty(1), np.empty(2)),
        )


def test_contexts_of_many_exposures_are_those_of_each():
    many, ones = observer_contexts(DATES), [observer_contexts([mjd]) for mjd in DATES]
    for name in ("earth_heliocentric_s", "apparent", "iers_extrapolated"):
        single = np.concatenate([getattr(one, name) for one in ones])
        np.testing.assert_allclose(getattr(many, name), single, rtol=1e-15)


@given(st.floats(-1e6, 1e6))
@settings(max_examples=50)
def test_any_finite_date_has_a_context(mjd):
    contexts = observer_contexts([mjd])
    assert np.isfinite(contexts.apparent).all()
    distance_s = np.linalg.norm(contexts.earth_heliocentric_s)
    assert 480 < distance_s < 520 or abs(mjd - 51544) > 1e5
    table = installed_tables()
    assert contexts.iers_extrapolated[0] == (not table.mjd[0] <= mjd <= table.mjd[-1])


def test_dates_past_the_table_are_flagged_and_still_good():
    last = installed_tables().mjd[-1]
    contexts = observer_contexts([last, last + 1, 40000.0])
    assert contexts.iers_extrapolated.tolist() == [False, True, True]
    day_apart = np.linalg.norm(np.diff(contexts.earth_heliocentric_s[:2], axis=0))
    assert 7 < day_apart < 10  # light-seconds the Earth moves in a day


@pytest.mark.parametrize("mjd", [math.nan, math.inf])
def test_a_date_that_is_no_number_is_refused(mjd):
    with pytest.raises(TransformError, match="finite"):
        observer_contexts([59000.0, mjd])


def test_no_exposure_gives_no_context():
    contexts = observer_contexts([])
    assert contexts.earth_heliocentric_s.shape == (0, 3)
    assert contexts.apparent.shape == (0, 15)
    assert contexts.iers_extrapolated.shape == (0,)


def test_leap_seconds_are_erfas():
    dates = np.array([41683.5, 45000.0, 51178.9, 51179.1, 57753.9, 57754.1, 60000.0])
    utc1 = np.full(dates.size, 2400000.5)
    tai = np.array(erfa.utctai(utc1, dates))
    theirs = ((tai[0] - utc1) + (tai[1] - dates)) * 86400
    # In 1972 the steps begin; within a day of a leap second erfa stretches the day itself.
    np.testing.assert_allclose(installed_tables().tai_utc(dates), np.round(theirs), atol=1)
    assert installed_tables().tai_utc(np.array([57754.0])) == 37


def test_ut1_is_astropys():
    fifth_of_a_millisecond = 2e-4  # 9 cm at the equator; the finals were issued more than once
    mjd = np.linspace(58000, 61000, 300)
    theirs = Time(mjd, format="mjd", scale="utc").delta_ut1_utc
    table = installed_tables()
    ours = table.at(mjd)[0] + table.tai_utc(mjd)
    assert np.abs(ours - theirs).max() < fifth_of_a_millisecond


def test_version_names_the_table_and_the_leap_seconds():
    assert earth_orientation_version().startswith("astropy-iers-data 0.20")
    assert "TAI-UTC 37 s" in earth_orientation_version()
