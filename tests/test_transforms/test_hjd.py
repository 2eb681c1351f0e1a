"""Light-travel time against astropy and against the paper's own code."""

import math

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.ephemeris import observer_contexts
from transforms.errors import TransformError
from transforms.hjd import (
    QUADRANT_HALF_WIDTH_DEG,
    evaluate,
    fit_light_travel_time,
    footprint_centre,
    light_travel_time,
)
from transforms.image import heliocentric_and_airmass, heliocentric_mjd
from transforms.site import PALOMAR

microsecond = 1e-6
millisecond = 1e-3

MJD = 59116.4317
CONTEXTS = observer_contexts([MJD])
EARTH = CONTEXTS.earth_heliocentric_s[0]
APPARENT = CONTEXTS.apparent[0]
LOCATION = EarthLocation.from_geocentric(PALOMAR.x_m, PALOMAR.y_m, PALOMAR.z_m, u.m)
# RA 0, both poles, the ecliptic pole, the galactic plane, the south.
PLACES = [(0.0, 0.0), (359.9, 89.7), (120.0, -89.9), (270.0, 66.56), (290.0, 20.0), (33.2, -30.0)]


def scattered(ra, dec, half_width_deg, n=2000, seed=1):
    """Rows spread over a square footprint, by astropy's own offset frame."""
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(-half_width_deg, half_width_deg, (2, n))
    frame = SkyCoord(ra * u.deg, dec * u.deg).skyoffset_frame()
    rows = SkyCoord(lon * u.deg, lat * u.deg, frame=frame).icrs
    return rows.ra.deg, rows.dec.deg


def astropy_light_travel(mjd, ra, dec):
    time = Time(mjd, format="mjd", scale="utc", location=LOCATION)
    rows = SkyCoord(ra * u.deg, dec * u.deg)
    return time.light_travel_time(rows, "heliocentric").to_value(u.s)


def paper_light_travel(mjd, ra, dec):
    """The paper's code, line by line."""
    max_ra = np.max(ra)
    max_dec = np.max(dec)
    max_coord = SkyCoord(ra=max_ra * u.deg, dec=max_dec * u.deg)
    aframe = max_coord.skyoffset_frame()
    psfcoords = SkyCoord(ra=ra * u.deg, dec=dec * u.deg)
    psfcoords = psfcoords.transform_to(aframe)
    min_lon = np.min(psfcoords.lon)
    max_lon = np.max(psfcoords.lon)
    min_lat = np.min(psfcoords.lat)
    max_lat = np.max(psfcoords.lat)
    grid_lon = np.linspace(min_lon.value, max_lon.value, endpoint=True, num=9)
    grid_lat = np.linspace(min_lat.value, max_lat.value, endpoint=True, num=9)
    glon, glat = np.meshgrid(grid_lon, grid_lat)
    glon, glat = glon.flatten(), glat.flatten()
    gcoords = SkyCoord(lon=glon * u.deg, lat=glat * u.deg, frame=aframe)
    mytime = Time(mjd, format="mjd", scale="utc", location=LOCATION)
    ltt_helio = mytime.light_travel_time(gcoords, "heliocentric")
    design = np.c_[np.ones(glon.shape), glon, glat, glon * glat, glon**2, glat**2]
    coeffs, _, _, _ = np.linalg.lstsq(design, ltt_helio.sec)
    return np.dot(
        np.c_[
            np.ones(psfcoords.lon.shape),
            psfcoords.lon.value,
            psfcoords.lat.value,
            psfcoords.lon.value * psfcoords.lat.value,
            psfcoords.lon.value**2,
            psfcoords.lat.value**2,
        ],
        coeffs,
    ).reshape(psfcoords.lon.shape)


@pytest.mark.parametrize("mjd", [58194.1, 59116.4317, 60821.265706])
def test_light_travel_time_is_astropys_all_over_the_sky(mjd):
    rng = np.random.default_rng(2)
    ra, dec = rng.uniform(0, 360, 2000), np.degrees(np.arcsin(rng.uniform(-1, 1, 2000)))
    earth = observer_contexts([mjd]).earth_heliocentric_s[0]
    difference = light_travel_time(ra, dec, earth) - astropy_light_travel(mjd, ra, dec)
    assert np.abs(difference).max() < 1e-3 * microsecond


