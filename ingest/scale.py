"""The scale check of a batch of images: their pixels held against those of a prior."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.plan import PlannedImage
from ingest.prior import Channel, Prior, prior_grid, scale_recipe
from transforms.photometry import judge_image
from transforms.scale_check import breaks_infobit_16, judge_scale
from transforms.scale_difference import scale_differences
from transforms.wcs_cards import read_cards

# Columns of `images` and where they are in `ScaleDifferences`.
_MEASURED = {
    "pixel_scale_arcsec": "scale_arcsec",
    "pct_scale_diff_min": "pct_min",
    "pct_scale_diff_max": "pct_max",
    "pct_scale_diff_rms": "pct_rms",
    "pct_scale_diff_worst": "pct_worst",
    "scale_worst_x": "worst_x",
    "scale_worst_y": "worst_y",
}
COLUMNS = (*_MEASURED, "scale_prior", "scale_infobit16", "scale_recipe")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an image is bad, the reasons, and what `images` says of its pixel scale."""

    is_bad: bool
    bad_reason: str | None
    scale: Mapping[str, Any]


def recipe_of(
    planned: PlannedImage, priors: Mapping[Channel, Prior], limit_percent: float
) -> str | None:
    """What the image's pixel scale is judged by now; None if it has no WCS with its cards."""
    if planned.facts.wcs_cards is None:
        return None
    return scale_recipe(priors[planned.facts.rcid, planned.facts.fid], limit_percent)


def judge_images(
    images: Sequence[PlannedImage], priors: Mapping[Channel, Prior], limit_percent: float
) -> dict[int, Verdict]:
    """Judge images by their INFOBITS and, all at once, by their pixel scales.

    Parameters
    ----------
    priors : of the channels of all images that have a WCS.

    Returns
    -------
    By pid. An image without a WCS, or with one that is not read, is not judged by its scale.
    """
    grid, number = prior_grid(), {channel: i for i, channel in enumerate(priors)}
    maps = read_cards([image.facts.wcs_cards for image in images])
    prior = np.array([one.scale_arcsec for one in priors.values()]).reshape(-1, len(grid.x))
    of_prior = [number.get((image.facts.rcid, image.facts.fid), -1) for image in images]
    found = scale_differences(maps, grid, prior, of_prior)
    _, reasons = judge_scale(found, limit_percent)
    breaks = breaks_infobit_16(found)
    verdicts = {}
    for k, image in enumerate(images):
        scale: dict[str, Any] = dict.fromkeys(COLUMNS)
        scale["scale_recipe"] = recipe_of(image, priors, limit_percent)
        reason = reasons[k]
        if not maps.problems[k]:
            for column, name in _MEASURED.items():
                value = float(getattr(found, name)[k])
                scale[column] = None if math.isnan(value) else value
            scale["scale_prior"] = priors[image.facts.rcid, image.facts.fid].source
            scale["scale_infobit16"] = bool(breaks[k])
            if scale["pct_scale_diff_worst"] is None:
                reason = "pixel scale is not a number everywhere: its WCS means nothing"
        _, of_status = judge_image(image.facts.infobits)
        given = [one for one in (of_status, reason) if one is not None]
        verdicts[image.pid] = Verdict(bool(given), "; ".join(given) or None, scale)
    return verdicts
