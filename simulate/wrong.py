"""Images whose world coordinates go wrong in a corner, as where no star held the fit.

The stars are where they are; the header, and the positions that come of it, are off.
"""

from __future__ import annotations

import math

import numpy as np

from simulate.geometry import CHIP_X_PX, CHIP_Y_PX, CRPIX
from simulate.optics import ImageWcs, wcs_of
from simulate.plan import SurveyPlan
from simulate.pointing import Exposure
from simulate.streams import WRONG, stream

SCALE_ERROR_PERCENT = 1.5  # of the pixel scale, at the corner
FIRST_CUBIC, FIRST_QUARTIC = 7, 12  # PV numbers of x³ and x⁴; others of the degree follow


def wrong_images(plan: SurveyPlan, exposures: list[Exposure]) -> frozenset[tuple[int, int]]:
    """Which images go wrong, as (expid, rcid): as many as the plan says, or all there are."""
    images = sorted((exposure.expid, rcid) for exposure in exposures for rcid in plan.channels)
    number = min(plan.wrong_wcs, len(images))
    chosen = stream(plan.seed, WRONG).choice(len(images), number, replace=False)
    return frozenset(images[k] for k in chosen)


def with_wrong_corner(image: ImageWcs, seed: int, expid: int, rcid: int) -> ImageWcs:
    """The same world coordinates, but for a corner where the pixel scale is 1.5 % off.

    Along the first axis a distortion k w³ (1 + w / reach) is added, w running over the chip's
    diagonal from one corner, −reach, to the other: its slope is 7 k reach² there and a seventh
    of that at the first.
    """
    right, top = stream(seed, WRONG, expid, rcid).integers(0, 2, 2)
    corner = (CHIP_X_PX if right else 1, CHIP_Y_PX if top else 1)
    cards = dict(image.cards)
    cd = np.array([[float(cards[f"CD{i}_{j}"]) for j in (1, 2)] for i in (1, 2)])
    across = cd @ (np.array(corner) - CRPIX)
    s, t = np.sign(across)
    reach = np.abs(across).sum()
    # An area grows by the slope, the scale by half of that.
    k = 2 * SCALE_ERROR_PERCENT / 100 / 7 / reach**2
    for first, power, factor in ((FIRST_CUBIC, 3, k), (FIRST_QUARTIC, 4, k / reach)):
        for other in range(power + 1):
            key = f"PV1_{first + other}"
            term = factor * math.comb(power, other) * s ** (power - other + 1) * t**other
            cards[key] = float(f"{float(cards.get(key, 0.0)) + term:.12e}")
    return ImageWcs(wcs_of(cards), tuple(cards.items()))
