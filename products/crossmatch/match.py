"""Left rows of one pixel, matched to the right rows in it and within the radius of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from products.crossmatch.partition import Task, around
from products.crossmatch.rows import Catalogue, Rows
from transforms.match import SkyGrid, matched

Want = Literal["nearest", "all", "left_only"]


@dataclass(frozen=True, slots=True)
class Matched:
    """What came of one task: its associations, and how many left rows there were and matched."""

    rows: pa.Table
    left_rows: int
    left_matched: int


@dataclass(frozen=True, slots=True)
class Matcher:
    """A function of tasks. Columns: left_id, then right_id and separation_arcsec, or ra and dec of
    the left rows that have no match; first of all, if `keyed`, `_healpix_29` of the left rows.
    """

    left: Catalogue
    right: Catalogue
    radius_arcsec: float
    want: Want
    keyed: bool = False

    def __call__(self, task: Task) -> Matched:
        """Match one pixel."""
        near = around(task.pixel, self.radius_arcsec) if task.pixel else task.ranges[:0]
        left = self.left.read(task.ranges)
        right = self.right.read(near)
        grid = SkyGrid(right.ra, right.dec, self.radius_arcsec)
        if self.want == "all":
            row, index, separation = grid.within(left.ra, left.dec, self.radius_arcsec)
            n_matched = np.unique(row).size
            pairs = self._pairs(left, right, row, index, separation)
            return Matched(pairs, len(left), n_matched)
        index, separation = grid.nearest(left.ra, left.dec, self.radius_arcsec)
        if self.want == "left_only":
            alone = np.flatnonzero(index < 0)
            return Matched(self._alone(left, alone), len(left), len(left) - alone.size)
        found, source, separation = matched(index, separation)
        pairs = self._pairs(left, right, found, source, separation)
        return Matched(pairs, len(left), found.size)

    def _pairs(
        self,
        left: Rows,
        right: Rows,
        row: np.ndarray,
        index: np.ndarray,
        separation: np.ndarray,
    ) -> pa.Table:
        return pa.table(
            self._left(left, row)
            | {
                "right_id": _taken(right.ids, index),
                "separation_arcsec": separation,
            }
        )

    def _alone(self, left: Rows, row: np.ndarray) -> pa.Table:
        return pa.table(
            self._left(left, row)
            | {
                "ra": pa.array(left.ra[row], from_pandas=True),
                "dec": pa.array(left.dec[row], from_pandas=True),
            }
        )

    def _left(self, left: Rows, row: np.ndarray) -> dict[str, pa.Array]:
        key = {"_healpix_29": pa.array(left.key[row])} if self.keyed else {}
        return key | {"left_id": _taken(left.ids, row)}


def _taken(ids: pa.Array, rows: np.ndarray) -> pa.Array:
    """Ids by rows that the search gave: there is no need to look once more whether they exist."""
    return pc.take(ids, pa.array(rows), boundscheck=False)
