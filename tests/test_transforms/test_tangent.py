"""Pixels on the sky, against astropy's WCS of the real headers."""

import warnings

import astropy.units as u
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from realdata import REAL, needs_real

from transforms.chip import QUADRANT_CENTRE_PIX
from transforms.tangent import sky_position

HEADERS = sorted((REAL / "headers").glob("*.hdr")) if REAL.is_dir() else []


@needs_real
@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.name[4:45])
def test_the_middle_of_a_real_quadrant_is_where_its_wcs_puts_it(path):
    header = fits.Header.fromstring(path.read_text(), sep="\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs = WCS(header)
    expected = SkyCoord(*wcs.all_pix2world([QUADRANT_CENTRE_PIX], 1)[0] * u.deg)
    found = sky_position(
        QUADRANT_CENTRE_PIX,
        (header["CRPIX1"], header["CRPIX2"]),
        (header["CRVAL1"], header["CRVAL2"]),
        [[header["CD1_1"], header["CD1_2"]], [header["CD2_1"], header["CD2_2"]]],
    )
    assert SkyCoord(*found * u.deg).separation(expected) < 6 * u.arcsec


def test_the_reference_pixel_is_at_its_value_at_ra_0_and_at_a_pole():
    cd = [[-3e-4, 0.0], [0.0, -3e-4]]
    for place in ((0.0, 0.0), (359.99, 10.0), (12.0, 89.9999)):
        assert sky_position((5, 7), (5, 7), place, cd) == pytest.approx(place, abs=1e-9)
    ra, dec = sky_position((1005, 7), (5, 7), (0.1, 0.0), cd)
    assert (ra, dec) == pytest.approx((359.8, 0.0), abs=1e-4)
