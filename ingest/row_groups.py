"""Sorted records as Arrow tables, a row group at a time, in memory that is used again and again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingest.records import NULLS, OF_IMAGE, RECORD, ImageKey, Records, numpy_type
from store.columns import ROW_GROUP_ROWS, Column
from store.contract import DETECTIONS
from transforms.rows import unpack
from transforms.sorting import Order, validity


class RowGroups:
    """Makes tables of at most `ROW_GROUP_ROWS` rows; each is good until the next is made."""

    def __init__(self) -> None:
        self._columns = {
            column.name: np.empty(ROW_GROUP_ROWS, numpy_type(column))
            for column in DETECTIONS.columns
        }
        self._bits = {
            column.name: np.empty(ROW_GROUP_ROWS // 8, np.uint8)
            for column in DETECTIONS.columns
            if column.nullable
        }
        self._image = np.empty(ROW_GROUP_ROWS, np.int32)
        values = {**self._columns, "image": self._image}
        self._members = {name: values[name] for name in RECORD.names or ()}
        self._schema = DETECTIONS.schema()

    def tables(
        self, records: Records, order: Order, images: Sequence[ImageKey]
    ) -> Iterator[pa.Table]:
        """The records in the order given, in the schema of `detections`.

        Parameters
        ----------
        records : (n,), whose `image` counts in `images`.
        order : int32 (n,).
        """
        of_image = {
            name: np.array([getattr(image, name) for image in images], self._columns[name].dtype)
            for name in OF_IMAGE
        }
        has_flags = np.array([image.has_flags for image in images], dtype=bool)
        for start in range(0, len(order), ROW_GROUP_ROWS):
            chosen = order[start : start + ROW_GROUP_ROWS]
            unpack(records, chosen, self._members)
            image = self._image[: len(chosen)]
            for name, values in of_image.items():
                # "clip" writes straight into `out`; every number is one of `images`.
                np.take(values, image, out=self._columns[name][: len(chosen)], mode="clip")
            yield self._table(len(chosen), None if has_flags.all() else has_flags[image])

    def _table(self, n: int, has_flags: NDArray[np.bool_] | None) -> pa.Table:
        arrays = []
        for column, field in zip(DETECTIONS.columns, self._schema, strict=True):
            values = self._columns[column.name][:n]
            nulls, bitmap = self._validity(column, values, has_flags)
            arrays.append(
                pa.Array.from_buffers(field.type, n, [bitmap, pa.py_buffer(values)], nulls)
            )
        return pa.Table.from_arrays(arrays, schema=self._schema)

    def _validity(
        self, column: Column, values: NDArray[Any], has_flags: NDArray[np.bool_] | None
    ) -> tuple[int, pa.Buffer | None]:
        """How many values are null, and which are not; no bitmap where all are known."""
        if not column.nullable:
            return 0, None
        if column.name == "catflags":
            if has_flags is None:
                return 0, None
            known = np.packbits(has_flags, bitorder="little")
            return int(np.count_nonzero(~has_flags)), pa.py_buffer(known)
        bits = self._bits[column.name]
        nulls = validity(values, NULLS.get(column.name, math.nan), bits)
        return nulls, pa.py_buffer(bits) if nulls else None
