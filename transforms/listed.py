"""Where whole numbers stand in a short list of them: a table of open addresses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel

Numbers = NDArray[np.int64]


def positions(values: ArrayLike, listed: ArrayLike) -> NDArray[np.int32]:
    """The place of each value in a list.

    Parameters
    ----------
    values : int (n,).
    listed : int (m,), each once.

    Returns
    -------
    int32 (n,); −1 of a value that is not in the list.

    Raises
    ------
    TransformError : a number is listed twice.
    """
    asked = np.require(values, np.int64, ["C", "A", "W"])
    known = np.require(listed, np.int64, ["C", "A", "W"])
    if np.unique(known).size != known.size:
        raise TransformError("a number is listed twice")
    size = 16
    while size < 4 * known.size:
        size *= 2
    table = np.full(size, -1, dtype=np.int32)
    found = np.empty(asked.size, dtype=np.int32)
    _find(asked, known, table, found)
    return found


@kernel
def _slot(value: int, known: Numbers, table: NDArray[np.int32]) -> int:
    mask = table.size - 1
    # Neighbouring exposures differ in their last digits alone: spread them.
    at = ((value * 0x9E3779B1) >> 12) & mask
    while table[at] >= 0:
        if known[table[at]] == value:
            return at
        at = (at + 1) & mask
    return at


@kernel
def _find(
    asked: Numbers, known: Numbers, table: NDArray[np.int32], found: NDArray[np.int32]
) -> None:
    for k in range(known.size):
        table[_slot(known[k], known, table)] = k
    for row in range(asked.size):
        # Rows of one exposure often follow each other.
        if (row > 0) and (asked[row] == asked[row - 1]):
            found[row] = found[row - 1]
        else:
            found[row] = table[_slot(asked[row], known, table)]
