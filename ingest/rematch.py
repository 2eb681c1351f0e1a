"""Published images matched anew, to references that came after them.

    stale     images whose match_recipe is not what the references give now     (ingest.matching)
    gather    their rows, from the files of the pixels, image by image          (ingest.gather)
    match     ids and colour terms anew, as shards by pixel                     (run_rematch)
    publish   as an ingest does                                        (ingest.pipeline)

No input file is read. What is published is byte for byte what an ingest of the same files makes
after the references have changed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ingest.batch import BatchResult, read_marker, shelf_of, write_marker
from ingest.gather import GatherTask, gather_rows
from ingest.matching import Matchable, match_recipe, match_rows
from ingest.pipeline import Night, publish_night
from ingest.records import OF_ROW, ImageSorter
from ingest.reference_shelf import ReferenceShelf
from ingest.report import GroupReport, IngestReport, Progress
from ingest.runs import Run, RunReader
from ingest.shards import Piece, new_shard
from ingest.tables import read_small_table
from ingest.version import code_version, recipe
from ingest.work import cut, run_in_order
from store import disk
from store.contract import IMAGES
from store.errors import (
    ArchiveBusyError,
    DamagedArchiveError,
    StoreError,
    UnknownNightError,
)
from store.executor import Executor, Tasks
from store.files import GIVE_AGAIN, sweep_unfinished
from store.layout import Layout
from store.locks import staged
from store.manifest import night_group
from store.settings import ArchiveSettings, read_settings
from store.snapshot import Snapshot, open_snapshot
from store.standing import files_of_night

CHANNEL = ["field", "fid", "ccdid", "qid"]


def rematch(
    root: Path,
    nights: Sequence[date] = (),
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Publish the stale images of some nights with ids of the references that stand now.

    Each night is published whole; one without stale images is left alone.

    Parameters
    ----------
    nights : which; none is all.
    workers : processes; None for one a core. The result does not depend on it.

    Raises
    ------
    UnknownNightError : one of the nights is not there; nothing is done.
    ArchiveBusyError : another process is ingesting one of the nights; the others are done.
    DamagedArchiveError : what is published of a night is needed and damaged; the others are done.
    """
    started = time.monotonic()
    settings = read_settings(root)
    snapshot = open_snapshot(root)
    reports = []
    failed: list[StoreError] = []
    with Executor(workers, ready="ingest.ready") as executor:
        for night in _chosen(root, snapshot, nights):
            try:
                images, stale = _standing(snapshot, night, settings)
                # Killed after it published, a rematch may have left its staging.
                if stale.is_empty() and not _staging(snapshot.layout, night).exists():
                    report = GroupReport(str(night), "unchanged", unchanged=len(images))
                else:
                    report = _rematch_night(root, settings, night, executor, progress)
            except (ArchiveBusyError, DamagedArchiveError) as error:
                failed.append(error)  # the other nights go on
                continue
            reports.append(report)
    if failed:
        raise failed[0]
    number = open_snapshot(root).number
    return IngestReport(tuple(reports), (), number, time.monotonic() - started)


def stale_images(images: pl.DataFrame, shelf: ReferenceShelf, radius_arcsec: float) -> pl.DataFrame:
    """Those of `images` whose ids and colour terms are not what the shelf's references give."""
    now = pl.DataFrame(
        [
            (field, fid, ccdid, qid, match_recipe(field, fid, ccdid, qid, shelf, radius_arcsec))
            for field, fid, ccdid, qid in images.select(CHANNEL).unique().iter_rows()
        ],
        schema={**images.select(CHANNEL).schema, "now": pl.String},
        orient="row",
    )
    known = images.join(now, on=CHANNEL, how="left", maintain_order="left")
    return images.filter(known["match_recipe"].ne_missing(known["now"]))


def _chosen(root: Path, snapshot: Snapshot, nights: Sequence[date]) -> list[date]:
    """The nights to look at, in their order."""
    kinds = (group.partition("/") for group in snapshot.groups)
    there = {date.fromisoformat(name) for kind, _, name in kinds if kind == "nights"}
    if missing := sorted(str(night) for night in set(nights) - there):
        raise UnknownNightError(root, *missing)
    return sorted(set(nights) or there)


