"""One quadrant of one field: its sky, its references, and its images on some exposures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from simulate import headers, truth, variables
from simulate.arrays import Floats, Ints
from simulate.blends import isolated
from simulate.cards import text
from simulate.conditions import REFERENCE_LIMIT_MAG, ZERO_POINT_MAG
from simulate.detector import Frame, measure
from simulate.geometry import CHIP_X_PX, CHIP_Y_PX, PIXEL_ARCSEC, channel_offset_deg
from simulate.geometry import fields as survey_fields
from simulate.identity import reference_path, rfid_of, science_folder, science_stem
from simulate.optics import (
    ImageWcs,
    field_rotation,
    offset_position,
    reference_wcs,
    science_wcs,
)
from simulate.plan import SurveyPlan
from simulate.pointing import EXPOSURE_S, Exposure
from simulate.site import Aspect, aspects, heliocentric_mjd
from simulate.sky import Sky, make_sky
from simulate.skyfile import SkyFile
from simulate.streams import IMAGE, REFERENCE, stream
from simulate.writer import write_bytes, write_catalogue

SINGLE_THRESHOLD, REFERENCE_THRESHOLD = 5.0, 3.0  # signal-to-noise ratios
REFERENCE_BOUNDS_PX = (45.0, 3155.0, 45.0, 3155.0)  # a real one spans 52 to 3146
REFERENCE_ERROR_FLOOR = 0.0084  # the brightest of a real one have snr 119
SINGLE_BOUNDS_PX = (0.5, CHIP_X_PX + 0.5, 0.5, CHIP_Y_PX + 0.5)


@dataclass(frozen=True)
class Task:
    """What one worker does at a time.

    Parameters
    ----------
    directory, plan, sky_file : of the whole survey.
    field, rcid : the quadrant.
    exposures : some of the field's exposures.
    first : this is the quadrant's first task, which writes what exists once.
    mjd_range : of the whole survey, so that all tasks see the same sky.
    """

    directory: Path
    plan: SurveyPlan
    sky_file: SkyFile | None
    field: int
    rcid: int
    exposures: tuple[Exposure, ...]
    first: bool
    mjd_range: tuple[float, float]


@dataclass
class Outcome:
    """What a task did: counts, and the truth of its sources and rows."""

    n_images: int
    n_rows: int
    n_references: int
    n_reference_rows: int
    sources: list[pa.RecordBatch]
    detections: list[pa.RecordBatch]


def observe(task: Task) -> Outcome:
    """Write a quadrant's files and return its truth."""
    plan, rcid = task.plan, task.rcid
    centre, rotation = _aim(survey_fields()[task.field], rcid)
    sky = make_sky(plan, task.field, rcid, centre, rotation, task.mjd_range, task.sky_file)
    outcome = Outcome(0, 0, 0, 0, [], [])
    reference_rows = _references(task, sky, centre, rotation, outcome)
    if task.first:
        columns = truth.source_columns(sky, task.field, rcid, reference_rows)
        outcome.sources.append(truth.batch(truth.SOURCES, columns))
    if not task.exposures:
        return outcome
    starts = np.array([exposure.obsmjd for exposure in task.exposures])
    aims = [_aim(exposure.boresight_deg, rcid) for exposure in task.exposures]
    centres = np.array([aim[0] for aim in aims])
    aspect = aspects(starts, centres[:, 0], centres[:, 1])
    hmjd = heliocentric_mjd(starts, EXPOSURE_S, sky.ra[sky.varying], sky.dec[sky.varying])
    changes = _changes(sky, hmjd)
    for number, exposure in enumerate(task.exposures):
        wcs = _science_wcs(centres[number], rcid, aims[number][1], aspect, number)
        mag_now = sky.mag[exposure.fid - 1].copy()
        mag_now[sky.varying] += changes[exposure.fid - 1, number]
        frame, rows, index = _image(task, exposure, sky, mag_now, wcs)
        outcome.n_images += 1
        outcome.n_rows += len(rows)
        if plan.truth_detections:
            row_of = reference_rows.get(exposure.fid)
            outcome.detections.append(
                _row_truth(task, exposure, sky, mag_now, frame, rows, index, row_of, hmjd[number])
            )
    return outcome


def _aim(boresight_deg: tuple[float, float], rcid: int) -> tuple[Floats, float]:
    """Centre of a channel (ra, dec), degrees, and the camera's rotation there, radians."""
    offset = channel_offset_deg(rcid)
    return offset_position(*boresight_deg, *offset), field_rotation(*boresight_deg, offset)


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


