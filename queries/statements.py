"""Which statements are questions: an archive is asked, never changed, through SQL."""

from __future__ import annotations

import re

import duckdb

from queries.errors import StatementRefusedError

# `PRAGMA table_info(images)` and its like only tell; others switch settings.
_TELLING_PRAGMAS = {
    "database_list",
    "database_size",
    "functions",
    "show",
    "show_tables",
    "show_tables_expanded",
    "table_info",
    "version",
}
_EXPLAIN = re.compile(r"\s*explain\b(\s+analyze\b)?(\s*\([^)]*\))?", re.IGNORECASE)
_PRAGMA = re.compile(r"\s*pragma\s+(\w+)", re.IGNORECASE)
_COMMENT = re.compile(r"\s*(--[^\n]*(\n|$)|/\*.*?\*/)", re.DOTALL)
_PIVOTS = {"pivot", "unpivot", "with", "from", "select"}


def check_question(connection: duckdb.DuckDBPyConnection, statement: str) -> str:
    """The one question in `statement`, without what follows its semicolon.

    Raises
    ------
    StatementRefusedError : it is none, several, or would write or change settings.
    duckdb.Error : it is not SQL.
    """
    parts = connection.extract_statements(statement)
    if not parts:
        raise StatementRefusedError("the statement is empty")
    if len(parts) > 1:
        raise StatementRefusedError(f"{len(parts)} statements were given")
    kind = parts[0].type.name
    text: str = parts[0].query
    bare = _without_comments(text)
    word = re.match(r"\W*(\w*)", bare)
    first = word.group(1).lower() if word else ""
    if kind == "EXPLAIN":
        # EXPLAIN ANALYZE runs what it explains.
        check_question(connection, _EXPLAIN.sub("", bare, count=1))
    elif kind == "PRAGMA":
        pragma = _PRAGMA.match(bare)
        if pragma is None or pragma.group(1).lower() not in _TELLING_PRAGMAS:
            raise StatementRefusedError(f"{first.upper()} statements are not allowed here")
    elif kind != "SELECT" and not (kind == "MULTI" and first in _PIVOTS):
        raise StatementRefusedError(f"{first.upper()} statements are not allowed here")
    return text


def names_of(statement: str, known: list[str]) -> list[str]:
    """Those of the `known` tables that `statement` may speak of.

    Every word counts, quoted or not: one view too many costs a millisecond, one too few is an
    error. SHOW and the catalogue's own tables speak of all.
    """
    words = set(re.findall(r"\w+", statement.lower()))
    listing = any(word in words for word in ("show", "pragma", "information_schema")) or any(
        word.startswith(("duckdb_", "pg_", "sqlite_")) for word in words
    )
    return [name for name in known if listing or name in words]


def _without_comments(text: str) -> str:
    while match := _COMMENT.match(text):
        text = text[match.end() :]
    return text
