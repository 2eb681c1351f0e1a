"""Columns to records and back, in another order: every row is fetched once and put once.

To reorder twenty columns one by one walks through memory twenty times. Here a value is no more
than 8, 4 or 2 bytes, so that one loop over the rows moves all of them, whatever they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.sorting import Order

Words = NDArray[np.integer[Any]]
WIDTHS = (8, 4, 2)
# Records that stay in the nearest cache while one field after the other is written.
TILE = 128


def pack(columns: Mapping[str, NDArray[Any]], order: Order, records: NDArray[np.void]) -> None:
    """Write the rows of some columns to records: records[name] = columns[name][order].

    Parameters
    ----------
    columns : one for each field of the records, of its type, each (m,) and contiguous.
    order : int32 (n,), rows of the columns.
    records : (n,), contiguous; their fields stand in order of width, wide ones first.

    Raises
    ------
    TransformError : types or layout differ.
    """
    _pack(order, *_words(columns, records))


def unpack(records: NDArray[np.void], order: Order, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write records to columns: columns[name] = records[name][order]; otherwise as `pack`."""
    _unpack(order, *_words(columns, records))


def fill(records: NDArray[np.void], columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns to records of any layout: records[name] = columns[name].

    Parameters
    ----------
    records : (n,), few enough to stay in the nearer caches; fields are of 8, 4 or 2 bytes.
    columns : one for each field, (n,) each; one of another type is converted.

    Raises
    ------
    TransformError : a length differs, or a field is of another width.
    """
    kind = records.dtype
    given: dict[str, NDArray[Any]] = {}
    # float64 of no known value, float32 of infinities: as they are.
    with np.errstate(invalid="ignore", over="ignore"):
        for name in kind.names or ():
            given[name] = np.ascontiguousarray(columns[name], kind[name])
    for name in given:
        if given[name].shape != records.shape or kind[name].itemsize not in WIDTHS:
            raise TransformError(f"{given[name].shape} {name} of {kind[name]} for {records.size}")
    if records.size < 2:
        # A single value is contiguous, and would have the kernel compiled anew.
        for name, values in given.items():
            records[name] = values
        return
    for width in WIDTHS:
        names = [name for name in given if kind[name].itemsize == width]
        if names:
            _fill(
                tuple(_read_only(given[name].view(f"i{width}")) for name in names),
                tuple(records[name].view(f"i{width}") for name in names),
            )


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    """Of one type for a kernel, whoever the values belong to."""
    values.flags.writeable = False
    return values


def _words(columns: Mapping[str, NDArray[Any]], records: NDArray[np.void]) -> tuple[Any, ...]:
    """Columns and records as whole numbers of 8, 4, 2 bytes, and where those of 4 and 2 begin."""
    kind = records.dtype
    names = kind.names or ()
    groups = []
    place = 0
    for width in WIDTHS:
        same = [name for name in names if kind[name].itemsize == width]
        offsets = [kind.fields[name][1] for name in same] if kind.fields else []
        if offsets != list(range(place, place + width * len(same), width)):
            raise TransformError(f"fields of {width} bytes do not stand together in {kind}")
        for name in same:
            if columns[name].dtype != kind[name]:
                raise TransformError(f"{name} is {columns[name].dtype}, not {kind[name]}")
        groups.append((tuple(columns[name].view(f"i{width}") for name in same), place // width))
        place += width * len(same)
    if place != sum(kind[name].itemsize for name in names):
        raise TransformError(f"a field is not of 8, 4 or 2 bytes: {kind}")
    rows = records.view(np.uint8).reshape(len(records), kind.itemsize)
    (wide, _), (narrow, at4), (short, at2) = groups
    return (
        wide, narrow, short, rows.view(np.int64), rows.view(np.int32), rows.view(np.int16), at4, at2
    )  # fmt: skip


@kernel
def _pack(
    order: Order,
    wide: tuple[Words, ...], narrow: tuple[Words, ...], short: tuple[Words, ...],
    rows8: Words, rows4: Words, rows2: Words, at4: int, at2: int,
) -> None:  # fmt: skip
    for i in range(order.size):
        j = order[i]
        for c in range(len(wide)):
            rows8[i, c] = wide[c][j]
        for c in range(len(narrow)):
            rows4[i, at4 + c] = narrow[c][j]
        for c in range(len(short)):
            rows2[i, at2 + c] = short[c][j]


@kernel
def _fill(columns: tuple[Words, ...], fields: tuple[Words, ...]) -> None:
    for start in range(0, columns[0].size, TILE):
        end = min(start + TILE, columns[0].size)
        for c in range(len(columns)):
            # Slices: a loop over all of an array asks at no place whether it is there. Fields may
            # lie at any byte: numba does not know, and neither x86-64 nor ARM64 minds.
            values, field = columns[c][start:end], fields[c][start:end]
            for i in range(field.size):
                field[i] = values[i]


@kernel
def _unpack(
    order: Order,
    wide: tuple[Words, ...], narrow: tuple[Words, ...], short: tuple[Words, ...],
    rows8: Words, rows4: Words, rows2: Words, at4: int, at2: int,
) -> None:  # fmt: skip
    for i in range(order.size):
        j = order[i]
        for c in range(len(wide)):
            wide[c][i] = rows8[j, c]
        for c in range(len(narrow)):
            narrow[c][i] = rows4[j, at4 + c]
        for c in range(len(short)):
            short[c][i] = rows2[j, at2 + c]
