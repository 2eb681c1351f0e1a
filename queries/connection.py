"""A session: DuckDB over one snapshot of an archive, with a view for each of its tables.

The database is in memory and the published files are only read. Nothing is written but what a
large question spills, below ARCHIVE/scratch; nothing is fetched or installed.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb

from queries.errors import OutOfMemoryError, QueryError
from queries.frames import to_frame
from queries.interrupt import interruptible
from queries.statements import check_question, names_of
from queries.views import select_files, select_table
from store.contract import TABLES
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

_HERMETIC = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    # A Python variable is no table: the same statement means the same everywhere.
    "python_enable_replacements": False,
}


class Session:
    """Questions to one snapshot; made by `connect`, closed at the end of its `with`.

    Parameters
    ----------
    snapshot : the state that is asked; what is published later is not seen.
    memory_limit : as DuckDB spells it, for example "2GB"; None is 80 % of the machine's.
    """

    def __init__(self, snapshot: Snapshot, memory_limit: str | None = None) -> None:
        self.snapshot = snapshot
        self.spill_folder = _spill_folder(snapshot.layout.scratch)
        config: dict[str, Any] = {
            **_HERMETIC,
            "temp_directory": str(self.spill_folder or ""),
            # No place that exists: extensions and secrets are looked for below it.
            "home_directory": str(snapshot.layout.scratch / "no-home"),
        }
        if memory_limit:
            config["memory_limit"] = memory_limit
        self.connection = duckdb.connect(":memory:", config=config)
        self._views: set[str] = set()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and take the spilled files away."""
        self.connection.close()
        if self.spill_folder:
            shutil.rmtree(self.spill_folder, ignore_errors=True)

    def sql(self, statement: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """The answer to one SQL question, over views named as the archive's tables.

        Parameters
        ----------
        statement : one question; values of `params` stand in it as `$name`.

        Raises
        ------
        QueryError : DuckDB refuses it; in DuckDB's words, on one line.
        """
        with self._plain_errors():
            return interruptible(self.connection, lambda: to_frame(self._ask(statement, params)))

    def rows(
        self, statement: str, params: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """The same as plain tuples; spares polars."""
        with self._plain_errors():
            return interruptible(self.connection, lambda: self._ask(statement, params).fetchall())

    def describe(
        self, statement: str, params: Mapping[str, Any] | None = None
    ) -> list[tuple[str, str]]:
        """Names and DuckDB types of the answer's columns."""
        with self._plain_errors():
            relation = self._ask(statement, params)
            return list(zip(relation.columns, map(str, relation.types), strict=True))

    @contextmanager
    def narrowed(self, table: str, files: Sequence[Path]) -> Iterator[None]:
        """Within the block the view `table` reads only `files`: no other is opened."""
        view = select_files(TABLES[table], files)
        with self._plain_errors():
            self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS {view}")
        try:
            yield
        finally:
            self.connection.execute(f"DROP VIEW temp.{table}")

    def _ask(self, statement: str, params: Mapping[str, Any] | None) -> duckdb.DuckDBPyRelation:
        question = check_question(self.connection, statement)
        for name in names_of(question, list(TABLES)):
            self._create_view(name)
        relation = self.connection.sql(question, params=dict(params) if params else None)
        if relation is None:
            raise QueryError("the statement has no answer")
        return relation

    def _create_view(self, name: str) -> None:
        if name not in self._views:
            view = select_table(TABLES[name], self.snapshot)
            self.connection.execute(f"CREATE VIEW {name} AS {view}")
            self._views.add(name)

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """DuckDB's errors as ours: one line, and what to do."""
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            scratch = self.snapshot.layout.scratch
            raise OutOfMemoryError(scratch, self.spill_folder is not None) from error
        except duckdb.Error as error:
            raise query_error(str(error)) from error


def connect(snapshot: Snapshot, memory_limit: str | None = None) -> Session:
    """Open a session over `snapshot`."""
    return Session(snapshot, memory_limit)


def query_error(message: str) -> QueryError:
    """DuckDB's `message` as one line: what it says, and what could help."""
    what = " ".join(message.split("\n\nLINE ")[0].split()).rstrip(".")
    if "automatically install" in what or "httpfs" in what:
        return QueryError(
            "the statement needs an extension of DuckDB, and none is fetched",
            hint="Nightlake reads local files only: csv, json and Parquet.",
        )
    if re.search(r"Table with name|Catalog Error", what):
        what = what.split(" Did you mean")[0].rstrip("!")
        return QueryError(what, hint=f"The tables are {', '.join(TABLES)}.")
    if "Values were not provided" in what or "excess parameters" in what:
        return QueryError(what, hint="Values for $name are given as sql(…, name=value).")
    if "not found in FROM clause" in what:
        return QueryError(what, hint="List a table's columns with: DESCRIBE table.")
    return QueryError(what)


def _spill_folder(scratch: Path) -> Path | None:
    """A folder of this session's own below `scratch`, which DuckDB makes when it first spills.

    None where nothing can be written: then a question that outgrows memory is an error.
    """
    with suppress(OSError):
        scratch.mkdir(exist_ok=True)
        if os.access(scratch, os.W_OK | os.X_OK):
            return scratch / f"duckdb-{os.getpid()}-{uuid.uuid4().hex[:12]}"
    return None
