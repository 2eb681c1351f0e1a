"""A simulated night, ingested in a process of its own: its time, its memory, its answers."""

from __future__ import annotations

import math
import multiprocessing
import os
import resource
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path

import polars as pl

from benchmarks.memory import PeakMemory
from ingest.pipeline import ingest
from ingest.references import add_references
from simulate import SurveyPlan, simulate_survey
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot

NIGHT = date(2024, 1, 10)
FIELD, FILTERS, CHANNELS = 655, (1, 2), 64
VISITS = 4  # of a field in a night and filter, at least: each reference serves so many images
ROWS_OF_A_SOURCE = 0.35  # of the simulator's sources, how many rows an image has


@dataclass(frozen=True, slots=True)
class Night:
    """Input of a benchmark: files, and an archive that has their references."""

    raw: Path
    archive: Path
    rows: int
    images: int


@dataclass(frozen=True, slots=True)
class Run:
    """One ingest: seconds by the wall and of processor time, peak PSS of all its processes.

    The peak is NaN if it was not watched.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    archive: Path


def simulate_night(folder: Path, rows: int, rows_an_image: int) -> Night:
    """About `rows` rows in images of about `rows_an_image`, of one field in two filters."""
    images = max(1, round(rows / rows_an_image))
    channels = min(CHANNELS, max(1, images // (VISITS * len(FILTERS))))
    exposures = max(1, math.ceil(images / (channels * len(FILTERS))))
    plan = SurveyPlan(
        nights=(NIGHT,), fields=(FIELD,), filters=FILTERS, channels=tuple(range(channels)),
        exposures_per_night=exposures, truth_detections=False,
        sources_per_quadrant=max(10, int(rows_an_image / ROWS_OF_A_SOURCE)),
    )  # fmt: skip
    raw, archive = folder / "raw", folder / "archive"
    summary = simulate_survey(raw, plan)
    create_archive(archive, ArchiveSettings(name="benchmark"))
    add_references(archive, [raw])
    return Night(raw, archive, summary.n_rows, channels * exposures * len(FILTERS))


def ingest_night(night: Night, workers: int | None, *, watched: bool = True) -> Run:
    """Ingest into a copy of the archive; the copy stays, to be looked at.

    Parameters
    ----------
    workers : None for as many as `ingest` itself thinks right for the cores and the rows.
    watched : look at its memory, which takes a part of its time.
    """
    archive = night.archive.with_name("ingested")
    shutil.rmtree(archive, ignore_errors=True)
    shutil.copytree(night.archive, archive, symlinks=True)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    os.sync()  # what others have left to be written is not its time
    process = context.Process(target=_ingest, args=(archive, night.raw, workers, theirs))
    process.start()
    theirs.close()
    memory = PeakMemory(process.pid or 0)
    with memory if watched else nullcontext():
        rows, seconds, cpu_seconds = ours.recv()
        process.join()
    assert rows == night.rows, f"{rows} rows published of {night.rows}"
    return Run(seconds, cpu_seconds, memory.peak_mb if watched else math.nan, archive)


def _ingest(archive: Path, raw: Path, workers: int | None, answer: Connection) -> None:
    before = _cpu_seconds()
    report = ingest(archive, [raw], workers=workers)
    assert not report.refusals
    answer.send((report.rows, report.seconds, _cpu_seconds() - before))


def _cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended, the system's too."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def published_files(archive: Path) -> list[Path]:
    """The files of detections."""
    return open_snapshot(archive).files("detections")


def image_of(archive: Path, path: Path) -> tuple[pl.DataFrame, dict[str, object]]:
    """The published rows of one input file, as they were in it, and its row of `images`."""
    images = pl.read_parquet(open_snapshot(archive).files("images"))
    image = images.row(by_predicate=pl.col("input_file") == path.name, named=True)
    rows = pl.scan_parquet(published_files(archive)).filter(
        (pl.col("expid") == image["expid"]) & (pl.col("rcid") == image["rcid"])
    )
    return rows.sort("sourceid").collect(), image
