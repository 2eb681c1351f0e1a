"""From files to published nights.

    plan      every header is looked at; images are sorted into nights       (ingest.plan)
    batches   images are read, transformed and written as shards by pixel    (ingest.batch)
    pixels    each pixel's pieces become one sorted file                     (ingest.merge)
    publish   the night's manifest is made current by one rename             (store.publication)

A night is published whole or not at all. What is published of it already stays, but for the
images that are given again with other bytes or made by other code.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import polars as pl

from ingest.batch import BatchResult, BatchTask, Known, run_batch
from ingest.errors import InOtherNight
from ingest.given_priors import OfChannel, read_priors
from ingest.margins import MarginRule, margin_files
from ingest.merge import MergeTask, PixelTask, merge_pixels
from ingest.metadata_table import MetadataTable
from ingest.plan import ROWS_WORTH_A_PROCESS, Plan, PlannedImage, make_plan, refusal_of
from ingest.prior import Channel, Prior
from ingest.records import RECORD
from ingest.refusals import LookedAt, publish_refusals, refused_rows
from ingest.repack import publish_with_periods, without_rows
from ingest.report import GroupReport, IngestEstimate, IngestReport, Outcome, Progress, Refusal
from ingest.scale import COLUMNS as OF_SCALE
from ingest.scale_priors import find_priors
from ingest.shards import Piece
from ingest.standing import Gone
from ingest.tables import (
    exposures_frame,
    images_frame,
    night_frame,
    read_small_table,
    to_contract,
)
from ingest.work import cut, run_in_order
from store import disk
from store.contract import EXPOSURES, IMAGES, NIGHTS
from store.errors import (
    ArchiveBusyError,
    DamagedArchiveError,
    StoreError,
)
from store.executor import Executor, Tasks
from store.files import check_intact, sweep_unfinished, write_table
from store.layout import MARGIN, HealpixPixel, Layout
from store.locks import staged
from store.manifest import FileEntry, Manifest, night_group
from store.settings import ArchiveSettings, read_settings
from store.snapshot import Snapshot, open_snapshot
from store.words import printable
from transforms.sphere import Floats

HjdMethod = Literal["fit", "exact"]

# What an ingest shows as done at a time, at most: a merge has one pixel in memory.
MERGED_ROWS = 10_000_000
# Measured: 60 bytes a detection published.
PUBLISHED_ROW_BYTES = 60


@dataclass(slots=True)
class Night:
    """One night on its way.

    `removed` are images (as pid) that are published and will not be; `kept`, those whose files were
    refused when others would have been removed; `rematched` says that the new
    ones are published rows with other ids, in the pixels where they lay; `lost`, that nobody knows
    what images the published rows are of.
    """

    root: Path
    night: date
    settings: ArchiveSettings
    snapshot: Snapshot
    standing: Manifest
    staging: Path
    result: BatchResult = field(default_factory=BatchResult)
    removed: frozenset[int] = frozenset()
    kept: frozenset[int] = frozenset()
    rematched: bool = False
    lost: bool = False

    @property
    def part(self) -> str:
        """Name of the night's files."""
        return f"{self.night:%Y%m%d}"


