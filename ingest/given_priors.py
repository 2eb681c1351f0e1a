"""Priors that somebody gives: a folder of headers whose world coordinates are known to be right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ingest.blocks import read_headers, read_text
from ingest.cards import Header, parse_card_lines
from ingest.errors import PriorError, RefusedInput
from ingest.keywords import WCS_CARDS, facts_of_header
from ingest.prior import prior_grid
from store.channel import FILTER_IDS
from transforms.chip import CHIP_PX
from transforms.identifiers import rcid_unchecked
from transforms.pixel_scale import pixel_scales
from transforms.sphere import Floats
from transforms.wcs_cards import read_cards

TEXTS, FITS = (".hdr", ".head"), (".fits", ".fits.fz")
_FILTER = re.compile(r"(?<![a-z0-9])z[gri](?![a-z0-9])")
_CHANNEL = re.compile(r"(?<![a-z0-9])c(\d\d)(?:_[a-z])?_q([1-4])(?![a-z0-9])")

# Readout channel and filter; None is any filter.
OfChannel = tuple[int, int | None]


def read_priors(folder: Path) -> dict[OfChannel, Floats]:
    """Pixel scales of the headers in a folder: the median, where a channel has several.

    Parameters
    ----------
    folder : text headers (.hdr, .head) and FITS files, one or more a channel; others are left
        alone. The channel is that of the keywords, or of the name (`zr_c07_q4.head`); a name
        without a filter is of all filters.

    Returns
    -------
    float64 (g,) at the points of `prior_grid`, arcseconds a pixel.

    Raises
    ------
    PriorError : there is no header, or one of them cannot serve.
    """
    scales: dict[OfChannel, list[Floats]] = {}
    for path in prior_files(folder):
        header = _header(path)
        scales.setdefault(_channel(path, header), []).append(_scales(path, header))
    return {channel: np.median(some, axis=0) for channel, some in scales.items()}


def prior_files(folder: Path) -> list[Path]:
    """The headers in a folder, by name; raises as `read_priors` does."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith((*TEXTS, *FITS)))
    except OSError as error:
        raise PriorError(folder, f"cannot be read ({error.strerror})") from error
    if not paths:
        raise PriorError(folder, "holds no header")
    return paths


def _header(path: Path) -> Header:
    """The header of a file that has a WCS; a compressed image keeps it in its first extension."""
    try:
        headers = (
            [parse_card_lines(read_text(path))] if path.suffix in TEXTS else read_headers(path)
        )
    except RefusedInput as error:
        raise PriorError(path, error.what) from error
    for header in headers:
        if "CTYPE1" in header:
            return header
    raise PriorError(path, "has no world coordinates")


def _channel(path: Path, header: Header) -> OfChannel:
    """Readout channel and filter, by the keywords or else by the name."""
    facts = facts_of_header(header)
    named, code = _CHANNEL.search(path.name), _FILTER.search(path.name)
    of_name = rcid_unchecked(int(named[1]), int(named[2])) if named else None
    of_keywords = facts.get("rcid")
    if of_keywords is None and "ccdid" in facts and "qid" in facts:
        of_keywords = rcid_unchecked(facts["ccdid"], facts["qid"])
    fid = facts.get("fid", FILTER_IDS[code[0]] if code else None)
    rcid = _one((of_keywords, of_name))
    if rcid is None or not 0 <= rcid <= 63:
        raise PriorError(path, "of which readout channel it is, neither keywords nor name tell")
    return int(rcid), fid


def _one(said: Iterable[int | None]) -> int | None:
    return next((one for one in said if one is not None), None)


def _scales(path: Path, header: Header) -> Floats:
    maps = read_cards([header.raw(WCS_CARDS)])
    if maps.problems[0]:
        raise PriorError(path, f"its world coordinates cannot be used: {maps.problems[0]}")
    size = tuple(
        header.get(name, side) for name, side in zip(("NAXIS1", "NAXIS2"), CHIP_PX, strict=True)
    )
    if size != CHIP_PX:
        maps = maps.with_crpix()  # of a piece that was cut out of the quadrant
    scales: Floats = pixel_scales(maps, prior_grid())[0]
    if not (scales > 0).all():
        raise PriorError(path, "its world coordinates fold over or are no numbers")
    return scales
