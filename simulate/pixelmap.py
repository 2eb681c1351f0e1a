"""Pixels of the same sky in many images of one channel.

Inverting the distortion for every source of every image was half the cost of a simulation.
Between two images of a channel the pixels of a source differ by a shift, a slight turn and a
little bending, so astropy.wcs projects the sources once and a grid of points for each image, and
a polynomial through the grid carries the sources over.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from astropy.wcs import WCS
from numpy.polynomial import polynomial

from simulate.arrays import Floats, Ints
from simulate.geometry import CHIP_X_PX, CHIP_Y_PX

DEGREE = 4  # of the polynomial; it then errs by less than 1e-4 pixels
GRID_POINTS = 11  # on a side
MARGIN_PX = 120.0  # of the grid beyond the chip: what the telescope's pointing errors reach
HALF_X, HALF_Y = CHIP_X_PX / 2, CHIP_Y_PX / 2


@cache
def _solver() -> tuple[Floats, Floats]:
    """Grid pixels (g, 2), and the matrix from their images to coefficients."""
    side = np.linspace(-1, 1, GRID_POINTS)
    u, v = (axis.ravel() for axis in np.meshgrid(side, side))
    pixels = np.stack(
        [HALF_X + 0.5 + u * (HALF_X + MARGIN_PX), HALF_Y + 0.5 + v * (HALF_Y + MARGIN_PX)], axis=1
    )
    design = polynomial.polyvander2d(*_unit(pixels), [DEGREE, DEGREE])
    total = np.add.outer(np.arange(DEGREE + 1), np.arange(DEGREE + 1)).ravel()
    design[:, total > DEGREE] = 0  # the inverse then gives those terms nothing
    solver: Floats = np.linalg.pinv(design).astype(np.float64)
    return pixels, solver


def _unit(pixels: Floats) -> tuple[Floats, Floats]:
    """Coordinates that run from −1 to 1 over the chip."""
    return (pixels[:, 0] - HALF_X) / HALF_X, (pixels[:, 1] - HALF_Y) / HALF_Y


class PixelMap:
    """The sources of a quadrant, ready to be placed in any image of its channel.

    Parameters
    ----------
    nominal : world coordinates of some image of the channel.
    ra, dec : float64 (n,), ICRS degrees.
    """

    def __init__(self, nominal: WCS, ra: Floats, dec: Floats) -> None:
        self._u, self._v = _unit(nominal.wcs_world2pix(np.stack([ra, dec], axis=1), 1))
        self._grid_sky = nominal.wcs_pix2world(_solver()[0], 1)

    def pixels(self, wcs: WCS, which: Ints) -> tuple[Floats, Floats]:
        """1-based pixels of some sources in an image.

        Parameters
        ----------
        wcs : world coordinates of the image.
        which : int (m,), indices of the sources.

        Returns
        -------
        x, y : float64 (m,), within 1e-4 pixels of `wcs.wcs_world2pix` on the chip.
        """
        images = wcs.wcs_world2pix(self._grid_sky, 1)
        coefficients = (_solver()[1] @ images).reshape(DEGREE + 1, DEGREE + 1, 2)
        x, y = polynomial.polyval2d(self._u[which], self._v[which], coefficients)
        return x, y
