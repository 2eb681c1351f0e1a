"""A batch of images: read, transformed, and written as one shard of the night.

This is what a worker does. A marker beside the shard says that it is whole, and what is in it:
an interrupted ingest goes on from the batches that have one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ingest.errors import RefusedInput, refusing
from ingest.image import Observer, image_rows
from ingest.matching import match_recipe
from ingest.plan import PlannedImage, refusal_of
from ingest.prior import Channel, Prior, still_holds
from ingest.psfcat import PsfCatalogue, read_psfcat
from ingest.records import RECORD, ImageKey, ImageSorter
from ingest.reference_shelf import ReferenceShelf
from ingest.report import Refusal
from ingest.scale import Verdict, judge_images, recipe_of
from ingest.shards import Piece, ShardWriter, new_shard
from ingest.version import code_version, plain, recipe
from store.atomic import write_whole
from store.layout import Layout
from store.settings import ArchiveSettings
from store.snapshot import Snapshot
from transforms.earth_orientation import earth_orientation_version
from transforms.ephemeris import observer_contexts
from transforms.site import Site


class Known(NamedTuple):
    """A published image: what it was made from, what its ids, and how it was judged.

    `scale` are the columns of `images` that `ingest.scale.COLUMNS` names.
    """

    recipe: str
    match_recipe: str | None
    is_bad: bool
    bad_reason: str | None
    scale: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        """Its judgement, as it was published."""
        return Verdict(self.is_bad, self.bad_reason, self.scale)


@dataclass(frozen=True, slots=True)
class BatchTask:
    """Some images of one night.

    `snapshot` is the publication whose references are matched to; `priors` are those of the images'
    channels; `known` gives, by pid, images that are published: those that would come out the same
    are left alone.
    """

    root: Path
    snapshot: int
    night: date
    images: tuple[PlannedImage, ...]
    settings: ArchiveSettings
    hjd_method: str
    staging: Path
    priors: Mapping[Channel, Prior]
    known: Mapping[int, Known] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What the batch is made from: its marker's name."""
        return recipe(
            code=code_version(),
            snapshot=self.snapshot,
            settings=asdict(self.settings),
            hjd_method=self.hjd_method,
            images=[(str(i.path), i.stamp, plain(i.facts)) for i in self.images],
            priors=sorted((*key, p.source, p.checksum) for key, p in self.priors.items()),
            known=sorted(self.known.items()),
        )[:16]


@dataclass(slots=True)
class BatchResult:
    """What became of a batch: its pieces by pixel, rows of `images`, exposures, refusals."""

    pieces: list[Piece] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    earth_s: dict[int, list[float]] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)


def run_batch(task: BatchTask) -> BatchResult:
    """Make the batch's shard, or take it as it was made before."""
    key = task.key
    marker = task.staging / f"{key}.json"
    shard = task.staging / f"{key}.records"
    if (made := read_marker(marker, shard)) is not None:
        return made
    result = BatchResult()
    with new_shard(shard, task.settings.partition_order, _sorter()) as writer:
        _add_images(task, result, writer)
        result.pieces = writer.pieces
    write_marker(marker, result)
    return result


def _add_images(task: BatchTask, result: BatchResult, shard: ShardWriter) -> None:
    """Read, transform and write one image after the other; only one is in memory."""
    shelf = shelf_of(task.root, task.snapshot, task.settings.match_radius_arcsec)
    observers = _observers(task, result)
    limit = task.settings.scale_limit_percent
    verdicts: dict[int, Verdict] = {}
    for planned in task.images:
        try:
            with refusing(planned.path):
                catalogue = read_psfcat(planned.path)
                made_from = _recipe(task, planned, catalogue)
                matched_to = _match_recipe(task, planned, shelf)
                judged_by = recipe_of(planned, task.priors, limit)
                known = _same(task.known.get(planned.pid), made_from, judged_by)
                if known is not None and known.match_recipe == matched_to:
                    result.unchanged.append(planned.pid)
                    continue
                if not verdicts and known is None:
                    verdicts = judge_images(task.images, task.priors, limit)
                rows, refusal = image_rows(
                    catalogue,
                    planned,
                    observers[planned.facts.obsmjd],
                    shelf,
                    radius_arcsec=task.settings.match_radius_arcsec,
                    hjd_method=task.hjd_method,
                    recipe=made_from,
                    verdict=verdicts[planned.pid] if known is None else known.verdict,
                )
        except RefusedInput as error:
            refusal = refusal_of(error, planned.path, night=task.night, pid=planned.pid)
            result.refusals.append(refusal)
            continue
        shard.add(rows.columns, rows.key)
        result.records.append(rows.record)
        if refusal is not None:
            result.refusals.append(refusal)


