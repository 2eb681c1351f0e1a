"""Light curves asked for at random: by id, by cone, and ten thousand positions at once.

    python -m benchmarks.lightcurve [--rows N] [--nights N] [--json FILE]

An archive of that many detections, 900 epochs a source, is made (`benchmarks.curves_archive`), its
light curves are built, and asked in this process, all columns as polars frames: warm, with the last
20 nights in no light curves yet, and with the files out of the page cache. Answers are compared
with a scan of all detections first. Beside it: LSDB's cone_search and DuckDB by glob, on the same
files of light curves; and archives of other numbers of nights with a tenth of the rows.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.curves_archive import Survey, add_nights, create
from benchmarks.harness import Ratio, Result, options, own_peak_mb, tell
from products.lightcurves.job import build
from queries.curves import files
from queries.curves.columns import SHOWN
from queries.curves.reader import CurveReader
from queries.selection import Selection
from queries.sky import Cone
from store.snapshot import Snapshot, open_snapshot

EPOCHS, NIGHTS, NEW_NIGHTS = 900, 200, 20
RADIUS_ARCSEC = 1.5
OTHER_NIGHTS = (20, 200, 1000)
QUESTIONS, WARMING, COMPARED = 500, 50, 8
POSITIONS = 10_000
PEER_QUESTIONS = 10

Floats = NDArray[np.float64]
Ask = Callable[[int], pl.DataFrame]


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are detections."""
    parser = options(__doc__, 20_000_000)
    parser.add_argument("--nights", type=int, default=NIGHTS, help=f"default {NIGHTS}")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of a source, default {EPOCHS}")
    parser.add_argument("--other-nights", type=int, nargs="+", default=OTHER_NIGHTS, metavar="N")
    parser.add_argument("--folder", type=Path, help="where the archives are written; gone after")
    chosen = parser.parse_args(arguments)
    survey = Survey(max(1, chosen.rows // chosen.epochs), chosen.nights, chosen.epochs)
    result = Result("lightcurve", chosen.rows)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        deep(result, Path(folder) / "archive", survey)
        small = [
            Survey(max(1, survey.sources // 10), nights, survey.epochs)
            for nights in chosen.other_nights
        ]
        others(result, Path(folder), small, chosen.rounds)
    result.peak_memory_mb = own_peak_mb()
    tell(result, chosen.json)
    return result


def deep(result: Result, root: Path, survey: Survey) -> None:
    """The one archive of all rows: product, new nights, peers."""
    new = min(NEW_NIGHTS, survey.nights // 2)
    result.rows = create(root, survey, survey.nights - new).rows("detections")
    build(root)
    snapshot = add_nights(root, survey, survey.nights - new, survey.nights)
    result.rows = snapshot.rows("detections")
    compare(snapshot, survey)
    waiting = latencies(snapshot, survey, f"{new} nights in no light curves")
    start = time.perf_counter()
    build(root)
    result.figures["second build, s"] = time.perf_counter() - start
    snapshot = open_snapshot(root)
    compare(snapshot, survey)
    built = latencies(snapshot, survey, "warm")
    result.figures |= built | waiting | cold(snapshot, survey)
    for way in ("by id", "by cone"):
        result.ratios += [
            Ratio(f"{way}, warm, p50, ms", built[f"{way}, warm, p50, ms"], 1.5, at_most=True),
            Ratio(f"{way}, warm, p95, ms", built[f"{way}, warm, p95, ms"], 5, at_most=True),
            Ratio(
                f"{way}, {new} nights in no light curves, times as long",
                waiting[f"{way}, {new} nights in no light curves, p50, ms"]
                / built[f"{way}, warm, p50, ms"],
                10,
                at_most=True,
            ),
        ]
    result.ratios.append(
        Ratio(f"{POSITIONS:,} positions, s", positions(snapshot, survey), 10, at_most=True)
    )
    peers(result, snapshot, survey, built["by cone, warm, p50, ms"])
    result.ratios.append(Ratio("one-shot command, s", command(root, survey), 1, at_most=True))


def others(result: Result, folder: Path, small: list[Survey], rounds: int) -> None:
    """The same sources and epochs in few nights and in many: the time must not grow."""
    readers = {}
    for one in small:
        root = folder / f"nights-{one.nights}"
        create(root, one)
        build(root)
        readers[one.nights] = CurveReader(open_snapshot(root))
    seconds: dict[int, list[float]] = {nights: [] for nights in readers}
    picked = np.random.default_rng(4).integers(0, small[0].oid.size, QUESTIONS)
    # In turn: what the machine does meanwhile hits all alike.
    for _ in range(max(1, min(rounds, 3))):
        for one in small:
            seconds[one.nights] += timed(by_id(readers[one.nights], one), picked)
    medians = {nights: float(np.median(s)) * 1e3 for nights, s in seconds.items()}
    for nights, median in medians.items():
        result.figures[f"by id, {nights:,} nights, a tenth of the rows, p50, ms"] = median
    name = f"{max(medians)} nights over {min(medians)}, by id, p50"
    result.ratios.append(
        Ratio(name, medians[max(medians)] / medians[min(medians)], 1.3, at_most=True)
    )


# --- asking -----------------------------------------------------------------------------------


def by_id(reader: CurveReader, survey: Survey) -> Ask:
    """Light curves by number of the source, asked for by its id."""
    oids = survey.oid.tolist()
    return lambda i: reader.lightcurves(Selection.of_objects(oids[i]))


def by_cone(reader: CurveReader, survey: Survey) -> Ask:
    """The same, by a circle about its reference source."""
    ra, dec = (column.tolist() for column in survey.place)
    return lambda i: reader.lightcurves(Selection.of_cone(ra[i], dec[i], RADIUS_ARCSEC))


def timed(ask: Ask, numbers: Iterable[int]) -> list[float]:
    """Seconds of each question."""
    seconds = []
    for i in numbers:
        start = time.perf_counter()
        ask(int(i))
        seconds.append(time.perf_counter() - start)
    return seconds


def latencies(snapshot: Snapshot, survey: Survey, what: str) -> dict[str, float]:
    """p50 and p95 of random questions, files and footers in memory."""
    reader, found = CurveReader(snapshot), {}
    rng = np.random.default_rng(2)
    for way, ask in (("by id", by_id(reader, survey)), ("by cone", by_cone(reader, survey))):
        timed(ask, rng.integers(0, survey.oid.size, WARMING))
        seconds = timed(ask, rng.integers(0, survey.oid.size, QUESTIONS))
        for share in (50, 95):
            found[f"{way}, {what}, p{share}, ms"] = float(np.percentile(seconds, share)) * 1e3
    return found


def cold(snapshot: Snapshot, survey: Survey) -> dict[str, float]:
    """The same with no page of the light curves in memory, but their footers read."""
    reader = CurveReader(snapshot)
    ask, numbers = by_id(reader, survey), np.random.default_rng(3).integers(0, survey.oid.size, 40)
    timed(ask, numbers[:5])
    paths = {path.resolve() for path in snapshot.files("lightcurves")}
    seconds = []
    for i in numbers:
        # What is mapped stays in memory.
        files.close_idle()
        for path in paths:
            forget(path)
        seconds += timed(ask, [int(i)])
    return {
        f"by id, page cache cold, p{share}, ms": float(np.percentile(seconds, share)) * 1e3
        for share in (50, 95)
    }


def forget(path: Path) -> None:
    """Drop a file's pages from the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def positions(snapshot: Snapshot, survey: Survey) -> float:
    """Seconds of ten thousand cones in one call."""
    ra, dec = survey.place
    picked = np.random.default_rng(5).integers(0, ra.size, POSITIONS)
    selection = Selection.of_positions(ra[picked], dec[picked], RADIUS_ARCSEC)
    reader = CurveReader(snapshot)
    start = time.perf_counter()
    curves = reader.lightcurves(selection)
    seconds = time.perf_counter() - start
    assert curves["position"].n_unique() == POSITIONS
    assert curves.height > 0.8 * POSITIONS * survey.epochs
    return seconds


def command(root: Path, survey: Survey) -> float:
    """Median seconds of a whole command, from its start to its end."""
    nightlake = Path(sys.executable).with_name("nightlake")
    seconds = []
    for oid in survey.oid[:: max(1, survey.oid.size // 5)][:5].tolist():
        start = time.perf_counter()
        words = [str(nightlake), "lightcurve", str(root), "--oid", str(oid), "--format", "csv"]
        done = subprocess.run(words, capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)
        assert done.stdout.count(b"\n") > 0.8 * survey.epochs
    return float(np.median(seconds))


# --- judges and peers -------------------------------------------------------------------------


def compare(snapshot: Snapshot, survey: Survey) -> None:
    """Some answers, by id and by cone, against a scan of all detections."""
    reader = CurveReader(snapshot)
    picked = np.random.default_rng(1).integers(0, survey.oid.size, COMPARED)
    oids = survey.oid[picked].tolist()
    paths = snapshot.files("detections")
    near = pl.lit(value=False)
    for ra, dec in zip(*(column[picked].tolist() for column in survey.place), strict=True):
        near |= separation(ra, dec) <= RADIUS_ARCSEC
    every = pl.scan_parquet(paths).filter(pl.col("oid").is_in(oids) | near).collect()
    key = ["night", "expid", "rcid"]
    shown = [name for name in SHOWN if name not in every.columns and name != "hjd"]
    images = pl.scan_parquet(snapshot.files("images")).select(*key, *shown).collect()
    every = every.join(images, on=key, how="left").with_columns(hjd=pl.col("hmjd") + 2400000.5)
    every = every.sort("fid", "oid", "hmjd", "expid", "rcid", "sourceid", nulls_last=True)
    for i, oid in zip(picked.tolist(), oids, strict=True):
        expected = every.filter(pl.col("oid") == oid).select(SHOWN)
        assert by_id(reader, survey)(i).equals(expected)
        assert expected.height > 0.8 * survey.epochs
        ra, dec = (float(column[i]) for column in survey.place)
        expected = every.filter(separation(ra, dec) <= RADIUS_ARCSEC).select(SHOWN)
        assert by_cone(reader, survey)(i).equals(expected)


def separation(ra_deg: float, dec_deg: float) -> pl.Expr:
    """Angle between a row and a place, arcsec, by the length of the chord between unit vectors."""
    chord = pl.lit(0.0)
    ra, dec = pl.col("ra").radians(), pl.col("dec").radians()
    at_ra, at_dec = np.radians(ra_deg), np.radians(dec_deg)
    for mine, its in (
        (dec.cos() * ra.cos(), np.cos(at_dec) * np.cos(at_ra)),
        (dec.cos() * ra.sin(), np.cos(at_dec) * np.sin(at_ra)),
        (dec.sin(), np.sin(at_dec)),
    ):
        chord += (mine - float(its)) ** 2
    return 2 * (chord.sqrt() / 2).arcsin().degrees() * 3600


def peers(result: Result, snapshot: Snapshot, survey: Survey, ours_ms: float) -> None:
    """LSDB and DuckDB on the same files, by cone."""
    numbers = np.random.default_rng(6).integers(0, survey.oid.size, PEER_QUESTIONS).tolist()
    ours = by_cone(CurveReader(snapshot), survey)
    ask = duckdb_by_glob(snapshot, survey)
    assert ask(numbers[0]).height == ours(numbers[0]).height
    theirs = float(np.median(timed(ask, numbers))) * 1e3
    result.figures["DuckDB over the same files by glob, p50, ms"] = theirs
    result.ratios.append(Ratio("by cone, against DuckDB by glob", theirs / ours_ms, 5))
    with contextlib.suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ask = lsdb_by_cone(snapshot, survey)
        assert ask(numbers[0]).height == ours(numbers[0]).height
        theirs = float(np.median(timed(ask, numbers))) * 1e3
        result.figures["LSDB cone_search, warm, p50, ms"] = theirs
        result.ratios.append(Ratio("by cone, against LSDB's cone_search", theirs / ours_ms, 30))
        return
    result.missing.append("lsdb")


def duckdb_by_glob(snapshot: Snapshot, survey: Survey) -> Ask:
    """DuckDB on all files of light curves; row groups are told by their index."""
    connection = duckdb.connect()
    glob = snapshot.folder / "lightcurves" / "dataset" / "*" / "*" / "*" / "*.parquet"
    ra, dec = (column.tolist() for column in survey.place)
    statement = f"""
        SELECT * FROM read_parquet('{glob}')
        WHERE object_healpix_29 BETWEEN $first AND $last
            AND pow(sin(radians(dec - $dec) / 2), 2)
                + cos(radians(dec)) * cos(radians($dec)) * pow(sin(radians(ra - $ra) / 2), 2)
                <= pow(sin(radians($radius / 3600) / 2), 2)
        ORDER BY oid, hmjd"""

    def ask(i: int) -> pl.DataFrame:
        first, last = Cone(ra[i], dec[i], 2 * RADIUS_ARCSEC + 0.01).span
        values = {"ra": ra[i], "dec": dec[i], "radius": RADIUS_ARCSEC, "first": first, "last": last}
        found: pl.DataFrame = connection.sql(statement, params=values).pl()
        return found

    return ask


def lsdb_by_cone(snapshot: Snapshot, survey: Survey) -> Ask:
    """LSDB on the catalogue of light curves, opened once."""
    import lsdb
    from dask import config

    config.set(scheduler="threads")
    catalogue = lsdb.open_catalog(snapshot.folder / "lightcurves")
    ra, dec = (column.tolist() for column in survey.place)

    def ask(i: int) -> pl.DataFrame:
        found = catalogue.cone_search(ra=ra[i], dec=dec[i], radius_arcsec=RADIUS_ARCSEC)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return pl.DataFrame({"oid": found.compute()["oid"].to_numpy()})

    return ask


if __name__ == "__main__":
    main()
