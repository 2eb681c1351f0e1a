"""The pixels to work on, none with too many rows, and what of the sky is within reach of one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import hpgeom
import numpy as np

from products.crossmatch.rows import NOWHERE, Catalogue, Keys, Ranges
from store.layout import HEALPIX_ORDER, HealpixPixel

# Left and right rows of a pixel together; its arrays then take some 100 MB.
MOST_ROWS = 1 << 20
MAX_ORDER = 18
# The ring around a pixel is made of pixels this many orders deeper: 32 a side.
RING_DEPTH = 5
# Whatever lies nearer to a pixel of order k than this, over 2^k, is in it or in one that touches
# it. The narrowest pixels, at the poles of low orders, have 0.69 and more (radians).
NARROWEST = 0.5


@dataclass(frozen=True, slots=True)
class Task:
    """One pixel to match, and the pixel of the output that its rows belong to.

    `pixel` is None for the left rows without a position.
    """

    pixel: HealpixPixel | None
    home: HealpixPixel | None

    @property
    def ranges(self) -> Ranges:
        """The pixel as a range of `_healpix_29`."""
        ends = self.pixel.index_range if self.pixel else (NOWHERE, 0)
        return np.array([ends], dtype=np.int64)


def tasks(left: Catalogue, right: Catalogue) -> list[Task]:
    """Pixels that hold all left rows, in the order of `_healpix_29`.

    Those of the left catalogue if it is partitioned, else as coarse as their rows allow; cut
    further where too many rows are in one.
    """
    found = [Task(None, None)] if left.count(NOWHERE, 0) else []
    homes = left.pixels or tuple(HealpixPixel(0, i) for i in range(12))
    for home in homes:
        leaves = _leaves(home, left, right)
        found += [Task(pixel, home if left.pixels else pixel) for pixel in leaves]
    return found


def _leaves(pixel: HealpixPixel, left: Catalogue, right: Catalogue) -> Iterator[HealpixPixel]:
    n_left = left.count(*pixel.index_range)
    if not n_left:
        return
    if pixel.order < MAX_ORDER and n_left + right.count(*pixel.index_range) > MOST_ROWS:
        for i in range(4):
            yield from _leaves(HealpixPixel(pixel.order + 1, 4 * pixel.npix + i), left, right)
    else:
        yield pixel


def around(pixel: HealpixPixel, radius_arcsec: float) -> Ranges:
    """Ranges of `_healpix_29` that hold the pixel and all within a radius of it.

    Parameters
    ----------
    radius_arcsec : 0 to 36000.
    """
    radius = math.radians(radius_arcsec / 3600)
    deepest = int(math.log2(NARROWEST / radius)) if radius > 0 else HEALPIX_ORDER
    order = min(pixel.order + RING_DEPTH, deepest, HEALPIX_ORDER)
    if order < pixel.order:
        own = pixel.npix >> 2 * (pixel.order - order)
        edge, past = np.array([own]), own + 1
    else:
        depth = order - pixel.order
        own, past = pixel.npix << 2 * depth, (pixel.npix + 1) << 2 * depth
        edge = own + _edge(depth)
    touching = hpgeom.neighbors(2**order, edge).ravel()
    outside = touching[(touching >= 0) & ((touching < own) | (touching >= past))]
    # The pixel itself stands among them as one, whatever it has inside.
    begins = np.append(outside, own)
    order_of = np.argsort(begins)
    begins, ends = begins[order_of], np.append(outside + 1, past)[order_of]
    gaps = begins[1:] > ends[:-1]
    begins, ends = begins[np.append(True, gaps)], ends[np.append(gaps, True)]
    shifted: Ranges = np.stack([begins, ends], axis=1).astype(np.int64)
    return shifted << (2 * (HEALPIX_ORDER - order))


@cache
def _edge(depth: int) -> Keys:
    """Those of the pixels inside one, so many orders deeper, that lie on its border."""
    inside = np.arange(4**depth)
    every = (4**depth - 1) // 3  # the bits of one axis; those of the other lie between them
    x, y = inside & every, inside >> 1 & every
    return np.flatnonzero((x == 0) | (x == every) | (y == 0) | (y == every))
