"""Which rows of a file are read for a channel, and where each of them goes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from products.matchfile.reading import Wanted, read_rows
from store.contract import DETECTIONS
from store.errors import DamagedArchiveError

RCID, BASE = 27, 633_207_400_000_000
EXPOSURES = np.array([505, 507, 511])
WANTED = Wanted(RCID, EXPOSURES, BASE, np.array([2, 3, 8]))
NIGHTS = {505: date(2024, 1, 10), 507: date(2024, 1, 10), 511: date(2024, 1, 11)}
SIX = 200


@pytest.fixture
def frame() -> pl.DataFrame:
    """Row groups of 200: of two other quadrants, of another exposure, and two mixed ones."""
    rng = np.random.default_rng(11)
    n = 6 * SIX
    group = np.repeat(np.arange(6), SIX)
    rcid = np.array([27, 5, 27, 63, 27, 27])[group]
    rcid[group == 5] = rng.choice([RCID, 28], SIX)
    expid = rng.choice([505, 507, 511], n)
    expid[group == 2] = 999
    oid = BASE + rng.choice([2, 3, 8, 9], n)
    columns: dict[str, Any] = {
        name: (1000 * rng.random(n)).astype(DETECTIONS[name].dtype)
        for name in ("ra", "dec", "xpos", "ypos", "hmjd", "flux", "fluxerr", "mag", "magerr",
                     "chi", "sharp", "catflags")
    }  # fmt: skip
    made = pl.DataFrame(
        {"rcid": rcid.astype(np.int8), "expid": expid, "oid": oid, **columns}
        | {"sourceid": np.arange(n, dtype=np.int32), "match_rank": np.ones(n, dtype=np.int16)}
    )
    alone, outrun = rng.random(n) < 0.2, rng.random(n) < 0.1
    return made.with_columns(
        oid=pl.when(pl.Series(alone | outrun)).then(None).otherwise("oid"),
        match_rank=pl.when(pl.Series(alone)).then(None).otherwise("match_rank"),
        mag=pl.when(pl.col("sourceid") % 7 == 0).then(None).otherwise("mag"),
        night=pl.col("expid").replace_strict(NIGHTS, default=date(2024, 1, 12)),
    )


@pytest.fixture
def path(frame: pl.DataFrame, tmp_path: Path) -> Path:
    pq.write_table(frame.to_arrow(), tmp_path / "rows.parquet", row_group_size=SIX)
    return tmp_path / "rows.parquet"


def expected(frame: pl.DataFrame) -> pl.DataFrame:
    """The wanted rows in polars' words."""
    ours = frame.filter(pl.col("rcid") == RCID, pl.col("expid").is_in(EXPOSURES.tolist()))
    source = (pl.col("oid") - BASE).replace_strict({2: 0, 3: 1, 8: 2}, default=None)
    with_source = ours.with_columns(source=source).drop_nulls("source")
    without = ours.filter(pl.col("oid").is_null(), pl.col("match_rank").is_null())
    return pl.concat(
        [
            with_source.sort("source", "expid", maintain_order=True),
            without.with_columns(source=pl.lit(-1, pl.Int64)),
        ],
        how="vertical_relaxed",
    )


def test_rows_of_the_channel_stand_by_source_and_time(frame: pl.DataFrame, path: Path) -> None:
    found = read_rows([(path, frozenset())], WANTED)
    wanted = expected(frame)
    assert 100 < wanted.height < frame.height / 2
    for name, column in found.items():
        if name != "is_unmatched":
            named = "expid" if name == "exposure" else name
            column = EXPOSURES[column] if name == "exposure" else column
            theirs = wanted[named].cast(pl.Float64).fill_null(np.nan).to_numpy()
            np.testing.assert_array_equal(column.astype(float), theirs, err_msg=name)
    np.testing.assert_array_equal(found["is_unmatched"], (wanted["source"] == -1).to_numpy())
    assert np.isnan(found["mag"]).any()
    # Files one after the other, whose rows of one source and time stay in that order.
    twice = read_rows([(path, frozenset())] * 2, WANTED)
    both = expected(pl.concat([frame, frame]))
    np.testing.assert_array_equal(twice["sourceid"], both["sourceid"].to_numpy())


def test_nights_that_are_read_elsewhere_do_not_count(frame: pl.DataFrame, path: Path) -> None:
    found = read_rows([(path, frozenset([NIGHTS[505]]))], WANTED)
    kept = expected(frame.filter(pl.col("night") != NIGHTS[505]))
    np.testing.assert_array_equal(found["sourceid"], kept["sourceid"].to_numpy())
    assert set(found["exposure"].tolist()) == {2}


def test_row_groups_of_other_channels_are_not_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, set[int]] = {"ra": set(), "rcid": set()}
    read = pq.ParquetFile.read_row_groups

    def noting(self: Any, groups: list[int], *, columns: list[str], **options: Any) -> Any:
        for name in asked.keys() & set(columns):
            asked[name] |= set(groups)
        return read(self, groups, columns=columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", noting)
    read_rows([(path, frozenset())], WANTED)
    assert asked == {"ra": {0, 4, 5}, "rcid": {0, 1, 2, 3, 4, 5}}


def test_no_file_has_no_rows_and_a_damaged_one_is_told(path: Path) -> None:
    empty = read_rows([], WANTED)
    assert {column.size for column in empty.values()} == {0}
    assert read_rows([(path, frozenset())], WANTED._replace(rcid=1))["ra"].size == 0
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DamagedArchiveError, match="cannot be read"):
        read_rows([(path, frozenset())], WANTED)
