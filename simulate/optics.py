"""World coordinates of science and reference images, as astropy.wcs objects and header cards.

A science image is TPV of degree 4 about its own centre; refraction and aberration stretch its
CD matrix. A reference image is a plain tangent projection at exactly one arcsecond a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from astropy.wcs import WCS

from simulate.arrays import Floats
from simulate.geometry import CHIP_X_PX, CHIP_Y_PX, CRPIX, PIXEL_ARCSEC

# Refraction R = A tan z + B tan³z from erfa.refco(830 hPa, 10 °C, 0.3, 0.64 µm), radians.
REFRACTION_A = np.radians(47.45 / 3600)
REFRACTION_B = np.radians(-0.054 / 3600)

# Root mean squares of PV1_k and PV2_k over 17 real headers, degrees^(1 − power).
PV_ORDERS = (4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16)
PV_SIZES = (2.6e-4, 1.7e-4, 1.6e-4) + (2.2e-4,) * 4 + (4.5e-4,) * 5
CORNER_DISTORTION_ARCSEC = (0.55, 1.6)  # at the worst corner; real images show 0.5 to 2.3
CHANNEL_SEED = 20171101  # the camera is the same in every survey

REFERENCE_CRPIX = 1600.5

J2000_MJD = 51544.5
PRECESSION_N_ARCSEC = 20.0431  # a year, of the pole (IAU 2006)


@dataclass(frozen=True)
class ImageWcs:
    """A world coordinate system and its header cards.

    Parameters
    ----------
    wcs : the astropy object.
    cards : FITS keyword, value pairs that make the same object.
    """

    wcs: WCS
    cards: tuple[tuple[str, str | float], ...]


@cache
def channel_distortion(rcid: int) -> tuple[tuple[int, int, float], ...]:
    """PV coefficients (axis, k, value) of a channel; the same for ever."""
    rng = np.random.default_rng([CHANNEL_SEED, rcid])
    draws = rng.standard_normal((2, len(PV_ORDERS))) * PV_SIZES
    target_arcsec = rng.uniform(*CORNER_DISTORTION_ARCSEC)
    x, y = (side / 2 * PIXEL_ARCSEC / 3600 for side in (CHIP_X_PX, CHIP_Y_PX))
    corners = np.array([(i * x, j * y) for i in (-1, 1) for j in (-1, 1)])
    moved = np.stack(
        [_tpv_terms(corners[:, 0], corners[:, 1], draws[0]),
         _tpv_terms(corners[:, 1], corners[:, 0], draws[1])]
    )  # fmt: skip
    draws *= target_arcsec / 3600 / np.hypot(*moved).max()
    pv: list[tuple[int, int, float]] = []
    for axis in (1, 2):
        pv += [(axis, 0, 0.0), (axis, 1, 1.0), (axis, 2, 0.0)]
        pv += [
            (axis, k, float(f"{value:.12e}"))
            for k, value in zip(PV_ORDERS, draws[axis - 1], strict=True)
        ]
    return tuple(pv)


def _tpv_terms(x: Floats, y: Floats, pv: Floats) -> Floats:
    """TPV terms of degree 2 to 4 without the radial ones, in the order of PV_ORDERS."""
    powers = [(n - k, k) for n in (2, 3, 4) for k in range(n + 1)]
    terms = np.stack([x**i * y**j for i, j in powers])
    summed: Floats = pv @ terms
    return summed


def offset_position(ra_deg: float, dec_deg: float, east_deg: float, north_deg: float) -> Floats:
    """Position (ra, dec), degrees, at an offset in the plane tangent at (ra_deg, dec_deg)."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra_deg, dec_deg]
    wcs.wcs.crpix = [0, 0]
    wcs.wcs.cdelt = [1, 1]
    position: Floats = wcs.all_pix2world([[east_deg, north_deg]], 1)[0]
    return position


def aim(
    boresight_deg: tuple[float, float], offset_deg: tuple[float, float], mjd: float
) -> tuple[Floats, float]:
    """Where a channel points, and how it is turned there.

    Parameters
    ----------
    boresight_deg : (ra, dec) of the camera's centre, ICRS degrees.
    offset_deg : (east, north) of the channel in the camera, degrees in the tangent plane.
    mjd : time; the mount turns about the pole of date, whose north is not that of the ICRS.

    Returns
    -------
    centre_deg : float64 (2,), (ra, dec) of the channel's centre.
    rotation : angle there from local north through east to the camera's north, radians.
    """
    turn = -_precession_turn(boresight_deg, mjd)
    sin, cos = np.sin(turn), np.cos(turn)
    east = cos * offset_deg[0] + sin * offset_deg[1]
    north = -sin * offset_deg[0] + cos * offset_deg[1]
    centre = offset_position(*boresight_deg, east, north)
    (ra1, dec1), (ra2, dec2) = np.radians(
        [centre, offset_position(*boresight_deg, east, north + 0.001)]
    )
    to_east = np.cos(dec2) * np.sin(ra2 - ra1)
    to_north = np.cos(dec1) * np.sin(dec2) - np.sin(dec1) * np.cos(dec2) * np.cos(ra2 - ra1)
    return centre, float(np.arctan2(to_east, to_north)) + turn


