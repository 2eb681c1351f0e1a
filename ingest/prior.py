"""A prior of the scale check, and how long what was judged by it holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from transforms.pixel_scale import Grid, chip_grid
from transforms.sphere import Floats

Channel = tuple[int, int]  # rcid, fid


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """Pixel scales of a channel at the points of `prior_grid`.

    Attributes
    ----------
    source : given, archive or ideal.
    checksum : of the scales.
    scale_arcsec : float64 (g,), arcseconds a pixel.
    """

    source: str
    checksum: str
    scale_arcsec: Floats


@cache
def prior_grid() -> Grid:
    """The points that images and priors are compared at."""
    return chip_grid()


def scale_recipe(prior: Prior, limit_percent: float) -> str:
    """What an image's pixel scale is judged by: `archive=<16 digits> limit=1.0`."""
    return f"{prior.source}={prior.checksum[:16]} limit={float(limit_percent)}"


def still_holds(standing: str | None, now: str | None) -> bool:
    """Whether an image that was judged by one recipe may stay, where another would be now.

    A given prior is meant: images are judged by it. The archive's own move with every night, and
    what was judged by one of them stays; so does what was judged by a prior that is not given now.
    """
    if standing is None or now is None or now.startswith("given="):
        return standing == now
    return standing.partition(" ")[2] == now.partition(" ")[2]
