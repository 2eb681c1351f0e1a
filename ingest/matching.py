"""Ids and colour terms: what the references give the rows of an image, and which they were.

It is computed from places alone, so that rows that are published get what a file's would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.reference_shelf import G, R, ReferenceShelf
from store.channel import FILTERCODES
from transforms.match import ids_of, match_rank
from transforms.photometry import colour_correction, is_g_minus_r


class Matchable(NamedTuple):
    """What must be known of an image: its channel and its colour coefficient."""

    field: int
    fid: int
    ccdid: int
    qid: int
    clrcoeff: float | None
    pcolor: str | None


@dataclass(frozen=True, slots=True)
class Matched:
    """What the references give an image.

    `columns` are those of `detections` that come from references, each (n,), with NaN for null (oid
    −1, match_rank 0); `record` is what the row of `images` says of it.
    """

    columns: dict[str, NDArray[Any]]
    record: dict[str, Any]


def match_rows(
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    image: Matchable,
    shelf: ReferenceShelf,
    radius_arcsec: float,
) -> Matched:
    """Match the rows of one image to the reference of its channel.

    Parameters
    ----------
    ra, dec : (n,) ICRS degrees, in the order of sourceid: of two rows at the same distance from a
        reference source the first is the nearer.
    """
    n = len(ra)
    channel, (clrcoeff, pcolor) = image[:4], image[4:]
    reference = shelf.get(*channel)
    nothing = np.full(n, np.nan, dtype=np.float32)
    oid, rank = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int16)
    separation = colour_term = nothing
    if reference is not None:
        index, arcsec = reference.grid.nearest(ra, dec, radius_arcsec)
        rank = match_rank(index, arcsec)
        oid = ids_of(index, rank, reference.oid)
        separation = arcsec.astype(np.float32)
        if clrcoeff is not None and is_g_minus_r(pcolor):
            colours = shelf.colours(*channel)
            if colours is not None:
                colour_term = colour_correction(index, colours, clrcoeff).astype(np.float32)
    n_matched = int(np.count_nonzero(oid >= 0))
    record = {
        "reference_state": "no_reference" if reference is None else "matched",
        "rfid": None if reference is None else reference.rfid,
        "reference_checksum": None if reference is None else reference.checksum,
        "match_radius_arcsec": radius_arcsec,
        "match_recipe": match_recipe(*channel, shelf, radius_arcsec),
        "n_matched": n_matched,
        "n_unmatched": n - n_matched,
    }
    columns: dict[str, NDArray[Any]] = {
        "oid": oid,
        "match_arcsec": separation,
        "match_rank": rank,
        "clrcorr": colour_term,
    }
    return Matched(columns, record)


def match_recipe(
    field: int, fid: int, ccdid: int, qid: int, shelf: ReferenceShelf, radius_arcsec: float
) -> str:
    """What ids and colour terms are made from: `zg=<16 digits> zr=none radius=1.5`.

    The references are those of g and r, whose magnitudes give the colours, or that of another
    filter, which has none; by the first digits of their checksums. Queries write the same
    (`stale_images.sql`).
    """
    words = []
    for one in (G, R) if fid in (G, R) else (fid,):
        checksum = shelf.checksum(field, one, ccdid, qid)
        words.append(f"{FILTERCODES[one]}={checksum[:16] if checksum else 'none'}")
    return " ".join([*words, f"radius={float(radius_arcsec)}"])
