"""Where the object lies that an id names, for many rows at once: ids hashed, places compared.

An id that is there may still name another place: of a reference catalogue that was replaced. So a
row is of a place only if it lies near it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.sphere import DEGREE, Floats, columns

Integers = NDArray[np.int64]

# Fibonacci hashing: 2⁶⁴ over the golden ratio, odd (Knuth, The Art of Computer Programming, 6.4).
_GOLDEN = np.uint64(0x9E37_79B9_7F4A_7C15)


class Places:
    """Objects by their ids: their places, and a number that stands for each.

    Parameters
    ----------
    ids : int64 (m,), distinct, 0 or more.
    ra_deg, dec_deg : (m,) ICRS degrees.
    numbers : int64 (m,), what `numbers_of` gives for the rows of each.

    Raises
    ------
    TransformError : lengths differ, or an id stands twice.
    """

    def __init__(
        self, ids: ArrayLike, ra_deg: ArrayLike, dec_deg: ArrayLike, numbers: ArrayLike
    ) -> None:
        self._ids = np.require(ids, np.int64, ["C", "A", "W"])
        self._numbers = np.require(numbers, np.int64, ["C", "A", "W"])
        ra, dec = columns(ra_deg, dec_deg)
        if not ra.size == self._ids.size == self._numbers.size:
            raise TransformError(f"{self._ids.size} ids, but {ra.size} places")
        self._places = np.empty((ra.size, 3))
        _unit_vectors(ra, dec, self._places)
        # Half full at most.
        self._bits = max(4, int(2 * ra.size - 1).bit_length() if ra.size else 0)
        self._table = np.full(1 << self._bits, -1, dtype=np.int32)
        if not _fill_table(self._ids, self._table, self._bits):
            raise TransformError("an id stands twice")

    def numbers_of(
        self,
        ids: Integers,
        ra_deg: Floats,
        dec_deg: Floats,
        radius_arcsec: float,
        otherwise: Integers,
    ) -> Integers:
        """The number of the object that each row's id names, if the row lies near it.

        Parameters
        ----------
        ids : int64 (n,), −1 where a row has none.
        ra_deg, dec_deg : float64 (n,) ICRS degrees.
        radius_arcsec : the largest separation that is near.
        otherwise : int64 (n,), what other rows are given.

        Returns
        -------
        int64 (n,).
        """
        ra, dec = columns(ra_deg, dec_deg)
        found = np.empty(ra.size, dtype=np.int64)
        chord = 2.0 * math.sin(radius_arcsec / 3600.0 * DEGREE / 2.0)
        _numbers_of(
            np.require(ids, np.int64, ["C", "A", "W"]), ra, dec, chord * chord,
            np.require(otherwise, np.int64, ["C", "A", "W"]),
            self._ids, self._places, self._numbers, self._table, self._bits, found,
        )  # fmt: skip
        return found


@kernel
def _unit_vectors(ra: Floats, dec: Floats, places: Floats) -> None:
    for i in range(ra.size):
        cos_dec = math.cos(dec[i] * DEGREE)
        places[i, 0] = cos_dec * math.cos(ra[i] * DEGREE)
        places[i, 1] = cos_dec * math.sin(ra[i] * DEGREE)
        places[i, 2] = math.sin(dec[i] * DEGREE)


@kernel
def _slot(key: int, bits: int) -> np.int64:
    return np.int64((np.uint64(key) * _GOLDEN) >> np.uint64(64 - bits))


@kernel
def _fill_table(ids: Integers, table: NDArray[np.int32], bits: int) -> bool:
    mask = (1 << bits) - 1
    for i in range(ids.size):
        slot = _slot(ids[i], bits)
        while table[slot] >= 0:
            if ids[table[slot]] == ids[i]:
                return False
            slot = (slot + 1) & mask
        table[slot] = i
    return True


@kernel
def _numbers_of(
    ids: Integers, ra: Floats, dec: Floats, most: float, otherwise: Integers,
    known: Integers, places: Floats, numbers: Integers, table: NDArray[np.int32], bits: int,
    found: Integers,
) -> None:  # fmt: skip
    mask = (1 << bits) - 1
    for i in range(ids.size):
        found[i] = otherwise[i]
        if ids[i] < 0:
            continue
        slot = _slot(ids[i], bits)
        while table[slot] >= 0 and known[table[slot]] != ids[i]:
            slot = (slot + 1) & mask
        at = table[slot]
        if at < 0:
            continue
        cos_dec = math.cos(dec[i] * DEGREE)
        dx = cos_dec * math.cos(ra[i] * DEGREE) - places[at, 0]
        dy = cos_dec * math.sin(ra[i] * DEGREE) - places[at, 1]
        dz = math.sin(dec[i] * DEGREE) - places[at, 2]
        if dx * dx + dy * dy + dz * dz <= most:
            found[i] = numbers[at]
