"""Sorting rows by a key, and which of their values are null.

A radix sort counts instead of comparing. A key and its row are one word of 64 bits, which moves as
a whole; the highest digits bring rows nearly into order, and what is left is moved by a few places.
Memory that is touched for the first time costs more than the sort, so buffers are kept from call to
call.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from transforms.kernel import kernel

Order = NDArray[np.int32]
Keys = NDArray[np.int64]

# Counters of one digit: 2¹² of 4 bytes stay in the nearest cache, with a line for each to be
# written to; few rows are not worth so many.
WIDE_DIGIT, NARROW_DIGIT = 12, 8
FEW_ROWS = 4096
# Digits that are sorted: of an image's rows few share the first two of a HEALPix index (2"), of the
# detections of a whole pixel few the first three (0.03").
IMAGE_ROWS = 1 << 18
# Places that a row is moved on average, before all digits are sorted after all.
MOST_MOVES = 4
# Numbers that keys may span, to each key, before they are sorted instead of counted.
MOST_GAPS = 4
# Indices of kernels: numba asks of a signed one, each time, whether it counts from the end.
U = np.uintp


class RadixSorter:
    """Sorts whole numbers, stably; its buffers grow to the longest input and are used again."""

    def __init__(self) -> None:
        self._keys = np.empty((2, 0), dtype=np.int64)
        self._words = np.empty((2, 0), dtype=np.uint64)
        self._order = np.empty(0, dtype=np.int32)

    def sort(self, keys: Keys) -> tuple[Order, Keys]:
        """The order that sorts `keys`, and the sorted keys.

        Parameters
        ----------
        keys : int64 (n,), n < 2³¹; may be a field of records. Equal keys keep their order.

        Returns
        -------
        order : int32 (n,), such that keys[order] is sorted.
        sorted : int64 (n,). Both are good until the next call. Empty gives empty.
        """
        n = keys.size
        if self._keys.shape[1] < n:
            self._keys = np.empty((2, n), dtype=np.int64)
            self._words = np.empty((2, n), dtype=np.uint64)
            self._order = np.empty(n, dtype=np.int32)
        given, ordered = self._keys[0, :n], self._keys[1, :n]
        order = self._order[:n]
        if n:
            np.copyto(given, keys)
            digit = WIDE_DIGIT if n > FEW_ROWS else NARROW_DIGIT
            few = 2 if FEW_ROWS < n <= IMAGE_ROWS else 3
            every = 64 // digit + 1
            if not any(
                _radix_sort(given, self._words, order, ordered, digit, digits)
                for digits in (few, every)
            ):
                order[:] = np.argsort(given, kind="stable")
                ordered[:] = given[order]
        return order, ordered


@kernel
def _radix_sort(
    keys: Keys, words: NDArray[np.uint64], order: Order, ordered: Keys, digit: int, digits: int
) -> bool:
    """Sort by the highest `digits`, then move rows into place; False if that would take long.

    A word holds the row in its lowest bits, above it as much of key − least as there is room for.
    """
    n = keys.size
    least = most = keys[0]
    for i in range(n):
        least, most = min(least, keys[i]), max(most, keys[i])
    # Differences of 64 bits wrap as they should where they have no sign.
    first = np.uint64(least)
    key_bits = row_bits = 0
    while key_bits < 64 and (np.uint64(most) - first) >> np.uint64(key_bits):
        key_bits += 1
    while n >> row_bits:
        row_bits += 1
    lost = max(0, key_bits + row_bits - 64)
    passes = min(digits, (key_bits - lost + digit - 1) // digit)
    lowest = max(row_bits, row_bits + key_bits - lost - passes * digit)
    mask = np.uint64((1 << digit) - 1)
    starts = np.zeros((passes, 1 << digit), dtype=np.int32)
    for i in range(n):
        word = (np.uint64(keys[i]) - first) >> np.uint64(lost) << np.uint64(row_bits)
        word |= np.uint64(i)
        words[0, i] = word
        rest = word >> np.uint64(lowest)
        for p in range(passes):
            starts[p, rest & mask] += 1
            rest >>= np.uint64(digit)
    here = 0
    for p in range(passes):
        place = 0
        for value in range(1 << digit):
            count = starts[p, value]
            starts[p, value] = place
            place += count
        there = 1 - here
        shift = np.uint64(lowest + p * digit)
        for i in range(n):
            word = words[here, i]
            value = (word >> shift) & mask
            k = starts[p, value]
            starts[p, value] = k + 1
            words[there, k] = word
        here = there
    row_mask = np.uint64((1 << row_bits) - 1)
    moves = 0
    for i in range(n):
        row = np.int32(words[here, i] & row_mask)
        key = keys[row]
        k = i
        while k > 0 and ordered[k - 1] > key:
            ordered[k], order[k] = ordered[k - 1], order[k - 1]
            k -= 1
        ordered[k], order[k] = key, row
        moves += i - k
        if moves > MOST_MOVES * n:
            return False
    return True


def ranks(keys: NDArray[np.int32]) -> Order:
    """Place of each key among all of them in order; equal keys keep theirs.

    Whole numbers that have few gaps, as the rows of a catalogue, are counted, not sorted.

    Parameters
    ----------
    keys : int32 (n,), n < 2³¹.

    Returns
    -------
    int32 (n,), such that sorted[ranks] = keys. Empty gives empty.
    """
    place = np.empty(keys.size, dtype=np.int32)
    if not keys.size:
        return place
    least, most = int(keys.min()), int(keys.max())
    if most - least < MOST_GAPS * keys.size:
        _count_ranks(keys, least, np.zeros(most - least + 1, dtype=np.int32), place)
    else:
        place[np.argsort(keys, kind="stable")] = np.arange(keys.size, dtype=np.int32)
    return place


@kernel
def _count_ranks(keys: Order, least: int, starts: Order, place: Order) -> None:
    for i in range(keys.size):
        starts[U(keys[i] - least)] += 1
    before, each_once = 0, True
    for k in range(starts.size):
        count = starts[k]
        each_once &= count == 1
        starts[k] = before
        before += count
    if each_once:
        for i in range(keys.size):
            place[i] = keys[i] - least
        return
    for i in range(keys.size):
        key = U(keys[i] - least)
        place[i] = starts[key]
        starts[key] += 1


@kernel
def _count_nulls(values: NDArray[np.generic], null: float) -> int:
    nulls = 0
    for i in range(values.size):
        # NaN is the one value that differs from itself.
        nulls += (values[i] != values[i]) | (values[i] == null)
    return nulls


@kernel
def _pack_valid(values: NDArray[np.generic], null: float, bits: NDArray[np.uint8]) -> None:
    n = values.size
    for byte in range((n + 7) // 8):
        packed = 0
        for bit in range(min(8, n - 8 * byte)):
            value = values[8 * byte + bit]
            packed |= ((value == value) & (value != null)) << bit
        bits[byte] = packed


def validity(values: NDArray[np.generic], null: float, bits: NDArray[np.uint8]) -> int:
    """Which values are known, as the bits of a bitmap in Arrow's form.

    Parameters
    ----------
    values : (n,) numbers.
    null : the number that stands for null, NaN for floats.
    bits : uint8 (at least n/8,): the lowest bit is the first row's, 1 if it is known. Left as it
        is where nothing is null.

    Returns
    -------
    How many are null.
    """
    # Of the values' own type: to widen them first would take four times as long.
    of_type = values.dtype.type(null)
    nulls: int = _count_nulls(values, of_type)
    if nulls:
        _pack_valid(values, of_type, bits)
    return nulls
