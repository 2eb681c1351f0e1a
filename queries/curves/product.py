"""Rows of a pixel's light curves: object by object, found by id or by place.

Row groups are small, so that a curve costs one or two of them. An index says in which rows an
object's run stands; row groups are in the order of `object_healpix_29`, where a place looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import arrow, values
from queries.curves.cache import ByteCache
from queries.curves.channels import Sources
from queries.curves.columns import OF_DETECTION
from queries.curves.files import ParquetFile, open_file, read_columns
from queries.curves.images import Images, read_images
from queries.curves.pieces import Found, cut, held, spans
from queries.curves.places import Place, Ranges
from queries.curves.threads import mapped
from store.lightcurve_files import PixelFiles

Index = NDArray[np.int64]

_ORDER = "object_healpix_29"
_SHOWN = list(range(len(OF_DETECTION)))
# Row groups that are read at once for many curves: 260,000 rows of 4,096 a group.
_GROUPS_AT_ONCE = 64
# Of a cone's two or three, another thread would take longer to wake than to read one.
_FEW_TASKS = 4


@dataclass(frozen=True)
class Runs:
    """Where each object's rows stand: int64 (n,) each, in the order of ids; `place` is the index.

    An object whose reference was replaced has a run at each place where it was measured.
    """

    oid: Index
    place: Index
    first_row: Index
    n_rows: Index

    def of(self, oid: int) -> tuple[int, int]:
        """The runs of an object: first, and one past the last."""
        first = int(np.searchsorted(self.oid, oid))
        past = first
        while past < self.oid.size and self.oid[past] == oid:
            past += 1
        return first, past

    def all_at(self, first: int, past: int, sources: Sources | None) -> bool:
        """Whether all runs of ids in a range stand at the sources of these ids."""
        begin, end = np.searchsorted(self.oid, (first, past)).tolist()
        if begin == end:
            return True
        if sources is None or not sources.oid.size:
            return False
        at = np.searchsorted(sources.oid, self.oid[begin:end])
        at[at == sources.oid.size] = 0
        same = (sources.oid[at] == self.oid[begin:end]) & (
            sources.healpix[at] == self.place[begin:end]
        )
        return bool(same.all())


class Product:
    """The light curves of one pixel, as far as they are still right."""

    def __init__(self, files: PixelFiles, cache: ByteCache) -> None:
        if files.lightcurves is None or files.index is None or files.images is None:
            raise ValueError(f"{files.pixel} has no light curves")
        self._curves, self._index, self._images = files.lightcurves, files.index, files.images
        self._cache = cache
        self._stale = np.array(sorted(files.stale), "datetime64[D]").astype(np.int32)

    @property
    def images(self) -> Images:
        """The images of the rows."""
        return read_images(self._images, self._cache)

    @property
    def runs(self) -> Runs:
        """Where each object's rows stand."""

        def make() -> tuple[Runs, int]:
            rows = read_columns(self._index, ("oid", _ORDER, "first_row", "n_rows"))
            runs = Runs(*(values(column) for column in rows.columns))
            return runs, 4 * runs.oid.nbytes

        return self._cache.get(("runs", self._index), make)

    def _file(self, columns: tuple[str, ...]) -> ParquetFile:
        return open_file(self._curves, columns, _ORDER, self._cache)

    def of_objects(self, oids: Sequence[int]) -> list[Found]:
        """All rows of some objects, whatever place they lie at."""
        runs = self.runs
        numbers = [i for oid in oids for i in range(*runs.of(oid))]
        if not numbers:
            return []
        file = self._file(OF_DETECTION)
        # In the order of the file: neighbours share row groups.
        numbers.sort(key=lambda i: int(runs.first_row[i]))
        first = runs.first_row[numbers]
        past = first + runs.n_rows[numbers]
        found = []
        for groups, inside in spans(
            np.searchsorted(file.footer.start, first, side="right") - 1,
            np.searchsorted(file.footer.start, past, side="left"),
            _GROUPS_AT_ONCE,
        ):
            rows = file.table(range(*groups))
            offset = int(file.footer.start[groups[0]])
            pieces = [
                rows.slice(a - offset, b - a)
                for a, b in zip(first[inside].tolist(), past[inside].tolist(), strict=True)
            ]
            some = pieces[0] if len(pieces) == 1 else pa.concat_tables(pieces)
            found.append(self._fresh(Found(file.batch(some), None)))
        return found

    def in_place(
        self, place: Place, ranges: Ranges, show: Callable[[Found], Found | None]
    ) -> list[Found]:
        """The rows that a place holds, which lie in some ranges of `object_healpix_29`.

        Parameters
        ----------
        show : what is made of the rows of some row groups; None if nothing is left of them.
        """
        more = (name for name in place.needs if name not in OF_DETECTION)
        file = self._file((*OF_DETECTION, _ORDER, *more))
        # Ranges that begin late may end early: the widest so far is what a row group must not miss.
        low = np.searchsorted(file.footer.last, ranges.first, side="left")
        high = np.searchsorted(file.footer.first, ranges.past, side="left")
        order = np.flatnonzero(high > low)
        order = order[np.lexsort((high[order], low[order]))]

        def look(task: tuple[tuple[int, int], slice]) -> Found | None:
            groups, inside = task
            some = order[inside]
            here = Ranges(ranges.first[some], ranges.past[some], ranges.target[some])
            rows = file.read(range(*groups))
            picked = held(rows, values(rows.column(_ORDER)), place, here)
            if picked is None:
                return None
            row, target = picked
            return show(self._fresh(Found(cut(rows.select(_SHOWN), row), target)))

        tasks = list(spans(low[order], high[order], _GROUPS_AT_ONCE))
        found = mapped(look, tasks, at_once=len(tasks) > _FEW_TASKS)
        return [one for one in found if one is not None]

    def _fresh(self, found: Found) -> Found:
        """Without rows of nights that have changed since."""
        if not self._stale.size:
            return found
        right = np.isin(values(found.rows.column("night")), self._stale, invert=True)
        if right.all():
            return found
        target = None if found.target is None else found.target[right]
        return Found(found.rows.filter(arrow(right)), target)
