"""Left rows of one pixel, matched to the right rows in it and within the radius of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from products.crossmatch.partition import Task, around
from products.crossmatch.rows import Catalogue, Rows
from transforms.match import SkyGrid

Want = Literal["nearest", "all", "left_only"]


@dataclass(frozen=True, slots=True)
class Matched:
    """What came of one task: its associations, and how many left rows there were and matched."""

    rows: pa.Table
    left_rows: int
    left_matched: int


@dataclass(frozen=True, slots=True)
class Matcher:
    """A function of tasks. Columns: `_healpix_29`, left_id, then right_id and separation_arcsec,
    or ra and dec of the left rows that have no match.
    """

    left: Catalogue
    right: Catalogue
    radius_arcsec: float
    want: Want

    def __call__(self, task: Task) -> Matched:
        """Match one pixel."""
        near = around(task.pixel, self.radius_arcsec) if task.pixel else task.ranges[:0]
        left = self.left.read(task.ranges)
        right = self.right.read(near)
        grid = SkyGrid(right.ra, right.dec, self.radius_arcsec)
        if self.want == "all":
            row, index, separation = grid.within(left.ra, left.dec, self.radius_arcsec)
            matched = np.unique(row).size
            return Matched(_pairs(left, right, row, index, separation), len(left), matched)
        index, separation = grid.nearest(left.ra, left.dec, self.radius_arcsec)
        row = np.flatnonzero(index >= 0)
        if self.want == "left_only":
            rows = _alone(left, np.flatnonzero(index < 0))
        else:
            rows = _pairs(left, right, row, index[row], separation[row])
        return Matched(rows, len(left), row.size)


def _pairs(
    left: Rows,
    right: Rows,
    row: np.ndarray,
    index: np.ndarray,
    separation: np.ndarray,
) -> pa.Table:
    return pa.table(
        {
            "_healpix_29": left.key[row],
            "left_id": left.ids.take(pa.array(row)),
            "right_id": right.ids.take(pa.array(index)),
            "separation_arcsec": separation,
        }
    )


def _alone(left: Rows, row: np.ndarray) -> pa.Table:
    return pa.table(
        {
            "_healpix_29": left.key[row],
            "left_id": left.ids.take(pa.array(row)),
            "ra": pa.array(left.ra[row], from_pandas=True),
            "dec": pa.array(left.dec[row], from_pandas=True),
        }
    )
