"""WCS headers for tests, and their pixel areas by astropy: the outside truth of the scale check."""

from __future__ import annotations

import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

LINEAR = {
    "CRPIX1": 1536.5, "CRPIX2": 1540.5, "CRVAL1": 209.4, "CRVAL2": 40.5,
    "CD1_1": -2.8126e-4, "CD1_2": 2.4e-6, "CD2_1": -2.5e-6, "CD2_2": -2.8127e-4,
}  # fmt: skip
NO_CD = {name: value for name, value in LINEAR.items() if not name.startswith("CD")}


def cards(kind: str, numbers: dict[str, float]) -> str:
    """Cards of 80 characters, as astropy writes them."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = f"RA---{kind}", f"DEC--{kind}"
    for name, value in numbers.items():
        header[name] = value
    return header.tostring(endcard=False, padding=False)


def lines_to_cards(text: str) -> str:
    """Cards of a header that is kept line by line."""
    return "".join(line[:80].ljust(80) for line in text.splitlines())


def astropy_wcs(text: str) -> WCS:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old dates, and of SIP without its suffix
        return WCS(fits.Header.fromstring(text))


def astropy_scales(wcs: WCS, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Root of the area of each pixel, arcseconds, from the sky positions of its four corners."""
    corners = [(x + i / 2, y + j / 2) for i, j in ((-1, -1), (1, 1), (1, -1), (-1, 1))]
    sky = [wcs.all_pix2world(np.stack(corner, axis=1), 1) for corner in corners]
    xyz = [SkyCoord(one, unit="deg").cartesian.xyz.value for one in sky]
    area = np.linalg.norm(np.cross(xyz[1] - xyz[0], xyz[3] - xyz[2], axis=0), axis=0) / 2
    return np.sqrt(area) * u.rad.to(u.arcsec)


def paper_scales(wcs: WCS, *, sheared: bool) -> np.ndarray:
    """The paper's snippet, line by line, for one solution: half the product of the diagonals.

    `sheared` multiplies it with the sine of the angle between them, which makes it the area.
    """
    y_pix1 = np.arange(1, 3082, 140)
    x_pix1 = np.arange(1, 3074, 128)
    m1 = np.meshgrid(x_pix1, y_pix1)
    mx, my = np.array(m1[0].flat), np.array(m1[1].flat)
    here, both, right, down = (
        SkyCoord(wcs.all_pix2world(np.vstack([mx + i, my + j]).T, 1), unit=u.deg, frame="icrs")
        for i, j in ((0, 0), (1, 1), (1, 0), (0, 1))
    )
    areas = here.separation(both) * right.separation(down) / 2
    if sheared:
        one, other = (
            (b.cartesian - a.cartesian).xyz.value for a, b in ((here, both), (right, down))
        )
        lengths = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
        areas *= np.linalg.norm(np.cross(one, other, axis=0), axis=0) / lengths
    return np.sqrt(areas).to_value(u.arcsec)
