"""Compaction: the detections of a period's nights become one file a pixel.

    plan      which groups are taken in, and which pixels hold too much and are split
    repack    each pixel's files become one, or one in each leaf              (ingest.repack)
    publish   all of it at once, with the new pixels                          (store.publication)

The nights keep their small tables. Of nights outside the period, what lies in a pixel that is
split is cut alike. Nobody else is kept waiting: a night that another process publishes meanwhile
is found to have changed, and only what that concerns is made again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ingest.margins import MarginRule
from ingest.repack import RepackTask, run_repacks
from ingest.report import Progress
from store import disk
from store.arrow import as_numpy
from store.errors import ChangedMeanwhileError, NothingToCompactError
from store.executor import Executor, Tasks
from store.layout import HEALPIX_ORDER, MAP_ORDER, HealpixPixel, Layout
from store.locks import PERIODS, staged
from store.manifest import FileEntry, Manifest, night_group
from store.partition import DEEPEST_ORDER, Partition, children
from store.periods import Period, parse_night
from store.point_map import Counts, read_point_map
from store.publication import publish
from store.settings import read_settings
from store.snapshot import Snapshot, open_snapshot

# 0.3 GB of Parquet, and 0.7 GB where a pixel is read as a whole, as LSDB does.
MAX_ROWS = 5_000_000
# A night that somebody publishes again and again must not keep a compaction going for ever.
TRIES = 10


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What a compaction did.

    `first` and `last` are nights, None if there was nothing to gather; files are those of
    detections in the groups that changed; `split` counts pixels.
    """

    first: date | None
    last: date | None
    files_before: int
    files_after: int
    split: int
    publication: int
    seconds: float

    @property
    def nothing_done(self) -> bool:
        """Whether all was as it should be already."""
        return self.first is None and not self.split


def compact(
    root: Path,
    *,
    first: date | None = None,
    last: date | None = None,
    max_rows: int = MAX_ROWS,
    workers: int | None = None,
    executor: Tasks | None = None,
    progress: Progress | None = None,
) -> CompactReport:
    """Publish the detections of some nights as one file a pixel.

    Parameters
    ----------
    first, last : the nights, both included; None is no bound. Periods of before that have nights
        in common with these are taken in whole.
    max_rows : pixels that hold more rows, of all nights, are split; at least 1.
    workers : processes; None for one a core. The result does not depend on it.
    executor : runs the tasks instead of `workers` processes of our own, and stays open.

    Raises
    ------
    NothingToCompactError : no night lies between `first` and `last`.
    ArchiveBusyError : another process is compacting.
    ChangedMeanwhileError : nights of the period were published again and again meanwhile.
    DamagedArchiveError : a file that must be read is not what was published.
    """
    if max_rows < 1:
        raise ValueError("a pixel must be allowed at least 1 row")
    started = time.monotonic()
    layout = Layout(root)
    margin_arcsec = read_settings(root).margin_arcsec
    staging = layout.staging(PERIODS)
    with (
        staged(layout, PERIODS, wait=False),
        disk.writing(root),
        Executor(workers, ready="ingest.ready") as pool,
    ):
        disk.remove_tree(staging)  # of a compaction that was killed
        disk.make_folder(staging)
        made: dict[RepackTask, list[FileEntry]] = {}
        for attempt in range(1, TRIES + 1):
            plan = _make_plan(open_snapshot(root), first, last, max_rows)
            tasks = plan.tasks(staging, margin_arcsec)
            new = [task for task in tasks if task not in made]
            made |= run_repacks(new, executor or pool, progress, "pixels")
            changed = plan.manifests({task: made[task] for task in tasks})
            try:
                snapshot = publish(
                    root, changed, plan.reason, seen=plan.snapshot, partition=plan.partition
                )
                break
            except ChangedMeanwhileError:
                if attempt == TRIES:
                    raise
        disk.discard(staging)
    return CompactReport(
        first=None if plan.period is None else plan.period.first,
        last=None if plan.period is None else plan.period.last,
        files_before=_files(list(plan.groups.values())),
        files_after=_files(list(changed.values())),
        split=len(plan.split),
        publication=snapshot.number,
        seconds=time.monotonic() - started,
    )


def _files(manifests: Sequence[Manifest]) -> int:
    return sum(e.table == "detections" for manifest in manifests for e in manifest.files)


