"""Pixel scales of final solutions against those of priors: how far they are apart, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.pixel_maps import PixelMaps
from transforms.pixel_scale import Bools, Grid, arrays_of, points_of, scales_of_image
from transforms.sphere import Floats

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ScaleDifferences:
    """Final pixel scales against their priors, percent of the prior: float64 (n,) each.

    Attributes
    ----------
    pct_min, pct_max, pct_rms : over the points of the grid.
    worst_x, worst_y : pixel where the difference is farthest from 0.
    pct_worst : the difference there.
    scale_arcsec : mean pixel scale over the grid, arcseconds a pixel.

    All are NaN where the map is not known; all but `scale_arcsec` where the prior is not.
    """

    pct_min: Floats
    pct_max: Floats
    pct_rms: Floats
    worst_x: Floats
    worst_y: Floats
    pct_worst: Floats
    scale_arcsec: Floats


@kernel
def _differences(
    crpix: Floats, cd: Floats, polynomial: Floats, radial: Floats, in_pixels: Bools,
    grid_x: Floats, grid_y: Floats, prior: Floats, of_prior: Integers, found: Floats,
) -> None:  # fmt: skip
    work, scale = np.empty((12, grid_x.size)), np.empty(grid_x.size)
    for k in range(crpix.shape[0]):
        scales_of_image(
            crpix[k], cd[k], polynomial[k], radial[k], in_pixels[k], grid_x, grid_y, work, scale
        )
        total, squares, least, most, at_least, at_most = 0.0, 0.0, math.inf, -math.inf, 0, 0
        row = of_prior[k]
        for g in range(scale.size):
            total += scale[g]
            percent = 100.0 * (scale[g] / prior[row, g] - 1.0) if row >= 0 else math.nan
            squares += percent * percent
            if percent < least:
                least, at_least = percent, g
            if percent > most:
                most, at_most = percent, g
        found[6, k] = total / scale.size
        if math.isnan(squares):
            found[:6, k] = math.nan
            continue
        worst, extreme = (at_most, most) if most >= -least else (at_least, least)
        found[0, k], found[1, k] = least, most
        found[2, k] = math.sqrt(squares / scale.size)
        found[3, k], found[4, k], found[5, k] = grid_x[worst], grid_y[worst], extreme


def scale_differences(
    maps: PixelMaps, grid: Grid, prior_arcsec: ArrayLike, of_prior: ArrayLike
) -> ScaleDifferences:
    """Percent difference of pixel scale, final against prior, as in Shupe et al. (SciPy 2018).

    Parameters
    ----------
    maps : final solutions of n images.
    grid : g points.
    prior_arcsec : float64 (m, g), pixel scales of the priors at the same points.
    of_prior : int (n,), the prior of each image; −1 for none.

    Raises
    ------
    TransformError : shapes do not fit, or there is no such prior.
    """
    x, y = points_of(grid)
    prior = np.require(prior_arcsec, np.float64, ["C", "A", "W"])
    rows = np.require(of_prior, np.int64, ["C", "A", "W"])
    if prior.ndim != 2 or prior.shape[1] != x.size or rows.shape != (len(maps),):
        raise TransformError(
            f"{len(maps)} images and {x.size} points do not fit priors {prior.shape}, "
            f"rows {rows.shape}"
        )
    if rows.size and not (rows.min() >= -1 and rows.max() < len(prior)):
        raise TransformError(f"priors {rows.min()}…{rows.max()} of {len(prior)}")
    found = np.empty((7, len(maps)))
    _differences(*arrays_of(maps), x, y, prior, rows, found)
    return ScaleDifferences(*found)
