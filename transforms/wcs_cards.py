"""World coordinate systems of many images, from their FITS cards to arrays.

By hand, because `astropy.wcs.WCS(header)` takes 2 ms an image, and a night has 55,000. Tokens are
collected card by card; everything after is done for all images at once.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.pixel_maps import RADIAL_TERMS, Floats, PixelMaps, linear_matrix

# Characters of a card: FITS standard 4.0, section 4.1. A keyword without '= ' has no value.
CARD, KEYWORD, VALUE_INDICATOR = 80, 8, "= "
VALUE = slice(KEYWORD + len(VALUE_INDICATOR), CARD)

SIDE = 10  # powers 0 to 9: SIP ends at degree 9, TPV at 7
SQUARE = SIDE * SIDE
TPV_DEGREE = 7
TPV_RADIAL = {3: 0, 11: 1, 23: 2, 39: 3}  # PVi_m of r, r³, r⁵, r⁷
# TAN with such a PV was written by SCAMP and means TPV, so too wcslib; those below are LONPOLE's.
FIRST_DISTORTING_PV = 5

# Places in an image's row of numbers.
CRPIX, CD, PC, CDELT, CROTA2, ORDER, PLANE, RADIAL = 0, 2, 6, 10, 12, 13, 15, 18
HEAD = RADIAL + 2 * RADIAL_TERMS  # the polynomials' places begin here: TPV's, then SIP's
SIP = HEAD + 2 * SQUARE

Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Entries(NamedTuple):
    """All numbers of all images: which image, its place in the image's row, the number."""

    image: Integers
    place: Integers
    number: Floats


def _places() -> dict[str, int]:
    """Keyword → place of its number in an image's row."""
    places = {"CROTA2": CROTA2, "LONPOLE": PLANE + 2}
    for axis in (0, 1):
        n = axis + 1
        places |= {f"CRVAL{n}": PLANE + axis, f"CRPIX{n}": CRPIX + axis, f"CDELT{n}": CDELT + axis}
        places |= {f"CD{n}_{j + 1}": CD + 2 * axis + j for j in (0, 1)}
        places |= {f"PC{n}_{j + 1}": PC + 2 * axis + j for j in (0, 1)}
        places |= {f"PV{n}_{m}": RADIAL + RADIAL_TERMS * axis + k for m, k in TPV_RADIAL.items()}
        places |= {f"{'AB'[axis]}_ORDER": ORDER + axis}
        for i in range(SIDE):
            for j in range(SIDE - i):
                places[f"{'AB'[axis]}_{i}_{j}"] = SIP + axis * SQUARE + i * SIDE + j
        m = 0
        for degree in range(TPV_DEGREE + 1):
            for other in range(degree + 1):
                m += m in TPV_RADIAL
                # PV2 counts powers of y first.
                i, j = (degree - other, other) if axis == 0 else (other, degree - other)
                places[f"PV{n}_{m}"] = HEAD + axis * SQUARE + i * SIDE + j
                m += 1
    return places


PLACE = _places()
_NUMBERS = {keyword.ljust(KEYWORD) + VALUE_INDICATOR: place for keyword, place in PLACE.items()}
_KEYWORD = {place: keyword for keyword, place in PLACE.items()}
_WORDS = {
    keyword.ljust(KEYWORD) + VALUE_INDICATOR: k
    for k, keyword in enumerate(("CTYPE1", "CTYPE2", "CUNIT1", "CUNIT2"))
}
_DISTORTING = np.array(
    [p for k, p in PLACE.items() if k.startswith("PV") and int(k[4:]) >= FIRST_DISTORTING_PV]
)


def read_cards(texts: Sequence[str | None]) -> PixelMaps:
    """Pixel maps of many images from their WCS cards.

    Parameters
    ----------
    texts : n texts of whole cards of 80 characters, in any order, other cards among them; the
        first of a repeated keyword counts. None where an image has no WCS.

    Returns
    -------
    PixelMaps. Read are TPV, TAN with SIP, TAN, and TAN with PV as SCAMP writes it; CD, PC with
    CDELT, and CDELT with CROTA2; right ascension on the first axis, degrees. What is not of these,
    contradicts itself or is incomplete is no map: `problems` says why, and nothing is raised.
    A missing PV1_1 or PV2_1 of TPV is a problem, for programs differ on whether it is 0 or 1.
    """
    counts, places, numbers = [], array("q"), array("d")
    projections, problems = [], []
    for text in texts:
        before = len(numbers)
        words = [""] * 4
        for start in range(0, len(text or ""), CARD):
            card = text[start : start + CARD]  # type: ignore[index]
            keyword = card[: VALUE.start]
            if (place := _NUMBERS.get(keyword)) is not None:
                places.append(place)
                numbers.append(_number(card))
            elif (word := _WORDS.get(keyword)) is not None:
                words[word] = words[word] or card[VALUE]
        projection, problem = _projection(*words)
        projections.append(projection)
        problems.append(problem if text else "no WCS")
        counts.append(len(numbers) - before)
    image = np.repeat(np.arange(len(counts)), counts)
    # First cards last, so that they overwrite the later ones.
    entries = Entries(image[::-1], np.array(places)[::-1], np.array(numbers)[::-1])
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that no WCS has
        return _assembled(entries, np.array(projections, dtype="U3"), problems)