def _same(known: Known | None, made_from: str, judged_by: str | None) -> Known | None:
    """A published image that would be made of the same, and whose judgement may stay; or None."""
    if known is None or known.recipe != made_from:
        return None
    return known if still_holds(known.scale["scale_recipe"], judged_by) else None


def _observers(task: BatchTask, result: BatchResult) -> dict[float, Observer]:
    """Contexts of the batch's exposures, made for all of them at once."""
    site = task.settings.site
    expids = {image.facts.obsmjd: image.facts.expid for image in task.images}
    dates = sorted(expids)
    contexts = observer_contexts(np.array(dates), Site(site.name, site.x_m, site.y_m, site.z_m))
    observers = {}
    for i, obsmjd in enumerate(dates):
        earth = contexts.earth_heliocentric_s[i]
        extrapolated = bool(contexts.iers_extrapolated[i])
        observers[obsmjd] = Observer(earth, contexts.apparent[i], extrapolated)
        result.earth_s[expids[obsmjd]] = [float(value) for value in earth]
    return observers


def _recipe(task: BatchTask, planned: PlannedImage, catalogue: PsfCatalogue) -> str:
    settings = task.settings
    return recipe(
        input=catalogue.checksum,
        facts=plain(planned.facts),
        night_offset=settings.night_offset_hours,
        site=plain(settings.site),
        hjd_method=task.hjd_method,
        earth_orientation=earth_orientation_version(),
        code=code_version(),
    )


def _match_recipe(task: BatchTask, planned: PlannedImage, shelf: ReferenceShelf) -> str:
    facts = planned.facts
    channel = (facts.field, facts.fid, facts.ccdid, facts.qid)
    return match_recipe(*channel, shelf, task.settings.match_radius_arcsec)


def shelf_of(root: Path, number: int, radius_arcsec: float) -> ReferenceShelf:
    """The references of a publication; a worker keeps them from batch to batch."""
    # By content too: another archive may stand at that path since, with as many publications.
    groups = Snapshot(Layout(root), number).groups
    return _shelf(root, number, radius_arcsec, tuple(sorted(groups.items())))


@lru_cache(maxsize=1)
def _shelf(
    root: Path, number: int, radius_arcsec: float, _groups: tuple[tuple[str, str], ...]
) -> ReferenceShelf:
    return ReferenceShelf(Snapshot(Layout(root), number), radius_arcsec)


@cache
def _sorter() -> ImageSorter:
    return ImageSorter()


def write_marker(path: Path, result: BatchResult) -> None:
    """Say beside a shard that it is whole, and what is in it."""
    content = {
        **plain(result),
        "refusals": [plain(refusal) for refusal in result.refusals],
        "boot": _boot(),
    }
    write_whole(path, json.dumps(content, default=date.isoformat).encode())


def _boot() -> str:
    """This start of this machine.

    A shard is not synced: it outlives its process, but a loss of power may leave it as zeros.
    """
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def read_marker(path: Path, shard: Path) -> BatchResult | None:
    """The result as it was written; None if there is none, or the shard may not be whole."""
    if not path.exists():
        return None
    raw = json.loads(path.read_text(encoding="utf-8"))
    rows = sum(rows for _, _, _, rows, _ in raw["pieces"])
    size = shard.stat().st_size if shard.exists() else 0
    if raw["boot"] != _boot() or size != rows * RECORD.itemsize:
        return None
    return BatchResult(
        pieces=[
            Piece(shard, npix, start, rows, ImageKey(*image))
            for shard, npix, start, rows, image in raw["pieces"]
        ],
        records=raw["records"],
        earth_s={int(expid): values for expid, values in raw["earth_s"].items()},
        refusals=[
            Refusal(**{**refusal, "night": _date(refusal["night"])}) for refusal in raw["refusals"]
        ],
        unchanged=raw["unchanged"],
    )


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
