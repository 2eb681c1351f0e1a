"""One image: from the columns of its catalogue to rows of `detections` and a row of `images`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.errors import NoRowsLeft
from ingest.facts import ImageFacts
from ingest.healpix import healpix_29
from ingest.plan import PlannedImage, refusal_of
from ingest.psfcat import PsfCatalogue, coordinate_fault
from ingest.records import OF_IMAGE, ImageKey
from ingest.reference_shelf import ReferenceShelf
from ingest.report import Refusal
from transforms.hjd import QUADRANT_HALF_WIDTH_DEG, fit_light_travel_time, footprint_centre
from transforms.identifiers import FILTERCODES
from transforms.image import heliocentric_and_airmass, heliocentric_mjd
from transforms.image import secz as secz_at
from transforms.match import match_rank
from transforms.photometry import (
    calibrated_magnitude,
    catflags,
    colour_correction,
    is_g_minus_r,
    judge_image,
)
from transforms.tangent import QUADRANT_CENTRE_PIX, sky_position

Columns = dict[str, NDArray[Any]]

# What ImageFacts and the images table call by the same name.
_FROM_FACTS = (
    "expid", "field", "fid", "ccdid", "qid", "rcid", "obsmjd", "exptime", "programid",
    "filefracday", "airmass", "magzp", "magzpunc", "magzprms", "clrcoeff", "clrcounc", "pcolor",
    "seeing", "limitmag", "saturate", "infobits", "crval1", "crval2", "crpix1", "crpix2",
    "cd1_1", "cd1_2", "cd2_1", "cd2_2", "wcs_cards", "metadata_from",
)  # fmt: skip

_WCS = ("crpix1", "crpix2", "crval1", "crval2", "cd1_1", "cd1_2", "cd2_1", "cd2_2")


@dataclass(frozen=True, slots=True)
class Observer:
    """Where the observatory was at one exposure: its row of `ObserverContexts`."""

    earth_heliocentric_s: NDArray[np.float64]
    apparent: NDArray[np.float64]
    iers_extrapolated: bool


@dataclass(slots=True)
class ImageRows:
    """What one image becomes.

    `columns` are those of `detections` that differ from row to row, each (n,), with NaN for null
    (oid −1, match_rank 0); `key` holds what is the same in each; `record` is the row of `images`.
    """

    columns: Columns
    key: ImageKey
    record: dict[str, Any]


def image_rows(
    catalogue: PsfCatalogue,
    planned: PlannedImage,
    observer: Observer,
    shelf: ReferenceShelf,
    *,
    radius_arcsec: float,
    hjd_method: str,
    recipe: str,
) -> tuple[ImageRows, Refusal | None]:
    """Transform one image; rows without a place on the sky are refused, the rest goes on."""
    facts = planned.facts
    cat, refusal = _with_coordinates(catalogue, planned)
    ra, dec = cat["ra"], cat["dec"]
    n = len(ra)

    centre = footprint_centre(ra, dec)  # NaN, NaN if no row is left
    fit = None
    if hjd_method == "fit" and n:
        fit = fit_light_travel_time(*centre, QUADRANT_HALF_WIDTH_DEG, observer.earth_heliocentric_s)
    light_travel_s, secz, residual_s = heliocentric_and_airmass(
        ra, dec, observer.earth_heliocentric_s, observer.apparent, fit=fit
    )
    exptime = math.nan if facts.exptime is None else facts.exptime

    oid, separation, rank, colour_term, reference_record = _matched(
        ra, dec, facts, shelf, radius_arcsec
    )
    is_bad, bad_reason = judge_image(facts.infobits)
    flags = cat.get("flags")
    missing = np.full(n, np.nan, dtype=np.float32)
    columns: Columns = {
        "_healpix_29": healpix_29(ra, dec),
        "oid": oid,
        "sourceid": cat["sourceid"],
        "ra": ra,
        "dec": dec,
        "xpos": cat.get("xpos", missing),
        "ypos": cat.get("ypos", missing),
        "hmjd": heliocentric_mjd(facts.obsmjd, exptime, light_travel_s),
        "secz": secz.astype(np.float32),
        "flux": cat["flux"],
        "fluxerr": cat["sigflux"],
        "mag": calibrated_magnitude(cat["mag"], facts.magzp).astype(np.float32),
        "magerr": cat["sigmag"],
        "clrcorr": colour_term,
        "chi": cat.get("chi", missing),
        "sharp": cat.get("sharp", missing),
        "catflags": catflags(flags, n, is_bad=is_bad),
        "match_arcsec": separation.astype(np.float32),
        "match_rank": rank,
    }
    n_matched = int(np.count_nonzero(oid >= 0))
    record = {name: getattr(facts, name) for name in _FROM_FACTS}
    ra_centre, dec_centre = _image_centre(facts) or (centre if n else (None, None))
    record |= {
        "pid": planned.pid,
        "filtercode": FILTERCODES[facts.fid],
        "ra": ra_centre,
        "dec": dec_centre,
        "secz": None
        if ra_centre is None or dec_centre is None
        else _secz(ra_centre, dec_centre, observer),
        "is_bad": is_bad,
        "bad_reason": bad_reason,
        "match_radius_arcsec": radius_arcsec,
        "hjd_method": hjd_method,
        "hjd_frame_ra": None if fit is None else fit.frame_ra_deg,
        "hjd_frame_dec": None if fit is None else fit.frame_dec_deg,
        "hjd_residual_us": None if fit is None else residual_s * 1e6,
        "iers_extrapolated": observer.iers_extrapolated,
        "n_read": catalogue.n_rows,
        "n_published": n,
        "n_refused": catalogue.n_rows - n,
        "n_matched": n_matched,
        "n_unmatched": n - n_matched,
        "input_file": planned.path.name,
        "input_checksum": catalogue.checksum,
        "recipe": recipe,
        **{f"hjd_c{i}": None if fit is None else float(fit.coefficients[i]) for i in range(6)},
        **reference_record,
    }
    of_image = {name: getattr(facts, name) for name in OF_IMAGE}
    key = ImageKey(**of_image, has_flags=flags is not None or is_bad)
    return ImageRows(columns, key, record), refusal


def _with_coordinates(
    catalogue: PsfCatalogue, planned: PlannedImage
) -> tuple[Columns, Refusal | None]:
    """The columns of the rows that have a place on the sky, and the refusal of the others."""
    columns = catalogue.columns
    keep, fault = coordinate_fault(Path(planned.path), columns["ra"], columns["dec"])
    if fault is None:
        return columns, None
    if keep is None or not keep.any():
        raise NoRowsLeft(planned.path, catalogue.n_rows)
    refusal = refusal_of(
        fault, planned.path, night=planned.night, digest=catalogue.checksum, pid=planned.pid
    )
    return {name: values[keep] for name, values in columns.items()}, refusal


def _matched(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    facts: ImageFacts,
    shelf: ReferenceShelf,
    radius_arcsec: float,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
    """Ids, separations, ranks and colour terms of the rows, and what `images` says of it."""
    n = len(ra)
    channel = (facts.field, facts.fid, facts.ccdid, facts.qid)
    reference = shelf.get(*channel)
    nothing = np.full(n, np.nan, dtype=np.float32)
    if reference is None:
        record: dict[str, Any] = {"reference_state": "no_reference"}
        record |= {"rfid": None, "reference_checksum": None}
        return (
            np.full(n, -1, dtype=np.int64), nothing, np.zeros(n, dtype=np.int16), nothing, record,
        )  # fmt: skip
    index, separation = reference.grid.nearest(ra, dec, radius_arcsec)
    rank = match_rank(index, separation)
    oid = np.where(rank == 1, reference.oid[np.maximum(index, 0)], -1)
    colour_term = nothing
    if facts.clrcoeff is not None and is_g_minus_r(facts.pcolor):
        colours = shelf.colours(*channel)
        if colours is not None:
            colour_term = colour_correction(index, colours, facts.clrcoeff).astype(np.float32)
    record = {
        "reference_state": "matched",
        "rfid": reference.rfid,
        "reference_checksum": reference.checksum,
    }
    return oid, separation, rank, colour_term, record


def _secz(ra: float, dec: float, observer: Observer) -> float | None:
    value = float(secz_at([ra], [dec], observer.apparent)[0])
    return None if math.isnan(value) else value


def _image_centre(facts: ImageFacts) -> tuple[float, float] | None:
    """The middle of the chip on the sky; None without a WCS."""
    values = [getattr(facts, name) for name in _WCS]
    if any(value is None for value in values):
        return None
    crpix1, crpix2, crval1, crval2, cd1_1, cd1_2, cd2_1, cd2_2 = values
    cd = ((cd1_1, cd1_2), (cd2_1, cd2_2))
    return sky_position(QUADRANT_CENTRE_PIX, (crpix1, crpix2), (crval1, crval2), cd)
