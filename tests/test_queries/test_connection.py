import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from archives import Channel, cluster, nightly

from queries import connection
from queries.connection import connect, query_error
from queries.errors import OutOfMemoryError, QueryError, StatementRefusedError
from queries.interrupt import interruptible
from queries.views import sql_type
from store.contract import TABLES
from store.publication import create_archive
from store.scratch import prefix
from store.settings import ArchiveSettings
from store.snapshot import Snapshot, open_snapshot

# The other tables hold what is built or imported.
INGESTED = (
    "detections", "reference_sources", "images", "exposures", "nights", "reference_images",
    "refusals",
)  # fmt: skip
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
    "WITH x AS (COPY (SELECT 1) TO '{out}') SELECT count(*) FROM x",
    "SELECT * FROM (WITH x AS (COPY (SELECT 1) TO '{out}') SELECT * FROM x)",
    "SELECT (WITH x AS (COPY (SELECT 1) TO '{out}') SELECT count(*) FROM x)",
    "WITH x AS (INSERT INTO images VALUES (1) RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE images SET field = 1) SELECT 1",
    "WITH x AS (DELETE FROM images) SELECT 1",
    "SELECT 1 UNION ALL (WITH x AS (COPY (SELECT 1) TO '{out}') SELECT 1)",
    "DESCRIBE WITH x AS (COPY (SELECT 1) TO '{out}') SELECT 1",
    "SUMMARIZE WITH x AS (COPY (SELECT 1) TO '{out}') SELECT 1",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{out}') SELECT 1",
    # To a reader of brackets the options end within the name of the file.
    "EXPLAIN ANALYZE (WITH x AS (COPY (SELECT 1) TO '{out})\n SELECT 1 -- ') SELECT 1)",
    "WITH x AS (COPY (SELECT 1) TO '{out}') PIVOT x ON count USING count(*)",
    "PIVOT (WITH x AS (COPY(SELECT 1) TO '{out}') SELECT * FROM x) ON count USING count(*)",
    "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{out}') PIVOT x ON count USING count(*)",
    "PIVOT (FROM query('FROM images')) ON filtercode USING count(*)",
    "SELECT * FROM enable_logging(storage = 'file', storage_config = {{'path': '{out}'}})",
    "SELECT * FROM ENABLE_LOGGING('QueryLog')",
    "FROM enable_profiling(save_location = '{out}')",
    "SELECT * FROM truncate_duckdb_logs()",
    "SELECT * FROM checkpoint()",
    "FROM query('SELECT 1')",
    "FROM \"Query\"('SELECT 1')",
    "FROM query_table('images')",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM range(2), LATERAL (FROM query('SELECT 1'))",
    "SELECT * FROM range((SELECT count(*) FROM query('SELECT 1')))",
    "PRAGMA json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
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
    "EXPLAIN (FORMAT json) SELECT * FROM images",
    "EXPLAIN (ANALYZE, FORMAT json) SELECT * FROM images",
    "EXPLAIN (SELECT 1)",
    "EXPLAIN FROM images PIVOT (count(*) FOR filtercode IN ('zg', 'zr'))",
    "EXPLAIN PIVOT images ON filtercode USING count(*)",
    "DESCRIBE PIVOT images ON filtercode USING count(*)",
    "DESCRIBE SELECT * FROM images",
    "SELECT * FROM (DESCRIBE images)",
    "SELECT * FROM (SUMMARIZE nights)",
    "SHOW ALL TABLES",
    "SELECT 1 UNION SELECT 2",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) FROM t",
    "SELECT * FROM range(3), unnest([1, 2]) AS u(x)",
    "FROM duckdb_settings()",
    "SELECT 'COPY' AS \"delete\" FROM images",
    'SELECT \'"type":"COPY_QUERY_NODE"\'',
    "SELECT * FROM (PIVOT images ON filtercode USING count(*))",
    "WITH p AS (PIVOT images ON filtercode USING count(*)) FROM p",
    "FROM images PIVOT (count(*) FOR filtercode IN ('zg', 'zr'))",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
    "SELECT " + " + ".join(["1"] * 900),
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
            assert rows[0] > 0 or table.name not in INGESTED


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


