import os
import shutil
from pathlib import Path

import pytest
from archives import Channel, cluster, nightly

from queries.connection import connect, query_error
from queries.errors import OutOfMemoryError, QueryError, StatementRefusedError
from queries.views import sql_type
from store.contract import TABLES
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import Snapshot, open_snapshot

CHANGING = [
    "DROP TABLE images",
    "COPY (SELECT 1) TO '{out}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
    "/* a */ EXPLAIN (FORMAT json) COPY (SELECT 1) TO '{out}'",
    "ATTACH '{out}' AS x",
    "EXPORT DATABASE '{out}'",
    "IMPORT DATABASE '{out}'",
    "INSERT INTO images VALUES (1)",
    "CREATE TABLE x AS SELECT 1",
    "SET memory_limit = '1GB'",
    "PRAGMA memory_limit = '1GB'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CALL duckdb_settings()",
    "SELECT 1; SELECT 2",
    "-- nothing but a comment",
    "",
]
ASKING = [
    "SELECT 1",
    "-- why\nSELECT 1;",
    "FROM nights",
    "VALUES (1)",
    "TABLE nights",
    "WITH n AS (SELECT * FROM nights) SELECT count(*) FROM n",
    "DESCRIBE images",
    "SUMMARIZE nights",
    "SHOW TABLES",
    "EXPLAIN SELECT * FROM images",
    "EXPLAIN ANALYZE SELECT * FROM images",
    "PIVOT images ON filtercode USING count(*)",
    "PRAGMA table_info('images')",
    "SELECT * FROM information_schema.columns",
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return nightly(tmp_path_factory.mktemp("a") / "A", *cluster(10, 45), n_nights=3)


@pytest.mark.parametrize("statement", ASKING)
def test_questions_are_answered(small: Snapshot, statement: str) -> None:
    with connect(small) as session:
        assert session.sql(statement).height > 0


@pytest.mark.parametrize("statement", CHANGING)
def test_statements_that_change_are_refused(
    small: Snapshot, statement: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with connect(small) as session, pytest.raises(StatementRefusedError, match="Ask one SELECT"):
        session.sql(statement.format(out=out))
    assert not out.exists()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELEC 1", r'syntax error at or near "SELEC"$'),
        ("SELECT * FROM nope", r"nope does not exist\. The tables are detections, reference_"),
        ("SELECT nope FROM images", r"List a table's columns with: DESCRIBE table\.$"),
        ("SELECT $x", r"parameters: x\. Values for \$name are given"),
        ("SELECT CAST('a' AS INT)", "Could not convert string 'a' to INT32$"),
        ("SELECT * FROM 'https://a.example/b.parquet'", "needs an extension of DuckDB, and none"),
        ("SELECT * FROM read_parquet('nope.parquet')", "No files found"),
    ],
)
def test_faults_of_a_statement_are_one_line(small: Snapshot, statement: str, said: str) -> None:
    with connect(small) as session, pytest.raises(QueryError, match=said) as caught:
        session.sql(statement)
    assert "\n" not in str(caught.value)


def test_python_variables_are_no_tables(small: Snapshot) -> None:
    import polars as pl

    frame = pl.DataFrame({"a": [1]})
    with connect(small) as session, pytest.raises(QueryError, match="frame does not exist"):
        session.sql("SELECT * FROM frame")
    assert frame.height == 1


def test_values_are_passed_by_name(small: Snapshot) -> None:
    with connect(small) as session:
        assert session.rows("SELECT $a + $b", {"a": 1, "b": 2.5}) == [(3.5,)]


def test_empty_tables_have_the_contracts_columns_and_types(tmp_path: Path) -> None:
    with connect(create_archive(tmp_path / "A", ArchiveSettings())) as session:
        for table in TABLES.values():
            expected = [(column.name, sql_type(column.dtype)) for column in table.columns]
            assert session.describe(f"SELECT * FROM {table.name}") == expected