def _precession_turn(position_deg: tuple[float, float], mjd: float) -> float:
    """Angle from the north of J2000 to that of date, radians: n t sin(ra) / cos(dec)."""
    years = (mjd - J2000_MJD) / 365.25
    ra, dec = np.radians(position_deg)
    return float(np.radians(PRECESSION_N_ARCSEC / 3600 * years) * np.sin(ra) / np.cos(dec))


def science_wcs(
    centre_deg: Floats,
    rcid: int,
    rotation: float,
    *,
    secz: float,
    parallactic: float,
    approach: float,
) -> ImageWcs:
    """World coordinates of a science image.

    Parameters
    ----------
    centre_deg : (ra, dec) of the reference pixel, ICRS degrees.
    rcid : readout channel, which sets the distortion and a small turn of the chip.
    rotation : of the camera against local north, radians (`aim`).
    secz, parallactic, approach : see `site.Aspect`.

    Returns
    -------
    ImageWcs, TPV of degree 4. Columns run west and rows south, as in the survey.
    """
    rng = np.random.default_rng([CHANNEL_SEED, rcid, 1])
    rotation += np.radians(rng.normal(0, 0.05))
    scale_deg = PIXEL_ARCSEC / 3600 * (1 + rng.normal(0, 1e-4)) * (1 + approach)
    sin, cos = np.sin(rotation), np.cos(rotation)
    cd = -scale_deg * np.array([[cos, sin], [-sin, cos]])
    cd = _refraction(secz, parallactic) @ cd
    pv = channel_distortion(rcid)
    cards: list[tuple[str, str | float]] = [
        ("EQUINOX", 2000.0),
        ("WCSAXES", 2),
        ("RADESYS", "ICRS"),
        ("CTYPE1", "RA---TPV"),
        ("CTYPE2", "DEC--TPV"),
        ("CRPIX1", CRPIX[0]),
        ("CRPIX2", CRPIX[1]),
        ("CRVAL1", round(float(centre_deg[0]), 11)),
        ("CRVAL2", round(float(centre_deg[1]), 11)),
        ("CUNIT1", "deg"),
        ("CUNIT2", "deg"),
        *((f"CD{i + 1}_{j + 1}", float(f"{cd[i, j]:.12e}")) for i in (0, 1) for j in (0, 1)),
        *((f"PV{axis}_{k}", value) for axis, k, value in pv),
    ]
    return ImageWcs(wcs_of(dict(cards)), tuple(cards))


def _refraction(secz: float, parallactic: float) -> Floats:
    """Stretch of the catalogue sky under a pixel: I + a_v uuᵀ + a_h (I − uuᵀ), east and north."""
    tan2 = max(secz**2 - 1, 0.0)
    vertical = (REFRACTION_A + 3 * REFRACTION_B * tan2) * (1 + tan2)
    horizontal = REFRACTION_A + REFRACTION_B * tan2
    up = np.array([np.sin(parallactic), np.cos(parallactic)])
    along = np.outer(up, up)
    stretch: Floats = np.eye(2) + vertical * along + horizontal * (np.eye(2) - along)
    return stretch


def wcs_of(cards: dict[str, str | float]) -> WCS:
    """The astropy object of an image's header cards."""
    pv = []
    for key, value in cards.items():
        if key.startswith("PV"):
            axis, k = key.removeprefix("PV").split("_")
            pv.append((int(axis), int(k), float(value)))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [cards["CTYPE1"], cards["CTYPE2"]]
    wcs.wcs.crpix = [cards["CRPIX1"], cards["CRPIX2"]]
    wcs.wcs.crval = [cards["CRVAL1"], cards["CRVAL2"]]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.cd = [[cards["CD1_1"], cards["CD1_2"]], [cards["CD2_1"], cards["CD2_2"]]]
    wcs.wcs.set_pv(pv)
    wcs.wcs.set()
    return wcs


def reference_wcs(centre_deg: Floats, rotation: float) -> WCS:
    """World coordinates of a reference image: columns run east and rows south, 1.000″ a pixel.

    `rotation` is the camera's against local north, radians: a real reference image (field 633)
    is turned with the camera.
    """
    sin, cos = np.sin(rotation), np.cos(rotation)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crpix = [REFERENCE_CRPIX, REFERENCE_CRPIX]
    wcs.wcs.crval = list(centre_deg)
    wcs.wcs.cd = np.array([[cos, -sin], [-sin, -cos]]) / 3600
    wcs.wcs.set()
    return wcs
