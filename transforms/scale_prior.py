"""The prior of the scale check: pixel scales that a channel's images should have.

A channel here is a readout channel in a filter; callers number them as they like. The first of
three is taken that a channel has: headers that were given, the median of the archive's own good
images, the ideal camera.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.pixel_maps import PixelMaps
from transforms.pixel_scale import Grid, pixel_scales
from transforms.sphere import Floats

GIVEN, ARCHIVE, IDEAL = "given", "archive", "ideal"

# The paper's are of high elevations: there refraction changes the scale by less than 0.014 %.
LARGEST_AIRMASS = 1.5
FEWEST_IMAGES = 10
# More bring nothing: one image scatters in the third digit of a percent.
MOST_IMAGES = 30

Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


def is_prior_material(
    secz: ArrayLike, is_good: ArrayLike, largest_airmass: float = LARGEST_AIRMASS
) -> Bools:
    """Which images (n,) are good and of low airmass; those of unknown airmass (NaN) are not."""
    low: Bools = np.asarray(secz, dtype=np.float64) <= largest_airmass
    return low & np.asarray(is_good, dtype=np.bool_)


def archive_prior(
    maps: PixelMaps,
    grid: Grid,
    channel: ArrayLike,
    n_channels: int,
    *,
    fewest: int = FEWEST_IMAGES,
    most: int = MOST_IMAGES,
) -> tuple[Floats, Integers]:
    """Median pixel scales of a channel's images, point by point.

    Half of the images may be wrong before the median leaves the others; ten are enough that an
    image hardly judges itself.

    Parameters
    ----------
    maps : of n images, only such as `is_prior_material` finds good.
    grid : g points.
    channel : int (n,), 0 ≤ channel < n_channels.
    fewest : a channel with fewer gets no prior.
    most : of more images these many are taken, evenly spaced in the order given.

    Returns
    -------
    prior_arcsec : float64 (n_channels, g); NaN where a channel has too few images.
    n_used : int64 (n_channels,), images behind each, also of those that are too few.

    Raises
    ------
    TransformError : a channel is out of range.
    """
    of_image = np.asarray(channel, dtype=np.int64)
    if of_image.shape != (len(maps),):
        raise TransformError(f"channels {of_image.shape} of {len(maps)} images")
    if of_image.size and not (of_image.min() >= 0 and of_image.max() < n_channels):
        raise TransformError(f"channels {of_image.min()} to {of_image.max()} of {n_channels}")
    prior = np.full((n_channels, len(grid.x)), np.nan)
    n_used = np.zeros(n_channels, dtype=np.int64)
    known = np.isfinite(maps.cd).all(axis=(1, 2))
    for one in np.unique(of_image[known]):
        rows = np.flatnonzero(known & (of_image == one))
        if rows.size > most:
            rows = rows[np.linspace(0, rows.size - 1, most).round().astype(np.int64)]
        n_used[one] = rows.size
        if rows.size >= fewest:
            prior[one] = np.median(pixel_scales(maps.take(rows), grid), axis=0)
    return prior, n_used


def choose_prior(
    given: ArrayLike | None, archive: ArrayLike | None, ideal: ArrayLike
) -> tuple[Floats, list[str]]:
    """For each channel the first prior that is known at every point.

    Parameters
    ----------
    given, archive, ideal : float64 (m, g), arcseconds a pixel; NaN where not known. None where
        there is none of that kind.

    Returns
    -------
    prior_arcsec : float64 (m, g).
    sources : m of 'given', 'archive', 'ideal'; empty where none is known.
    """
    prior = np.full(np.asarray(ideal).shape, np.nan)
    sources = [""] * len(prior)
    for source, candidate in ((GIVEN, given), (ARCHIVE, archive), (IDEAL, ideal)):
        if candidate is None:
            continue
        scales = np.asarray(candidate, dtype=np.float64)
        if scales.shape != prior.shape:
            raise TransformError(f"prior {source} is {scales.shape}, not {prior.shape}")
        # A negative scale is of a solution that folds over: no prior.
        with np.errstate(invalid="ignore"):
            sound = (scales > 0).all(axis=1)
        for row in np.flatnonzero(sound):
            if not sources[row]:
                prior[row], sources[row] = scales[row], source
    return prior, sources