def _standing(
    snapshot: Snapshot, night: date, settings: ArchiveSettings
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A night's images, and the stale ones among them."""
    manifest = snapshot.manifest(night_group(night))
    images = read_small_table(snapshot.layout, manifest, IMAGES)
    radius = settings.match_radius_arcsec
    return images, stale_images(images, ReferenceShelf(snapshot, radius), radius)


def _staging(layout: Layout, night: date) -> Path:
    """A folder of its own: an ingest that was interrupted finds in its what it left."""
    return layout.staging(f"rematch/{night:%Y%m%d}")


def _rematch_night(
    root: Path,
    settings: ArchiveSettings,
    night: date,
    executor: Tasks,
    progress: Progress | None,
) -> GroupReport:
    group = night_group(night)
    layout = Layout(root)
    with staged(layout, group, wait=False):
        snapshot = open_snapshot(root)
        standing = snapshot.manifest(group)
        one = Night(root, night, settings, snapshot, standing, _staging(layout, night))
        one.rematched = True
        with disk.writing(root):
            disk.make_folder(one.staging)
            sweep_unfinished(layout, one.part)
            images, stale = _standing(snapshot, night, settings)
            if not stale.is_empty():  # nobody has withdrawn or rematched them meanwhile
                pieces = _gather(one, stale, executor, progress)
                _match(one, stale, pieces, executor, progress)
                publish_night(one, f"rematch of {night}", executor, progress)
            disk.discard(one.staging)
    records = one.result.records
    return GroupReport(
        str(night),
        "published" if records else "unchanged",
        images=len(records),
        unchanged=len(images) - len(records),
        rows=sum(record["n_published"] for record in records),
        matched=sum(record["n_matched"] for record in records),
        without_reference=sum(record["rfid"] is None for record in records),
    )


def _gather(
    one: Night, stale: pl.DataFrame, executor: Tasks, progress: Progress | None
) -> dict[int, list[Piece]]:
    """The rows of the stale images, by pid, as pieces of shards."""
    files = [e for e in files_of_night(one.snapshot, one.night) if e.table == "detections"]
    pids, fields = tuple(sorted(stale["pid"])), frozenset(stale["field"])
    tasks = [
        GatherTask(one.root, one.staging, tuple(some), pids, fields)
        for some in cut(files, [entry.rows for entry in files], executor.workers)
    ]
    sizes = [len(task.files) for task in tasks]
    what = f"{one.night} files"
    pieces: dict[int, list[Piece]] = {}
    for result in run_in_order(
        executor, gather_rows, tasks, sizes=sizes, what=what, progress=progress
    ):  # fmt: skip
        for piece in result.pieces:
            pieces.setdefault(piece.image.pid, []).append(piece)
    return pieces


def _match(
    one: Night,
    stale: pl.DataFrame,
    pieces: dict[int, list[Piece]],
    executor: Tasks,
    progress: Progress | None,
) -> None:
    """Match the stale images anew; what comes of them is gathered in their order."""
    # Visits of one channel stand together: each reference is loaded once.
    records = stale.sort("field", "rcid", "fid", "pid").rows(named=True)
    rows = [record["n_published"] for record in records]
    channels = [(record["field"], record["rcid"]) for record in records]
    tasks = [
        RematchTask(
            one.root,
            one.snapshot.number,
            one.staging,
            one.settings,
            tuple(some),
            tuple(tuple(pieces.get(record["pid"], ())) for record in some),
        )
        for some in cut(records, rows, executor.workers, channels)
    ]
    sizes = [len(task.images) for task in tasks]
    what = f"{one.night} images"
    for result in run_in_order(
        executor, run_rematch, tasks, sizes=sizes, what=what, progress=progress
    ):  # fmt: skip
        one.result.pieces += result.pieces
        one.result.records += result.records


@dataclass(frozen=True, slots=True)
class RematchTask:
    """Some images of one night, as rows of `images`, and where the rows of each lie."""

    root: Path
    snapshot: int
    staging: Path
    settings: ArchiveSettings
    images: tuple[dict[str, Any], ...]
    pieces: tuple[tuple[Piece, ...], ...]

    @property
    def key(self) -> str:
        """What the batch is made from: its marker's name."""
        return recipe(
            code=code_version(),
            snapshot=self.snapshot,
            settings=asdict(self.settings),
            images=[(i["pid"], i["recipe"], i["scale_recipe"]) for i in self.images],
            pieces=self.pieces,
        )[:16]


def run_rematch(task: RematchTask) -> BatchResult:
    """Make the batch's shard, or take it as it was made before."""
    marker = task.staging / f"{task.key}.json"
    shard = task.staging / f"{task.key}.records"
    if (made := read_marker(marker, shard)) is not None:
        return made
    result = BatchResult()
    radius = task.settings.match_radius_arcsec
    shelf = shelf_of(task.root, task.snapshot, radius)
    reader = RunReader()
    with new_shard(shard, task.settings.partition_order, ImageSorter()) as writer:
        for image, pieces in zip(task.images, task.pieces, strict=True):
            columns = _columns(task, image, pieces, reader)
            wanted = Matchable(*(image[name] for name in Matchable._fields))
            matched = match_rows(columns["ra"], columns["dec"], wanted, shelf, radius)
            writer.add(columns | matched.columns, pieces[0].image)
            result.records.append(image | matched.record)
        result.pieces = writer.pieces
    write_marker(marker, result)
    return result


def _columns(
    task: RematchTask, image: dict[str, Any], pieces: Sequence[Piece], reader: RunReader
) -> dict[str, Any]:
    """The rows of an image as columns, in the order of sourceid, as an ingest matches them."""
    runs = [
        Run(task.staging / piece.shard, piece.start, piece.start + piece.rows, (piece.image,))
        for piece in pieces
    ]
    records, _ = reader.read(runs)
    if len(records) != image["n_published"]:
        raise DamagedArchiveError(
            f"image {image['pid']} has {len(records)} rows in detections, {image['n_published']} "
            "were published",
            where=task.root,
            hint=GIVE_AGAIN,
        )
    order = np.argsort(records["sourceid"])
    return {column.name: records[column.name][order] for column in OF_ROW}
