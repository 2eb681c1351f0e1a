"""The build of light curves: what has changed is made again, and all is published at once.

    plan      which pixels' sources are not those that their light curves were made of
    group     their objects, pixel after pixel                     (products.lightcurves.groups)
    build     each of them, by a worker                            (products.lightcurves.pixel)
    publish   their files in the place of the former ones          (store.publication)

Nobody is kept waiting: a night that is published meanwhile is not in the product, and whoever reads
knows (`store.lightcurve_files`). Killed at any moment a build leaves the former one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from products.lightcurves.gathered import let_go
from products.lightcurves.groups import GroupIds, base_of, groups_of, write_groups
from products.lightcurves.images import NightTask, stage_images
from products.lightcurves.pixel import PixelTask, build_pixel
from products.lightcurves.sources import PixelSources, Sources
from store import disk
from store.errors import ChangedMeanwhileError
from store.executor import Executor, Progress, Tasks
from store.hold import hold_current
from store.layout import HealpixPixel, Layout
from store.lightcurve_files import MadeOf
from store.locks import staged
from store.manifest import FileEntry, Manifest, lightcurves_group
from store.publication import publish
from store.settings import read_settings
from store.snapshot import Snapshot

LOCK = "lightcurves"
# A compaction that cuts the sky anew comes between once; again and again, hardly.
TRIES = 5


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    `pixels` were built, `unchanged` ones left as they were, and `gone` ones have no detections and
    no references any more; `rows` and `bytes` are those of the light curves that were built,
    `objects` the rows of `objects`.
    """

    pixels: int
    unchanged: int
    gone: int
    rows: int
    objects: int
    bytes: int
    publication: int
    seconds: float

    @property
    def nothing_done(self) -> bool:
        """Whether all was as it should be already."""
        return not (self.pixels or self.gone)


def build(
    root: Path,
    *,
    workers: int | None = None,
    rebuild: bool = False,
    executor: Tasks | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Publish the light curves and objects of every pixel whose sources changed.

    Parameters
    ----------
    workers : processes; None for one a core. The result does not depend on it.
    rebuild : build every pixel, changed or not.
    executor : runs the tasks instead of `workers` processes of our own, and stays open.

    Raises
    ------
    ArchiveBusyError : another process is building light curves.
    ChangedMeanwhileError : the sky was cut in other pixels again and again meanwhile.
    DamagedArchiveError : a file that must be read is not what was published.
    UnwritableArchiveError : the archive cannot be written.
    """
    started = time.monotonic()
    layout = Layout(root)
    read_settings(root)
    staging = layout.staging(LOCK)
    with (
        staged(layout, LOCK, wait=False),
        disk.writing(root),
        Executor(workers, build_pixel.__module__) as pool,
    ):
        disk.remove_tree(staging)  # of a build that was killed
        disk.make_folder(staging)
        made: dict[HealpixPixel, _Made] = {}
        grouped: dict[HealpixPixel, GroupIds] = {}
        for attempt in range(1, TRIES + 1):
            with hold_current(root) as snapshot:
                plan = _make_plan(snapshot, rebuild)
                new = [one for one in plan.changed if not _is_made(one, made)]
                grouped = _group(new, plan, staging, grouped)
                made |= _build(new, plan, staging, executor or pool, progress)
                entries = {one.pixel: made[one.pixel].files for one in plan.changed}
                changed = plan.manifests(entries)
                try:
                    published = publish(root, changed, plan.reason, seen=snapshot)
                    break
                except ChangedMeanwhileError:
                    if attempt == TRIES:
                        raise
        let_go()  # of what tasks that ran here have kept
        disk.discard(staging)
    files = [entry for of_pixel in entries.values() for entry in of_pixel]
    return BuildReport(
        pixels=len(entries),
        unchanged=plan.unchanged,
        gone=len(plan.gone),
        rows=sum(entry.rows for entry in files if entry.table == "lightcurves"),
        objects=sum(entry.rows for entry in files if entry.table == "objects"),
        bytes=sum(entry.bytes for entry in files),
        publication=published.number,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True, slots=True)
class _Made:
    """The files of one pixel."""

    made_of: MadeOf
    files: list[FileEntry]


def _is_made(sources: PixelSources, made: Mapping[HealpixPixel, _Made]) -> bool:
    """Whether an earlier try has made a pixel, of the same."""
    return sources.pixel in made and made[sources.pixel].made_of == sources.made_of


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done to the archive as it is in `snapshot`."""

    snapshot: Snapshot
    changed: list[PixelSources]
    unchanged: int
    gone: set[HealpixPixel]

    @property
    def reason(self) -> str:
        """For the archive's history."""
        n = len(self.changed)
        said = [f"light curves of {n} pixel{'s' if n != 1 else ''}"]
        if self.gone:
            said.append(f"{len(self.gone)} gone")
        return ", ".join(said)

    def manifests(self, made: Mapping[HealpixPixel, list[FileEntry]]) -> dict[str, Manifest]:
        """The groups as they will be."""
        replaced = self.gone | set(made)
        files: dict[str, list[FileEntry]] = {}
        for pixel in replaced:
            files.setdefault(lightcurves_group(pixel), []).extend(made.get(pixel, ()))
        for group, entries in files.items():
            standing = self.snapshot.manifest(group).files
            entries += [entry for entry in standing if entry.pixel not in replaced]
        return {group: Manifest.of(group, entries) for group, entries in files.items()}


def _make_plan(snapshot: Snapshot, rebuild: bool) -> _Plan:
    sources = Sources(snapshot)
    every = [sources.of(pixel) for pixel in sources.pixels]
    changed = [one for one in every if rebuild or not sources.is_standing(one)]
    # The largest come first, so that no worker is left with one.
    changed.sort(key=lambda one: (-one.bytes, one.pixel))
    gone = set(snapshot.pixels("lightcurve_index")) - {one.pixel for one in every}
    return _Plan(snapshot, changed, len(every) - len(changed), gone)


def _group(
    sources: list[PixelSources], plan: _Plan, staging: Path, done: Mapping[HealpixPixel, GroupIds]
) -> dict[HealpixPixel, GroupIds]:
    """Decide the groups of all objects that are to be built; `done` are those of earlier tries."""
    order = plan.snapshot.partition.order
    pixels = {base_of(one.pixel, order) for one in sources}
    groups = groups_of(plan.snapshot, {p: ids for p, ids in done.items() if p not in pixels})
    write_groups(groups, pixels, staging)
    return groups.done


def _build(
    sources: list[PixelSources],
    plan: _Plan,
    staging: Path,
    executor: Tasks,
    progress: Progress | None,
) -> dict[HealpixPixel, _Made]:
    root = plan.snapshot.layout.root
    radius = read_settings(root).match_radius_arcsec
    partition = plan.snapshot.partition
    nights = {night: path for one in sources for night, path in one.images}
    staged_nights = [NightTask(staging, *one) for one in sorted(nights.items())]
    for done, _ in enumerate(executor.run(stage_images, staged_nights), 1):
        if progress:
            progress(done, len(staged_nights), "nights")
    tasks = [PixelTask(root, staging, one, partition, radius) for one in sources]
    made: dict[HealpixPixel, _Made] = {}
    for position, files in executor.run(build_pixel, tasks):
        made[sources[position].pixel] = _Made(sources[position].made_of, files)
        if progress:
            progress(len(made), len(tasks), "pixels")
    return made
