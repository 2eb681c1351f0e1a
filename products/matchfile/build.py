"""The five tables of a matchfile from plain columns: no file is read or written here."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from products.matchfile.columns import (
    MEASURED,
    MJD_ZERO_JD,
    SECONDS_PER_DAY,
    Channel,
    Columns,
    Inputs,
    Making,
    Row,
)
from products.matchfile.exposures import exposure_rows
from products.matchfile.rows import taken, unit_vectors
from products.matchfile.sources import add_statistics, source_rows
from store.executor import available_cores
from store.matchfile import SOURCEDATA, reference_image_id
from transforms.clustering import cluster
from transforms.error_model import ErrorModel, fit_error_model
from transforms.identifiers import pid
from transforms.placing import NOWHERE, places, put
from transforms.relative_photometry import (
    LARGEST_ERROR_MAG,
    Refinement,
    refine_zero_points,
    unrefined,
)
from transforms.statistics import good_epochs, robust_scatter

Floats = NDArray[np.float64]

# Sources whose scatter makes the error model, their epochs, and how many are looked at.
MODEL_EPOCHS = 10
LEAST_MODEL_SOURCES = 100
MOST_MODEL_SOURCES = 500
# Sources among which calibrators are chosen.
MOST_CANDIDATES = 1000
# Formal errors that make it where there are not as many.
MOST_MODEL_ROWS = 100_000
SCATTER_PER_DEVIATION = 1.4826
# Sources of one image, more than there ever are: a row's id is the image's, and its number there.
ROWS_OF_IMAGE = 1_000_000
# Rows that are finished at once.
PIECE = 32_768


@dataclass(frozen=True, slots=True)
class Match:
    """The tables and attributes of a matchfile."""

    channel: Channel
    attributes: Mapping[str, Any]
    model: ErrorModel
    exposures: Row
    sources: Row
    sourcedata: Columns
    """Columns of the table, in its order; and of no interest to it, `exposure`."""
    transients: Row
    transientdata: Columns
    correction: Floats
    """(exposures,), mag: what the relative photometry added to each."""


def build(inputs: Inputs, making: Making) -> Match:
    """Make the tables of one channel.

    `sources` are in the order of matchid, which is the source's row in the reference catalogue;
    their rows in `sourcedata` follow each other in that order, and of one source in order of time.
    """
    images = inputs.images
    rows, all_starts = _in_order(inputs)
    refinement = _refine(rows, all_starts, inputs, making)
    correction, refined = refinement.correction, refinement.refined
    numbers, starts = _objects(all_starts, making)
    model = _model(rows, all_starts, correction)
    _finish(rows, images, correction, model)
    rows["matchid"] = inputs.references["sourceid"].astype(np.uint32).take(rows["source"])
    references = taken(inputs.references, numbers)
    sources = source_rows(references["sourceid"], references["ra"], references["dec"], references)
    others = _transient_rows(inputs, making, correction, model)
    transients, group_starts = _transients(others)
    if making.statistics:
        for records, at, curves in ((sources, starts, rows), (transients, group_starts, others)):
            number = curves["exposure"]
            add_statistics(records, at, curves, correction[number], refined[number])
    exposures = exposure_rows(
        images,
        inputs.channel.field,
        inputs.channel.fid,
        inputs.channel.rcid,
        *(np.bincount(t["exposure"], minlength=images["expid"].size) for t in (rows, others)),
    )
    attributes = _attributes(inputs, refinement)
    return Match(
        inputs.channel,
        attributes,
        model,
        exposures,
        sources,
        rows,
        transients,
        others,
        correction,
    )


def _in_order(inputs: Inputs) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """The rows that have a source, by source and time, and where those of each source begin.

    What is in order already is not moved.
    """
    columns = {name: inputs.detections[name] for name in (*MEASURED, "source", "exposure")}
    source = columns["source"]
    found = places(
        np.where(source < 0, NOWHERE, source),
        columns["exposure"],
        inputs.references["sourceid"].size,
    )
    if found.moved:
        rows = {name: np.empty(found.size, column.dtype) for name, column in columns.items()}
        for name, column in rows.items():
            put(columns[name], found.place, column)
    else:
        rows = {name: column[: found.size] for name, column in columns.items()}
    return rows, found.starts


def _refine(rows: Columns, starts: NDArray[np.int64], inputs: Inputs, making: Making) -> Refinement:
    stars, exposures = inputs.references["sourceid"].size, inputs.images["expid"].size
    if not making.relative:
        return unrefined(stars, exposures)
    # More would make no difference: calibrators are taken from those that are seen most often.
    there = np.flatnonzero(np.diff(starts))
    first = rows["magerr"][starts[there]]
    order = np.lexsort((first, starts[there] - starts[there + 1], ~(first < LARGEST_ERROR_MAG)))
    at, _ = _rows_of_sources(starts, there[order[:MOST_CANDIDATES]])
    return refine_zero_points(
        rows["source"][at],
        rows["exposure"][at],
        rows["mag"][at],
        rows["magerr"][at],
        good_epochs(rows["catflags"][at]),
        stars=stars,
        exposures=exposures,
    )


def _rows_of_sources(
    starts: NDArray[np.int64], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of some sources one after the other, and where those of each begin."""
    lengths = starts[numbers + 1] - starts[numbers]
    begins = np.concatenate([[0], np.cumsum(lengths)])
    return np.repeat(starts[numbers] - begins[:-1], lengths) + np.arange(begins[-1]), begins


