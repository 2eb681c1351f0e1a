"""Matchfiles from an archive: PyTables row by row and pandas write the same rows, in turn.

python -m benchmarks.matchfile [--rows N] [--json FILE]

The whole of an export reads the light curves as built, groups and calibrates them and writes the
file. The peers have the rows of `sourcedata` in memory and only write them, PyTables by its
documented loop over `table.row`, a part of them, pandas by `DataFrame.to_hdf(format="table")`: they
are held against our writing of a whole file that is in memory too. What an export takes is told of
files made one after the other, as `matchfiles` makes them; among peers, each of which leaves the
next one cold caches, it is a figure more. Peak memory is that of a process that makes several files
and does nothing else.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Sequence
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tables
from numpy.typing import NDArray

from benchmarks.curves_archive import CCDIDS, FID, FIELD, QID, Quadrant, Survey, create
from benchmarks.harness import Ratio, Result, in_turn, played, times_faster
from benchmarks.memory import PROC
from products.lightcurves.job import build
from products.matchfile.columns import Channel, Making
from products.matchfile.job import make_matchfile, match_of
from products.matchfile.writer import write_match
from queries.connection import Session, connect
from store.matchfile import SOURCEDATA
from store.snapshot import open_snapshot

SOURCES = 4_000
CHANNEL = Channel(FIELD, FID, CCDIDS[0], QID)
# Rows that the loop writes; of all it would take minutes.
LOOP_ROWS = 50_000
# Files that one process makes one after the other, for their memory.
FILES = 8


class OneQuadrant(Survey):
    """All sources in one quadrant."""

    @cached_property
    def quadrants(self) -> list[Quadrant]:
        """That one."""
        return [Quadrant(CHANNEL.ccdid, self.sources)]


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are detections of one quadrant."""
    return played(arguments, __doc__, 2_000_000, run)


def run(rows: int, rounds: int) -> Result:
    """Product and peers on one quadrant of an archive; the rows are compared first."""
    warnings.simplefilter("ignore", tables.PerformanceWarning)
    warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "A", Path(folder) / "out"
        sources = min(SOURCES, max(1, rows // 20))
        epochs = max(1, rows // sources)
        create(root, OneQuadrant(sources, nights=max(1, epochs // 5), epochs=epochs))
        build(root)
        with connect(open_snapshot(root)) as session:
            result = _compared(session, out, rounds)
        peaks = _peaks_mb(root, out)
    result.peak_memory_mb = peaks[-1]
    result.figures["peak MB of a process, one file"] = peaks[0]
    grown = Ratio(f"peak memory, {FILES} files over one", peaks[-1] / peaks[0], 1.15, at_most=True)
    result.ratios.append(grown)
    return result


def _compared(session: Session, out: Path, rounds: int) -> Result:
    made = make_matchfile(session, CHANNEL, out, Making())
    with tables.open_file(str(made.path)) as file:
        data: NDArray[Any] = file.root.matches.sourcedata[:]
    _check(session, data)
    match = match_of(session, CHANNEL, Making())
    frame = pd.DataFrame.from_records(data)
    peers = out / "peers.h5"
    seconds = in_turn(
        {
            "ours": lambda: make_matchfile(session, CHANNEL, out, Making(statistics=False)),
            "with statistics": lambda: make_matchfile(session, CHANNEL, out, Making()),
            "gzip": lambda: make_matchfile(session, CHANNEL, out, Making(compress="gzip")),
            "blosc": lambda: make_matchfile(session, CHANNEL, out, Making(compress="blosc")),
            "written from memory": lambda: write_match(match, made.path),
            "loop": lambda: _loop(data[:LOOP_ROWS], peers),
            "to_hdf": lambda: frame.to_hdf(peers, key="sourcedata", mode="w", format="table"),
        },
        rounds,
    )
    n = data.size
    alone = {
        way: [_seconds(session, out, making) for _ in range(rounds + 1)][1:]
        for way, making in (
            ("ours, file after file", Making(statistics=False)),
            ("with statistics, file after file", Making()),
        )
    }
    spent = _processor_seconds(session, out)
    seconds["loop"] = [taken * n / min(n, LOOP_ROWS) for taken in seconds["loop"]]
    result = Result("matchfile", n)
    for way, taken in (seconds | alone).items():
        result.figures[f"{way}, ns a detection"] = float(np.median(taken)) / n * 1e9
    result.figures["MB, uncompressed"] = made.bytes / 1e6
    result.figures["ours, processor ns a detection"] = spent / n * 1e9
    result.ratios += [
        Ratio("ns a detection",
              result.figures["ours, file after file, ns a detection"], 400, at_most=True),
        Ratio("ns a detection, with statistics",
              result.figures["with statistics, file after file, ns a detection"], 1500,
              at_most=True),
        Ratio("written from memory, against PyTables' row loop",
              times_faster(seconds, "written from memory", "loop"), 20),
        Ratio("written from memory, against DataFrame.to_hdf(format='table')",
              times_faster(seconds, "written from memory", "to_hdf"), 5),
    ]  # fmt: skip
    return result


def _seconds(session: Session, out: Path, making: Making) -> float:
    start = time.perf_counter()
    make_matchfile(session, CHANNEL, out, making)
    return time.perf_counter() - start


def _processor_seconds(session: Session, out: Path) -> float:
    """On a busy machine the better measure: what a whole export takes of its processors."""
    start = time.process_time()
    make_matchfile(session, CHANNEL, out, Making(statistics=False))
    return time.process_time() - start


def _peaks_mb(root: Path, out: Path) -> list[float]:
    """Peak memory of a process of its own after each of some exports, as one worker makes them."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_peaks_of_exports, (root, out))


def _peaks_of_exports(root: Path, out: Path) -> list[float]:
    peaks = []
    with connect(open_snapshot(root)) as session:
        for _ in range(FILES):
            make_matchfile(session, CHANNEL, out, Making())
            # Of what it has run itself; the resource usage has that of who started it, too.
            status = (PROC / "self" / "status").read_text(encoding="ascii").split()
            peaks.append(int(status[status.index("VmHWM:") + 1]) / 1024)
    return peaks


def _loop(rows: NDArray[Any], path: Path) -> None:
    """As PyTables' tutorial writes rows."""
    with tables.open_file(str(path), "w") as file:
        table = file.create_table("/", "sourcedata", rows.dtype, expectedrows=rows.size)
        row = table.row
        names = rows.dtype.names or ()
        for record in rows.tolist():
            for name, value in zip(names, record, strict=True):
                row[name] = value
            row.append()
        table.flush()


def _check(session: Session, data: NDArray[Any]) -> None:
    """A fast wrong answer fails."""
    assert data.dtype == SOURCEDATA.dtype
    counted, mean_ra = session.rows(
        "SELECT count(*), avg(ra) FROM detections WHERE oid IS NOT NULL"
    )[0]
    assert data.size == counted
    assert abs(data["ra"].mean() - mean_ra) < 1e-9
    assert (np.diff(data["matchid"].astype(np.int64)) >= 0).all()


if __name__ == "__main__":
    main()
