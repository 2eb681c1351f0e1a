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
from ingest.matching import Matchable, match_rows
from ingest.plan import PlannedImage, refusal_of
from ingest.psfcat import PsfCatalogue, coordinate_fault
from ingest.records import OF_IMAGE, ImageKey, day_number
from ingest.reference_shelf import ReferenceShelf
from ingest.report import Refusal
from ingest.scale import Verdict
from store.words import printable
from transforms.chip import QUADRANT_CENTRE_PIX
from transforms.hjd import QUADRANT_HALF_WIDTH_DEG, fit_light_travel_time, footprint_centre
from transforms.identifiers import FILTERCODES
from transforms.image import heliocentric_and_airmass, heliocentric_mjd
from transforms.image import secz as secz_at
from transforms.photometry import calibrated_magnitude, catflags
from transforms.tangent import sky_position

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
    verdict: Verdict,
) -> tuple[ImageRows, Refusal | None]:
    """Transform one image; rows without a place on the sky are refused, the rest goes on.

    What comes of rows does not depend on the order in which the input has them.
    """
    facts = planned.facts
    cat, refusal = _with_coordinates(catalogue, planned)
    cat = _by_sourceid(cat)
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

    wanted = Matchable(*(getattr(facts, name) for name in Matchable._fields))
    matched = match_rows(ra, dec, wanted, shelf, radius_arcsec)
    flags = cat.get("flags")
    missing = np.full(n, np.nan, dtype=np.float32)
    columns: Columns = {
        "_healpix_29": healpix_29(ra, dec),
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
        "chi": cat.get("chi", missing),
        "sharp": cat.get("sharp", missing),
        "catflags": catflags(flags, n, is_bad=verdict.is_bad),
        **matched.columns,
    }
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
        "is_bad": verdict.is_bad,
        "bad_reason": verdict.bad_reason,
        "hjd_method": hjd_method,
        "hjd_frame_ra": None if fit is None else fit.frame_ra_deg,
        "hjd_frame_dec": None if fit is None else fit.frame_dec_deg,
        "hjd_residual_us": None if fit is None else residual_s * 1e6,
        "iers_extrapolated": observer.iers_extrapolated,
        "n_read": catalogue.n_rows,
        "n_published": n,
        "n_refused": catalogue.n_rows - n,
        "input_file": printable(planned.path.name),
        "input_checksum": catalogue.checksum,
        "recipe": recipe,
        **{f"hjd_c{i}": None if fit is None else float(fit.coefficients[i]) for i in range(6)},
        **verdict.scale,
        **matched.record,
    }
    of_image = {name: getattr(facts, name) for name in OF_IMAGE if name != "night"}
    has_flags = flags is not None or verdict.is_bad
    key = ImageKey(day_number(planned.night), **of_image, has_flags=has_flags)
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


def _by_sourceid(columns: Columns) -> Columns:
    """The rows in the order of their ids: whoever reads them back can give them the same order."""
    sourceid = columns["sourceid"]
    if (sourceid[1:] > sourceid[:-1]).all():  # as in every catalogue of ZTF's
        return columns
    order = np.argsort(sourceid)
    return {name: values[order] for name, values in columns.items()}


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
