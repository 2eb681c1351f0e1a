"""A request for light curves in the words of ZTF's API, in all the ways its clients spell them.

https://irsa.ipac.caltech.edu/docs/program_interface/ztf_lightcurve_api.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from queries.errors import BadConeError
from queries.sky import Cone
from service.errors import BadRequestError, LimitError
from service.settings import Settings
from service.ztf.document import MAX_RADIUS_DEG, MEDIA_TYPES, PARAMETERS

Value = TypeVar("Value")

FORMATS = tuple(MEDIA_TYPES)
# What each filter lets through, metres, as the API documents it. A bound that two share is of one.
_COVERAGE = {1: (4.10e-7, 5.50e-7), 2: (5.5000001e-7, 6.9999999e-7), 3: (7.00e-7, 9.00e-7)}
_BAND = re.compile(r"z?([gri123])", re.IGNORECASE)
_FID = {"g": 1, "r": 2, "i": 3, "1": 1, "2": 2, "3": 3}
_OWN = re.compile(r"ztf(_dr\d+)?", re.IGNORECASE)
_MOST_OID = 2**63


@dataclass(frozen=True)
class CurvesRequest:
    """What is asked for: objects by `oids` or by `cone`, and which of them and of their rows.

    Attributes
    ----------
    fids : filters; None is all.
    mag : range of the median magnitude of an object.
    min_epochs : that an object must have.
    mjd : range of the beginning of exposures.
    flags_mask : rows of which `catflags` has one of these bits are left out.
    collection : of what was imported; None is the archive's own.
    """

    oids: tuple[int, ...] | None
    cone: Cone | None
    fids: tuple[int, ...] | None = None
    mag: tuple[float, float] | None = None
    min_epochs: int = 1
    mjd: tuple[float, float] | None = None
    flags_mask: int = 0
    collection: str | None = None


def parse(pairs: Iterable[tuple[str, str]], settings: Settings) -> CurvesRequest:
    """The request that parameters spell; their names in any case, in any order.

    Raises
    ------
    BadRequestError, BadConeError, LimitError
    """
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if value.strip():
            given.setdefault(name.strip().upper(), []).append(value.strip())
    unknown = sorted(given.keys() - PARAMETERS.keys())
    if unknown:
        raise BadRequestError(f"there is no parameter {unknown[0]}", f"There are {_listed()}.")
    place = _place(given, settings)
    if place[0] is not None:
        for name in ("BAND", "BANDNAME", "NOBS_MIN", "NUM_OBS", "MAG"):
            if name in given:
                raise BadRequestError(f"{name} does not go together with ID", "Leave it out.")
    flags = _one(given, "BAD_CATFLAGS_MASK", _whole)
    if flags is not None and flags > 0xFFFF:
        raise BadRequestError(f"BAD_CATFLAGS_MASK {flags} is more than 65535", "Give 16 bits.")
    least = _one(given, "NOBS_MIN", _whole)
    if least is None:
        least = _one(given, "NUM_OBS", _whole)
    return CurvesRequest(
        oids=place[0],
        cone=place[1],
        fids=_filters(given),
        mag=_one(given, "MAG", _range),
        min_epochs=max(least or 1, 1),
        mjd=_one(given, "TIME", _range),
        flags_mask=flags or 0,
        collection=_collection(given.get("COLLECTION", [])),
    )


def format_of(pairs: Iterable[tuple[str, str]]) -> str:
    """The format that is asked for, one of `FORMATS`.

    Raises
    ------
    BadRequestError : there is none of that name.
    """
    wanted = [value.strip() for name, value in pairs if name.strip().upper() == "FORMAT"]
    name = (wanted[-1] if wanted and wanted[-1] else FORMATS[0]).upper()
    name = {"IPAC": "IPAC_TABLE", "TBL": "IPAC_TABLE", "VOT": "VOTABLE"}.get(name, name)
    if name not in FORMATS:
        raise BadRequestError(f"there is no FORMAT {wanted[-1]}", f"Give {', '.join(FORMATS)}.")
    return name


def _listed() -> str:
    return ", ".join(sorted(PARAMETERS))


def _place(
    given: dict[str, list[str]], settings: Settings
) -> tuple[tuple[int, ...] | None, Cone | None]:
    """Ids or a cone: exactly one of them."""
    there = [name for name in ("ID", "POS", "CIRCLE") if name in given]
    if len(there) != 1:
        what = " and ".join(there) + " go not together" if there else "no object is named"
        raise BadRequestError(what, "Give one of ID, POS=CIRCLE ra dec radius and CIRCLE.")
    if there == ["ID"]:
        words = [word for value in given["ID"] for word in re.split(r"[,\s]+", value) if word]
        oids = sorted({_oid(word) for word in words})
        if len(oids) > settings.max_ids:
            raise LimitError(f"{len(oids):,} ids", settings.max_ids)
        return tuple(oids), None
    if len(given[there[0]]) > 1:
        raise BadRequestError(f"{there[0]} is given several times", "Ask for one place at once.")
    words = re.split(r"[,\s]+", given[there[0]][0])
    if there == ["POS"]:
        if words[0].upper() != "CIRCLE":
            raise BadRequestError(f"POS has no shape {words[0]}", "Give CIRCLE ra dec radius.")
        words = words[1:]
    if len(words) != 3:
        raise BadRequestError(
            f"{there[0]} has {len(words)} numbers", "Give ra, dec and radius in degrees."
        )
    ra, dec, radius = (_number(word) for word in words)
    if not 0 < radius <= MAX_RADIUS_DEG:
        raise BadConeError(f"radius {radius:g} is not above 0 and at most {MAX_RADIUS_DEG} degrees")
    # As the API writes it, 0.1667 degrees is a little more than 600 arcsec.
    if radius * 3600 > settings.max_radius_arcsec + 0.2:
        raise LimitError(f"radius {radius:g} degrees", settings.max_radius_arcsec, " arcsec")
    return None, Cone(ra, dec, radius * 3600)


def _filters(given: dict[str, list[str]]) -> tuple[int, ...] | None:
    """The filters that BANDNAME names and BAND reaches into."""
    fids: set[int] | None = None
    if "BANDNAME" in given:
        text = "".join(re.split(r"[,\s]+", " ".join(given["BANDNAME"])))
        if not _BAND.sub("", text) == "":
            raise BadRequestError(f"there is no BANDNAME {text}", "Give g, r and i, as g,r.")
        fids = {_FID[one.lower()] for one in _BAND.findall(text)}
    band = _one(given, "BAND", _range)
    if band is not None:
        reached = {f for f, (a, b) in _COVERAGE.items() if band[0] <= b and band[1] >= a}
        fids = reached if fids is None else fids & reached
    return None if fids is None else tuple(sorted(fids))


def _collection(values: list[str]) -> str | None:
    """What was imported by a name; the archive itself is what ZTF's own names mean."""
    names = {value for value in values if not _OWN.fullmatch(value)}
    if len(names) > 1:
        raise BadRequestError("COLLECTION is given several times", "Ask for one at once.")
    return names.pop() if names else None


