"""The objects that a collection has, and the files that have them: each is in one file alone."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ingest.tables import read_small_table
from store.arrow import as_numpy
from store.contract import IMPORTED_LIGHTCURVES, IMPORTS
from store.files import check_intact
from store.manifest import IMPORTS as GROUPS
from store.manifest import Manifest
from store.snapshot import Snapshot

Oids = NDArray[np.int64]


def groups_of(snapshot: Snapshot, collection: str) -> list[str]:
    """The groups of a collection."""
    start = f"{GROUPS}{collection}-"
    return [group for group in snapshot.groups if group.startswith(start)]


class Taken:
    """The objects of a collection; the ids of a file are read where they may be those of another.

    For who holds the lock of all imports.

    Attributes
    ----------
    recipes : what each group was made from.
    """

    def __init__(self, snapshot: Snapshot, collection: str) -> None:
        self.collection = collection
        self.recipes: dict[str, str] = {}
        self._snapshot = snapshot
        self._names: dict[str, str] = {}
        self._new: dict[str, Manifest] = {}
        self._groups: list[str] = []
        spans: list[tuple[int, int]] = []
        for group in groups_of(snapshot, collection):
            row = read_small_table(snapshot.layout, snapshot.manifest(group), IMPORTS)
            (facts,) = row.iter_rows(named=True)
            self.recipes[group], self._names[group] = facts["recipe"], facts["input_file"]
            self._groups.append(group)
            spans.append((facts["first_oid"], facts["last_oid"]))
        self._first, self._last = np.array(spans, np.int64).reshape(-1, 2).T.copy()
        # Of files that were read: their objects, and the file of each object.
        self._oids: dict[str, Oids] = {}
        self._owner: dict[int, str] = {}

    def repeated(self, group: str, oids: Oids) -> tuple[str, list[int]] | None:
        """The objects that other files have, ascending, and the name of the first one's file.

        Parameters
        ----------
        oids : int64 (n,), ascending; those of the file whose group this is.
        """
        near = np.flatnonzero((self._first <= oids[-1]) & (self._last >= oids[0]))
        others = [self._groups[i] for i in near.tolist() if self._groups[i] != group]
        if not others:
            return None
        for other in others:
            self._read(other)
        shared = [oid for oid in oids.tolist() if self._owner.get(oid, group) != group]
        return (self._names[self._owner[shared[0]]], shared) if shared else None

    def take(self, manifest: Manifest, name: str, oids: Oids) -> None:
        """A file, whose manifest this is, has these objects now, ascending, and no others."""
        group = manifest.group
        for oid in self._oids.pop(group, np.empty(0, np.int64)).tolist():
            self._owner.pop(oid, None)
        if group in self._names:
            at = self._groups.index(group)
            self._first[at], self._last[at] = oids[0], oids[-1]
        else:
            self._groups.append(group)
            self._first = np.append(self._first, oids[0])
            self._last = np.append(self._last, oids[-1])
        self._names[group], self._new[group] = name, manifest

    def _read(self, group: str) -> None:
        """Know the objects of a file."""
        if group in self._oids:
            return
        found = [np.empty(0, np.int64)]
        for entry in (self._new.get(group) or self._snapshot.manifest(group)).files:
            if entry.table == IMPORTED_LIGHTCURVES.name:
                with pq.ParquetFile(check_intact(self._snapshot.layout, entry)) as file:
                    batches = file.iter_batches(columns=["oid"])
                    found += [np.unique(as_numpy(batch.column(0))) for batch in batches]
        self._oids[group] = np.unique(np.concatenate(found))
        self._owner.update(dict.fromkeys(self._oids[group].tolist(), group))
