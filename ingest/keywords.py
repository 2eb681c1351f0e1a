"""What ZTF's header keywords mean, as columns of the `images` table.

A value that is no number where one is needed, that is not finite, or that is one of the
pipeline's marks for "not known" (-999, -9999) is left out, as if the card were not there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ingest.cards import Header
from store.channel import FILTER_IDS

Facts = dict[str, Any]

WHOLE = {
    "expid": ("EXPID", "DBEXPID"),
    "field": ("FIELDID", "DBFIELD"),
    "fid": ("FILTERID", "DBFID"),
    "ccdid": ("CCDID",),
    "qid": ("QID",),
    "rcid": ("RCID", "DBRCID"),
    "rfid": ("RFID",),
    "programid": ("PROGRMID",),
    "infobits": ("INFOBITS",),
}
REAL = {
    "exptime": ("EXPTIME", "EXPOSURE"),
    "airmass": ("AIRMASS",),
    "magzp": ("MAGZP",),
    "magzpunc": ("MAGZPUNC",),
    "magzprms": ("MAGZPRMS",),
    "clrcoeff": ("CLRCOEFF",),
    "clrcounc": ("CLRCOUNC",),
    "seeing": ("SEEING",),
    "limitmag": ("MAGLIM",),
    "saturate": ("SATURATE",),
}
WCS_NUMBERS = ("crval1", "crval2", "crpix1", "crpix2", "cd1_1", "cd1_2", "cd2_1", "cd2_2")
# A damaged card of these is no card that is not there: what it said was meant to count.
MEANT = frozenset(
    {"FILTER", "PCOLOR", "OBSMJD", "OBSJD", "CTYPE1"}
    | {keyword for keywords in (*WHOLE.values(), *REAL.values()) for keyword in keywords}
    | {name.upper() for name in WCS_NUMBERS}
)
WCS_CARDS = re.compile(
    r"WCSAXES|EQUINOX|RADESYS|RADECSYS|(CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA)[12]|(CD|PC)[12]_[12]"
    r"|LONPOLE|LATPOLE|PV[12]_[0-9]+|(A|B|AP|BP)_(ORDER|DMAX|[0-9]+_[0-9]+)"
)

NOT_KNOWN = (-999.0, -9999.0)
# What the columns can hold, or what can be meant: a number outside counts as not known.
RANGES = {
    "programid": (0, 127),
    "infobits": (0, 2**62),
    "expid": (0, 10**14),
    "exptime": (0, math.inf),
}
MJD_OF_JD_0 = 2_400_000.5
FIRST_MJD, LAST_MJD = 50_000.0, 80_000.0  # 1995 and 2077: no digital survey has a date outside


def facts_of_header(header: Header) -> Facts:
    """What a header of a catalogue or science image says; only what it knows is there.

    A world coordinate system is said whole or not at all, so that two are never mixed.
    `impossible_date` holds a date that cannot be true, where `obsmjd` is not known.
    """
    facts = facts_of_numbers({n: _first(header, k, whole) for n, k in WHOLE.items()})
    facts |= facts_of_numbers({n: _first(header, k, real) for n, k in REAL.items()})
    if "fid" not in facts and isinstance(name := header.get("FILTER"), str):
        # 'ZTF_r'; another name is kept as it is, to be refused as an unknown filter.
        facts["fid"] = FILTER_IDS.get(name.strip().lower().replace("ztf_", "z"), name)
    if isinstance(colour := header.get("PCOLOR"), str) and colour.strip():
        facts["pcolor"] = colour.strip()
    facts |= facts_of_date(header.get("OBSMJD"), header.get("OBSJD"))
    if "CTYPE1" in header:
        numbers = {name: real(header.get(name.upper())) for name in WCS_NUMBERS}
        facts |= facts_of_wcs(numbers, header.raw(WCS_CARDS) or None)
    return facts


def facts_of_numbers(numbers: Mapping[str, int | float | None]) -> Facts:
    """The numbers that are known and within their range."""
    facts = {}
    for name, value in numbers.items():
        least, most = RANGES.get(name, (-math.inf, math.inf))
        if value is not None and least <= value <= most:
            facts[name] = value
    return facts


def facts_of_wcs(numbers: Mapping[str, float | None], cards: str | None) -> Facts:
    """All of a world coordinate system, None where a part lacks; nothing without CRVAL."""
    if numbers.get("crval1") is None or numbers.get("crval2") is None:
        return {}
    return {name: numbers.get(name) for name in WCS_NUMBERS} | {"wcs_cards": cards}


def facts_of_date(obsmjd: object, obsjd: object) -> Facts:
    """The exposure's start from its MJD, else from its JD."""
    dates: list[float] = []
    for value, scale in ((obsmjd, float), (obsjd, mjd_of_jd)):
        if isinstance(value, int | float) and not isinstance(value, bool):
            dates.append(scale(value))
            if FIRST_MJD <= dates[-1] <= LAST_MJD:
                return {"obsmjd": dates[-1]}
    return {"impossible_date": dates[0]} if dates else {}


def mjd_of_jd(jd: float) -> float:
    """Modified Julian date of a Julian date.

    A float64 JD steps by 40 µs. ZTF writes seven decimals, and then the MJD of seven decimals is
    meant, to the last bit: the exposure id is floored from it, where a bit can make a difference.
    """
    mjd = jd - MJD_OF_JD_0
    return round(mjd, 7) if round(jd, 7) == jd else mjd


def whole(value: object) -> int | None:
    """A whole number, also written as 655.0; else None."""
    number = real(value)
    if number is None or not number.is_integer():
        return None
    return value if isinstance(value, int) else int(number)


def real(value: object) -> float | None:
    """A finite number that is not one of the marks for "not known"; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) and number not in NOT_KNOWN else None


def _first(header: Header, keywords: Iterable[str], convert: Any) -> Any:
    values = (convert(header.get(keyword)) for keyword in keywords)
    return next((value for value in values if value is not None), None)
