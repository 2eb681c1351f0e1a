"""Which images a place on the sky lies on, by each image's own WCS, distortion included.

NumPy alone. A homography stands for each image's map from the sky to its pixels, with how far it
errs on the chip: it decides all but the places so near an edge that it could be wrong, and for
those the polynomial is inverted by Newton's method.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.chip import CHIP_PX
from transforms.errors import TransformError
from transforms.pixel_maps import Floats, PixelMaps

Bools = NDArray[np.bool_]

# Where a homography's error is measured; no polynomial of degree 9 rises between such points by
# more than `BETWEEN_POINTS` times what it has there, and a pixel for those of fewer digits.
POINTS_A_SIDE = 11
BETWEEN_POINTS = 1.5
LEAST_BAND_PX = 1.0

# Newton doubles its digits: from 100 px off it is there after three or four rounds.
ROUNDS = 12
CONVERGED_PX = 1e-6
# Pairs of a place and an image that are looked at together: they stay in the processor's cache.
PAIRS = 1 << 15
# A pair whose polynomial is evaluated takes as much memory as so many others.
TOGETHER = 16


class Footprints:
    """Images, ready to be asked which of them cover a place.

    An image whose map or tangent plane is not known covers nothing; `known` says which are.

    Parameters
    ----------
    maps : of n images.
    chip_px : pixels along x and y. The chip ends half a pixel beyond the centres of the first and
        the last pixel.
    """

    __slots__ = (
        "_band_px",
        "_frames",
        "_homographies",
        "_maps",
        "_middle_px",
        "_reach_px",
        "known",
    )

    def __init__(self, maps: PixelMaps, chip_px: tuple[int, int] = CHIP_PX) -> None:
        self._maps = maps
        self._frames = _frames(maps.plane)
        size = np.array(chip_px, dtype=np.float64)
        self._middle_px, self._reach_px = (size + 1.0) / 2.0, size / 2.0
        self._homographies, self._band_px = self._approximated()
        self.known: Bools = np.isfinite(self._band_px)

    def __len__(self) -> int:
        return len(self._maps)

    def cover(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> Bools:
        """Whether each image covers each place.

        Parameters
        ----------
        ra_deg, dec_deg : (m,) ICRS degrees.

        Returns
        -------
        bool (n, m). False where a coordinate is NaN or the image's WCS is not known. As astropy's
        `all_world2pix` has it, to 1e-6 px; 20 ns a pair of a few thousand places.

        Raises
        ------
        TransformError : the coordinates differ in length.
        """
        sky = _unit_vectors(ra_deg, dec_deg)
        covered = np.zeros((len(self), sky.shape[1]), dtype=np.bool_)
        for some in _parts(np.arange(len(self)), sky.shape[1]):
            covered[some] = self._cover_some(some, sky)
        return covered

    def count(
        self, ra_deg: ArrayLike, dec_deg: ArrayLike, images: ArrayLike | None = None
    ) -> NDArray[np.int32]:
        """How many images cover each place: int32 (m,), without keeping which.

        Parameters
        ----------
        images : numbers of those that are asked; None is all.
        """
        sky = _unit_vectors(ra_deg, dec_deg)
        chosen = np.arange(len(self)) if images is None else np.asarray(images, dtype=np.intp)
        counts = np.zeros(sky.shape[1], dtype=np.int32)
        for some in _parts(chosen, sky.shape[1]):
            counts += self._cover_some(some, sky).sum(axis=0, dtype=np.int32)
        return counts

    def _cover_some(self, images: NDArray[np.intp], sky: Floats) -> Bools:
        """Whether each of a few images covers each direction."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            places = self._homographies[images] @ sky
            up = places[:, 2]
            x, y = places[:, 0] / up, places[:, 1] / up
            beyond = np.maximum(
                np.abs(x - self._middle_px[0]) - self._reach_px[0],
                np.abs(y - self._middle_px[1]) - self._reach_px[1],
            )
            band = self._band_px[images, None]
            ahead = up > 0.0
            covered: Bools = (beyond < -band) & ahead
            doubtful = np.nonzero((np.abs(beyond) <= band) & ahead)
        if doubtful[0].size:
            image, place = doubtful
            start = np.stack([x[doubtful], y[doubtful]], axis=1)
            covered[doubtful] = self._on_chip(images[image], sky[:, place].T, start)
        return covered

    def _on_chip(self, image: NDArray[np.intp], sky: Floats, start: Floats) -> Bools:
        """Whether pairs of an image and a direction (p, 3) lie on the chip, from a first pixel."""
        on_chip = np.zeros(image.size, dtype=np.bool_)
        step = PAIRS // TOGETHER
        for begin in range(0, image.size, step):
            some = slice(begin, begin + step)
            pixel = self._inverted(image[some], sky[some], start[some])
            beyond = np.abs(pixel - self._middle_px) - self._reach_px
            on_chip[some] = (beyond <= 0.0).all(axis=1)  # false with NaN
        return on_chip

    def _inverted(self, image: NDArray[np.intp], sky: Floats, start: Floats) -> Floats:
        """Pixels (p, 2) that the images map to directions (p, 3); NaN where none is found."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rotated = np.einsum("pij,pj->pi", self._frames[image], sky)
            wanted = np.degrees(rotated[:, :2] / rotated[:, 2:])
            pixel = start.copy()
            step = np.full_like(pixel, math.inf)
            left = np.arange(image.size)
            for _ in range(ROUNDS):
                there, slope = plane_of(self._maps, image[left], pixel[left])
                step[left] = _solved(slope, wanted[left] - there)
                pixel[left] += step[left]
                left = left[~(np.abs(step[left]).max(axis=1) < CONVERGED_PX)]
                if not left.size:
                    break
            pixel[left] = math.nan
        return pixel

    def _approximated(self) -> tuple[Floats, Floats]:
        """Homographies (n, 3, 3) from directions to pixels, times the third, and their errors.

        The map is taken as linear about the middle of the chip. Errors are of its edge: whatever a
        homography puts farther inside than it moves the edge, or farther outside, is so, for maps
        are one to one there.
        """
        n = len(self)
        along = np.linspace(-1.0, 1.0, POINTS_A_SIDE)
        grid = np.stack([one.ravel() for one in np.meshgrid(along, along)], axis=1)
        edge = self._middle_px + self._reach_px * grid[np.abs(grid).max(axis=1) == 1.0]
        band = np.empty(n)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            middle, slope = plane_of(self._maps, np.arange(n), np.tile(self._middle_px, (n, 1)))
            to_pixels = np.stack(
                [_solved(slope, np.tile(unit, (n, 1))) for unit in np.eye(2)], axis=2
            )
            shift = self._middle_px - np.einsum("nij,nj->ni", to_pixels, middle)
            for some in _parts(np.arange(n), TOGETHER * len(edge)):
                image = np.repeat(some, len(edge))
                pixel = np.tile(edge, (some.size, 1))
                there, _ = plane_of(self._maps, image, pixel)
                error = np.einsum("pij,pj->pi", to_pixels[image], there) + shift[image] - pixel
                # Keeps NaN.
                band[some] = np.abs(error).max(axis=1).reshape(some.size, -1).max(axis=1)
            in_plane = np.concatenate([np.degrees(to_pixels), shift[:, :, None]], axis=2)
            rows = np.concatenate([in_plane, np.tile([[[0.0, 0.0, 1.0]]], (n, 1, 1))], axis=1)
            homographies = rows @ self._frames
        band = BETWEEN_POINTS * band + LEAST_BAND_PX
        # What is not known is nowhere, whatever a NaN would compare to.
        unknown = ~(np.isfinite(band) & np.isfinite(homographies).all(axis=(1, 2)))
        homographies[unknown], band[unknown] = 0.0, math.nan
        return homographies, band


def _parts(images: NDArray[np.intp], n_places: int) -> Iterator[NDArray[np.intp]]:
    """Images, as many at a time as make `PAIRS` with so many places."""
    step = max(1, PAIRS // max(1, n_places))
    for begin in range(0, images.size, step):
        yield images[begin : begin + step]


def plane_of(maps: PixelMaps, image: NDArray[np.intp], pixel: Floats) -> tuple[Floats, Floats]:
    """Where pixels lie in their image's tangent plane, and how that changes with the pixel.

    Parameters
    ----------
    image : (p,), which image of `maps` each is of.
    pixel : float64 (p, 2), the first pixel is 1.

    Returns
    -------
    plane : float64 (p, 2), degrees.
    slope : float64 (p, 2, 2), degrees a pixel.
    """
    cd, sip = maps.cd[image], maps.in_pixels[image][:, None]
    offset = pixel - maps.crpix[image]
    linear = np.einsum("pij,pj->pi", cd, offset)
    value, bent = _polynomials(
        maps.polynomial[image], maps.radial[image], np.where(sip, offset, linear)
    )
    turned = sip[:, :, None]
    plane = np.where(sip, np.einsum("pij,pj->pi", cd, value), value)
    return plane, np.where(turned, cd @ bent, bent @ cd)


def _polynomials(polynomial: Floats, radial: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Values (p, 2) and derivatives (p, 2, 2) of both axes' polynomials at points (p, 2)."""
    degree = polynomial.shape[-1] - 1
    x, y = at[:, 0, None, None], at[:, 1, None, None]
    powers = np.ones((at.shape[0], degree + 1))
    slopes = np.zeros_like(powers)
    for j in range(degree):
        powers[:, j + 1] = powers[:, j] * at[:, 1]
        slopes[:, j + 1] = (j + 1) * powers[:, j]
    # Of each power of x its coefficient, a polynomial in y, and that one's derivative.
    inner = np.matmul(polynomial, np.stack([powers, slopes], axis=2)[:, None])
    value = inner[:, :, degree]
    along_x = np.zeros_like(value[:, :, 0])
    for i in range(degree - 1, -1, -1):
        along_x = along_x * x[:, :, 0] + value[:, :, 0]
        value = value * x + inner[:, :, i]
    slope = np.stack([along_x, value[:, :, 1]], axis=2)
    if radial.any():
        rr = (x * x + y * y)[:, :, 0]
        r = np.sqrt(rr)
        c = [radial[:, :, k] for k in range(radial.shape[2])]
        along_r = c[0] + rr * (3.0 * c[1] + rr * (5.0 * c[2] + rr * 7.0 * c[3]))
        along_r = np.where(r > 0.0, along_r / r, 0.0)
        slope = slope + along_r[:, :, None] * at[:, None, :]
        return value[:, :, 0] + r * (c[0] + rr * (c[1] + rr * (c[2] + rr * c[3]))), slope
    return value[:, :, 0], slope


