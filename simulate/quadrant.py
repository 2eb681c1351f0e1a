"""One quadrant of one field: its sky, its references, and its images on some exposures."""

from __future__ import annotations

from functools import partial

import numpy as np

from simulate import truth, variables
from simulate.arrays import Floats
from simulate.blends import isolated
from simulate.geometry import channel_offset_deg
from simulate.geometry import fields as survey_fields
from simulate.image import make_image
from simulate.optics import ImageWcs, aim, science_wcs
from simulate.pixelmap import PixelMap
from simulate.pointing import EXPOSURE_S
from simulate.reference import make_references
from simulate.site import Aspect, aspects, heliocentric_mjd
from simulate.sky import Sky, make_sky
from simulate.task import Outcome, Task
from simulate.wrong import with_wrong_corner

SKY_MJD = 58849.0  # 2020-01-01


def observe(task: Task) -> Outcome:
    """Write a quadrant's files and return its truth."""
    plan, rcid = task.plan, task.rcid
    offset = channel_offset_deg(rcid)
    # One sky and one reference for all years: the turn of the pole by then is a few pixels.
    centre, rotation = aim(survey_fields()[task.field], offset, SKY_MJD)
    sky = make_sky(plan, task.field, rcid, centre, rotation, task.mjd_range, task.sky_file)
    outcome = Outcome()
    reference_rows = make_references(task, sky, centre, rotation, outcome)
    if task.first:
        columns = truth.source_columns(sky, task.field, rcid, reference_rows)
        outcome.sources.append(truth.batch(truth.SOURCES, columns))
    if not task.exposures:
        return outcome
    starts = np.array([exposure.obsmjd for exposure in task.exposures])
    aims = [aim(e.boresight_deg, offset, e.obsmjd) for e in task.exposures]
    centres = np.array([aim[0] for aim in aims])
    aspect = aspects(starts, centres[:, 0], centres[:, 1])
    hmjd = heliocentric_mjd(starts, EXPOSURE_S, sky.ra[sky.varying], sky.dec[sky.varying])
    changes = _changes(sky, hmjd)
    solutions = [
        _science_wcs(centres[number], rcid, aims[number][1], aspect, number)
        for number in range(len(aims))
    ]
    pixel_map = PixelMap(solutions[0].wcs, sky.ra, sky.dec)
    absent = np.full(len(sky.ra), -1)
    for number, exposure in enumerate(task.exposures):
        mag_now = sky.mag[exposure.fid - 1].copy()
        mag_now[sky.varying] += changes[exposure.fid - 1, number]
        wcs = solutions[number]
        place = partial(pixel_map.pixels, wcs.wcs)
        if (exposure.expid, rcid) in task.wrong:
            wcs = with_wrong_corner(wcs, plan.seed, exposure.expid, rcid)
        image = make_image(task, exposure, sky, mag_now, wcs, place)
        outcome.n_images += 1
        outcome.n_rows += len(image.rows)
        if plan.truth_detections:
            columns = truth.detection_columns(
                sky, task.field, rcid, image, reference_rows.get(exposure.fid, absent),
                hmjd[number], isolated(sky, exposure.fid, mag_now),
            )  # fmt: skip
            outcome.detections.append(truth.batch(truth.DETECTIONS, columns))
    return outcome


def _science_wcs(
    centre: Floats, rcid: int, rotation: float, aspect: Aspect, number: int
) -> ImageWcs:
    return science_wcs(
        centre, rcid, rotation,
        secz=float(aspect.secz[number]),
        parallactic=float(aspect.parallactic[number]),
        approach=float(aspect.approach[number]),
    )  # fmt: skip


def _changes(sky: Sky, hmjd: Floats) -> Floats:
    """Change of magnitude (3, t, v) of the varying sources, in g, r, i."""
    changes = np.zeros((3, *hmjd.shape))
    kinds = sky.kind[sky.varying]
    for kind, factors in variables.BAND_FACTORS.items():
        those = np.flatnonzero(kinds == kind)
        if len(those) == 0:
            continue
        stars = sky.varying[those]
        change = variables.magnitude_change(
            kind, hmjd[:, those], sky.period_d[stars], sky.epoch_hmjd[stars], sky.amplitude[stars]
        )
        for band, factor in enumerate(factors):
            changes[band][:, those] = factor * change
    return changes
