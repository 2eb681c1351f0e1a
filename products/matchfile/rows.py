"""`sourcedata` and `transientdata`: one row a measurement, packed a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from products.matchfile.columns import Columns, Row

# Rows packed at a time: records of 80 to 124 bytes that stay in the nearer caches while one column
# after the other is written into them.
PIECE = 8192


class Taken:
    """A column at some rows of another, taken when it is asked for, a piece at a time.

    What is only written need not stand in memory twice: to touch new memory takes longer than all
    that is done with it.
    """

    def __init__(self, column: NDArray[Any], order: NDArray[np.int64]) -> None:
        self._column, self._order = column, order
        self.size = order.size

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        taken: NDArray[Any] = self._column.take(self._order[rows])
        return taken

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        return self[:].astype(dtype or self._column.dtype, copy=False)


def packed(dtype: np.dtype[np.void], columns: Columns, rows: int) -> Iterator[Row]:
    """Records of `dtype`, at most `PIECE` at a time; each is good until the next.

    Parameters
    ----------
    columns : (rows,) each; one for every name of `dtype`.
    """
    records = np.zeros(min(rows, PIECE), dtype=dtype)
    assert dtype.names is not None
    for start in range(0, rows, PIECE):
        piece = records[: min(PIECE, rows - start)]
        for name in dtype.names:
            # float64 of no known value, float32 of infinities: as they are.
            with np.errstate(invalid="ignore", over="ignore"):
                piece[name] = columns[name][start : start + piece.size]
        yield piece


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
