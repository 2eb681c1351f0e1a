"""Rows of a pixel's detections as nights and periods hold them: what no light curves hold yet.

A file's row groups have tens of thousands of rows. Their index is remembered, so that a night that
did not see a place is passed over; and their columns, as far as memory is given.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import arrow, values
from queries.curves.cache import ByteCache
from queries.curves.columns import OF_DETECTION
from queries.curves.files import open_file, resolved
from queries.curves.pieces import Found, pick
from queries.curves.places import Place, Ranges
from queries.curves.threads import mapped
from store.contract import DETECTIONS
from store.periods import Period, parse_night

Index = NDArray[np.int64]

_INDEX = "_healpix_29"
_COLUMNS = (*OF_DETECTION, _INDEX)
# Below, a thread costs more than it saves.
_FEW = 4


class Nightly:
    """Files of detections of one pixel.

    Parameters
    ----------
    files : as the publication names them, so that their names tell night or period.
    left_out : nights whose rows are left out, should a period hold them.
    """

    def __init__(self, files: Sequence[Path], left_out: Collection[date], cache: ByteCache) -> None:
        self._cache = cache
        self._parts = [(path.stem, resolved(path)) for path in files]
        self._left_out = np.array(sorted(left_out), "datetime64[D]").astype(np.int32)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def nights(self, known: Collection[date]) -> list[date]:
        """Those of the `known` nights of which it may hold rows."""
        parts = [part for part, _ in self._parts]
        out = set(self._left_out.astype("datetime64[D]").astype(object).tolist())
        return [n for n in known if n not in out and any(_about(part, [n]) for part in parts)]

    def in_place(self, place: Place, ranges: Ranges) -> list[Found]:
        """The rows that a place holds, which lie in some ranges of `_healpix_29`."""
        tasks = [
            (part, path, group)
            for part, path in self._parts
            for group in self._groups(path, ranges)
        ]

        def look(task: tuple[str, Path, int]) -> Found | None:
            part, path, group = task
            rows = self._rows(path, group)
            found = pick(rows, values(rows.column(_INDEX)), place, ranges)
            return self._wanted(part, found)

        waits = sum(("rows", path, group) not in self._cache for _, path, group in tasks)
        return [found for found in mapped(look, tasks, at_once=waits >= _FEW) if found is not None]

    def of_objects(self, oids: Sequence[int], nights: Collection[date]) -> list[Found]:
        """The rows of some nights that carry some ids, wherever they lie."""
        wanted = np.array(sorted(oids), np.int64)
        days = np.array(sorted(nights), "datetime64[D]").astype(np.int32)

        def look(task: tuple[str, Path]) -> Found | None:
            part, path = task
            file = open_file(path, ("oid", "night"), None, self._cache)
            pieces = []
            for group in range(file.n_groups):
                rows = file.read([group])
                oid = values(rows.column("oid"), np.iinfo(np.int64).min)
                night = values(rows.column("night"))
                row = np.flatnonzero(np.isin(oid, wanted) & np.isin(night, days))
                if row.size:
                    pieces.append(self._rows(path, group).take(arrow(row)))
            if not pieces:
                return None
            return self._wanted(part, Found(pa.concat_batches(pieces), None))

        tasks = [task for task in self._parts if _about(task[0], nights)]
        return [
            found for found in mapped(look, tasks, at_once=len(tasks) >= _FEW) if found is not None
        ]

    def _groups(self, path: Path, ranges: Ranges) -> list[int]:
        """Row groups of a file that have rows in some ranges."""
        file = open_file(path, _COLUMNS, _INDEX, self._cache)
        bounds = zip(file.footer.first, file.footer.last, strict=True)
        groups = []
        for group, (low, high) in enumerate(bounds):
            if not ((ranges.first <= high) & (ranges.past > low)).any():
                continue
            index = self._index(path, group)
            if (np.searchsorted(index, ranges.past) > np.searchsorted(index, ranges.first)).any():
                groups.append(group)
        return groups

    def _index(self, path: Path, group: int) -> Index:
        def make() -> tuple[Index, int]:
            rows = open_file(path, (_INDEX,), None, self._cache).read([group])
            index: Index = values(rows.column(0))
            return index, index.nbytes

        return self._cache.get(("index", path, group), make)

    def _rows(self, path: Path, group: int) -> pa.RecordBatch:
        def make() -> tuple[pa.RecordBatch, int]:
            rows = open_file(path, _COLUMNS, _INDEX, self._cache).read([group])
            return rows, rows.nbytes

        return self._cache.get(("rows", path, group), make)

    def _wanted(self, part: str, found: Found | None) -> Found | None:
        """Without the rows of nights that are left out."""
        if found is None or not self._left_out.size or Period.named(part) is None:
            return found
        night = values(found.rows.column("night"))
        wanted = np.isin(night, self._left_out, invert=True)
        if wanted.all():
            return found
        target = None if found.target is None else found.target[wanted]
        return Found(found.rows.filter(arrow(wanted)), target) if wanted.any() else None


def _about(part: str, nights: Collection[date]) -> bool:
    """Whether a file of that name may hold rows of some nights."""
    period = Period.named(part)
    if period is None:
        return parse_night(part) in nights
    return any(night in period for night in nights)


ROWS = pa.schema([(name, DETECTIONS[name].field().type) for name in OF_DETECTION])
