"""Which statements are questions: an archive is asked, never changed, through SQL.

DuckDB calls a statement SELECT although a CTE in it copies, inserts or deletes, and some table
functions write files or run SQL that they are given as text. So the statement's own tree is
looked at: what is not known to only read is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb

from queries.errors import StatementRefusedError

# Of DuckDB's QueryNodeType; the others are COPY_QUERY_NODE, INSERT_QUERY_NODE and their like.
_READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
# Table functions that only read. Not among them, for example: enable_logging, which writes files;
# checkpoint; query, query_table and json_execute_serialized_sql, which run SQL given as text.
_READING_FUNCTIONS = {
    "generate_series",
    "glob",
    "histogram",
    "histogram_values",
    "icu_calendar_names",
    "json_each",
    "json_tree",
    "pg_timezone_names",
    "range",
    "repeat",
    "repeat_row",
    "sniff_csv",
    "summary",
    "test_all_types",
    "test_vector_types",
    "unnest",
}
_READING_FAMILIES = ("duckdb_", "parquet_", "pragma_", "read_")
_WRITING_WORDS = {"copy", "delete", "insert", "merge", "truncate", "update"}
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
# Nothing but words may stand in EXPLAIN's options: a quote there could hide where they end.
_EXPLAIN = re.compile(
    r"\s*explain\b(\s+analyze\b)?(\s*\(\s*(analyze|format)\b[\w\s,]*\))?", re.IGNORECASE
)
_PRAGMA = re.compile(r"\s*pragma\s+(\w+)", re.IGNORECASE)
_COMMENT = re.compile(r"\s*(--[^\n]*(\n|$)|/\*.*?\*/)", re.DOTALL)
# How a question may begin that PIVOT makes several statements of.
_PIVOTS = {"pivot", "unpivot", "with", "from", "select", "describe", "desc", "summarize"}

# In DuckDB's JSON a quote within a name or a string is escaped, so neither can pass for a key.
_NODE = re.compile(r'"type":"(\w+_NODE)"')
_TABLE_FUNCTION = '"type":"TABLE_FUNCTION"'
_TABLE_FUNCTION_NAME = re.compile(_TABLE_FUNCTION + r'.*?"function_name":"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Question:
    """One statement that only asks, and its tree as JSON, if DuckDB gives one."""

    text: str
    tree: str | None


def check_question(connection: duckdb.DuckDBPyConnection, statement: str) -> Question:
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
    tree = None
    if kind == "SELECT":
        tree = _check_tree(connection, text)
    elif kind in ("EXPLAIN", "MULTI") and _EXPLAIN.match(bare):
        # EXPLAIN ANALYZE runs what it explains.
        tree = check_question(connection, _EXPLAIN.sub("", bare, count=1)).tree
    elif kind == "PRAGMA" and _is_telling(bare):
        pass
    elif kind == "MULTI" and first in _PIVOTS:
        _check_words(connection, text)
    else:
        raise StatementRefusedError(f"{first.upper()} statements are not allowed here")
    return Question(text, tree)


def names_of(statement: str, known: list[str]) -> list[str]:
    """Those of the `known` tables that `statement` may speak of.

    Every word counts, quoted or not: one view too many costs a millisecond, one too few is an
    error. SHOW and the catalogue's own tables speak of all.
    """
    words = _words(statement)
    listing = any(word in words for word in ("show", "pragma", "information_schema")) or any(
        word.startswith(("duckdb_", "pg_", "sqlite_")) for word in words
    )
    return [name for name in known if listing or name in words]


def _check_tree(connection: duckdb.DuckDBPyConnection, text: str) -> str | None:
    """Refuse a SELECT that holds a node or a table function that is not known to only read.

    Its tree; None if DuckDB gives none.
    """
    (row,) = connection.execute("SELECT json_serialize_sql($text)", {"text": text}).fetchall()
    tree: str = row[0]
    if not tree.startswith('{"error":false'):
        _check_words(connection, text)
        return None
    for node in _NODE.findall(tree):
        if node not in _READING_NODES:
            what = node.removesuffix("_NODE").removesuffix("_QUERY")
            raise StatementRefusedError(f"{what} is not allowed within a question")
    functions = _TABLE_FUNCTION_NAME.findall(tree)
    if len(functions) != tree.count(_TABLE_FUNCTION):
        raise StatementRefusedError("the statement cannot be judged")
    for name in functions:
        if not _only_reads(name.lower()):
            raise StatementRefusedError(f"the table function {name} is not allowed here")
    return tree


def _check_words(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse by its words a statement that DuckDB gives no tree of.

    Words of strings and comments count too: more is refused than need be, but nothing is missed.
    """
    for word in sorted(_words(text) & (_WRITING_WORDS | _other_functions(connection))):
        raise StatementRefusedError(f"the word {word.upper()} is not allowed here")


def _other_functions(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The table functions of this DuckDB that are not known to only read."""
    rows = connection.execute(
        "SELECT lower(function_name) FROM duckdb_functions() "
        "WHERE function_type IN ('table', 'table_macro')"
    ).fetchall()
    return {name for (name,) in rows if not _only_reads(name)}


def _only_reads(function: str) -> bool:
    return function in _READING_FUNCTIONS or function.startswith(_READING_FAMILIES)


def _is_telling(bare: str) -> bool:
    pragma = _PRAGMA.match(bare)
    return pragma is not None and pragma.group(1).lower() in _TELLING_PRAGMAS


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d]\w*", text.lower()))


def _without_comments(text: str) -> str:
    while match := _COMMENT.match(text):
        text = text[match.end() :]
    return text
