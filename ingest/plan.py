"""What there is to ingest: every file's facts, sorted into nights; nothing is transformed yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ingest.errors import DuplicateImage, RefusedInput, UnreadableFile
from ingest.filenames import find_catalogues
from ingest.metadata import ImageFacts, MetadataTable, gather_image_facts
from ingest.psfcat import read_header
from ingest.report import Progress, Refusal
from store.atomic import checksum
from store.settings import ArchiveSettings
from transforms.identifiers import night as night_of

ROW_BYTES = 58  # of a psfcat's table; its headers take 8,640 to 20,160 bytes
HEADER_BYTES = 11_520


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image to ingest: where it is, and what is known of it.

    `stamp` changes with the file: its size and modification time, in bytes and nanoseconds.
    """

    path: Path
    facts: ImageFacts
    night: date
    stamp: tuple[int, int]

    @property
    def pid(self) -> int:
        """Image id."""
        return self.facts.pid

    @property
    def estimated_rows(self) -> int:
        """Rows, from the file's size."""
        return max(self.stamp[0] - HEADER_BYTES, 0) // ROW_BYTES


@dataclass(slots=True)
class Plan:
    """The images of each night, in the order they are processed, and what was refused already.

    `found` are all files that were looked at.
    """

    found: list[Path] = field(default_factory=list)
    nights: dict[date, list[PlannedImage]] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)


def refusal_of(
    error: RefusedInput, path: Path, *, night: date | None = None, digest: str | None = None
) -> Refusal:
    """The record of a refused input."""
    return Refusal(
        input_file=path.name,
        code=error.code,
        what=error.what,
        hint=error.hint,
        night=night,
        input_checksum=digest,
        n_rows=error.n_rows,
        first_row=error.first_row,
    )


def make_plan(
    paths: Sequence[Path],
    settings: ArchiveSettings,
    *,
    table: MetadataTable | None = None,
    night: date | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Look at every catalogue's header below `paths` and sort the images into nights.

    Parameters
    ----------
    paths : folders and files.
    night : take only the images of this night; a file whose night cannot be known is refused
        all the same.

    Raises
    ------
    NothingToIngestError : there is no catalogue at all.
    """
    found = find_catalogues(paths, "psfcat")
    plan = Plan(found)
    images: list[PlannedImage] = []
    for number, path in enumerate(found):
        if progress and number % 100 == 0:
            progress(number, len(found), "reading headers")
        try:
            planned = _look_at(path, settings, table)
        except RefusedInput as error:
            plan.refusals.append(refusal_of(error, path))
            continue
        if night is None or planned.night == night:
            images.append(planned)
    for image in _without_duplicates(images, plan):
        plan.nights.setdefault(image.night, []).append(image)
    for planned_images in plan.nights.values():
        # Visits of one channel stand together: its reference is loaded once, and a batch of
        # images covers few pixels.
        planned_images.sort(key=lambda i: (i.facts.field, i.facts.fid, i.facts.rcid, i.pid))
    plan.nights = dict(sorted(plan.nights.items()))
    return plan


def _look_at(path: Path, settings: ArchiveSettings, table: MetadataTable | None) -> PlannedImage:
    header = read_header(path)
    facts = gather_image_facts(path, header, table=table)
    status = path.stat()
    return PlannedImage(
        path,
        facts,
        night_of(facts.obsmjd, settings.night_offset_hours),
        (status.st_size, status.st_mtime_ns),
    )


def _without_duplicates(images: Iterable[PlannedImage], plan: Plan) -> list[PlannedImage]:
    """One of each image; of an image given with different bytes, none."""
    by_pid: dict[int, list[PlannedImage]] = {}
    for image in images:
        by_pid.setdefault(image.pid, []).append(image)
    kept = []
    for pid, same in by_pid.items():
        digests = {_digest(image.path) for image in same} if len(same) > 1 else {""}
        if len(digests) == 1:
            kept.append(same[0])
            continue
        for image in same:
            other = next(i for i in same if i is not image).path
            error = DuplicateImage(image.path, pid, other.name)
            plan.refusals.append(refusal_of(error, image.path, night=image.night))
    return kept


def _digest(path: Path) -> str:
    try:
        return checksum(path.read_bytes())
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error)) from error
