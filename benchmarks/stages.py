"""Where the time of an ingest goes, stage by stage, beside what memory and files could do at best.

    python -m benchmarks.stages [--rows N] [--json FILE]

One process, so that stages add up; the clock of each stage leaves out the stages within it. The
limits are of the same run: bytes that a stage cannot but move, at the speed of a copy in memory
or of a write to a new file.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import ingest.batch
import ingest.image
import ingest.margins
import ingest.matching
import ingest.merger
import ingest.pipeline
import ingest.records
import ingest.reference_shelf
import ingest.repack
import ingest.row_groups
import ingest.runs
import ingest.shards
import store.files
import transforms.match
import transforms.sorting
from benchmarks.harness import Result, options, own_peak_mb, tell
from benchmarks.ingest import ROWS_AN_IMAGE
from benchmarks.night import Night, published_files, simulate_night
from ingest.compile import compile_ingest
from ingest.pipeline import ingest as ingest_night
from ingest.plan import ROW_BYTES
from ingest.records import RECORD

REST = "the rest"
# Stage: the functions whose time it is, as their callers look them up.
STAGES: dict[str, tuple[tuple[object, str], ...]] = {
    "look at headers": ((ingest.pipeline, "make_plan"),),
    "read FITS, checksum": ((ingest.batch, "read_psfcat"),),
    "heliocentric dates, airmass": (
        (ingest.batch, "_observers"),
        (ingest.image, "footprint_centre"),
        (ingest.image, "fit_light_travel_time"),
        (ingest.image, "heliocentric_and_airmass"),
        (ingest.image, "heliocentric_mjd"),
    ),
    "HEALPix index": ((ingest.image, "healpix_29"),),
    "references: load, grid, colours": (
        (ingest.reference_shelf.ReferenceShelf, "get"),
        (ingest.reference_shelf.ReferenceShelf, "colours"),
        (transforms.match.SkyGrid, "__init__"),
    ),
    "match": ((transforms.match.SkyGrid, "nearest"), (ingest.matching, "match_rank")),
    "calibration, flags": (
        (ingest.image, "calibrated_magnitude"),
        (ingest.matching, "colour_correction"),
        (ingest.image, "catflags"),
        (ingest.image, "coordinate_fault"),
    ),
    "pack an image's records": ((ingest.records.ImageSorter, "sort"),),
    "write shards": ((ingest.shards.ShardWriter, "add"),),
    "read shards back": ((ingest.runs.RunReader, "read"),),
    "sort images, references, pixels": (
        (transforms.sorting.RadixSorter, "sort"),
        (ingest.merger, "break_ties"),
    ),
    "records to columns": (
        (ingest.row_groups, "unpack"),
        (ingest.row_groups.RowGroups, "_table"),
    ),
    "encode and write Parquet": ((store.files.TableWriter, "write"),),
    "finish files, wait for the disk": (
        (store.files.TableWriter, "__init__"),
        (store.files.TableWriter, "finish"),
        (ingest.pipeline, "merge_pixels"),
    ),
    "margins": (
        (ingest.margins.BorderRows, "add"),
        (ingest.margins.BorderRows, "save"),
        (ingest.pipeline, "margin_files"),
    ),
    "small tables, publication": (
        (ingest.pipeline, "_small_tables"),
        (ingest.pipeline, "refused_rows"),
        (ingest.repack, "publish"),
        (ingest.pipeline, "publish_refusals"),
    ),
}


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are those of the night."""
    chosen = options(__doc__, 5_000_000).parse_args(arguments)
    result = run(chosen.rows)
    tell(result, chosen.json)
    return result


def run(rows: int) -> Result:
    """Ingest a night in this process, twice; the second time counts."""
    compile_ingest()
    with tempfile.TemporaryDirectory() as name:
        night = simulate_night(Path(name) / "night", rows, min(rows, ROWS_AN_IMAGE))
        for _ in range(2):
            spent, seconds = _ingested(night)
        archive = night.archive.with_name("stages")
        out = sum(path.stat().st_size for path in published_files(archive)) / night.rows
        copied, written = _limits(Path(name) / "limit")
    result = Result("stages", night.rows, peak_memory_mb=own_peak_mb())
    spent[REST] = seconds - sum(spent.values())
    result.figures = {f"{stage}, ns a row": spent[stage] / night.rows * 1e9 for stage in spent}
    result.figures |= {
        "all stages, ns a row": seconds / night.rows * 1e9,
        "limit: read and copy the input, ns a row": 2 * ROW_BYTES / copied * 1e9,
        "limit: write and read records, ns a row": RECORD.itemsize
        * (1 / written + 1 / copied)
        * 1e9,
        "limit: write the compressed bytes, ns a row": out / written * 1e9,
        "copy in memory, GB/s": copied / 1e9,
        "write to a new file, GB/s": written / 1e9,
    }
    return result


def _ingested(night: Night) -> tuple[dict[str, float], float]:
    """Seconds of each stage, and of all."""
    archive = night.archive.with_name("stages")
    shutil.rmtree(archive, ignore_errors=True)
    shutil.copytree(night.archive, archive, symlinks=True)
    with _clocks() as spent:
        start = time.perf_counter()
        report = ingest_night(archive, [night.raw], workers=1)
        seconds = time.perf_counter() - start
    assert report.rows == night.rows
    return {stage: spent[stage] for stage in STAGES}, seconds


@contextmanager
def _clocks() -> Iterator[dict[str, float]]:
    """A clock around every function of `STAGES`, for a while."""
    spent: defaultdict[str, float] = defaultdict(float)
    within = [0.0]  # seconds of the stages inside each that is running

    def clocked(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run_it(*args: Any, **named: Any) -> Any:
            within.append(0.0)
            start = time.perf_counter()
            try:
                return function(*args, **named)
            finally:
                seconds = time.perf_counter() - start
                spent[stage] += seconds - within.pop()
                within[-1] += seconds

        return run_it

    replaced = [
        (owner, name, getattr(owner, name), stage)
        for stage, functions in STAGES.items()
        for owner, name in functions
    ]
    for owner, name, function, stage in replaced:
        setattr(owner, name, clocked(stage, function))
    try:
        yield spent
    finally:
        for owner, name, function, _ in replaced:
            setattr(owner, name, function)


def _limits(path: Path) -> tuple[float, float]:
    """Bytes a second of a copy in memory, and of a write to a new file (to the page cache)."""
    size = 1 << 26
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    copies, writes = [], []
    for _ in range(5):
        start = time.perf_counter()
        np.copyto(target, source)
        copies.append(time.perf_counter() - start)
        path.unlink(missing_ok=True)
        with path.open("wb", buffering=0) as file:
            start = time.perf_counter()
            file.write(source.data)
            writes.append(time.perf_counter() - start)
    return size / min(copies), size / min(writes)


if __name__ == "__main__":
    main()