def _refined(mag: NDArray[Any], exposure: NDArray[np.int32], correction: Floats) -> NDArray[Any]:
    return (mag + correction.take(exposure)).astype(np.float32)


def _finish(
    rows: dict[str, NDArray[Any]], images: Columns, correction: Floats, model: ErrorModel
) -> None:
    """Add ids of exposures, dates and refined magnitudes, and give columns their names in the file.

    A piece after the other, each by one core: what comes between stays in the nearer caches.
    """
    number = rows["exposure"]
    middle = images["obsmjd"] + images["exptime"] / 2 / SECONDS_PER_DAY
    programid = np.maximum(images["programid"], 0).astype(np.uint16)
    expid = images["expid"].astype(np.uint32)
    hmjd, mag = rows.pop("hmjd"), rows["mag"]
    made = {
        name: np.empty(number.size, SOURCEDATA.dtype[name])
        for name in ("expid", "mjd", "hjd", "programid", "mag", "magerr")
    }

    def finish(start: int) -> None:
        at = slice(start, start + PIECE)
        exposure = number[at]
        made["expid"][at] = expid.take(exposure)
        made["mjd"][at] = middle.take(exposure)
        made["hjd"][at] = hmjd[at] + MJD_ZERO_JD
        made["programid"][at] = programid.take(exposure)
        made["mag"][at] = _refined(mag[at], exposure, correction)
        made["magerr"][at] = model.errors(made["mag"][at])

    with ThreadPoolExecutor(available_cores()) as cores:
        list(cores.map(finish, range(0, number.size, PIECE)))
    rows["magerrmodel"] = rows.pop("magerr")
    rows["psfflux"], rows["psffluxerr"] = rows.pop("flux"), rows.pop("fluxerr")
    rows |= made


