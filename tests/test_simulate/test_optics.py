"""Geometry, distortion and refraction against the real survey and against theory."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from realdata import REAL, needs_real

from simulate.geometry import channel_offset_deg, fields
from simulate.optics import (
    REFRACTION_A,
    aim,
    reference_wcs,
    science_wcs,
)
from simulate.pixelmap import PixelMap
from simulate.site import PALOMAR_M, aspects, heliocentric_mjd, installed_tables

CORNERS = np.array([[0.5, 0.5], [3072.5, 0.5], [0.5, 3080.5], [3072.5, 3080.5]])
CENTRE = np.array([57.9974, 35.7463])


def image(
    rcid: int = 50, secz: float = 1.0, centre: np.ndarray = CENTRE, turn: float = 0.03
) -> WCS:
    return science_wcs(centre, rcid, turn, secz=secz, parallactic=0.7, approach=0.0).wcs


def separation_arcsec(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    one, other = SkyCoord(a, unit="deg"), SkyCoord(b, unit="deg")
    return one.separation(other).arcsec


@needs_real
def test_fields_are_the_real_fields() -> None:
    with (REAL / "geometry" / "ztf_fields.txt").open() as file:
        real = {int(r["ID"]): (float(r["RA"]), float(r["Dec"])) for r in csv.DictReader(file)}
    assert fields() == real


def test_there_are_1776_fields() -> None:
    assert len(fields()) == 1776
    assert fields()[655] == (55.06078, 33.35)


@needs_real
def test_channels_lie_where_the_layout_table_has_them() -> None:
    table = np.loadtxt(REAL / "geometry" / "ztf_ccd_quad_layout.tbl", delimiter=",", skiprows=1)
    departures = np.array(
        [
            np.array(channel_offset_deg(rcid)) - table[table[:, 3] == rcid, :2].mean(axis=0)
            for rcid in range(64)
        ]
    )
    # The offset of real boresights from the layout is common to all channels.
    assert np.abs(departures - np.median(departures, axis=0)).max() < 0.002


@needs_real
def test_channels_point_where_real_images_do() -> None:
    headers = [fits.Header.fromtextfile(p) for p in sorted((REAL / "headers").glob("*.hdr"))]
    assert len(headers) >= 17
    for header in headers:
        field = fields()[header["FIELDID"]]
        offset = channel_offset_deg(header["RCID"])
        ours, turn = aim(field, offset, header["OBSMJD"])
        real = np.array([header["CRVAL1"], header["CRVAL2"]])
        # Pointing, flexure and the differential refraction of seven degrees remain.
        assert separation_arcsec(ours[None], real[None])[0] < 0.04 * 3600
        turn_real = np.arctan2(-header["CD1_2"], -header["CD1_1"])
        assert np.degrees(turn - turn_real) == pytest.approx(0, abs=0.2)


@needs_real
def test_pixel_scale_and_parity_are_the_real_ones() -> None:
    header = fits.getheader(REAL / "psfcat" / "ztf_20200924431759_000655_zr_c13_o_q3_psfcat.fits")
    cd = np.array([[header["CD1_1"], header["CD1_2"]], [header["CD2_1"], header["CD2_2"]]])
    ours = image().wcs.cd
    assert (np.sign(np.diag(ours)) == np.sign(np.diag(cd))).all()
    assert np.linalg.det(ours) == pytest.approx(np.linalg.det(cd), rel=2e-3)


def test_distortion_reaches_half_to_two_arcseconds_at_the_worst_corner() -> None:
    for rcid in range(64):
        distorted = image(rcid)
        plain = WCS(naxis=2)
        plain.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        plain.wcs.crval, plain.wcs.crpix = distorted.wcs.crval, distorted.wcs.crpix
        plain.wcs.cd = distorted.wcs.cd
        worst = separation_arcsec(
            distorted.all_pix2world(CORNERS, 1), plain.all_pix2world(CORNERS, 1)
        ).max()
        assert 0.5 < worst < 2.3


def test_refraction_stretches_the_scale_as_published() -> None:
    scales = [np.sqrt(abs(np.linalg.det(image(secz=secz).wcs.cd))) for secz in (1.0, 1.5, 2.0)]
    parts_per_million = (np.array(scales[1:]) / scales[0] - 1) * 1e6
    np.testing.assert_allclose(parts_per_million, [142, 340], rtol=0.02)


def test_vertical_refraction_equals_that_of_astropy() -> None:
    place = EarthLocation.from_geocentric(*PALOMAR_M, unit="m")
    with installed_tables():
        bare = {"obstime": Time(60319.3, format="mjd"), "location": place}
        air = AltAz(
            **bare, pressure=830 * u.hPa, temperature=10 * u.deg_C, relative_humidity=0.3,
            obswl=0.64 * u.um,
        )  # fmt: skip
        for altitude in (75.0, 40.0, 30.0):
            true_deg = altitude + np.array([-0.05, 0.05])
            seen = AltAz(alt=true_deg * u.deg, az=[120, 120] * u.deg, **bare).transform_to(air)
            stretch = 0.1 / np.diff(seen.alt.deg)[0] - 1
            pixels = [
                science_wcs(CENTRE, 50, 0.0, secz=secz, parallactic=0.0, approach=0.0).wcs.wcs.cd[1]
                for secz in (1.0, 1 / np.sin(np.radians(altitude)))
            ]
            ours = np.linalg.norm(pixels[1]) / np.linalg.norm(pixels[0]) - 1
            assert ours == pytest.approx(stretch - REFRACTION_A, rel=0.01)


def test_pixel_map_equals_the_full_projection() -> None:
    rng = np.random.default_rng(1)
    one_ten_thousandth_px = 1e-4
    for rcid, dec in ((50, 35.7), (4, -28.0), (63, 84.0)):
        centre = np.array([359.9, dec])
        nominal = image(rcid, centre=centre)
        shifted = centre + np.array([40 / np.cos(np.radians(dec)), -35]) / 3600
        moved = image(rcid, secz=2.4, centre=shifted, turn=0.0302)
        sky = nominal.all_pix2world(rng.uniform(-40, 3120, (3000, 2)), 1)
        placed = PixelMap(nominal, *sky.T)
        which = np.arange(0, 3000, 2)
        ours = np.stack(placed.pixels(moved, which), axis=1)
        exact = moved.wcs_world2pix(sky[which], 1)
        assert np.abs(ours - exact).max() < one_ten_thousandth_px


@needs_real
def test_reference_images_are_turned_like_the_real_one() -> None:
    table = fits.getdata(REAL / "psfcat" / "ztf_000633_zr_c07_q4_refpsfcat.fits")
    field, offset = fields()[633], channel_offset_deg(27)
    ours = reference_wcs(*aim(field, offset, 58200.0))
    pixels = ours.wcs_world2pix(np.stack([table["ra"], table["dec"]], axis=1), 1)
    design = np.stack([np.ones(len(table)), table["xpos"], table["ypos"]], axis=1)
    matrix = np.linalg.lstsq(design, pixels, rcond=None)[0][1:]
    assert np.sqrt(np.linalg.det(matrix)) == pytest.approx(1.000, abs=2e-4)
    np.testing.assert_allclose(matrix, np.eye(2), atol=2e-3)  # a milliradian is 3 px at a corner


@needs_real
def test_heliocentric_times_equal_the_survey_s_light_curves() -> None:
    ten_microseconds_d = 1e-4 / 86400
    path = max((REAL / "lightcurve_api").glob("*.csv"), key=lambda p: p.stat().st_size)
    with path.open() as file:
        rows = list(csv.DictReader(file))[::50]
    ra, dec, mjd, hjd, exptime = (
        np.array([float(row[key]) for row in rows])
        for key in ("ra", "dec", "mjd", "hjd", "exptime")
    )
    ours = np.array(
        [
            heliocentric_mjd(mjd[i : i + 1], exptime[i], ra[i : i + 1], dec[i : i + 1])[0, 0]
            for i in range(len(rows))
        ]
    )
    assert np.abs(ours - (hjd - 2400000.5)).max() < 10 * ten_microseconds_d


def test_parallactic_angle_points_to_the_zenith() -> None:
    # A small step towards the zenith must lessen the zenith distance by its own length.
    mjd = np.array([60319.3])
    ra, dec = np.array([40.0]), np.array([20.0])
    here = aspects(mjd, ra, dec)
    step = 0.05
    q = here.parallactic
    there = aspects(mjd, ra + step * np.sin(q) / np.cos(np.radians(dec)), dec + step * np.cos(q))
    z = np.degrees(np.arccos(1 / np.array([here.secz[0], there.secz[0]])))
    assert (z[0] - z[1]) * u.deg.to(u.arcsec) == pytest.approx(step * 3600, rel=2e-3)
