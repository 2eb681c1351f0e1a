"""Cones on the sky, and where in the archive they lie.

hpgeom covers them: healpy takes a second to import, hpgeom a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from queries.errors import BadConeError
from store.layout import HEALPIX_ORDER, HealpixPixel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_RADIUS_ARCSEC = 90 * 3600.0
# Cells about as wide as the cone: a handful of them cover it.
_CELL_DEG_AT_ORDER_0 = 58.6
# Below 0.05 arcsec; deeper cells would only lengthen the list.
_MAX_COVER_ORDER = 22


@dataclass(frozen=True)
class Cone:
    """A circle on the sky, its edge included.

    Parameters
    ----------
    ra_deg, dec_deg : centre, degrees, ICRS; any right ascension is taken modulo 360.
    radius_arcsec : above 0, at most 90 degrees.

    Raises
    ------
    BadConeError : it is not on the sky.
    """

    ra_deg: float
    dec_deg: float
    radius_arcsec: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.ra_deg, self.dec_deg, self.radius_arcsec))):
            raise BadConeError("centre and radius must be numbers")
        if not -90 <= self.dec_deg <= 90:
            raise BadConeError(f"declination {self.dec_deg:g} is not within -90 and 90 degrees")
        if not 0 < self.radius_arcsec <= MAX_RADIUS_ARCSEC:
            raise BadConeError(
                f"radius {self.radius_arcsec:g} is not above 0 and at most "
                f"{MAX_RADIUS_ARCSEC:g} arcsec (90 degrees)"
            )
        object.__setattr__(self, "ra_deg", self.ra_deg % 360.0)

    @cached_property
    def ranges(self) -> NDArray[np.int64]:
        """Ranges of `_healpix_29` that cover it: int64 (n, 2), first and one past the last.

        Ascending and apart; they hold the whole cone and up to a few times its area.
        """
        import hpgeom
        import numpy as np

        order = _cover_order(self.radius_arcsec)
        # Stretched a little: a source on the very edge is left to the exact test.
        radius_deg = self.radius_arcsec / 3600 * (1 + 1e-9) + 1e-9
        cells = hpgeom.query_circle(
            2**order,
            self.ra_deg,
            self.dec_deg,
            radius_deg,
            inclusive=True,
            nest=True,
            return_pixel_ranges=True,
        )
        cells = np.asarray(cells, np.int64)
        shifted: NDArray[np.int64] = cells << (2 * (HEALPIX_ORDER - order))
        return shifted

    @property
    def span(self) -> tuple[int, int]:
        """Smallest and largest `_healpix_29` that it may touch."""
        return int(self.ranges[0, 0]), int(self.ranges[-1, 1]) - 1

    def touched(self, pixels: Iterable[HealpixPixel]) -> list[HealpixPixel]:
        """Those of `pixels`, of whatever order each, that it may touch."""
        import numpy as np

        listed = list(pixels)
        if not listed:
            return []
        bounds = np.array([pixel.index_range for pixel in listed], np.int64)
        # The first range that ends after the pixel's start: does it start before the pixel ends?
        at = np.searchsorted(self.ranges[:, 1], bounds[:, 0], side="right")
        starts = np.append(self.ranges[:, 0], np.iinfo(np.int64).max)[at]
        return [pixel for pixel, hit in zip(listed, starts < bounds[:, 1], strict=True) if hit]


def _cover_order(radius_arcsec: float) -> int:
    # A radius near the smallest float would be 0 in degrees.
    width = max(radius_arcsec / 3600, 1e-12)
    return max(0, min(_MAX_COVER_ORDER, math.floor(math.log2(_CELL_DEG_AT_ORDER_0 / width))))