def test_question_opens_only_the_files_it_is_given(small: Snapshot) -> None:
    first, *_ = small.files("detections")
    nights = "SELECT count(DISTINCT night) FROM detections"
    with connect(small) as session:
        assert session.rows(nights, files={"detections": [first]}) == [(1,)]
        assert session.rows("FROM detections", files={"detections": []}) == []
        assert session.rows(nights) == [(3,)]


def test_many_threads_ask_one_session_and_none_sees_anothers_files(small: Snapshot) -> None:
    first, *_ = small.files("detections")
    questions: list[tuple[dict[str, list[Path]] | None, int]] = [
        (None, 36),
        ({"detections": [first]}, 12),
        ({"detections": []}, 0),
    ]

    def ask(number: int) -> bool:
        files, rows = questions[number % 3]
        if number % 2:
            return session.rows("SELECT count(*) FROM detections", files=files) == [(rows,)]
        return session.sql("FROM detections", files=files).height == rows

    with connect(small) as session, ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(240)))


def test_closing_waits_for_the_question_that_runs(small: Snapshot) -> None:
    session = connect(small)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(session.rows, "SELECT sum(hash(range)) FROM range(60000000)")
        while not session._asking:
            if answer.done():  # this thread slept through it
                answer = threads.submit(
                    session.rows, "SELECT sum(hash(range)) FROM range(60000000)"
                )
        session.close()
        assert answer.done()
        assert len(answer.result()) == 1


def test_a_question_ends_that_is_left_as_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    start, ended = threading.Thread.start, threading.Event()

    def start_and_press(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start_and_press)
    with pytest.raises(KeyboardInterrupt):
        interruptible(SimpleNamespace(interrupt=ended.set), lambda: ended.wait(300))
    assert ended.is_set()


def test_names_that_mean_something_to_sql_or_globs_are_only_names(tmp_path: Path) -> None:
    root = tmp_path / "it's [a] *question*?"
    snapshot = nightly(root, *cluster(10, 45), n_nights=1)
    with connect(snapshot) as session:
        assert session.rows("SELECT count(*) FROM detections") == [(12,)]
        files = {"detections": snapshot.files("detections")}
        assert session.rows("SELECT count(*) FROM detections", files=files) == [(12,)]


def test_spilling_stays_in_the_archive_and_goes_with_the_session(
    small: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setitem(connection._HERMETIC, "threads", 1)
    below = small.layout.scratch
    with connect(small, memory_limit="60MB") as session:
        assert list(below.iterdir()) == []
        session.connection.execute("SELECT i, hash(i) FROM range(6000000) t(i) ORDER BY 2")
        assert [path.name.split("-")[1] for path in below.iterdir()] == [str(os.getpid())]
    assert list(below.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_settings_are_locked(small: Snapshot) -> None:
    with connect(small) as session, pytest.raises(duckdb.Error, match="has been locked"):
        session.connection.execute("SET memory_limit = '1GB'")


def test_leftovers_of_killed_processes_go_and_those_of_others_stay(
    tmp_path: Path,
) -> None:
    snapshot = create_archive(tmp_path / "A", ArchiveSettings())
    below = snapshot.layout.scratch
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    own = {kind: below / f"{prefix(kind)}x" for kind in ("duckdb", "matplotlib")}
    left = [
        path.with_name(path.name.replace(str(os.getpid()), str(process.pid), 1))
        for path in own.values()
    ]
    elsewhere = below / f"duckdb-{process.pid}-another-host-x"
    for folder in (*own.values(), *left, elsewhere):
        folder.mkdir()
    (left[0] / "spilled").write_text("")
    with connect(snapshot):
        assert sorted(below.iterdir()) == sorted((*own.values(), elsewhere))


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