def test_full_tables_have_the_contracts_columns_and_types(small: Snapshot) -> None:
    with connect(small) as session:
        for table in TABLES.values():
            expected = [(column.name, sql_type(column.dtype)) for column in table.columns]
            assert session.describe(f"FROM {table.name}") == expected
            (rows,) = session.rows(f"SELECT count(*) FROM {table.name}")
            assert rows == (small.rows(table.name),)
            assert small.rows(table.name) > 0


def test_session_keeps_to_its_publication(tmp_path: Path) -> None:
    places = cluster(10, 45)
    snapshot = nightly(tmp_path / "A", *places, n_nights=1)
    with connect(snapshot) as session:
        before = session.rows("SELECT count(*) FROM detections")
        second = tmp_path / "A"
        _add_night(second, places)
        assert open_snapshot(second).rows("detections") == 24
        assert session.rows("SELECT count(*) FROM detections") == before == [(12,)]


def _add_night(root: Path, places: tuple) -> None:
    from datetime import date

    from archives import night_files

    from store.layout import Layout
    from store.manifest import Manifest, night_group
    from store.publication import publish

    night = date(2024, 3, 1)
    files = night_files(Layout(root), night, [Channel()], *places, 5)
    publish(root, {night_group(night): Manifest.of(night_group(night), files)}, "test")


def test_narrowed_view_opens_only_its_files(small: Snapshot) -> None:
    first, *_ = small.files("detections")
    with connect(small) as session:
        with session.narrowed("detections", [first]):
            (seen,) = session.rows("SELECT count(DISTINCT night) FROM detections")
        assert seen == (1,)
        with session.narrowed("detections", []):
            assert session.rows("SELECT * FROM detections") == []
        assert session.rows("SELECT count(DISTINCT night) FROM detections") == [(3,)]


def test_names_that_mean_something_to_sql_or_globs_are_only_names(tmp_path: Path) -> None:
    root = tmp_path / "it's [a] *question*?"
    snapshot = nightly(root, *cluster(10, 45), n_nights=1)
    with connect(snapshot) as session:
        assert session.rows("SELECT count(*) FROM detections") == [(12,)]
        with session.narrowed("detections", snapshot.files("detections")):
            assert session.rows("SELECT count(*) FROM detections") == [(12,)]


def test_spilling_stays_in_the_archive_and_goes_with_the_session(
    small: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    scratch = small.layout.scratch
    with connect(small, memory_limit="60MB") as session:
        session.connection.execute("SET threads = 1")
        assert list(scratch.iterdir()) == []
        session.connection.execute("SELECT i, hash(i) FROM range(6000000) t(i) ORDER BY 2")
        assert [path.name.split("-")[1] for path in scratch.iterdir()] == [str(os.getpid())]
    assert list(scratch.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_without_room_to_spill_the_error_says_so(
    small: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queries.connection.os.access", lambda *_: False)
    with connect(small, memory_limit="40MB") as session:
        assert session.spill_folder is None
        with pytest.raises(OutOfMemoryError, match="cannot be written, so nothing is spilled"):
            session.sql("SELECT i, hash(i) AS h FROM range(6000000) t(i) ORDER BY h")


def test_readers_need_no_writable_archive(small: Snapshot, tmp_path: Path) -> None:
    copy = tmp_path / "A"
    shutil.copytree(small.layout.root, copy, symlinks=True)
    shutil.rmtree(copy / "scratch", ignore_errors=True)
    (copy / "scratch").write_text("in the way: no folder can be made here")
    with connect(open_snapshot(copy)) as session:
        assert session.spill_folder is None
        assert session.rows("SELECT count(*) FROM detections") == [(36,)]


def test_error_of_many_lines_becomes_one() -> None:
    error = query_error("Parser Error: at x\n\nLINE 1: x\n        ^")
    assert str(error) == "Parser Error: at x"
