"""What it costs to publish: checksums, syncs, manifest, links and metadata, over the bare writes.

    python -m benchmarks.store [--rows N] [--json FILE]

The same rows, held in memory, are written twice by one process: as a published night, and as
Parquet files of the same codec, encodings and row groups that nobody checks, syncs or finds.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness import Ratio, Result, own_peak_mb, played
from benchmarks.ingest import ROWS_AN_IMAGE
from benchmarks.night import NIGHT, ingest_night, simulate_night
from store.columns import ROW_GROUP_ROWS
from store.contract import DETECTIONS
from store.files import TableWriter
from store.layout import HealpixPixel, Layout
from store.manifest import Manifest, night_group
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

PART = f"{NIGHT:%Y%m%d}"
Night = list[tuple[HealpixPixel, pa.Table]]


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are those of the night."""
    return played(arguments, __doc__, 5_000_000, run)


def run(rows: int, rounds: int) -> Result:
    """Publish and write in turn; what was published last is verified."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        night = _simulated(folder / "input", rows)
        n_rows = sum(table.num_rows for _, table in night)
        published, bare, publications = [], [], []
        for _ in range(rounds):
            start = time.perf_counter()
            _write_bare(folder / "bare", night)
            bare.append(time.perf_counter() - start)
            shutil.rmtree(folder / "bare")
            archive = folder / "archive"
            shutil.rmtree(archive, ignore_errors=True)
            create_archive(archive, ArchiveSettings(margin_arcsec=0))
            start = time.perf_counter()
            publications.append(_publish(archive, night))
            published.append(time.perf_counter() - start)
        assert verify(archive) == []
        assert open_snapshot(archive).rows("detections") == n_rows
    result = Result("store", n_rows, peak_memory_mb=own_peak_mb())
    over = [mine / theirs - 1 for mine, theirs in zip(published, bare, strict=True)]
    result.ratios = [
        Ratio("publication over bare writes, %", 100 * statistics.median(over), 10, at_most=True)
    ]
    result.figures = {
        "bare writes, ns a row": statistics.median(bare) / n_rows * 1e9,
        "published, ns a row": statistics.median(published) / n_rows * 1e9,
        "publication alone, ms": statistics.median(publications) * 1e3,
        "files": float(len(night)),
    }
    return result


def _simulated(folder: Path, rows: int) -> Night:
    """A night as it is published, in memory."""
    done = ingest_night(simulate_night(folder, rows, min(rows, ROWS_AN_IMAGE)), None)
    snapshot = open_snapshot(done.archive)
    held = [
        (pixel, pq.ParquetFile(path).read().combine_chunks())
        for pixel in snapshot.pixels("detections")
        for path in snapshot.files("detections", [pixel])
    ]
    shutil.rmtree(folder)
    return held


def _write_bare(folder: Path, night: Night) -> None:
    folder.mkdir()
    for pixel, table in night:
        path = folder / f"{pixel.npix}.parquet"
        with pq.ParquetWriter(path, table.schema, **DETECTIONS.write_options()) as writer:
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)


def _publish(archive: Path, night: Night) -> float:
    """Write and publish as an ingest does; seconds of the publication alone."""
    layout = Layout(archive)
    # As in an ingest, one file is synced while the next one is written.
    with ThreadPoolExecutor(1) as syncing:
        settled = []
        for pixel, table in night:
            with TableWriter(layout, DETECTIONS, PART, pixel) as writer:
                for row in range(0, table.num_rows, ROW_GROUP_ROWS):
                    writer.write(table.slice(row, ROW_GROUP_ROWS))
                settled.append(syncing.submit(writer.finish()))
        files = [one.result() for one in settled]
    group = night_group(NIGHT)
    start = time.perf_counter()
    publish(archive, {group: Manifest.of(group, files)}, "benchmark")
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
