"""What there is to ingest: every file's facts, sorted into nights; nothing is transformed yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.duplicates import one_of
from ingest.errors import RefusedInput, refusing
from ingest.facts import ImageFacts
from ingest.filenames import find_catalogues
from ingest.metadata import gather_image_facts
from ingest.psfcat import read_header
from ingest.report import Progress, Refusal
from ingest.work import run_in_order
from store.executor import Executor, Tasks
from store.settings import ArchiveSettings
from store.words import printable
from transforms.identifiers import night as night_of

if TYPE_CHECKING:
    from ingest.metadata_table import MetadataTable  # its polars is no work of a worker

ROW_BYTES = 58  # of a psfcat's table; its headers take 8,640 to 20,160 bytes
HEADER_BYTES = 11_520
# A header takes half a millisecond: one process looks at this many in a second, and no others are
# started for fewer. A task looks at a tenth of them.
HEADERS_WORTH_A_POOL = 2000
HEADERS_A_TASK = 200
# Below this other processes take longer to start, about half a second, than they save.
ROWS_WORTH_A_PROCESS = 400_000


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
        return _estimated_rows(self.stamp[0])


@dataclass(slots=True)
class Plan:
    """The images of each night, in the order they are processed, and what was refused already.

    `found` are all files that were looked at.
    """

    found: list[Path] = field(default_factory=list)
    nights: dict[date, list[PlannedImage]] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)


def refusal_of(
    error: RefusedInput,
    path: Path,
    *,
    night: date | None = None,
    digest: str | None = None,
    pid: int | None = None,
) -> Refusal:
    """The record of a refused input."""
    return Refusal(
        input_file=printable(path.name),
        code=error.code,
        what=error.what,
        hint=error.hint,
        night=night,
        input_checksum=digest,
        n_rows=error.n_rows,
        first_row=error.first_row,
        pid=pid,
    )


def make_plan(
    paths: Sequence[Path],
    settings: ArchiveSettings,
    *,
    table: MetadataTable | None = None,
    night: date | None = None,
    progress: Progress | None = None,
    executor: Tasks | None = None,
) -> Plan:
    """Look at every catalogue's header below `paths` and sort the images into nights.

    Parameters
    ----------
    paths : folders and files.
    night : take only the images of this night; a file whose night cannot be known is refused
        all the same.
    executor : looks at the headers of large inputs; None for this process.

    Raises
    ------
    NothingToIngestError : there is no catalogue at all.
    """
    found = find_catalogues(paths, "psfcat")
    if executor is not None and _are_worth_processes(found):
        executor.start()
    plan = Plan(found)
    images: list[PlannedImage] = []
    for looked_at in _all_looked_at(found, settings, table, executor, progress):
        if isinstance(looked_at, Refusal):
            plan.refusals.append(looked_at)
        elif night is None or looked_at.night == night:
            images.append(looked_at)
    for image in _without_duplicates(images, plan):
        plan.nights.setdefault(image.night, []).append(image)
    for planned_images in plan.nights.values():
        # Visits of one channel stand together, whatever their filter: colours need the references
        # of two, and each is loaded once.
        planned_images.sort(key=lambda i: (i.facts.field, i.facts.rcid, i.facts.fid, i.pid))
    plan.nights = dict(sorted(plan.nights.items()))
    return plan


def _are_worth_processes(found: Iterable[Path]) -> bool:
    """Whether the files have so many rows that more than one process will read them."""
    rows = 0
    for path in found:
        rows += _estimated_rows(path.stat().st_size) if path.exists() else 0
        if rows >= ROWS_WORTH_A_PROCESS:
            return True
    return False


def _estimated_rows(file_bytes: int) -> int:
    return max(file_bytes - HEADER_BYTES, 0) // ROW_BYTES


@dataclass(frozen=True, slots=True)
class LookTask:
    """Some catalogues whose headers are to be looked at."""

    paths: tuple[Path, ...]
    settings: ArchiveSettings
    table: MetadataTable | None


def look_at(task: LookTask) -> list[PlannedImage | Refusal]:
    """What is known of each catalogue, or why it is refused; in the order of the paths."""
    seen: list[PlannedImage | Refusal] = []
    for path in task.paths:
        try:
            with refusing(path):
                seen.append(_look_at(path, task.settings, task.table))
        except RefusedInput as error:
            seen.append(refusal_of(error, path))
    return seen


def _all_looked_at(
    found: Sequence[Path],
    settings: ArchiveSettings,
    table: MetadataTable | None,
    executor: Tasks | None,
    progress: Progress | None,
) -> list[PlannedImage | Refusal]:
    """Look at all catalogues, in a pool if they are many; in their order all the same."""
    tasks = [
        LookTask(tuple(found[start : start + HEADERS_A_TASK]), settings, table)
        for start in range(0, len(found), HEADERS_A_TASK)
    ]
    if executor is None or len(found) < HEADERS_WORTH_A_POOL:
        executor = Executor(1)
    sizes = [len(task.paths) for task in tasks]
    seen = run_in_order(
        executor, look_at, tasks, sizes=sizes, what="reading headers", progress=progress
    )
    return [one for some in seen for one in some]


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
        at = {image.path: image for image in same}
        taken, refused = one_of(list(at), f"image {pid}")
        if taken is not None:
            kept.append(at[taken])
        for path, error in refused:
            plan.refusals.append(refusal_of(error, path, night=at[path].night, pid=pid))
    return kept