@pytest.mark.parametrize("place", PLACES)
def test_fit_is_within_a_microsecond_over_a_quadrant(place):
    ra, dec = scattered(*place, 0.45)
    centre = footprint_centre(ra, dec)
    fit = fit_light_travel_time(*centre, QUADRANT_HALF_WIDTH_DEG, EARTH)
    difference = evaluate(fit, ra, dec) - astropy_light_travel(MJD, ra, dec)
    assert np.abs(difference).max() < 1.0 * microsecond


@pytest.mark.parametrize("place", PLACES)
def test_fit_is_within_two_milliseconds_over_a_whole_field(place):
    ra, dec = scattered(*place, 3.5)
    fit = fit_light_travel_time(*place, 3.75, EARTH)
    difference = evaluate(fit, ra, dec) - astropy_light_travel(MJD, ra, dec)
    assert np.abs(difference).max() < 2.0 * millisecond


def test_fit_is_the_least_squares_solution_on_the_papers_grid():
    fit = fit_light_travel_time(290.0, 20.0, 3.5, EARTH)
    axis = np.sin(np.radians(3.5)) * np.linspace(-1, 1, 9)
    x, y = (g.ravel() for g in np.meshgrid(axis, axis))
    lon, lat = np.arctan2(x, np.sqrt(1 - x**2 - y**2)), np.arcsin(y)
    frame = SkyCoord(290 * u.deg, 20 * u.deg).skyoffset_frame()
    rows = SkyCoord(lon * u.rad, lat * u.rad, frame=frame).icrs
    exact = light_travel_time(rows.ra.deg, rows.dec.deg, EARTH)
    design = np.c_[np.ones(81), x, y, x * y, x**2, y**2]
    solution = np.linalg.lstsq(design, exact)[0]
    np.testing.assert_allclose(fit.coefficients, solution, rtol=0, atol=1e-7)


@pytest.mark.parametrize("place", [(200.0, 40.0), (10.0, 0.0), (33.2, -30.0), (95.1, 77.7)])
def test_fit_and_the_papers_method_agree_to_100_microseconds_on_a_quadrant(place):
    ra, dec = scattered(*place, 0.43, n=500)
    fit = fit_light_travel_time(*footprint_centre(ra, dec), QUADRANT_HALF_WIDTH_DEG, EARTH)
    difference = evaluate(fit, ra, dec) - paper_light_travel(MJD, ra, dec)
    assert np.abs(difference).max() < 100 * microsecond


@pytest.mark.parametrize("stray", [(0.0, 0.0), (math.nan, 40.0), (200.0, math.nan), (20.0, -40.0)])
def test_stray_or_missing_row_harms_only_itself(stray):
    ra, dec = scattered(200.0, 40.0, 0.43)
    dirty_ra, dirty_dec = np.append(ra, stray[0]), np.append(dec, stray[1])

    def transformed(ra, dec):
        centre = footprint_centre(ra, dec)
        fit = fit_light_travel_time(*centre, QUADRANT_HALF_WIDTH_DEG, EARTH)
        return heliocentric_and_airmass(ra, dec, EARTH, APPARENT, fit=fit)

    clean, dirty = transformed(ra, dec), transformed(dirty_ra, dirty_dec)
    assert np.abs(dirty[0][:-1] - clean[0]).max() < 0.5 * microsecond
    np.testing.assert_array_equal(dirty[1][:-1], clean[1])
    assert dirty[2] < 1.0 * microsecond
    own = light_travel_time([stray[0]], [stray[1]], EARTH)[0]
    np.testing.assert_allclose(dirty[0][-1], own, rtol=0, atol=1e-12)


def test_rows_outside_the_footprint_get_the_exact_value():
    ra, dec = scattered(200.0, 40.0, 5.0)
    fit = fit_light_travel_time(200.0, 40.0, QUADRANT_HALF_WIDTH_DEG, EARTH)
    seconds, _, residual = heliocentric_and_airmass(ra, dec, EARTH, APPARENT, fit=fit)
    assert np.abs(seconds - light_travel_time(ra, dec, EARTH)).max() == pytest.approx(residual)
    assert 0 < residual < 1.0 * microsecond