def _one(given: dict[str, list[str]], name: str, read: Callable[[str, str], Value]) -> Value | None:
    """The value of a parameter that is given at most once."""
    values = given.get(name, [])
    if len(values) > 1:
        raise BadRequestError(f"{name} is given several times", "Give it once.")
    return read(name, values[0]) if values else None


def _whole(name: str, text: str) -> int:
    try:
        number = int(text, 0) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", text) else int(text)
    except ValueError:
        number = -1
    if not 0 <= number < 2**31:
        raise BadRequestError(f"{name} cannot be {text!r}", "Give a whole number, 0 or more.")
    return number


def _range(name: str, text: str) -> tuple[float, float]:
    """Two numbers, of which either may be infinite, or one that is both."""
    words = re.split(r"[,\s]+", text)
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or any(map(math.isnan, numbers)) or numbers[0] > numbers[-1]:
        raise BadRequestError(f"{name} cannot be {text!r}", "Give one number, or two: least most.")
    return numbers[0], numbers[-1]


def _oid(text: str) -> int:
    if not re.fullmatch(r"\d{1,19}", text, re.ASCII) or int(text) >= _MOST_OID:
        raise BadRequestError(f"ID cannot be {text!r}", "Give an object's number.")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequestError(f"{text!r} is no number", "Give degrees.") from None
