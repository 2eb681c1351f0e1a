"""`sourcedata` and `transientdata`: one row a measurement, packed a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from products.matchfile.columns import Columns, Row
from transforms.rows import fill

# Records of 80 to 124 bytes that stay in the nearer caches until they are written to the file.
PIECE = 12_288


def packed(
    dtype: np.dtype[np.void], columns: Columns, rows: int, piece: int = PIECE
) -> Iterator[Row]:
    """Records of `dtype`, `piece` of them at a time and the last ones fewer; good until the next.

    Parameters
    ----------
    columns : (rows,) each; one for every name of `dtype`.
    """
    records = np.zeros(min(rows, piece), dtype=dtype)
    for start in range(0, rows, piece):
        some = records[: min(piece, rows - start)]
        fill(some, {name: columns[name][start : start + some.size] for name in dtype.names or ()})
        yield some


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
