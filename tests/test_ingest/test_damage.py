"""Damage is never merged on, never resumed from, and is mended as `verify` says."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from catalogues import scatter, write_psfcat

import ingest.pipeline as pipeline
from ingest.pipeline import ingest
from store.errors import DamagedArchiveError
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHT = date(2024, 1, 10)


@pytest.fixture
def raw(tmp_path):
    for number in range(3):
        one_image(tmp_path / "raw", number)
    return tmp_path / "raw"


@pytest.fixture
def root(tmp_path, raw):
    create_archive(tmp_path / "archive", ArchiveSettings())
    ingest(tmp_path / "archive", [raw], workers=1)
    return tmp_path / "archive"


def one_image(folder, number, day=0):
    ra, dec = scatter(np.random.default_rng(number), 100)
    return write_psfcat(folder, ra, dec, obsmjd=60319.3 + number / 100 + day)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def damaged(root, table):
    path = next((root / "data").glob(f"{table}/**/*.parquet"))
    flip(path)
    return path


@pytest.mark.parametrize("table", ["detections", "images"])
def test_a_late_image_is_not_merged_with_damaged_rows_and_other_nights_go_on(root, raw, table):
    damaged(root, table)
    one_image(raw, 5)
    one_image(raw, 6, day=1)
    with pytest.raises(DamagedArchiveError, match="--rebuild"):
        ingest(root, [raw])
    assert {finding.code for finding in verify(root)} == {"checksum"}
    nights = pl.read_parquet(open_snapshot(root).files("nights"))
    assert nights["night"].to_list() == [NIGHT, date(2024, 1, 11)]


@pytest.mark.parametrize("table", ["detections", "images", "nights"])
def test_a_night_that_is_given_again_whole_mends_what_is_damaged(root, raw, table):
    sound = {path: path.read_bytes() for path in (root / "data").rglob("*.parquet")}
    damaged(root, table)
    ingest(root, [raw], rebuild=True)
    assert verify(root) == []
    assert {path: path.read_bytes() for path in (root / "data").rglob("*.parquet")} == sound


@pytest.mark.parametrize("how", ["short", "missing", "from before a loss of power"])
def test_a_shard_that_may_not_be_whole_is_made_again(root, raw, monkeypatch, how):
    before = {path: path.read_bytes() for path in (root / "data").rglob("*.parquet")}
    late = one_image(raw, 7)

    def dies(_task):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "merge_pixels", dies)
        with pytest.raises(KeyboardInterrupt):
            ingest(root, [late])
    (shard,) = (root / "staging").rglob("*.records")
    (marker,) = (root / "staging").rglob("*.json")
    if how == "short":
        shard.write_bytes(shard.read_bytes()[:-8])
    elif how == "missing":
        shard.unlink()
    else:
        shard.write_bytes(b"\0" * shard.stat().st_size)
        marker.write_text(marker.read_text().replace('"boot": "', '"boot": "another'))
    ingest(root, [late])
    assert open_snapshot(root).rows("detections") == 400
    assert verify(root) == []
    rows = pl.read_parquet(open_snapshot(root).files("detections"))
    assert rows["ra"].min() > 100
    assert before.keys() <= set((root / "data").rglob("*.parquet"))