@dataclass(frozen=True)
class _Plan:
    """What is to be done to the archive as it is in `snapshot`.

    `groups` are all that change, as they are now. The detections of those of `taken` go over to
    `period`, which is None if there is nothing to gather.
    """

    snapshot: Snapshot
    period: Period | None
    taken: frozenset[str]
    groups: Mapping[str, Manifest]
    partition: Partition

    @property
    def reason(self) -> str:
        """For the archive's history."""
        said = []
        if self.period is not None:
            said.append(f"compaction of {self.period.first} to {self.period.last}")
        if split := len(self.split):
            said.append(f"{split} pixel{'s' if split > 1 else ''} split")
        return ", ".join(said)

    @property
    def split(self) -> frozenset[HealpixPixel]:
        """The pixels that are split."""
        return self.partition.split - self.snapshot.partition.split

    def tasks(self, staging: Path, margin_arcsec: float) -> list[RepackTask]:
        """The files that are made anew, by part and pixel."""
        root, rule = self.snapshot.layout.root, MarginRule(self.partition, margin_arcsec)
        sources: dict[tuple[str, HealpixPixel], list[FileEntry]] = {}
        for group, entry in self._entries():
            if entry.pixel is not None:
                sources.setdefault((self._part(group, entry), entry.pixel), []).append(entry)
        return [
            RepackTask(root, staging, part, pixel, tuple(entries), rule)
            for (part, pixel), entries in sources.items()
            if pixel in self.split or any(entry.part != part for entry in entries)
        ]

    def manifests(self, made: Mapping[RepackTask, list[FileEntry]]) -> dict[str, Manifest]:
        """The groups as they will be."""
        gone = {entry for task in made for entry in task.files}
        files: dict[str, list[FileEntry]] = {group: [] for group in self.groups}
        for group, entry in self._entries():
            if entry not in gone:
                files[group].append(entry)
        for task, entries in made.items():
            files.setdefault(_group(task.part), []).extend(entries)
        return {group: Manifest.of(group, entries) for group, entries in files.items()}

    def _entries(self) -> Iterator[tuple[str, FileEntry]]:
        for group, manifest in self.groups.items():
            for entry in manifest.files:
                yield group, entry

    def _part(self, group: str, entry: FileEntry) -> str:
        """The part that a file with pixels is of, when all is done."""
        return entry.part if self.period is None or group not in self.taken else self.period.part


def _make_plan(
    snapshot: Snapshot, first: date | None, last: date | None, max_rows: int
) -> _Plan:  # fmt: skip
    period, names = _period(snapshot, first, last)
    manifests = {name: snapshot.manifest(name) for name in names}
    groups = {name: manifest for name, manifest in manifests.items() if _with_pixels(manifest)}
    if len(groups) == 1:
        groups = {}  # it is compact
    taken = frozenset(groups)
    partition = _divided(snapshot, max_rows)
    if split := partition.split - snapshot.partition.split:
        for name in snapshot.groups:
            if name not in groups and name.startswith(("nights/", "periods/")):
                manifest = snapshot.manifest(name)
                if any(entry.pixel in split for entry in manifest.files):
                    groups[name] = manifest
    return _Plan(snapshot, period if taken else None, taken, groups, partition)


def _period(
    snapshot: Snapshot, first: date | None, last: date | None
) -> tuple[Period, list[str]]:  # fmt: skip
    """The nights between two, and those of the periods that have some of them; their groups."""
    kinds = [group.partition("/") for group in snapshot.groups]
    nights = [parse_night(name) for kind, _, name in kinds if kind == "nights"]
    chosen = [n for n in nights if (first or n) <= n <= (last or n)]
    if not chosen:
        raise NothingToCompactError(snapshot.layout.root, first, last)
    period = Period.around(chosen)
    former = [one for one in map(Period.named, snapshot.groups) if one is not None]
    taken: list[Period] = []
    while more := [one for one in former if one.overlaps(period) and one not in taken]:
        taken += more
        period = Period.around(
            [period.first, period.last, *(n for p in more for n in (p.first, p.last))]
        )
    groups = [night_group(night) for night in sorted(nights) if night in period]
    return period, groups + [one.group for one in sorted(taken)]


def _with_pixels(manifest: Manifest) -> bool:
    return any(entry.pixel is not None for entry in manifest.files)


def _group(part: str) -> str:
    """The group of the files with pixels of a part."""
    period = Period.named(part)
    return night_group(parse_night(part)) if period is None else period.group


def _divided(snapshot: Snapshot, max_rows: int) -> Partition:
    """The partition in which no pixel holds more rows, unless it is one of the smallest."""
    partition = snapshot.partition
    cells = read_point_map(snapshot.catalogue("detections"))
    split = {
        pixel
        for leaf in snapshot.pixels("detections")
        for pixel in _overfull(leaf, _rows_by_cell(snapshot, leaf, cells, max_rows), max_rows)
    }
    if not split:
        return partition
    return Partition(partition.order, partition.version + 1, partition.split | split)


def _rows_by_cell(snapshot: Snapshot, leaf: HealpixPixel, cells: Counts, max_rows: int) -> Counts:
    """The rows of a leaf in equal cells that hold no more than `max_rows`, or are the smallest.

    The point map tells, unless one of its cells holds too much: then the rows are counted.
    """
    first, past = (index >> (2 * (HEALPIX_ORDER - MAP_ORDER)) for index in leaf.index_range)
    counts = cells[first : max(past, first + 1)]
    if counts.max() <= max_rows:
        return counts
    low, _ = leaf.index_range
    counted = np.zeros(4 ** (DEEPEST_ORDER - leaf.order), dtype=np.int64)
    for path in snapshot.files("detections", [leaf]):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["_healpix_29"]):
                cell = (as_numpy(batch.column(0)) - low) >> (2 * (HEALPIX_ORDER - DEEPEST_ORDER))
                counted += np.bincount(cell, minlength=len(counted))
    return counted


def _overfull(pixel: HealpixPixel, cells: Counts, max_rows: int) -> Iterator[HealpixPixel]:
    """The pixel and those below it that hold more than `max_rows`, but for the smallest."""
    if cells.sum() > max_rows and len(cells) > 1:
        yield pixel
        for child, counts in zip(children(pixel), np.split(cells, 4), strict=True):
            yield from _overfull(child, counts, max_rows)
