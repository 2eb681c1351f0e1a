"""Where ZTF's 64 readout channels lie in the focal plane, and an ideal camera's scale there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from transforms.chip import QUADRANT_CENTRE_PIX
from transforms.errors import TransformError
from transforms.pixel_scale import ARCSEC_PER_DEGREE, Grid
from transforms.sphere import Floats

# Centres of the channels from the boresight, degrees, of the eight columns from east to west and
# the eight rows from south to north: means over the survey's layout table
# (ztf_ccd_quad_layout.tbl in ztfquery), from which no channel departs by more than 0.002°.
COLUMN_EAST_DEG = np.array([3.2141, 2.3509, 1.3575, 0.4941, -0.4947, -1.3580, -2.3515, -3.2147])
ROW_NORTH_DEG = np.array([-3.2983, -2.4351, -1.3853, -0.5219, 0.5227, 1.3860, 2.4353, 3.2986])

# At the boresight and the zenith, arcseconds a pixel: median of 17 real headers less refraction,
# whose scatter is 1e-4. Their PIXSCALE is 1.012.
BORESIGHT_SCALE_ARCSEC = 1.0126
CHANNELS = 64


def channel_centres(rcid: ArrayLike) -> Floats:
    """East and north offset of channels from the boresight: float64 (n, 2), degrees.

    Raises
    ------
    TransformError : a channel is not 0 to 63.
    """
    channel = np.atleast_1d(np.asarray(rcid, dtype=np.int64))
    if channel.size and not (channel.min() >= 0 and channel.max() < CHANNELS):
        raise TransformError(
            f"readout channels are 0 to 63, got {channel.min()} to {channel.max()}"
        )
    ccd, quadrant = np.divmod(channel, 4)
    # Quadrants of a CCD run from the north-east against the clock: 1 is north-west.
    column = 2 * (ccd % 4) + np.isin(quadrant, (1, 2))
    row = 2 * (ccd // 4) + np.isin(quadrant, (0, 1))
    return np.stack([COLUMN_EAST_DEG[column], ROW_NORTH_DEG[row]], axis=1)


def ideal_scales(rcid: ArrayLike, grid: Grid) -> Floats:
    """Pixel scales of channels in a camera whose plane is equidistant.

    A distance in the plane is the angle from the boresight, not its tangent: over the field the two
    differ by 4″ rms, which the paper found. A pixel at θ covers sin θ / θ of one in the middle.

    Parameters
    ----------
    rcid : (n,) readout channels, 0 to 63.
    grid : g points; x runs west and y south, from the centre of the quadrant.

    Returns
    -------
    float64 (n, g), arcseconds a pixel. Real good images of airmass up to 2.4 agree to 0.2 %: it
    is the prior of last resort.
    """
    east, north = channel_centres(rcid).T[:, :, None]
    step_deg = BORESIGHT_SCALE_ARCSEC / ARCSEC_PER_DEGREE
    x, y = (
        step_deg * (one - centre) for one, centre in zip(grid, QUADRANT_CENTRE_PIX, strict=True)
    )
    angle = np.radians(np.hypot(east - x, north - y))
    # numpy's sinc is of π x.
    scales: Floats = BORESIGHT_SCALE_ARCSEC * np.sqrt(np.sinc(angle / np.pi))
    return scales
