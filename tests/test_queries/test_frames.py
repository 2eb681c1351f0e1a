"""Answers that polars could not take as they are."""

import numpy as np
import pytest

from nightlake import Archive
from queries.errors import UnknownObjectError
from store.errors import NotAnArchiveError
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot


@pytest.fixture
def archive(tmp_path):
    create_archive(tmp_path / "archive", ArchiveSettings())
    with Archive(tmp_path / "archive") as archive:
        yield archive


def test_columns_of_one_name_are_told_apart(archive):
    answer = archive.sql("select 1 as a, 2 as a, 3 as a_1, 4 as a")
    assert answer.columns == ["a", "a_2", "a_1", "a_3"]
    assert answer.row(0) == (1, 2, 3, 4)
    joined = archive.sql("select * from detections d join images i using (expid, rcid)")
    assert {"night", "night_1"} <= set(joined.columns)


def test_an_interval_is_text(archive):
    assert archive.sql("select interval 1 month as i, 2 as n").row(0) == ("1 month", 2)


def test_an_id_of_numpy_is_an_id(archive):
    with pytest.raises(UnknownObjectError, match="633207400012345"):
        archive.lightcurve(oid=np.int64(633207400012345))


def test_what_is_no_archive_says_where_one_is(archive, tmp_path):
    with pytest.raises(NotAnArchiveError, match=f"There is one at {tmp_path}/archive"):
        open_snapshot(tmp_path)
    with pytest.raises(NotAnArchiveError, match=f"There is one at {tmp_path}/archive"):
        open_snapshot(tmp_path / "archive" / "detections")
    with pytest.raises(NotAnArchiveError, match="no such folder"):
        open_snapshot(tmp_path / "nowhere" / "x")
