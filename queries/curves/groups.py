"""The objects of one place: which group an object is of, and who else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from queries.curves.arrays import values
from queries.curves.cache import ByteCache
from queries.curves.files import read_columns, resolved
from queries.curves.leaves import Leaves
from queries.curves.pieces import pick
from queries.curves.places import Circles, Objects
from queries.errors import NotBuiltError
from store.contract import OBJECTS
from store.snapshot import Snapshot

Index = NDArray[np.int64]

# Stands for the id or the group of a row that has none.
NO_GROUP = -1
_READ = ("oid", "group_id", "ra", "dec", "_healpix_29")


class Groups:
    """Groups as the last build has them; what is read of them is remembered."""

    def __init__(self, snapshot: Snapshot, cache: ByteCache) -> None:
        self._snapshot, self._cache = snapshot, cache

    def of(self, objects: Objects, radius_arcsec: float) -> dict[int, int]:
        """The group of each object that is in one: all that the last build knew.

        Raises
        ------
        NotBuiltError : there are no groups.
        DamagedArchiveError : a file cannot be read.
        """
        oid, group, target = self._near(objects, radius_arcsec)
        own = oid == objects.oid[target]
        return dict(zip(oid[own].tolist(), group[own].tolist(), strict=True))

    def members(self, objects: Objects, radius_arcsec: float) -> set[int]:
        """Ids of all objects of the groups that some objects are of.

        Parameters
        ----------
        radius_arcsec : the match radius: no two objects of a group are farther apart.

        Raises
        ------
        NotBuiltError : there are no groups.
        DamagedArchiveError : a file cannot be read.
        """
        oid, group, target = self._near(objects, radius_arcsec)
        own = oid == objects.oid[target]
        group_of = np.full(objects.oid.size, NO_GROUP)
        group_of[target[own]] = group[own]
        return set(oid[group == group_of[target]].tolist())

    def _near(self, objects: Objects, radius_arcsec: float) -> tuple[Index, Index, Index]:
        """Ids and groups of what lies about objects, and about which of them."""
        leaves = Leaves(self._snapshot, OBJECTS.name)
        if not leaves.pixels:
            raise NotBuiltError(OBJECTS.name, self._snapshot.layout.root)
        around = Circles(objects.ra_deg, objects.dec_deg, np.full(objects.oid.size, radius_arcsec))
        parts = [np.empty((3, 0), np.int64)]
        for pixel, some in leaves.touched(around.ranges(0.0)):
            for path in self._snapshot.files(OBJECTS.name, [pixel]):
                rows = self._rows(resolved(path))
                found = pick(rows, values(rows.column("_healpix_29")), around, some)
                if found is not None and found.target is not None:
                    oid, group = (values(found.rows.column(name)) for name in ("oid", "group_id"))
                    parts.append(np.stack([oid, group, found.target]))
        oid, group, target = np.concatenate(parts, axis=1)
        return oid, group, target

    def _rows(self, path: Path) -> pa.RecordBatch:
        def make() -> tuple[pa.RecordBatch, int]:
            rows = read_columns(path, _READ)
            return rows, rows.nbytes

        return self._cache.get(("groups", path), make)
