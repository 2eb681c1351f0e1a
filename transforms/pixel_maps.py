"""How images map their pixels to the sky: linear matrix, polynomial, tangent plane, as arrays.

NumPy alone: whoever asks which images cover a place pays for no compiler.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.chip import QUADRANT_CENTRE_PIX

Floats = NDArray[np.float64]

RADIAL_TERMS = 4  # r, r³, r⁵, r⁷


@dataclass(frozen=True, slots=True, eq=False)
class PixelMaps:
    """The maps of n images.

    Attributes
    ----------
    crpix : float64 (n, 2), reference pixels; the first pixel is 1.
    cd : float64 (n, 2, 2), degrees a pixel. NaN where a map is not known.
    polynomial : float64 (n, 2, d + 1, d + 1): [k, axis, i, j] multiplies xⁱ yʲ. Without a
        distortion it is the identity.
    radial : float64 (n, 2, 4), TPV's coefficients of r, r³, r⁵, r⁷.
    in_pixels : bool (n,). False, as in TPV: x, y are degrees in the plane, and the polynomial comes
        after `cd`. True, as in SIP: x, y are pixels from `crpix`, and it comes before.
    plane : float64 (n, 3), degrees: right ascension and declination of the tangent point, and
        LONPOLE, which is 180 where north is up in the plane. They change neither the size nor the
        shape of a pixel. NaN where the tangent plane is not known; the map may be known even so.
    problems : n texts, why a map is not known; empty where it is.
    """

    crpix: Floats
    cd: Floats
    polynomial: Floats
    radial: Floats
    in_pixels: NDArray[np.bool_]
    plane: Floats
    problems: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.problems)

    def take(self, rows: ArrayLike) -> PixelMaps:
        """The maps of some images."""
        chosen = np.asarray(rows, dtype=np.intp)
        return PixelMaps(
            self.crpix[chosen], self.cd[chosen], self.polynomial[chosen], self.radial[chosen],
            self.in_pixels[chosen], self.plane[chosen],
            tuple(self.problems[row] for row in chosen),
        )  # fmt: skip

    def with_crpix(self, crpix: ArrayLike = QUADRANT_CENTRE_PIX) -> PixelMaps:
        """The same maps with another reference pixel (2,).

        The header of a piece that was cut out of an image is the image's but for CRPIX; the CRPIX
        of a whole quadrant of ZTF is its centre.
        """
        moved = np.broadcast_to(np.asarray(crpix, dtype=np.float64), self.crpix.shape)
        return replace(self, crpix=moved.copy())


def linear_matrix(cd: Floats, pc: Floats, cdelt: Floats, crota2_deg: Floats) -> Floats:
    """Degrees a pixel, from whichever of FITS's three ways an image has.

    Parameters
    ----------
    cd, pc : float64 (n, 4), row by row; cdelt : float64 (n, 2); crota2_deg : float64 (n,). NaN
        where a card is missing.

    Returns
    -------
    float64 (n, 2, 2): CD, missing elements 0, where an image has any of it; else CDELT with PC,
        missing elements those of the identity; else CDELT with CROTA2 (Calabretta & Greisen 2002,
        equation 189). NaN where it has neither CD nor both CDELT.
    """
    angle = np.radians(np.nan_to_num(crota2_deg))
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2) * cdelt[:, None, :]
    identity = np.array([1.0, 0.0, 0.0, 1.0])
    scaled = np.where(np.isnan(pc), identity, pc).reshape(-1, 2, 2) * cdelt[:, :, None]
    given = np.nan_to_num(cd).reshape(-1, 2, 2)
    has_cd, has_pc = (np.isfinite(one).any(axis=1).reshape(-1, 1, 1) for one in (cd, pc))
    return np.where(has_cd, given, np.where(has_pc, scaled, turned))
