"""Simulate a survey: plan in, files and truth out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from simulate.errors import PlanError, UnwritableTargetError
from simulate.identity import CHANNELS, mjd_of
from simulate.plan import SurveyPlan, SurveySummary
from simulate.pointing import Exposure, schedule
from simulate.quadrant import observe
from simulate.site import load_tables
from simulate.skyfile import SkyFile, read_sky_file
from simulate.task import Outcome, Task
from simulate.truth import DETECTIONS, SOURCES, TruthFile
from simulate.wrong import wrong_images
from store.processes import CleanPool

EXPOSURES_A_TASK = 24
# Below this many sources times images a second process costs more than it saves.
WORTH_A_POOL = 1_000_000


def simulate_survey(
    directory: Path,
    plan: SurveyPlan,
    *,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> SurveySummary:
    """Write a simulated survey.

    Files are `sci/YYYY/MMDD/ffffff/ztf_…_psfcat.fits`, `ref/FFFFFF/ztf_…_refpsfcat.fits`,
    `truth/sources.parquet` and `truth/detections.parquet` below `directory`.

    Parameters
    ----------
    directory : made if it does not exist; files of the same names are replaced.
    plan : what to simulate.
    progress : called with the numbers of images done and of all, from this process.
    workers : processes; by default as many as there are cores, or one for a small survey. The
        bytes written do not depend on it.

    Raises
    ------
    PlanError : a field does not rise, the night is too short, the sky file is of another field.
    SkyFileError : `plan.sky` is not a reference PSF catalogue.
    UnwritableTargetError : the folder cannot be written.
    """
    sky_file = read_sky_file(plan.sky) if plan.sky is not None else None
    plan = _with_sky(plan, sky_file)
    n_tasks = _count_tasks(plan)
    with _Workers(n_tasks, workers, plan) as pool:
        return _run(directory, plan, sky_file, pool, progress)


def _run(
    directory: Path,
    plan: SurveyPlan,
    sky_file: SkyFile | None,
    pool: _Workers,
    progress: Callable[[int, int], None] | None,
) -> SurveySummary:
    exposures = schedule(plan, plan.fields)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableTargetError(directory, error.strerror or str(error)) from error
    wrong = wrong_images(plan, exposures)
    tasks = list(_tasks(directory, plan, exposures, sky_file, wrong))
    n_images = len(exposures) * len(plan.channels)
    total = Outcome()
    truth = directory / "truth"
    sources_path, detections_path = truth / "sources.parquet", truth / "detections.parquet"
    with ExitStack() as stack:
        sources = stack.enter_context(TruthFile(sources_path, SOURCES))
        detections = None
        if plan.truth_detections:
            detections = stack.enter_context(TruthFile(detections_path, DETECTIONS))
        for outcome in pool.run(tasks):
            sources.add(outcome.sources)
            if detections is not None:
                detections.add(outcome.detections)
            total.count(outcome)
            if progress is not None:
                progress(total.n_images, n_images)
    return SurveySummary(
        directory, len(exposures), total.n_images, total.n_rows,
        total.n_references, total.n_reference_rows,
        sources_path, detections_path if plan.truth_detections else None, wrong,
    )  # fmt: skip


def _with_sky(plan: SurveyPlan, sky_file: SkyFile | None) -> SurveyPlan:
    """The plan with its empty choices made."""
    if sky_file is None:
        return replace(plan, channels=plan.channels or tuple(CHANNELS))
    for name, chosen, own in (
        ("field", plan.fields, sky_file.field),
        ("channel", plan.channels, sky_file.rcid),
    ):
        if chosen not in ((), (own,)):
            raise PlanError(
                f"the sky is that of {name} {own}, not of {chosen}",
                where=str(sky_file.path), hint=f"Leave the {name} away, or name {own}.",
            )  # fmt: skip
    return replace(plan, fields=(sky_file.field,), channels=(sky_file.rcid,))


def _tasks(
    directory: Path,
    plan: SurveyPlan,
    exposures: list[Exposure],
    sky_file: SkyFile | None,
    wrong: frozenset[tuple[int, int]],
) -> Iterator[Task]:
    nights = sorted(plan.nights)
    mjd_range = (float(mjd_of(nights[0])), float(mjd_of(nights[-1]) + 1))
    for field in plan.fields:
        own = [exposure for exposure in exposures if exposure.field == field]
        for rcid in plan.channels:
            for start in range(0, len(own), EXPOSURES_A_TASK):
                part = tuple(own[start : start + EXPOSURES_A_TASK])
                yield Task(
                    directory, plan, sky_file, field, rcid, part, start == 0, mjd_range, wrong
                )


def _images_a_quadrant(plan: SurveyPlan) -> int:
    return len(plan.nights) * len(plan.filters) * plan.exposures_per_night


def _count_tasks(plan: SurveyPlan) -> int:
    parts = -(-_images_a_quadrant(plan) // EXPOSURES_A_TASK)
    return len(plan.fields) * len(plan.channels) * parts


class _Workers:
    """Processes, or this one; outcomes come in the order of the tasks."""

    def __init__(self, n_tasks: int, workers: int | None, plan: SurveyPlan) -> None:
        if workers is None:
            n_images = _images_a_quadrant(plan) * len(plan.fields) * len(plan.channels)
            small = n_images * plan.sources_per_quadrant < WORTH_A_POOL
            workers = 1 if small else len(os.sched_getaffinity(0))
        workers = min(workers, n_tasks)
        self._pool = None
        if workers > 1:
            self._pool = CleanPool(workers)
            for _ in range(workers):  # they load their modules while this process plans
                self._pool.submit(load_tables)

    def run(self, tasks: list[Task]) -> Iterable[Outcome]:
        """Outcomes as they come."""
        if self._pool is None:
            return map(observe, tasks)
        return self._pool.map(observe, tasks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
