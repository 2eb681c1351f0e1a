"""Reference images: deep coadds whose catalogues seed the matching."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from astropy.wcs import WCS

from simulate import headers, variables
from simulate.arrays import Floats, Ints
from simulate.conditions import COLOUR_COEFFICIENT, REFERENCE_LIMIT_MAG, ZERO_POINT_MAG
from simulate.detector import Frame, measure
from simulate.identity import reference_path, rfid_of
from simulate.optics import reference_wcs
from simulate.sky import Sky
from simulate.streams import REFERENCE, stream
from simulate.task import Outcome, Task
from simulate.writer import write_bytes, write_catalogue

REFERENCE_THRESHOLD = 3.0  # signal-to-noise ratio; real ones start there
REFERENCE_BOUNDS_PX = (45.0, 3155.0, 45.0, 3155.0)  # a real one spans 52 to 3146
REFERENCE_ERROR_FLOOR = 0.0084  # the brightest of a real one have snr 119
EXPOSURES_COADDED = 25  # the paper: 15 to 40


def make_references(
    task: Task, sky: Sky, centre_deg: Floats, rotation: float, outcome: Outcome
) -> dict[int, Ints]:
    """Make a quadrant's references; its first task also writes and counts them.

    Parameters
    ----------
    task, sky : which quadrant, and what is there.
    centre_deg, rotation : where the channel points; degrees and radians.
    outcome : its counts grow.

    Returns
    -------
    Of each filter, int (n,): the row that each true source became, −1 for none.
    """
    plan = task.plan
    found: dict[int, Ints] = {}
    if not plan.references or not (task.first or plan.truth_detections):
        return found
    for fid in plan.filters:
        rows_of = np.full(len(sky.ra), -1)
        if task.sky_file is not None and fid == task.sky_file.fid:
            n_rows = len(task.sky_file.ra)
            rows_of[:n_rows] = np.arange(n_rows)
            if task.first:
                path = task.directory / reference_path(task.field, fid, task.rcid)
                write_bytes(path, task.sky_file.path.read_bytes())
        else:
            rows, index = _reference(task, sky, fid, reference_wcs(centre_deg, rotation))
            rows_of[index] = rows["sourceid"]
            n_rows = len(rows)
        found[fid] = rows_of
        if task.first:
            outcome.n_references += 1
            outcome.n_reference_rows += n_rows
    return found


def _reference(task: Task, sky: Sky, fid: int, wcs: WCS) -> tuple[npt.NDArray[np.void], Ints]:
    """Measure one reference image, and write it if this is the first task."""
    rng = stream(task.plan.seed, REFERENCE, rfid_of(task.field, fid, task.rcid))
    frame = Frame(
        wcs=wcs, fid=fid, bounds_px=REFERENCE_BOUNDS_PX, pixel_arcsec=1.0,
        seeing_px=round(float(rng.uniform(1.8, 2.4)), 3),
        magzp=round(ZERO_POINT_MAG[fid][1] + float(rng.normal(0, 0.05)), 3),
        clrcoeff=round(float(rng.normal(*COLOUR_COEFFICIENT[fid])), 6),
        limit_mag=round(REFERENCE_LIMIT_MAG[fid] + float(rng.normal(0, 0.1)), 4),
        gain=6.2 * EXPOSURES_COADDED,
        saturate_dn=58_000.0, background_dn=200.0, error_floor=REFERENCE_ERROR_FLOOR,
        threshold=REFERENCE_THRESHOLD, single=False, missing_fraction=0.0,
    )  # fmt: skip
    calibration = headers.Calibration(
        magzpunc=round(float(rng.uniform(2e-6, 2e-5)), 10),
        magzprms=round(float(rng.uniform(0.02, 0.04)), 6),
        clrcounc=round(float(rng.uniform(5e-6, 3e-5)), 10),
        n_calibrators=int(rng.integers(300, 1500)),
        read_noise=9.0,
    )
    constant = sky.mag[fid - 1].copy()
    constant[sky.kind == variables.TRANSIENT] = variables.INVISIBLE_MAG
    rows, index = measure(rng, sky, constant, frame, partial(_place, sky, wcs))
    if task.first:
        primary = headers.reference_header(task.field, task.rcid, frame, calibration, len(rows))
        path = task.directory / reference_path(task.field, fid, task.rcid)
        write_catalogue(path, primary, rows)
    return rows, index


def _place(sky: Sky, wcs: WCS, which: Ints) -> tuple[Floats, Floats]:
    x, y = wcs.wcs_world2pix(np.stack([sky.ra[which], sky.dec[which]], axis=1), 1).T
    return x, y