def _number(card: str) -> float:
    text = card[VALUE].split("/", 1)[0]
    try:
        return float(text)
    except ValueError:
        try:
            return float(text.upper().replace("D", "E"))  # FITS allows 1.0D-5
        except ValueError:
            return math.nan


@lru_cache(maxsize=256)
def _projection(ctype1: str, ctype2: str, *units: str) -> tuple[str, str]:
    """TPV or TAN and no problem, or an empty text and why it is neither."""
    one, other = _word(ctype1), _word(ctype2)
    if any(_word(unit).lower() not in {"", "deg", "degree", "degrees"} for unit in units):
        return "", f"CUNIT {_word(units[0])}, {_word(units[1])} is not deg"
    for kind in ("TPV", "TAN", "TAN-SIP"):
        if (one, other) == (f"RA---{kind}", f"DEC--{kind}"):
            return kind[:3], ""
    return "", f"CTYPE {one or 'missing'}, {other or 'missing'} is not read"


def _word(value: str) -> str:
    return value.split("/", 1)[0].strip().strip("'").rstrip()


def _assembled(entries: Entries, projection: NDArray[np.str_], problems: list[str]) -> PixelMaps:
    image, place, number = entries
    of_head = place < HEAD
    head = np.full((len(problems), HEAD), np.nan)
    head[image[of_head], place[of_head]] = number[of_head]
    crpix, order = head[:, CRPIX:CD], head[:, ORDER:PLANE]
    cd = linear_matrix(head[:, CD:PC], head[:, PC:CDELT], head[:, CDELT:CROTA2], head[:, CROTA2])

    determinant = cd[:, 0, 0] * cd[:, 1, 1] - cd[:, 0, 1] * cd[:, 1, 0]
    has_order = ~np.isnan(order)
    is_tan = projection == "TAN"
    sip = is_tan & has_order.all(axis=1)
    tpv = (projection == "TPV") | (is_tan & ~sip & _has(entries, _DISTORTING, len(problems)))
    for k in np.flatnonzero(~np.isfinite(number)):
        problems[image[k]] = problems[image[k]] or f"{_KEYWORD[int(place[k])]} is no number"
    for which, problem in (
        (np.isnan(crpix).any(axis=1), "no CRPIX"),
        (~(np.abs(determinant) > 0), "no linear matrix"),  # NaN too
        (has_order[:, 0] != has_order[:, 1], "A_ORDER without B_ORDER, or the reverse"),
        ((order >= SIDE).any(axis=1), f"SIP of a degree above {SIDE - 1}"),
        ((projection == "TPV") & has_order.any(axis=1), "TPV and SIP at once"),
        (tpv & ~_has(entries, [PLACE["PV1_1"]], len(problems)), "PV1_1 is missing"),
        (tpv & ~_has(entries, [PLACE["PV2_1"]], len(problems)), "PV2_1 is missing"),
    ):
        for k in np.flatnonzero(which):
            problems[k] = problems[k] or problem
    cd[[bool(problem) for problem in problems]] = np.nan
    polynomial = _polynomials(entries, tpv, sip, np.nan_to_num(order))
    radial = np.where(tpv[:, None], np.nan_to_num(head[:, RADIAL:HEAD]), 0.0)
    return PixelMaps(
        crpix, cd, polynomial, radial.reshape(-1, 2, RADIAL_TERMS), sip,
        _planes(entries, head, ~tpv), tuple(problems),
    )  # fmt: skip


def _planes(entries: Entries, head: Floats, tan: Bools) -> Floats:
    """Tangent points and LONPOLE, by default 180, and 0 of a tangent point at the pole itself.

    The low PVs of a TAN's first axis are no distortion: PV1_3 is LONPOLE, and an origin that PV1_1
    or PV1_2 moves is not read.
    """
    plane = head[:, PLANE:RADIAL].copy()
    usual = np.where(plane[:, 1] < 90.0, 180.0, 0.0)
    plane[:, 2] = np.where(np.isnan(plane[:, 2]), usual, plane[:, 2])
    again = tan & _has(entries, [PLACE["PV1_3"]], tan.size)
    plane[again, 2] = head[again, RADIAL]
    moved = tan & _has(entries, [PLACE["PV1_1"], PLACE["PV1_2"]], tan.size)
    plane[moved | ~(np.abs(plane[:, 1]) <= 90.0)] = np.nan
    return plane


def _has(entries: Entries, places: ArrayLike, n: int) -> Bools:
    """Which of n images have a number at one of the places."""
    has = np.zeros(n, dtype=np.bool_)
    has[entries.image[np.isin(entries.place, places)]] = True
    return has


def _polynomials(entries: Entries, tpv: Bools, sip: Bools, order: Floats) -> Floats:
    """TPV's or SIP's coefficients, of SIP those within its order, the identity included."""
    image, place, number = entries
    axis, power = np.divmod((place - HEAD) % (2 * SQUARE), SQUARE)
    i, j = np.divmod(power, SIDE)
    within = sip[image] & (i + j <= order[image, axis])
    used = (place >= HEAD) & np.where(place < SIP, tpv[image], within)
    side = int((i + j)[used].max(initial=1)) + 1
    polynomial = np.zeros((tpv.size, 2, side, side))
    polynomial[image[used], axis[used], i[used], j[used]] = number[used]
    polynomial[~tpv, 0, 1, 0] += 1.0
    polynomial[~tpv, 1, 0, 1] += 1.0
    return polynomial
