"""`sourcedata` and `transientdata`: one row a measurement, packed a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from products.matchfile.columns import Columns, Row

# Records of 80 to 124 bytes that stay in the nearer caches while one column after the other is
# written into them; and how many are packed ahead of who writes them.
PIECE = 4096
AHEAD = 16_384


def packed(
    dtype: np.dtype[np.void], columns: Columns, rows: int, piece: int = AHEAD
) -> Iterator[Row]:
    """Records of `dtype`, `piece` of them at a time and the last ones fewer; each is good until the
    next but one.

    Packing goes on beside whatever is done with what is packed.

    Parameters
    ----------
    columns : (rows,) each; one for every name of `dtype`.
    """
    both = np.zeros((2, min(rows, piece)), dtype=dtype)

    def pack(number: int) -> Row:
        start = number * piece
        records = both[number % 2, : min(piece, rows - start)]
        # float64 of no known value, float32 of infinities: as they are.
        with np.errstate(invalid="ignore", over="ignore"):
            for first in range(0, records.size, PIECE):
                some = slice(start + first, start + min(first + PIECE, records.size))
                for name in dtype.names or ():
                    records[name][first : first + PIECE] = columns[name][some]
        return records

    pieces = -(-rows // piece)
    with ThreadPoolExecutor(1) as beside:
        ahead = [beside.submit(pack, number) for number in range(min(1, pieces))]
        for number in range(pieces):
            records = ahead.pop().result()
            if number + 1 < pieces:
                ahead.append(beside.submit(pack, number + 1))
            yield records


def whole(dtype: np.dtype[np.void], columns: Columns, rows: int) -> Row:
    """All of them at once; a column that is missing is 0."""
    records = np.zeros(rows, dtype=dtype)
    for name, column in columns.items():
        records[name] = column
    return records


def taken(columns: Columns, order: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
    """The columns at some rows."""
    return {name: column.take(order) for name, column in columns.items()}


def unit_vectors(ra_deg: NDArray[Any], dec_deg: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """x, y and z of positions in degrees; z is the sine of the declination."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    flat = np.cos(dec)
    return {"x": flat * np.cos(ra), "y": flat * np.sin(ra), "z": np.sin(dec)}
