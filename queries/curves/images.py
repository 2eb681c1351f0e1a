"""What is shown of the images that rows come from.

Images are told apart by night, exposure and quadrant, which go into one number: they are found by
bisection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import arrow, truths, values
from queries.curves.cache import ByteCache
from queries.curves.columns import IMAGE_KEY, OF_IMAGE
from queries.curves.files import one_batch, read_columns
from store.contract import LIGHTCURVE_IMAGES

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

# 20 bits of days are 2,800 years, 8 hold a quadrant, 36 are left for the exposure: 0.86 s each.
_NIGHT_BITS, _RCID_BITS = 20, 8


@dataclass(frozen=True)
class Images:
    """Some images, by their numbers.

    Attributes
    ----------
    key : int64 (n,), ascending.
    shown : their columns, `OF_IMAGE`, in the same order.
    any_bad : whether one of them is judged bad.
    """

    key: Index
    shown: pa.RecordBatch
    any_bad: bool

    def of(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The columns of the image of each row; null where it is not among these."""
        return self.shown.take(self.numbers(rows))

    def numbers(self, rows: pa.RecordBatch) -> pa.Array:
        """Which of these is the image of each row: int64 (n,); null where it is not among them."""
        wanted = keys(rows)
        if not self.key.size:
            return pa.nulls(rows.num_rows, pa.int64())
        at = np.searchsorted(self.key, wanted)
        at[at == self.key.size] = 0
        missing = self.key[at] != wanted
        return arrow(at, missing if missing.any() else None)


def keys(rows: pa.RecordBatch) -> Index:
    """The number of each row's image: int64 (n,)."""
    night = values(rows.column("night")).astype(np.int64)
    expid = values(rows.column("expid"))
    rcid = values(rows.column("rcid")).astype(np.int64)
    quadrant = (expid << _RCID_BITS) | (rcid & ((1 << _RCID_BITS) - 1))
    number: Index = (quadrant << _NIGHT_BITS) | (night & ((1 << _NIGHT_BITS) - 1))
    return number


def read_images(path: Path, cache: ByteCache) -> Images:
    """The images of a file: of one night, or those of a pixel's light curves.

    Raises
    ------
    DamagedArchiveError : it cannot be read.
    """

    def make() -> tuple[Images, int]:
        rows = read_columns(path, (*IMAGE_KEY, *OF_IMAGE))
        key = keys(rows)
        order = np.argsort(key, kind="stable")
        shown = rows.select(list(OF_IMAGE))
        if (order[1:] < order[:-1]).any():
            shown = shown.take(arrow(order))
        any_bad = bool(truths(shown.column("is_bad")).any())
        return Images(key[order], shown, any_bad), key.nbytes + shown.nbytes

    return cache.get(("images", path), make)


def of_nights(
    rows: pa.RecordBatch, images_of: Callable[[int], Images | None]
) -> tuple[pa.RecordBatch, bool]:
    """The columns of the image of each row, looked up night by night, and whether one may be bad.

    Parameters
    ----------
    images_of : the images of a night, given as days since 1970; None if it has none.
    """
    night = values(rows.column("night"))
    order = np.argsort(night, kind="stable")
    starts = np.flatnonzero(np.diff(night[order], prepend=np.iinfo(np.int32).min))
    arranged = rows if (order[1:] > order[:-1]).all() else rows.take(arrow(order))
    parts, any_bad = [], False
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        images = images_of(int(night[order[start]]))
        some = arranged.slice(start, stop - start)
        parts.append(no_images(some.num_rows) if images is None else images.of(some))
        any_bad |= images is not None and images.any_bad
    joined = one_batch(pa.Table.from_batches(parts, schema=no_images(0).schema))
    if arranged is not rows:
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        joined = joined.take(arrow(back))
    return joined, any_bad


def no_images(n: int) -> pa.RecordBatch:
    """Columns of `n` images that nobody knows."""
    schema = _schema()
    return pa.RecordBatch.from_arrays([pa.nulls(n, f.type) for f in schema], schema=schema)


def _schema() -> pa.Schema:
    return pa.schema([(c, LIGHTCURVE_IMAGES[c].field().type) for c in OF_IMAGE])
