"""Published files of one pixel made anew: several as one, cut in deeper pixels, without some rows.

What a margin holds depends on the rows near it alone: of a pixel that is split, each leaf's margin
is made of the pixel's own margin and of its rows near the leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ingest.margins import MarginRule, NearRows
from ingest.merger import merger
from ingest.report import Progress
from ingest.runs import Run, within
from ingest.standing import NOTHING, Gone, standing_run
from store.arrow import as_numpy
from store.columns import ROW_GROUP_ROWS
from store.contract import DETECTIONS, DETECTIONS_MARGIN
from store.errors import ChangedMeanwhileError
from store.executor import Tasks
from store.files import TableWriter, check_intact
from store.layout import HEALPIX_ORDER, MARGIN, HealpixPixel, Layout
from store.manifest import FileEntry, Manifest
from store.publication import publish
from store.settings import read_settings
from store.snapshot import Snapshot, open_snapshot
from store.standing import periods_of

_SKY = (0, 12 << (2 * HEALPIX_ORDER))


@dataclass(frozen=True, slots=True)
class RepackTask:
    """Files of one pixel, of detections and of their margin, to be `part`'s one file in each leaf.

    `rule` has the pixels of then: the leaves are those that make up `pixel`.
    """

    root: Path
    staging: Path
    part: str
    pixel: HealpixPixel
    files: tuple[FileEntry, ...]
    rule: MarginRule
    gone: Gone = NOTHING

    @property
    def rows(self) -> int:
        """Rows to be read."""
        return sum(entry.rows for entry in self.files)


def repack(task: RepackTask) -> list[FileEntry]:
    """Write the files that have a row left, and describe them; they are not published yet.

    Raises
    ------
    DamagedArchiveError : a file is not what was published: damage must not be vouched for.
    """
    leaves = task.rule.partition.leaves(task.pixel)
    near = NearRows(task.rule, leaves) if len(leaves) > 1 else None
    with _Files(task) as files:
        with _runs(task, DETECTIONS.name) as runs:
            for leaf in leaves:
                some = within(runs, *leaf.index_range) if near else runs
                with files.new(leaf) as writer:
                    for rows in merger().tables(some, *leaf.index_range):
                        writer.write(rows)
                        if near:
                            near.add_inside(rows, leaf)
        with _runs(task, MARGIN) as runs:
            margin = merger().tables(runs, *_SKY)
            if near is None:
                with files.new(task.pixel, margin=True) as writer:
                    for rows in margin:
                        writer.write(rows.cast(DETECTIONS_MARGIN.schema()))
                return files.made()
            for rows in margin:
                near.add_outside(rows)
        for leaf, rows in near.margins():
            with files.new(leaf, margin=True) as writer:
                for row in range(0, rows.num_rows, ROW_GROUP_ROWS):
                    writer.write(rows.slice(row, ROW_GROUP_ROWS))
        return files.made()


class _Files:
    """The files that a task makes: one is synced and named while the next one is made."""

    def __init__(self, task: RepackTask) -> None:
        self._task = task
        self._syncing = ThreadPoolExecutor(1)
        self._futures: list[Future[FileEntry]] = []

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        self._syncing.shutdown()

    @contextmanager
    def new(self, leaf: HealpixPixel, *, margin: bool = False) -> Iterator[TableWriter]:
        """A file of detections, or of their margin; none if no row is written."""
        task, table = self._task, DETECTIONS_MARGIN if margin else DETECTIONS
        # Made in our own staging: this process does not hold the lock of every night it repacks.
        with TableWriter(Layout(task.root), table, task.part, leaf, making=task.staging) as writer:
            yield writer
            if writer.rows:
                self._futures.append(self._syncing.submit(writer.finish()))

    def made(self) -> list[FileEntry]:
        """All of them, once they last."""
        return [future.result() for future in self._futures]


@contextmanager
def _runs(task: RepackTask, table: str) -> Iterator[list[Run]]:
    """The task's files of one table, as sorted runs."""
    layout = Layout(task.root)
    with ExitStack() as spilled:
        runs: list[Run] = []
        for entry in task.files:
            if entry.table == table:
                path = check_intact(layout, entry)
                runs += spilled.enter_context(standing_run(path, task.gone, task.staging))
        yield runs


def run_repacks(
    tasks: Sequence[RepackTask],
    executor: Tasks,
    progress: Progress | None,
    what: str,
    function: Callable[[RepackTask], list[FileEntry]] = repack,
) -> dict[RepackTask, list[FileEntry]]:
    """What became of each task; the largest come first, so that no worker is left with one."""
    ordered = sorted(tasks, key=lambda task: -task.rows)
    made: dict[RepackTask, list[FileEntry]] = {}
    for position, files in executor.run(function, ordered):
        made[ordered[position]] = files
        if progress:
            progress(len(made), len(ordered), what)
    return made


def publish_with_periods(
    seen: Snapshot,
    make: Callable[[Snapshot], Mapping[str, Manifest]],
    reason: str,
    check: Callable[[Snapshot], None] | None = None,
) -> Snapshot:
    """Publish what `make` gives, nights and the periods that hold rows of them.

    If a compaction, or another night of these periods, comes between, it is made again from what
    is published then: periods are nobody's, and nobody waits for them.

    Parameters
    ----------
    seen : what is published, as far as the caller knows.
    check : see `publish`.
    """
    root = seen.layout.root
    while True:
        try:
            return publish(root, make(seen), reason, seen=seen, check=check)
        except ChangedMeanwhileError:
            seen = open_snapshot(root)


def without_rows(
    snapshot: Snapshot,
    nights: Collection[date],
    gone: Gone,
    staging: Path,
    executor: Tasks,
    progress: Progress | None = None,
) -> dict[str, Manifest]:
    """The periods that hold rows of `nights`, without the rows that are gone.

    A file that holds nothing but nights that are gone is not looked at.

    Returns
    -------
    The new manifest of each such period; without files, if no row is left.

    Raises
    ------
    DamagedArchiveError : a file that must be made anew is not what was published.
    """
    root = snapshot.layout.root
    rule = MarginRule(snapshot.partition, read_settings(root).margin_arcsec)
    whole = {f"{night:%Y%m%d}" for night in gone.nights}
    kept: dict[str, list[FileEntry]] = {}
    groups: dict[RepackTask, str] = {}
    for period in periods_of(snapshot, nights):
        touched = set(period.files)
        files = snapshot.manifest(period.group).files
        kept[period.group] = [entry for entry in files if entry not in touched]
        for entry in period.files:
            if entry.pixel is not None and not whole.issuperset(entry.nights or ()):
                task = RepackTask(root, staging, entry.part, entry.pixel, (entry,), rule, gone)
                groups[task] = period.group
    made = run_repacks(list(groups), executor, progress, "files of periods", leave_out)
    for task, left in made.items():
        kept[groups[task]] += left
    return {group: Manifest.of(group, files) for group, files in kept.items()}


def leave_out(task: RepackTask) -> list[FileEntry]:
    """A file without the rows that are gone; the file itself if it has none of them."""
    (entry,) = task.files
    path = check_intact(Layout(task.root), entry)
    if task.gone.nights or _holds_images(path, task.gone.pids):
        return repack(task)
    return [entry]


def _holds_images(path: Path, pids: Sequence[int]) -> bool:
    wanted = np.array(pids, dtype=np.int64)
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROW_GROUP_ROWS, columns=["expid", "rcid"]):
            expid, rcid = (as_numpy(batch.column(name)) for name in ("expid", "rcid"))
            if np.isin(expid * 10_000 + rcid.astype(np.int64) * 100 + 15, wanted).any():
                return True
    return False