def test_no_row_gives_no_row():
    assert light_travel_time([], [], EARTH).shape == (0,)
    assert footprint_centre([], []) == pytest.approx((math.nan, math.nan), nan_ok=True)
    fit = fit_light_travel_time(200.0, 40.0, 0.5, EARTH)
    assert evaluate(fit, [], []).shape == (0,)
    seconds, airmass, residual = heliocentric_and_airmass([], [], EARTH, APPARENT, fit=fit)
    assert (seconds.size, airmass.size, residual) == (0, 0, 0.0)


def test_residual_of_the_exact_value_is_not_a_number():
    residual = heliocentric_and_airmass([1.0], [2.0], EARTH, APPARENT, fit=None)[2]
    assert math.isnan(residual)


@pytest.mark.parametrize("n", [1, 2, 3, 999, 1000, 1001, 5000])
def test_centre_is_inside_the_footprint_whatever_the_number_of_rows(n):
    ra, dec = scattered(0.0, 60.0, 0.43, n=n)
    centre = SkyCoord(*footprint_centre(ra, dec), unit="deg")
    assert centre.separation(SkyCoord(0, 60, unit="deg")).deg < 0.65


def test_rows_without_a_middle_still_have_a_centre():
    assert np.isfinite(footprint_centre([math.nan, 0, 180], [0, 0, 0])).all()
    assert np.isfinite(footprint_centre([0, 0], [90, -90])).all()


@given(
    ra=st.floats(0, 360, exclude_max=True),
    dec=st.floats(-90, 90),
    stray=st.lists(st.tuples(st.floats(0, 360), st.floats(-90, 90)), min_size=0, max_size=30),
)
@settings(max_examples=60)
def test_a_third_of_the_rows_astray_does_not_move_the_centre_out_of_the_others(ra, dec, stray):
    good_ra, good_dec = scattered(ra, dec, 0.4, n=100)
    rows = [*zip(good_ra, good_dec, strict=True), *stray]
    centre = footprint_centre(*np.array(rows).T)
    assert 0 <= centre[0] < 360
    assert SkyCoord(*centre, unit="deg").separation(SkyCoord(ra, dec, unit="deg")).deg < 0.8


@given(
    ra=st.floats(-720, 720),
    dec=st.floats(-90, 90),
    turns=st.integers(-2, 2),
)
def test_a_full_turn_of_ra_changes_nothing(ra, dec, turns):
    here, there = light_travel_time([ra, ra + 360 * turns], [dec, dec], EARTH)
    assert abs(here - there) < 1e-3 * microsecond


def test_columns_may_be_big_endian_read_only_and_strided():
    ra, dec = scattered(200.0, 40.0, 0.43)
    expected = light_travel_time(ra, dec, EARTH)
    table = np.zeros(ra.size, dtype=[("ra", ">f8"), ("pad", "u1"), ("dec", ">f8")])
    table["ra"], table["dec"] = ra, dec
    table.flags.writeable = False
    np.testing.assert_array_equal(light_travel_time(table["ra"], table["dec"], EARTH), expected)


def test_hmjd_is_mid_exposure_at_the_sun():
    assert heliocentric_mjd(59000.25, 30.0, [86400.0, -15.0]).tolist() == [
        pytest.approx(59001.25 + 15 / 86400, abs=1e-9),
        59000.25,
    ]


@pytest.mark.parametrize("exptime", [None, math.nan])
def test_hmjd_without_exposure_time_is_not_a_number(exptime):
    assert np.isnan(heliocentric_mjd(59000.25, exptime, [1.0, 2.0])).all()


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(TransformError, match=r"one length.*\(2,\), \(3,\)"):
        light_travel_time([1, 2], [1, 2, 3], EARTH)


@pytest.mark.parametrize(("centre", "width"), [((math.nan, 0.0), 0.5), ((0, 0), 0), ((0, 0), 60)])
def test_frame_without_a_centre_or_a_width_is_refused(centre, width):
    with pytest.raises(TransformError, match="no offset frame of half width"):
        fit_light_travel_time(*centre, width, EARTH)


def test_exposure_of_another_length_is_refused():
    with pytest.raises(TransformError, match=r"3 numbers of one exposure.*\(2,\)"):
        light_travel_time([1.0], [2.0], [400.0, 200.0])
    with pytest.raises(TransformError, match="15 numbers of one exposure"):
        heliocentric_and_airmass([1.0], [2.0], EARTH, APPARENT[:3], fit=None)