def _image(
    task: Task, exposure: Exposure, sky: Sky, mag_now: Floats, wcs: ImageWcs
) -> tuple[Frame, npt.NDArray[np.void], Ints]:
    """Measure and write one image."""
    plan, rcid = task.plan, task.rcid
    rng = stream(plan.seed, IMAGE, exposure.expid, rcid)
    now = exposure.conditions
    channel = np.random.default_rng([rcid])  # gain and full well are the channel's own
    frame = Frame(
        wcs=wcs.wcs, fid=exposure.fid, bounds_px=SINGLE_BOUNDS_PX, pixel_arcsec=PIXEL_ARCSEC,
        seeing_px=round(now.seeing_px * float(np.exp(rng.normal(0, 0.03))), 3),
        magzp=round(now.magzp + float(rng.normal(0, 0.02)), 6),
        clrcoeff=round(now.clrcoeff + float(rng.normal(0, 0.005)), 6),
        limit_mag=round(now.limit_mag + float(rng.normal(0, 0.05)), 4),
        gain=round(float(channel.uniform(6.0, 6.5)), 1),
        saturate_dn=round(float(channel.uniform(57_300, 61_000)), 3),
        background_dn=200.0,
        error_floor=float(rng.uniform(0.008, 0.014)),
        threshold=SINGLE_THRESHOLD, single=True, missing_fraction=plan.missing_fraction,
    )  # fmt: skip
    calibration = headers.Calibration(
        magzpunc=round(float(rng.uniform(1e-6, 5e-5)), 10),
        magzprms=round(float(rng.uniform(0.024, 0.05)), 6),
        clrcounc=round(float(rng.uniform(5e-6, 1e-4)), 10),
        n_calibrators=int(rng.integers(60, 2100)),
        read_noise=round(float(channel.uniform(8.5, 10.5)), 1),
    )
    rows, index = measure(rng, sky, mag_now, frame)
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
    return frame, rows, index


def _references(
    task: Task, sky: Sky, centre: Floats, rotation: float, outcome: Outcome
) -> dict[int, Ints]:
    """Make the references (written by the first task): by filter, each source's row or −1."""
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
            rows, index = _reference(task, sky, fid, reference_wcs(centre, rotation))
            rows_of[index] = rows["sourceid"]
            n_rows = len(rows)
        found[fid] = rows_of
        if task.first:
            outcome.n_references += 1
            outcome.n_reference_rows += n_rows
    return found


def _reference(task: Task, sky: Sky, fid: int, wcs: object) -> tuple[npt.NDArray[np.void], Ints]:
    """Measure one reference image, and write it if this is the first task."""
    rng = stream(task.plan.seed, REFERENCE, rfid_of(task.field, fid, task.rcid))
    frame = Frame(
        wcs=wcs, fid=fid, bounds_px=REFERENCE_BOUNDS_PX, pixel_arcsec=1.0,
        seeing_px=round(float(rng.uniform(1.8, 2.4)), 3),
        magzp=round(ZERO_POINT_MAG[fid][1] + float(rng.normal(0, 0.05)), 3),
        clrcoeff=round(float(rng.normal(0.1 if fid > 1 else -0.07, 0.02)), 6),
        limit_mag=round(REFERENCE_LIMIT_MAG[fid] + float(rng.normal(0, 0.1)), 4),
        gain=6.2 * 25,  # the mean of 15 to 40 exposures
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
    rows, index = measure(rng, sky, constant, frame)
    if task.first:
        primary = headers.reference_header(task.field, task.rcid, frame, calibration, len(rows))
        path = task.directory / reference_path(task.field, fid, task.rcid)
        write_catalogue(path, primary, rows)
    return rows, index


def _row_truth(
    task: Task,
    exposure: Exposure,
    sky: Sky,
    mag_now: Floats,
    frame: Frame,
    rows: npt.NDArray[np.void],
    index: Ints,
    reference_row: Ints | None,
    hmjd: Floats,
) -> pa.RecordBatch:
    """Truth of an image's rows."""
    n, real = len(rows), index >= 0
    if reference_row is None:
        reference_row = np.full(len(sky.ra), -1)
    rows_of = np.where(real, reference_row[index], -1)
    hmjd_all = np.full(len(sky.ra), np.nan)
    hmjd_all[sky.varying] = hmjd
    times = hmjd_all[index]
    expected = mag_now - frame.clrcoeff * sky.colour(frame.fid)
    kinds = {field.name: field.type for field in truth.DETECTIONS}
    columns = {
        "expid": pa.array(np.full(n, exposure.expid)),
        "field": pa.array(np.full(n, task.field, np.int16)),
        "fid": pa.array(np.full(n, exposure.fid, np.int8)),
        "rcid": pa.array(np.full(n, task.rcid, np.int8)),
        "sourceid": pa.array(rows["sourceid"].astype(np.int32)),
        "ref_sourceid": truth.nullable(rows_of, rows_of >= 0, pa.int32()),
        "hmjd_true": truth.nullable(times, real & np.isfinite(times), pa.float64()),
        "snr": pa.array(rows["snr"].astype(np.float32)),
        "isolated": pa.array(real & isolated(sky, exposure.fid, mag_now)[index]),
    }
    for name, values in (
        ("source_id", sky.source_id),
        ("mag_true", mag_now),
        ("mag_expected", expected),
        ("ra_true", sky.ra),
        ("dec_true", sky.dec),
    ):
        columns[name] = truth.nullable(values[index], real, kinds[name])
    return truth.batch(truth.DETECTIONS, columns)
