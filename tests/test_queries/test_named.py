import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from polars.testing import assert_frame_equal
from surveys import CHANNELS, survey

from queries.columns import describe
from queries.connection import connect
from queries.definitions import definitions
from queries.errors import UnknownQueryError
from queries.frames import to_frame
from queries.macros import macro_names
from queries.named import NamedQuery, internal_names, parse, query, query_names
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import Snapshot

ALL_NAMES = [*query_names(), *internal_names()]
VALUES = {
    "BIGINT": int(CHANNELS[1].oids(4)[3]),
    "DOUBLE": 45.0,
    "DATE": date(2024, 1, 10),
    "TINYINT[]": [2],
    "SMALLINT": 633,
    "TINYINT": 2,
}


# Nothing was refused or is stale, no field has a WCS, one night is too little.
MAY_BE_EMPTY = {"refusals", "new_sources", "repeatability"}


def values_of(named: NamedQuery) -> dict[str, Any]:
    """Values for its parameters: some where there is no default."""
    return named.bind(
        {
            p.name: 10.0 if p.name == "ra" else VALUES[p.type]
            for p in named.parameters
            if p.default is None
        }
    )


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return survey(tmp_path_factory.mktemp("a") / "A", n_nights=6).snapshot


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return survey(tmp_path_factory.mktemp("a") / "A", n_nights=1).snapshot


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return create_archive(tmp_path_factory.mktemp("a") / "A", ArchiveSettings())


@pytest.mark.parametrize("name", ALL_NAMES)
@pytest.mark.parametrize("archive", ["empty", "one", "many"])
def test_file_is_what_its_header_says(
    name: str, archive: str, request: pytest.FixtureRequest
) -> None:
    snapshot: Snapshot = request.getfixturevalue(archive)
    named = query(name)
    assert named.meaning.endswith(".")
    body = re.sub(r"--[^\n]*", "", named.sql)
    assert {p.name for p in named.parameters} == set(re.findall(r"\$(\w+)", body))
    params = values_of(named)
    with connect(snapshot) as session:
        answer = session.describe(named.sql, params)
        rows = session.rows(named.sql, params)
    assert [column for column, _ in answer] == list(named.columns)
    assert rows or archive == "empty" or name in MAY_BE_EMPTY
    known = describe(named.columns)
    assert {name: column.unit for name, column in known.items()} == named.columns


@pytest.mark.parametrize("name", ALL_NAMES)
def test_file_is_one_statement_that_pastes(name: str, many: Snapshot) -> None:
    """Into any DuckDB that has the views and functions: there it gives the same."""
    named = query(name)
    assert named.sql.endswith(";\n")
    assert re.sub(r"--[^\n]*", "", named.sql).count(";") == 1
    params = values_of(named)
    with duckdb.connect() as plain, connect(many) as session:
        for statement in definitions(many):
            plain.execute(statement)
        expected = to_frame(plain.sql(named.sql, params=params or None))
        assert_frame_equal(session.sql(named.sql, params), expected)


def test_types_are_the_same_with_and_without_rows(many: Snapshot, empty: Snapshot) -> None:
    for name in ALL_NAMES:
        named = query(name)
        params = values_of(named)
        with connect(many) as full, connect(empty) as none:
            assert full.describe(named.sql, params) == none.describe(named.sql, params)


def test_unknown_query_is_told_with_those_there_are() -> None:
    with pytest.raises(
        UnknownQueryError, match=r"no query is named nope\. There are: airmass_across_focal_plane, "
    ):
        query("nope")
    with pytest.raises(UnknownQueryError):
        query("../errors")


def test_header_that_breaks_the_form_is_refused() -> None:
    with pytest.raises(ValueError, match=r"parameter '\$x DOUBLE' is not"):
        parse("q", "-- Meaning.\n--\n-- Parameters\n--   $x DOUBLE\n-- Columns\n--   a\nSELECT 1;")
    with pytest.raises(ValueError, match="column 'a deg' is not"):
        parse("q", "-- Meaning.\n-- Columns\n--   a deg\nSELECT 1;")


def test_library_is_installed_with_the_package() -> None:
    import queries

    files = list((Path(queries.__file__).parent / "sql").rglob("*.sql"))
    assert len(files) == len(ALL_NAMES) + len(macro_names())
