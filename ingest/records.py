"""A detection on its way from its image to its pixel: one record of fixed length.

Rows are sorted twice, within their image and within their pixel. As records they are moved whole:
a line or two of memory a row, where columns would cost one for each. What holds for an image as a
whole is kept once, beside the records.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from store.columns import Column
from store.contract import DETECTIONS
from transforms.identifiers import pid as pid_of
from transforms.rows import pack
from transforms.sorting import RadixSorter

Records = NDArray[np.void]


class ImageKey(NamedTuple):
    """What holds for every row of an image.

    `night` is in days since 1970-01-01; `has_flags` tells whether the catflags are known.
    """

    night: int
    expid: int
    field: int
    fid: int
    ccdid: int
    qid: int
    rcid: int
    has_flags: bool

    @property
    def pid(self) -> int:
        """Image id."""
        return pid_of(self.expid, self.rcid)


# The columns of `detections` that an image's key fills.
OF_IMAGE = ("night", "expid", "field", "fid", "ccdid", "qid", "rcid")
OF_ROW = tuple(column for column in DETECTIONS.columns if column.name not in OF_IMAGE)
_EPOCH = date(1970, 1, 1)

# What stands for null in numbers that have no NaN; catflags are null for an image as a whole.
NULLS = {"oid": -1, "match_rank": 0}


def day_number(night: date) -> int:
    """A night as `ImageKey` has it."""
    return (night - _EPOCH).days


def numpy_type(column: Column) -> np.dtype[Any]:
    """How a column is held in memory; dates are days."""
    return np.dtype("int32" if column.dtype == "date32" else column.dtype)


def _record_type() -> np.dtype[Any]:
    """The columns that differ from row to row, wide ones first, and the number of the image."""
    members = [(column.name, numpy_type(column)) for column in OF_ROW]
    members.append(("image", np.dtype(np.int32)))
    members.sort(key=lambda member: -member[1].itemsize)
    return np.dtype(members, align=True)


RECORD = _record_type()


class ImageSorter(threading.local):
    """Turns the columns of one image after another into sorted records, in a buffer a thread."""

    def __init__(self) -> None:
        self._records = np.empty(0, dtype=RECORD)
        self._zeros = np.empty(0, dtype=np.int32)
        self._sorter = RadixSorter()

    def sort(self, columns: Mapping[str, NDArray[Any]]) -> Records:
        """The rows of an image as records sorted by `_healpix_29`; rows of one index as they came.

        Parameters
        ----------
        columns : those of `OF_ROW`, each (n,) and of its contract's type.

        Returns
        -------
        records (n,) of image 0, good until the next call.
        """
        order, _ = self._sorter.sort(columns["_healpix_29"])
        n = len(order)
        if len(self._records) < n:
            self._records = np.empty(n, dtype=RECORD)
            self._zeros = np.zeros(n, dtype=np.int32)
        records = self._records[:n]
        pack({**columns, "image": self._zeros}, order, records)
        return records