def _solved(slope: Floats, wanted: Floats) -> Floats:
    """Solutions (p, 2) of 2 × 2 systems."""
    (a, b), (c, d) = slope[:, 0].T, slope[:, 1].T
    u, v = wanted.T
    determinant = a * d - b * c
    return np.stack([(d * u - b * v) / determinant, (a * v - c * u) / determinant], axis=1)


def _frames(plane: Floats) -> Floats:
    """Axes x, y of the tangent planes and the direction of their tangent points: (n, 3, 3).

    Calabretta & Greisen (2002, A&A 395, 1077), equations 2, 5, 12, 13 and 54: with LONPOLE 180 x
    is east and y is north.
    """
    ra, dec, pole = np.radians(plane.T)
    sin_ra, cos_ra, sin_dec, cos_dec = np.sin(ra), np.cos(ra), np.sin(dec), np.cos(dec)
    east = np.stack([-sin_ra, cos_ra, np.zeros_like(ra)], axis=1)
    north = np.stack([-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec], axis=1)
    up = np.stack([cos_dec * cos_ra, cos_dec * sin_ra, sin_dec], axis=1)
    sin_pole, cos_pole = np.sin(pole)[:, None], np.cos(pole)[:, None]
    x, y = sin_pole * north - cos_pole * east, -cos_pole * north - sin_pole * east
    return np.stack([x, y, up], axis=1)


def _unit_vectors(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
    """Directions (3, m)."""
    ra, dec = (np.radians(np.asarray(one, dtype=np.float64)) for one in (ra_deg, dec_deg))
    if ra.ndim != 1 or ra.shape != dec.shape:
        raise TransformError(f"columns of one length are needed, got {ra.shape} and {dec.shape}")
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
