"""One quadrant image of one exposure: its detector, its rows, its file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from astropy.wcs import WCS

from simulate import headers
from simulate.arrays import Floats, Ints
from simulate.cards import text
from simulate.detector import Frame, Projection, measure
from simulate.geometry import CHIP_X_PX, CHIP_Y_PX, PIXEL_ARCSEC
from simulate.identity import science_folder, science_stem
from simulate.optics import ImageWcs
from simulate.pointing import Exposure
from simulate.sky import Sky
from simulate.streams import IMAGE, stream
from simulate.task import Task
from simulate.writer import write_bytes, write_catalogue

SINGLE_THRESHOLD = 5.0  # signal-to-noise ratio
SINGLE_BOUNDS_PX = (0.5, CHIP_X_PX + 0.5, 0.5, CHIP_Y_PX + 0.5)


@dataclass(frozen=True)
class Image:
    """What was measured in one quadrant image.

    Parameters
    ----------
    exposure, frame : when, and with what detector.
    mag_now : float64 (n,), magnitudes of all true sources at that time.
    rows : structured (m,), the file's table.
    index : int64 (m,), the true source of each row, −1 of a spurious one.
    """

    exposure: Exposure
    frame: Frame
    mag_now: Floats
    rows: npt.NDArray[np.void]
    index: Ints


def make_image(
    task: Task,
    exposure: Exposure,
    sky: Sky,
    mag_now: Floats,
    wcs: ImageWcs,
    place: Projection,
) -> Image:
    """Measure and write one image.

    Parameters
    ----------
    task, exposure, sky : which quadrant, when, and what is there.
    mag_now : float64 (n,), magnitudes at that time.
    wcs : world coordinates of the image, as its header has them.
    place : from indices of sources to pixels of this image.
    """
    plan, rcid = task.plan, task.rcid
    rng = stream(plan.seed, IMAGE, exposure.expid, rcid)
    frame = _frame(rng, exposure, rcid, wcs.wcs, plan.missing_fraction)
    calibration = _calibration(rng, rcid)
    rows, index = measure(rng, sky, mag_now, frame, place)
    folder = task.directory / science_folder(exposure.file_time)
    stem = science_stem(exposure.file_time, exposure.field, exposure.fid, rcid)
    keywords = headers.science_keywords(exposure, rcid, frame, calibration, len(rows))
    if plan.header == "full":
        primary = headers.full_header(keywords, wcs)
    else:
        primary = headers.minimal_header(keywords)
        beside = headers.image_header(exposure, rcid, keywords, wcs)
        write_bytes(folder / f"{stem}_sciimg.hdr", text(beside))
    write_catalogue(folder / f"{stem}_psfcat.fits", primary, rows, flags=plan.flags)
    return Image(exposure, frame, mag_now, rows, index)


def _channel(rcid: int) -> np.random.Generator:
    """Gain, full well and read noise are the channel's own, in every survey."""
    return np.random.default_rng([rcid])


def _frame(
    rng: np.random.Generator, exposure: Exposure, rcid: int, wcs: WCS, missing_fraction: float
) -> Frame:
    now, channel = exposure.conditions, _channel(rcid)
    return Frame(
        wcs=wcs, fid=exposure.fid, bounds_px=SINGLE_BOUNDS_PX, pixel_arcsec=PIXEL_ARCSEC,
        seeing_px=round(now.seeing_px * float(np.exp(rng.normal(0, 0.03))), 3),
        magzp=round(now.magzp + float(rng.normal(0, 0.02)), 6),
        clrcoeff=round(now.clrcoeff + float(rng.normal(0, 0.005)), 6),
        limit_mag=round(now.limit_mag + float(rng.normal(0, 0.05)), 4),
        gain=round(float(channel.uniform(6.0, 6.5)), 1),
        saturate_dn=round(float(channel.uniform(57_300, 61_000)), 3),
        background_dn=200.0,
        error_floor=float(rng.uniform(0.008, 0.014)),
        threshold=SINGLE_THRESHOLD, single=True, missing_fraction=missing_fraction,
    )  # fmt: skip


def _calibration(rng: np.random.Generator, rcid: int) -> headers.Calibration:
    return headers.Calibration(
        magzpunc=round(float(rng.uniform(1e-6, 5e-5)), 10),
        magzprms=round(float(rng.uniform(0.024, 0.05)), 6),
        clrcounc=round(float(rng.uniform(5e-6, 1e-4)), 10),
        n_calibrators=int(rng.integers(60, 2100)),
        read_noise=round(float(_channel(rcid).uniform(8.5, 10.5)), 1),
    )
