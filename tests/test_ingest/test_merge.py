"""Shards and their merging: every row once, in order, however little memory there is."""

from datetime import date
from io import FileIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from catalogues import scatter, write_psfcat

import ingest.plan as plan
import ingest.runs as runs
from ingest.pipeline import ingest
from ingest.plan import make_plan
from ingest.records import RECORD, ImageKey
from ingest.runs import Run, RunReader, parts
from ingest.shards import write_records
from store.executor import Executor
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

KEY = ImageKey(night=0, expid=1, field=600, fid=2, ccdid=7, qid=4, rcid=27, has_flags=True)
PIXEL = 4**24  # indices of order 29 in a pixel of order 5


@pytest.fixture
def three_runs(tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "x.records"
    found, start = [], 0
    with FileIO(path, "wb") as file:
        for n in (1000, 10, 400):
            records = np.zeros(n, RECORD)
            records["_healpix_29"] = np.sort(rng.integers(0, PIXEL, n))
            write_records(file, records)
            found.append(Run(path, start, start + n, (KEY,)))
            start += n
    return found


def test_a_pixel_too_large_for_memory_is_cut_where_its_rows_say(three_runs, monkeypatch):
    monkeypatch.setattr(runs, "MERGE_ROWS", 100)
    reader = RunReader()
    highest, total = -1, 0
    for some in parts(three_runs, 0, PIXEL):
        records, images = reader.read(some)
        assert 0 < len(records) <= 100
        assert records["_healpix_29"].min() > highest
        highest = records["_healpix_29"].max()
        assert sorted(set(records["image"])) == list(range(len(images)))
        total += len(records)
    assert total == 1410


def test_one_index_is_never_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "MERGE_ROWS", 10)
    records = np.zeros(50, RECORD)
    records["_healpix_29"] = 12345
    with FileIO(tmp_path / "x", "wb") as file:
        write_records(file, records)
    (some,) = parts([Run(tmp_path / "x", 0, 50, (KEY,))], 0, PIXEL)
    assert sum(run.rows for run in some) == 50


def test_a_shard_that_was_cut_short_is_an_error(three_runs):
    path = three_runs[0].path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(OSError, match="shorter than it was written"):
        RunReader().read(three_runs)


def test_the_same_rows_are_published_whatever_fits_in_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    for visit in range(3):
        ra, dec = scatter(rng, 400)
        write_psfcat(tmp_path / "raw", ra, dec, obsmjd=60319.2 + visit / 50)

    def published(name: str, how_often: int) -> pl.DataFrame:
        root = tmp_path / name
        create_archive(root, ArchiveSettings(name="test"))
        paths = sorted((tmp_path / "raw").iterdir())
        for some in np.array_split(paths, how_often):
            ingest(root, [Path(path) for path in some])
        assert verify(root) == []
        return pl.read_parquet(open_snapshot(root).files("detections"))

    whole = published("whole", 1)
    monkeypatch.setattr(runs, "MERGE_ROWS", 50)
    at_once, one_by_one = published("at-once", 1), published("one-by-one", 3)
    assert whole.equals(at_once)
    assert whole.equals(one_by_one)
    assert not list((tmp_path / "one-by-one" / "staging").iterdir())


def test_a_plan_is_the_same_whoever_reads_the_headers(tmp_path, monkeypatch):
    ra, dec = scatter(np.random.default_rng(3), 5)
    for visit in range(7):
        write_psfcat(tmp_path / "raw", ra, dec, obsmjd=60319.2 + visit / 50)
    (tmp_path / "raw" / "bad_psfcat.fits").write_text("no FITS")
    alone = make_plan([tmp_path / "raw"], ArchiveSettings())
    monkeypatch.setattr(plan, "HEADERS_WORTH_A_POOL", 1)
    monkeypatch.setattr(plan, "HEADERS_A_TASK", 3)
    with Executor(2) as executor:
        together = make_plan([tmp_path / "raw"], ArchiveSettings(), executor=executor)
    assert alone == together
    assert list(together.nights) == [date(2024, 1, 10)]
    assert len(together.refusals) == 1