def _objects(
    starts: NDArray[np.int64], making: Making
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The reference sources that get a row, and where the rows of each begin."""
    if making.all_references:
        return np.arange(starts.size - 1), starts
    numbers = np.flatnonzero(np.diff(starts))
    return numbers, np.append(starts[numbers], starts[-1])


def _model(rows: Columns, starts: NDArray[np.int64], correction: Floats) -> ErrorModel:
    """Of the scatter of sources, or of the formal errors where few have enough epochs."""
    many = np.flatnonzero(np.diff(starts) >= MODEL_EPOCHS)
    if many.size >= LEAST_MODEL_SOURCES:
        some = many[:: -(-many.size // MOST_MODEL_SOURCES)]
        at, begins = _rows_of_sources(starts, some)
        mag = _refined(rows["mag"][at], rows["exposure"][at], correction)
        centre, deviation, count = robust_scatter(begins, mag, good_epochs(rows["catflags"][at]))
        enough = count >= MODEL_EPOCHS
        if enough.sum() >= LEAST_MODEL_SOURCES:
            return fit_error_model(centre[enough], SCATTER_PER_DEVIATION * deviation[enough])
    known = np.flatnonzero(good_epochs(rows["catflags"]))
    known = known[:: -(-known.size // MOST_MODEL_ROWS) or 1]
    mag = _refined(rows["mag"][known], rows["exposure"][known], correction)
    return fit_error_model(mag, rows["magerr"][known])


def _transient_rows(
    inputs: Inputs, making: Making, correction: Floats, model: ErrorModel
) -> dict[str, NDArray[Any]]:
    """Rows of groups that match no reference source, by group and time."""
    alone = np.flatnonzero(inputs.detections["is_unmatched"])
    number = inputs.detections["exposure"].take(alone)
    sourceid = inputs.detections["sourceid"].take(alone)
    order = np.lexsort((sourceid, number))
    alone, number = alone.take(order), number.take(order)
    group = cluster(
        inputs.detections["ra"].take(alone),
        inputs.detections["dec"].take(alone),
        number,
        radius_arcsec=making.transient_radius_arcsec,
        least=making.transient_detections,
    )
    order = np.argsort(group, kind="stable")
    order = order[np.searchsorted(group[order], 0) :]
    chosen = alone.take(order)
    rows: dict[str, Any] = {name: inputs.detections[name].take(chosen) for name in MEASURED}
    rows |= {"exposure": number.take(order), "matchid": group.take(order).astype(np.uint32)}
    rows["psfmag"], rows["psfmagerr"] = rows["mag"], rows["magerr"]
    _finish(rows, inputs.images, correction, model)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows["snr"] = rows["psfflux"] / rows["psffluxerr"]
    image = np.array([pid(e, inputs.channel.rcid) for e in inputs.images["expid"].tolist()])
    rows["sid"] = image.astype(np.uint64)[rows["exposure"]] * np.uint64(ROWS_OF_IMAGE) + rows[
        "sourceid"
    ].astype(np.uint64)
    return rows | unit_vectors(rows["ra"], rows["dec"])


def _transients(rows: Columns) -> tuple[Row, NDArray[np.int64]]:
    """A row a group at the mean place of its members, and where their rows begin."""
    matchid = rows["matchid"]
    groups = int(matchid[-1]) + 1 if matchid.size else 0
    starts = np.searchsorted(matchid, np.arange(groups + 1))
    x, y, z = (
        np.bincount(matchid, rows[name], minlength=groups).astype(np.float64) for name in "xyz"
    )
    ra = np.degrees(np.arctan2(y, x)) % 360.0
    dec = np.degrees(np.arctan2(z, np.hypot(x, y)))
    return source_rows(np.arange(groups), ra, dec, None), starts


def _attributes(inputs: Inputs, refinement: Refinement) -> dict[str, Any]:
    field, fid, ccdid, qid = inputs.channel
    calibrators = int(refinement.calibrators.sum())
    limits = inputs.images["limitmag"]
    known = limits[np.isfinite(limits)]
    return {
        # −1 in the real file, though its magnitudes are calibrated.
        "calibratedSinceLastMatch": -1,
        "ccdID": ccdid,
        "datetimeCalibrated": inputs.matched if calibrators else "",
        "datetimeMatched": inputs.matched,
        "fieldID": field,
        "filterID": fid,
        "globalMaglimit": known.mean() if known.size else np.nan,
        "goodSystematicErrorLimit": np.inf,
        "nCalibrationSources": calibrators,
        "quadrantID": qid,
        "rcID": inputs.channel.rcid,
        "referenceImageID": reference_image_id(field, fid, inputs.channel.rcid),
        "referenceZeroPoint": inputs.reference_magzp,
        "referenceZeroPointErr": np.nan_to_num(inputs.reference_magzpunc, nan=0.0),
        "saturatedMagnitude": np.inf,
    }