def ingest(
    root: Path,
    paths: Sequence[Path],
    *,
    night: date | None = None,
    metadata: Path | None = None,
    prior: Path | None = None,
    hjd_method: HjdMethod = "fit",
    workers: int | None = None,
    rebuild: bool = False,
    exact: bool = False,
    executor: Tasks | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Ingest psfcat files: each night that they hold is published whole.

    Parameters
    ----------
    root : the archive.
    paths : folders and files.
    night : take only this night's images.
    metadata : table of what headers lack, CSV or Parquet, in the form of ZTF's own.
    prior : folder of headers that pixel scales are held against (`ingest.given_priors`); images of
        a channel that has none there are held against the archive's own, or the ideal camera's.
    hjd_method : `fit`, the offset-frame fit, or `exact`, row by row.
    workers : processes; None for one a core. The result does not depend on it.
    rebuild : make every image anew, also those that are published and have not changed.
    exact : make the nights that the files hold exactly these files: images that none of them holds
        are removed. A file that is refused keeps its image; a night of which not one file can be
        used stays as it is.
    executor : runs the tasks instead of `workers` processes of our own, and stays open.

    Raises
    ------
    NothingToIngestError : there is no catalogue at all.
    PriorError : the folder of priors holds no header, or one that cannot serve.
    ArchiveBusyError : another process is ingesting one of the nights; the others are done.
    DamagedArchiveError : what is published of a night is needed and damaged; the others are done.
    UnwritableArchiveError : the archive cannot be written; what is published stays as it was.
    """
    started = time.monotonic()
    settings = read_settings(root)
    table = MetadataTable.read(metadata) if metadata else None
    priors = read_priors(prior) if prior else {}
    with Executor(workers, ready="ingest.ready") as pool:
        tasks = executor or pool
        plan = make_plan(
            paths, settings, table=table, night=night, progress=progress, executor=tasks
        )
        refusals = list(plan.refusals)
        reports = []
        looked_at: list[LookedAt] = []
        failed: list[StoreError] = []
        rows = sum(image.estimated_rows for images in plan.nights.values() for image in images)
        if rows < ROWS_WORTH_A_PROCESS and workers is None and executor is None:
            tasks = Executor(1)
        for one, images in plan.nights.items():
            try:
                given = plan.refusals if exact else None
                report, new, seen = _ingest_night(
                    root, settings, one, images, priors, hjd_method, rebuild, given, tasks, progress
                )
            except (ArchiveBusyError, DamagedArchiveError) as error:
                failed.append(error)  # the other nights go on
                continue
            reports.append(report)
            refusals += new
            looked_at += seen
    # Nights whose every file was refused before it was read.
    nothing = {refusal.night for refusal in plan.refusals if refusal.night} - set(plan.nights)
    reports += [GroupReport(str(one), "refused") for one in sorted(nothing)]
    told = [date.fromisoformat(report.name) for report in reports if report.outcome != "refused"]
    snapshot = publish_refusals(root, refusals, looked_at, told if exact else ())
    if failed:
        raise failed[0]
    return IngestReport(
        tuple(reports), tuple(refusals), snapshot.number, time.monotonic() - started
    )


def estimate(
    root: Path,
    paths: Sequence[Path],
    *,
    night: date | None = None,
    metadata: Path | None = None,
) -> IngestEstimate:
    """What `ingest` would do, from file sizes: nothing is read but headers, nothing written.

    Images that are published already are counted too: only their bytes could tell.
    """
    settings = read_settings(root)
    table = MetadataTable.read(metadata) if metadata else None
    plan: Plan = make_plan(paths, settings, table=table, night=night)
    nights = {
        one: (len(images), sum(image.estimated_rows for image in images))
        for one, images in plan.nights.items()
    }
    rows = [rows for _, rows in nights.values()]
    return IngestEstimate(
        nights=nights,
        refusals=tuple(plan.refusals),
        disk_bytes=sum(rows) * PUBLISHED_ROW_BYTES,
        staging_bytes=max(rows, default=0) * RECORD.itemsize,
    )


def _ingest_night(
    root: Path,
    settings: ArchiveSettings,
    night: date,
    images: list[PlannedImage],
    given_priors: Mapping[OfChannel, Floats],
    hjd_method: HjdMethod,
    rebuild: bool,
    refused: Sequence[Refusal] | None,
    executor: Tasks,
    progress: Progress | None,
) -> tuple[GroupReport, list[Refusal], list[LookedAt]]:
    """Ingest one night; returns its report, the refusals that came up, and what was looked at.

    Images that were not given are removed, if `refused` says which files were refused already.
    """
    group = night_group(night)
    layout = Layout(root)
    with staged(layout, group, wait=False):
        snapshot = open_snapshot(root)
        standing = snapshot.manifest(group)
        if rebuild and not _tables_intact(layout, standing):
            standing = Manifest.of(group, ())  # who is to know what its files belong to?
        one = Night(root, night, settings, snapshot, standing, layout.staging(group))
        one.lost = group in snapshot.groups and not standing.files
        with disk.writing(root):
            disk.make_folder(one.staging)
            sweep_unfinished(layout, one.part)
            published = read_small_table(layout, standing, IMAGES)
            known = {} if rebuild else _known(published)
            images = _without_neighbours(one, images)
            priors = find_priors(snapshot, night, _channels(images), given_priors)
            _stage(one, images, known, priors, hjd_method, executor, progress)
            if refused is not None:
                _remove_others(one, published, images, refused)
            publish_night(one, f"ingest of {night}", executor, progress)
    new = {record["pid"] for record in one.result.records} - set(published["pid"])
    seen = [LookedAt(printable(i.path.name), i.pid, i.pid in new) for i in images]
    return _report(one), one.result.refusals, seen


def _channels(images: Sequence[PlannedImage]) -> list[Channel]:
    """The channels whose images have a WCS, which priors are needed for."""
    all_facts = (image.facts for image in images)
    return sorted({(one.rcid, one.fid) for one in all_facts if one.wcs_cards is not None})


def _known(published: pl.DataFrame) -> dict[int, Known]:
    """What is published of a night, by pid."""
    others = ["pid", "recipe", "match_recipe", "is_bad", "bad_reason"]
    return {
        pid: Known(recipe, match_recipe, is_bad, bad_reason, scale)
        for (pid, recipe, match_recipe, is_bad, bad_reason), scale in zip(
            published.select(others).iter_rows(),
            published.select(OF_SCALE).iter_rows(named=True),
            strict=True,
        )
    }


def _without_neighbours(one: Night, images: list[PlannedImage]) -> list[PlannedImage]:
    """The images that are not published in another night; the others are refused."""
    elsewhere = _in_neighbours(one.snapshot, one.night)
    kept = []
    for image in images:
        if image.pid in elsewhere:
            error = InOtherNight(image.path, image.pid, elsewhere[image.pid], one.night)
            refusal = refusal_of(error, image.path, night=one.night, pid=image.pid)
            one.result.refusals.append(refusal)
        else:
            kept.append(image)
    return kept


def _in_neighbours(snapshot: Snapshot, night: date) -> dict[int, date]:
    """The images of the nights before and after, as pid: no exposure is further off its night."""
    found: dict[int, date] = {}
    for other in (night - timedelta(days=1), night + timedelta(days=1)):
        with suppress(DamagedArchiveError):  # of that night: `verify` finds it, and images twice
            manifest = snapshot.manifest(night_group(other))
            images = read_small_table(snapshot.layout, manifest, IMAGES, ["pid"])
            found |= dict.fromkeys(images["pid"], other)
    return found


def _remove_others(
    one: Night, published: pl.DataFrame, images: list[PlannedImage], refused: Sequence[Refusal]
) -> None:
    """Mark for removal the images that no given file holds; a refused one may well hold its own."""
    if not (one.result.records or one.result.unchanged):
        return  # what files were meant, nobody knows
    refused = [*refused, *one.result.refusals]
    used = {record["pid"] for record in one.result.records} | set(one.result.unchanged)
    pids = {image.pid for image in images} | {refusal.pid for refusal in refused if refusal.pid}
    is_held = pl.col("pid").is_in(pids) | pl.col("input_file").is_in(
        {refusal.input_file for refusal in refused}
    )
    one.removed = frozenset(published.filter(~is_held)["pid"])
    one.kept = frozenset(published.filter(is_held)["pid"]) - used


def publish_night(one: Night, reason: str, executor: Tasks, progress: Progress | None) -> None:
    """Publish what was staged of a night, beside what stands of it and is not replaced."""
    group = one.standing.group
    layout = Layout(one.root)
    published = read_small_table(layout, one.standing, IMAGES)
    known = set(published["pid"])
    new = {record["pid"] for record in one.result.records}
    gone = known & (new | one.removed)
    kept = published.filter(~pl.col("pid").is_in(gone))
    small = _small_tables(one, layout, kept)
    # What was refused of an input stays so, whatever its rows are matched to.
    inputs = published if one.rematched else kept
    small += refused_rows(layout, one.part, one.standing, inputs, one.result.refusals)
    whole = one.lost or (bool(gone) and gone == known)
    rows = Gone(nights=(one.night,)) if whole else Gone(pids=tuple(sorted(gone)))

    def changed(snapshot: Snapshot) -> dict[str, Manifest]:
        # Others change where the night's detections stand, no more: what was staged stays good.
        one.snapshot = snapshot
        if not one.lost:
            one.standing = snapshot.manifest(group)
        files = _detections(one, rows, executor, progress)
        changed = {group: Manifest.of(group, files + small)}
        if rows:
            nights = [one.night]
            changed |= without_rows(snapshot, nights, rows, one.staging, executor, progress)
        return changed

    def check(current: Snapshot) -> None:
        # Two neighbours at once: neither saw the other's images before.
        if twice := _in_neighbours(current, one.night).keys() & (new - known):
            raise ArchiveBusyError(one.root, f"image {min(twice)}, in a neighbouring night")

    publish_with_periods(one.snapshot, changed, reason, check)
    disk.discard(one.staging)


def _tables_intact(layout: Layout, standing: Manifest) -> bool:
    """Whether the small tables of a night are what was published."""
    try:
        for entry in standing.files:
            if entry.pixel is None:
                check_intact(layout, entry)
    except DamagedArchiveError:
        return False
    return True


def _stage(
    one: Night,
    images: list[PlannedImage],
    known: Mapping[int, Known],
    priors: Mapping[Channel, Prior],
    hjd_method: HjdMethod,
    executor: Tasks,
    progress: Progress | None,
) -> None:
    """Run the batches; what they found is gathered in the order of the images."""
    rows = [image.estimated_rows for image in images]
    channels = [(image.facts.field, image.facts.rcid) for image in images]
    batches = cut(images, rows, executor.workers, channels)
    tasks = [
        BatchTask(
            one.root,
            one.snapshot.number,
            one.night,
            tuple(batch),
            one.settings,
            hjd_method,
            one.staging,
            {channel: priors[channel] for channel in _channels(batch)},
            {image.pid: known[image.pid] for image in batch if image.pid in known},
        )
        for batch in batches
    ]
    sizes = [len(batch) for batch in batches]
    what = f"{one.night} images"
    for result in run_in_order(
        executor, run_batch, tasks, sizes=sizes, what=what, progress=progress
    ):  # fmt: skip
        one.result.pieces += result.pieces
        one.result.records += result.records
        one.result.refusals += result.refusals
        one.result.unchanged += result.unchanged
        one.result.earth_s |= result.earth_s


def _detections(
    one: Night, gone: Gone, executor: Tasks, progress: Progress | None
) -> list[FileEntry]:
    """The night's own files of detections and their margin, by pixel."""
    standing, margins = _by_pixel(one.standing, "detections"), _by_pixel(one.standing, MARGIN)
    if gone.nights:
        # Nothing of it is left: what may have become of the files does not matter.
        standing, margins = {}, {}
    partition = one.snapshot.partition
    pieces: dict[HealpixPixel, list[Piece]] = {}
    for piece in one.result.pieces:
        for leaf in partition.leaves(HealpixPixel(partition.order, piece.npix)):
            pieces.setdefault(leaf, []).append(piece)
    elsewhere = standing if gone and not one.rematched else ()
    touched = sorted({*pieces, *elsewhere})
    pixels = [
        PixelTask(pixel, tuple(pieces.get(pixel, ())), standing.get(pixel)) for pixel in touched
    ]
    rule = MarginRule(partition, one.settings.margin_arcsec)
    tasks = [
        MergeTask(one.root, one.part, one.staging, some, rule, gone)
        for some in _portions(pixels, executor.workers)
    ]
    files = [entry for pixel, entry in standing.items() if pixel not in set(touched)]
    sizes = [len(task.pixels) for task in tasks]
    what = f"{one.night} pixels"
    for entries in run_in_order(
        executor, merge_pixels, tasks, sizes=sizes, what=what, progress=progress
    ):  # fmt: skip
        files += entries
    return files + margin_files(one.root, one.part, one.staging, rule, touched, margins, executor)


def _by_pixel(manifest: Manifest, table: str) -> dict[HealpixPixel, FileEntry]:
    """The files of a spatial table."""
    return {
        entry.pixel: entry
        for entry in manifest.files
        if entry.table == table and entry.pixel is not None
    }


def _portions(pixels: list[PixelTask], workers: int) -> list[tuple[PixelTask, ...]]:
    """Pixels dealt out in tasks, of what is left always the same part: large ones, then smaller.

    At its end a task waits for the disk: there should be few. At the end of all no worker should
    be left with a long one.
    """
    left = sum(pixel.rows for pixel in pixels)
    portions: list[list[PixelTask]] = []
    most = 0
    for pixel in sorted(pixels, key=lambda pixel: -pixel.rows):
        if not portions or sum(one.rows for one in portions[-1]) + pixel.rows > most:
            most = min(MERGED_ROWS, left // (2 * workers))
            portions.append([])
        portions[-1].append(pixel)
        left -= pixel.rows
    return [tuple(portion) for portion in portions]


def _small_tables(one: Night, layout: Layout, kept: pl.DataFrame) -> list[FileEntry]:
    images = images_frame(kept, one.result.records, one.night)
    if images.is_empty():
        return []
    exposures = exposures_frame(
        read_small_table(layout, one.standing, EXPOSURES), images, one.result.earth_s
    )
    # A night that no file came to keeps the word of who made it.
    old = read_small_table(layout, one.standing, NIGHTS)
    night = night_frame(images, None if one.result.records and not one.rematched else old)
    tables: list[tuple[Any, Any]] = [(IMAGES, images), (EXPOSURES, exposures), (NIGHTS, night)]
    return [
        write_table(layout, table, to_contract(frame, table), one.part) for table, frame in tables
    ]


def _report(one: Night) -> GroupReport:
    records = one.result.records
    outcome: Outcome = "refused"
    if records:
        outcome = "published"
    elif one.result.unchanged:
        outcome = "published" if one.removed else "unchanged"
    return GroupReport(
        str(one.night),
        outcome,
        images=len(records),
        unchanged=len(one.result.unchanged),
        removed=len(one.removed),
        kept=len(one.kept),
        rows=sum(record["n_published"] for record in records),
        matched=sum(record["n_matched"] for record in records),
        without_reference=sum(record["rfid"] is None for record in records),
    )
