"""The pixels of a snapshot that hold rows of a table, and which of them a place touches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from queries.curves.places import Ranges
from store.layout import HealpixPixel
from store.snapshot import Snapshot


class Leaves:
    """Pixels in the order of the index; no two overlap."""

    def __init__(self, snapshot: Snapshot, table: str = "detections") -> None:
        pixels = sorted(snapshot.pixels(table), key=lambda pixel: pixel.index_range)
        self.pixels = pixels
        bounds = np.array([pixel.index_range for pixel in pixels], np.int64).reshape(-1, 2)
        self._first, self._past = bounds[:, 0], bounds[:, 1]

    def touched(self, ranges: Ranges) -> Iterator[tuple[HealpixPixel, Ranges]]:
        """The pixels that some ranges reach into, each with these ranges."""
        low = np.searchsorted(self._past, ranges.first, side="right")
        high = np.searchsorted(self._first, ranges.past, side="left")
        if not low.size:
            return
        begin, end = int(low.min()), int(high.max())
        if end - begin <= 1:
            if begin < end:
                yield self.pixels[begin], ranges
            return
        # How many ranges begin before each pixel ends, less how many ended before it begins.
        change = np.zeros(len(self.pixels) + 1, np.int64)
        np.add.at(change, low, 1)
        np.add.at(change, np.maximum(high, low), -1)
        for number in np.flatnonzero(np.cumsum(change)[:-1]).tolist():
            bounds = int(self._first[number]), int(self._past[number])
            yield self.pixels[number], ranges.overlapping(*bounds)
