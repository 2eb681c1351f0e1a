"""Photometric calibration and quality: magnitudes, colours, flags and the judgement of an image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.sphere import Floats, columns

if TYPE_CHECKING:
    from transforms.match import SkyGrid

Flags = NDArray[np.uint16]
Index = NDArray[np.int32]

# What `flags` of −1, on or near the edge, is in ZTF's light curves.
EDGE = 65535
# Set in `catflags` of every row of an image judged bad.
BAD_IMAGE = 32768

# ZTF: an image is usable if INFOBITS < 2²⁵.
UNUSABLE_INFOBITS = 33554432
INFOBIT_MEANINGS = {
    25: "probably unusable: photometric quality",
    26: "bad frame",
}


def calibrated_magnitude(instrumental_mag: ArrayLike, magzp: float | None) -> Floats:
    """Calibrated magnitude, instrumental + zero point, without a colour term.

    Parameters
    ----------
    instrumental_mag : (n,) −2.5 log10(flux), mag.
    magzp : zero point of the image, mag; None or NaN where it is not known.

    Returns
    -------
    float64 (n,), mag; NaN where an input is, and where the magnitude is infinite (flux 0).
    """
    mag = np.asarray(instrumental_mag, dtype=np.float64)
    return np.where(np.isfinite(mag), mag, np.nan) + (math.nan if magzp is None else magzp)


def colour_correction(
    index: ArrayLike, reference_colour: ArrayLike, clrcoeff: float | None
) -> Floats:
    """Colour term of each detection: clrcoeff · (g − r) of its reference source.

    Parameters
    ----------
    index : int (n,), reference source of each detection, −1 for none.
    reference_colour : (m,) g − r of the reference sources on the standard system, mag, as
        `reference_colours` gives it; NaN where it is not known.
    clrcoeff : colour coefficient of the image; None or NaN where it is not known.

    Returns
    -------
    float64 (n,), mag to add to the calibrated magnitude. NaN, never 0, where it cannot be known.

    Raises
    ------
    TransformError : an index is of no reference source.
    """
    rows = np.asarray(index, dtype=np.int32)
    colour = np.asarray(reference_colour, dtype=np.float64)
    if rows.max(initial=-1) >= colour.size:
        raise TransformError(f"index {rows.max()}, but {colour.size} reference sources")
    terms = np.empty(rows.size)
    coefficient = math.nan if clrcoeff is None else clrcoeff
    _multiply(rows, colour, float(coefficient), terms)
    return terms


@kernel
def _multiply(index: Index, colour: Floats, coefficient: float, terms: Floats) -> None:
    for i in range(index.size):
        terms[i] = colour[index[i]] * coefficient if index[i] >= 0 else math.nan


def is_g_minus_r(pcolor: str | None) -> bool:
    """Whether a colour coefficient multiplies g−r; headers spell it `g - R` or `g-R`."""
    return pcolor is not None and pcolor.replace(" ", "").lower() == "g-r"


def reference_colours(
    g_ra_deg: ArrayLike,
    g_dec_deg: ArrayLike,
    g_mag: ArrayLike,
    r_ra_deg: ArrayLike,
    r_dec_deg: ArrayLike,
    r_mag: ArrayLike,
    *,
    g_clrcoeff: float | None,
    r_clrcoeff: float | None,
    radius_arcsec: float = 1.5,
    r_grid: SkyGrid | None = None,
) -> tuple[Floats, Floats]:
    """Colours g − r of the reference sources of one channel, from its catalogues in both filters.

    The magnitudes lack their own colour terms: with the colour C and the magnitudes g', r' of the
    catalogues, g = g' + g_clrcoeff·C and r = r' + r_clrcoeff·C, so that
    C = (g' − r')/(1 − g_clrcoeff + r_clrcoeff). Of ZTF's coefficients (−0.05 and 0.08) the divisor
    is 1.13.

    A source of g and one of r are the same if the r source is the nearest to it within the radius,
    and no other g source is nearer to that r source.

    Parameters
    ----------
    g_ra_deg, g_dec_deg, g_mag : (m,) reference sources in g: ICRS degrees, and magnitude with the
        zero point but without colour term.
    r_ra_deg, r_dec_deg, r_mag : (k,) reference sources in r.
    g_clrcoeff, r_clrcoeff : coefficients of g − r in the calibration of the two reference images;
        None or NaN where one is not known: then no colour is.
    radius_arcsec : greatest separation of the two measurements of one source.
    r_grid : the r sources as a grid, where one is at hand.

    Returns
    -------
    colour_of_g : float64 (m,), mag, on the standard system; NaN where r lacks the source or a
        magnitude is not finite.
    colour_of_r : float64 (k,), mag; NaN where g lacks it. The same colours, in r's order.
    """
    from transforms.match import SkyGrid

    grid = r_grid or SkyGrid(r_ra_deg, r_dec_deg, radius_arcsec)
    (g,), (r,) = columns(g_mag), columns(r_mag)
    if r.size != grid.size:
        raise TransformError(f"{r.size} magnitudes of {grid.size} reference sources")
    colour_of_g, colour_of_r = np.full(g.size, np.nan), np.full(r.size, np.nan)
    c_g, c_r = (math.nan if c is None else c for c in (g_clrcoeff, r_clrcoeff))
    scale = 1 - c_g + c_r
    if scale > 0:  # not of NaN, nor of coefficients that turn blue into red
        index, separation = grid.nearest(g_ra_deg, g_dec_deg, radius_arcsec)
        if index.size != g.size:
            raise TransformError(f"{g.size} magnitudes of {index.size} reference sources")
        _pair(index, separation, g, r, scale, colour_of_g, colour_of_r)
    return colour_of_g, colour_of_r


@kernel
def _pair(
    index: Index, arcsec: Floats, g: Floats, r: Floats, scale: float, colour_of_g: Floats,
    colour_of_r: Floats,
) -> None:  # fmt: skip
    """Give each r source, and its nearest g source, their colour; of equally near the first."""
    nearest = np.full(r.size, -1, dtype=np.int32)
    for i in range(index.size):
        j = index[i]
        if j >= 0 and (nearest[j] < 0 or arcsec[i] < arcsec[nearest[j]]):
            nearest[j] = i
    for j in range(r.size):
        i = nearest[j]
        if i >= 0 and math.isfinite(g[i]) and math.isfinite(r[j]):
            colour_of_g[i] = colour_of_r[j] = (g[i] - r[j]) / scale


def catflags(flags: ArrayLike | None, n: int, *, is_bad: bool) -> Flags:
    """Quality flags as in ZTF's light curves.

    Parameters
    ----------
    flags : int16 (n,) of the catalogue: −1 at an edge, else mask bits; None where it has none.
    n : number of rows.
    is_bad : whether the image is judged bad.

    Returns
    -------
    uint16 (n,): 65535 at an edge, else the mask bits, with 32768 set on every row of a bad image.
    Without flags all rows are 0, or 32768 if the image is bad: the caller makes the first null.
    A negative flag other than −1 means nothing; its row is flagged like an edge.

    Raises
    ------
    TransformError : flags are not n integers of 16 bits.
    """
    image_bit = np.uint16(BAD_IMAGE if is_bad else 0)
    if flags is None:
        return np.full(n, image_bit, dtype=np.uint16)
    values = np.asarray(flags)
    if values.shape != (n,) or values.dtype.kind not in "iu":
        raise TransformError(f"{n} integer flags are needed, got {values.dtype} {values.shape}")
    if n and int(values.max()) >= BAD_IMAGE:
        raise TransformError(f"flags up to {values.max()}: the mask has 15 bits")
    return np.where(values < 0, np.uint16(EDGE), values.astype(np.uint16)) | image_bit


def judge_image(infobits: int | None) -> tuple[bool, str | None]:
    """Judge an image by its processing status.

    Parameters
    ----------
    infobits : INFOBITS of the image; None where nobody knows.

    Returns
    -------
    is_bad : whether bit 25 or a higher one is set.
    reason : the rule and the bits that broke it; None if it is not bad.
    """
    if infobits is None or infobits < UNUSABLE_INFOBITS:
        return False, None
    bits = [bit for bit in range(25, int(infobits).bit_length()) if int(infobits) >> bit & 1]
    named = ", ".join(
        f"bit {bit} ({INFOBIT_MEANINGS[bit]})" if bit in INFOBIT_MEANINGS else f"bit {bit}"
        for bit in bits
    )
    return True, f"infobits {infobits} >= {UNUSABLE_INFOBITS}: {named}"
