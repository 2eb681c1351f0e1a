"""Where rows lie on the sky: counts by HEALPix cell, of a file and of a whole catalogue.

A catalogue's counts are its `point_map.fits`: HATS cuts a search by it before it opens a pixel, so
that rows which it lacks are lost without a word. Format: a HEALPix map as a FITS binary table
(https://healpix.sourceforge.io/data/examples/healpix_fits_specs.pdf), the cells that hold rows
alone (EXPLICIT) or, where most do, all of them (IMPLICIT).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store import disk
from store.layout import HEALPIX_ORDER, MAP_ORDER, HealpixPixel
from store.manifest import FileEntry

# One file under both its names: LSDB cuts searches by the first, hats draws the second.
POINT_MAP, SKY_MAP = "point_map.fits", "skymap.fits"
CELLS = 12 * 4**MAP_ORDER
BLOCK, CARD = 2880, 80

Counts = NDArray[np.int64]


def count_cells(index: NDArray[np.int64], pixel: HealpixPixel) -> Counts:
    """How many rows of a pixel lie in each of its cells of `MAP_ORDER`.

    Parameters
    ----------
    index : int64 (n,), `_healpix_29` of the rows, in any order; those outside of
        `pixel` are not counted.

    Returns
    -------
    int64 (4^(MAP_ORDER − pixel.order),), in NESTED order; one number for a pixel of `MAP_ORDER`
    or deeper. Zeros for no rows.
    """
    low, _ = pixel.index_range
    cells: int = 4 ** max(0, MAP_ORDER - pixel.order)
    shift = 2 * (HEALPIX_ORDER - max(pixel.order, MAP_ORDER))
    cell = (index - low) >> shift
    return np.bincount(cell[(cell >= 0) & (cell < cells)], minlength=cells)


def sum_cells(entries: Iterable[FileEntry]) -> Counts:
    """Rows of all files by cell of the sky, int64 (CELLS,)."""
    counts = np.zeros(CELLS, dtype=np.int64)
    for entry in entries:
        if entry.pixel is not None and entry.cells is not None:
            shift = 2 * (entry.pixel.order - MAP_ORDER)
            # A pixel deeper than the map is part of one cell.
            first = entry.pixel.npix >> shift if shift > 0 else entry.pixel.npix << -shift
            counts[first : first + len(entry.cells)] += entry.cells
    return counts


def write_point_map(catalogue: Path, counts: Counts) -> None:
    """Write a catalogue's rows by cell of the sky, int64 (CELLS,)."""
    disk.write_file(catalogue / POINT_MAP, encode_map(counts))
    disk.make_link(catalogue / SKY_MAP, POINT_MAP)


def read_point_map(catalogue: Path) -> Counts:
    """A catalogue's rows by cell of the sky, int64 (CELLS,).

    Raises
    ------
    OSError, ValueError : it cannot be read, or is none.
    """
    return decode_map((catalogue / POINT_MAP).read_bytes())


def encode_map(counts: Counts) -> bytes:
    """`counts`, int64 (CELLS,), as a FITS file; equal counts give equal bytes."""
    filled = np.flatnonzero(counts)
    value = ">i4" if counts.max() < 2**31 else ">i8"
    explicit = 2 * len(filled) < CELLS
    members = [("PIXEL", ">i4")] * explicit + [("VALUE", value)]
    table = np.empty(len(filled) if explicit else CELLS, dtype=members)
    if explicit:
        table["PIXEL"] = filled
    table["VALUE"] = counts[filled] if explicit else counts
    header = [_card("XTENSION", "BINTABLE"), _card("BITPIX", 8), _card("NAXIS", 2)]
    header += [_card("NAXIS1", table.itemsize), _card("NAXIS2", len(table))]
    header += [_card("PCOUNT", 0), _card("GCOUNT", 1), _card("TFIELDS", len(members))]
    for number, (name, kind) in enumerate(members, 1):
        header.append(_card(f"TTYPE{number}", name))
        header.append(_card(f"TFORM{number}", "J" if kind == ">i4" else "K"))
    header += [_card("PIXTYPE", "HEALPIX"), _card("ORDERING", "NESTED"), _card("COORDSYS", "C")]
    header += [_card("EXTNAME", "POINT_MAP"), _card("NSIDE", 2**MAP_ORDER)]
    header += [_card("FIRSTPIX", 0), _card("LASTPIX", CELLS - 1)]
    if explicit:
        header += [_card("INDXSCHM", "EXPLICIT"), _card("OBS_NPIX", len(filled))]
    else:
        header += [_card("INDXSCHM", "IMPLICIT"), _card("OBJECT", "FULLSKY")]
    primary = [_card("SIMPLE", True), _card("BITPIX", 8), _card("NAXIS", 0), _card("EXTEND", True)]
    return _header(primary) + _header(header) + _padded(table.tobytes(), b"\0")


def decode_map(data: bytes) -> Counts:
    """What `encode_map` encoded.

    Raises
    ------
    ValueError : it is no such map.
    """
    start = 2 * BLOCK
    cards = {data[at : at + 8].strip(): data[at + 10 : at + 30] for at in range(BLOCK, start, CARD)}
    try:
        explicit = b"EXPLICIT" in cards[b"INDXSCHM"]
        forms = [b"TFORM1", b"TFORM2"][: 1 + explicit]
        kinds = [">i8" if b"K" in cards[form] else ">i4" for form in forms]
        rows = int(cards[b"NAXIS2"])
    except KeyError as error:
        raise ValueError(f"no point map: card {error} is missing") from error
    members = list(zip(["PIXEL", "VALUE"][-len(kinds) :], kinds, strict=True))
    table = np.frombuffer(data, dtype=np.dtype(members), count=rows, offset=start)
    counts = np.zeros(CELLS, dtype=np.int64)
    counts[table["PIXEL"] if explicit else slice(None)] = table["VALUE"]
    return counts


def _card(key: str, value: Any) -> bytes:
    said = f"'{value:<8}'" if isinstance(value, str) else f"{'T' if value is True else value:>20}"
    return f"{key:<8}= {said}".ljust(CARD).encode("ascii")


def _header(cards: list[bytes]) -> bytes:
    return _padded(b"".join([*cards, b"END".ljust(CARD)]), b" ")


def _padded(data: bytes, fill: bytes) -> bytes:
    return data + fill * (-len(data) % BLOCK)
