"""A session: DuckDB over one snapshot of an archive, with a view for each of its tables.

The database is in memory and the published files are only read. Nothing is written but what a
large question spills, below ARCHIVE/scratch; nothing is fetched or installed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from queries.curves.cache import SHARED, ByteCache
from queries.errors import OutOfMemoryError, QueryError
from queries.frames import to_frame
from queries.interrupt import Stop, interruptible
from queries.macros import macro, macro_names
from queries.named import query
from queries.pruning.restrict import Needed, restrict
from queries.statements import Question, check_question, names_of
from queries.views import VIEWS, select_files, select_table
from store import scratch
from store.contract import TABLES
from store.hold import Hold
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

Answer = TypeVar("Answer")
# Tables that a question reads from these files alone.
Files = Mapping[str, Sequence[Path]]

_HERMETIC = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    # A Python variable is no table: the same statement means the same everywhere.
    "python_enable_replacements": False,
    # What is set here holds: no statement can switch it, nor switch logging to a file on.
    "lock_configuration": True,
}

_VALUES_HINT = "Values for $name are given as sql(…, name=value), or --param name=value."


class Session:
    """Questions to one snapshot; made by `connect`, closed at the end of its `with`.

    Many threads may ask at once: each question has a cursor of its own.

    Parameters
    ----------
    snapshot : the state that is asked; what is published later is not seen, and the state is
        held until the session is closed.
    memory_limit : as DuckDB spells it, for example "2GB"; None is 80 % of the machine's.
    cache : what is remembered of files that objects are looked up in.

    Raises
    ------
    store.errors.UnknownPublicationError : the state is there no longer.
    """

    def __init__(
        self, snapshot: Snapshot, memory_limit: str | None = None, cache: ByteCache = SHARED
    ) -> None:
        self.snapshot, self._cache = snapshot, cache
        hold = Hold(snapshot)
        self.spill_folder = _spill_folder(snapshot.layout.scratch)
        config: dict[str, Any] = {
            **_HERMETIC,
            "temp_directory": str(self.spill_folder or ""),
            # No place that exists: extensions and secrets are looked for below it.
            "home_directory": str(snapshot.layout.scratch / "no-home"),
        }
        if memory_limit:
            config["memory_limit"] = memory_limit
        try:
            connection = duckdb.connect(":memory:", config=config)
        except duckdb.Error as error:  # the limit is none
            hold.release()
            raise query_error(str(error)) from error
        self.connection = connection
        self._views: set[str] = set()
        self._making_views = threading.Lock()
        self._asking = 0
        self._idle = threading.Condition()
        # Whoever drops its last reference closes it too: nobody is asking then.
        self._release = weakref.finalize(self, _release, connection, self.spill_folder, hold)

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
        """Let running questions end, close the connection and take the spilled files away."""
        with self._idle:
            self._idle.wait_for(lambda: self._asking == 0)
            self._release()

    def sql(
        self,
        statement: str,
        params: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
        stop: Stop | None = None,
    ) -> pl.DataFrame:
        """The answer to one SQL question, over views named as the archive's tables.

        Parameters
        ----------
        statement : one question; values of `params` stand in it as `$name`.
        files : tables that are read from these files alone: no other is opened.
        stop : ends the question before its time, with a QueryError, when it is called.

        Raises
        ------
        QueryError : DuckDB refuses it; in DuckDB's words, on one line.
        """
        read = partial(to_frame, aside=stop is not None)
        return self._answer(read, statement, params, files, stop)

    def rows(
        self,
        statement: str,
        params: Mapping[str, Any] | None = None,
        *,
        files: Files | None = None,
    ) -> list[tuple[Any, ...]]:
        """The same as plain tuples; spares polars."""
        return self._answer(lambda relation: relation.fetchall(), statement, params, files)

    def describe(
        self, statement: str, params: Mapping[str, Any] | None = None
    ) -> list[tuple[str, str]]:
        """Names and DuckDB types of the answer's columns."""

        def read(relation: duckdb.DuckDBPyRelation) -> list[tuple[str, str]]:
            return list(zip(relation.columns, map(str, relation.types), strict=True))

        return self._answer(read, statement, params, None)

    def _answer(
        self,
        read: Callable[[duckdb.DuckDBPyRelation], Answer],
        statement: str,
        params: Mapping[str, Any] | None,
        files: Files | None,
        stop: Stop | None = None,
    ) -> Answer:
        """What `read` makes of the answer, while the question's cursor is open."""
        watch = Stop() if stop is None else stop
        with self._plain_errors(), self._cursor() as cursor, watch.watched(cursor):
            return interruptible(
                cursor, lambda: read(self._ask(cursor, statement, params, files or {}))
            )

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the same database, with temporary views of its own."""
        with self._idle:
            cursor = self.connection.cursor()
            self._asking += 1
        try:
            yield cursor
        finally:
            with self._idle:
                cursor.close()
                self._asking -= 1
                self._idle.notify_all()

    def _ask(
        self,
        cursor: duckdb.DuckDBPyConnection,
        statement: str,
        params: Mapping[str, Any] | None,
        files: Files,
    ) -> duckdb.DuckDBPyRelation:
        question = check_question(cursor, statement)
        for name in names_of(question.text, macro_names()):
            self._create_macro(cursor, name)
        names = names_of(question.text, [*TABLES, *VIEWS])
        needed = self._needed(cursor, question, params or {}, names, files)
        for name in names:
            if name in needed:
                view = select_files(TABLES[name], needed[name].files, needed[name].cells)
                cursor.execute(f"CREATE TEMP VIEW {name} AS {view}")
            else:
                self._create_view(cursor, name)
        relation = cursor.sql(question.text, params=dict(params) if params else None)
        if relation is None:
            raise QueryError("the statement has no answer")
        return relation

    def _needed(
        self,
        cursor: duckdb.DuckDBPyConnection,
        question: Question,
        params: Mapping[str, Any],
        names: Sequence[str],
        files: Files,
    ) -> dict[str, Needed]:
        """The tables that are not read whole: of what is given, and of the question's conditions.

        What is left out, the question would leave out: see `queries.pruning`.
        """
        given = {name: Needed(list(files[name]), None) for name in names if name in files}
        # A view reads its tables whole.
        behind = {table for name in names for table in VIEWS.get(name, ())}
        open_ = [TABLES[n] for n in names if n in TABLES and n not in given and n not in behind]
        if question.tree is None or not open_:
            return given
        tree = json.loads(question.tree)["statements"][0]
        try:
            return given | restrict(self.snapshot, open_, cursor, tree, params, self._cache)
        except (LookupError, TypeError):
            # Trees have another shape in another version of DuckDB: then nothing is left out.
            return given

    def _create_macro(self, cursor: duckdb.DuckDBPyConnection, name: str) -> None:
        """The macro of that name, made once for all cursors."""
        with self._making_views:
            if name not in self._views:
                cursor.execute(macro(name))
                self._views.add(name)

    def _create_view(self, cursor: duckdb.DuckDBPyConnection, name: str) -> None:
        """The view of that name over the whole snapshot, made once for all cursors."""
        for table in VIEWS.get(name, ()):
            self._create_view(cursor, table)
        with self._making_views:
            if name not in self._views:
                view = (
                    query(name).sql if name in VIEWS else select_table(TABLES[name], self.snapshot)
                )
                cursor.execute(f"CREATE VIEW {name} AS {view}")
                self._views.add(name)

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """DuckDB's errors as ours: one line, and what to do."""
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            where = self.snapshot.layout.scratch
            raise OutOfMemoryError(where, self.spill_folder is not None) from error
        except duckdb.Error as error:
            raise query_error(str(error)) from error


def connect(
    snapshot: Snapshot, memory_limit: str | None = None, cache: ByteCache = SHARED
) -> Session:
    """Open a session over `snapshot`."""
    return Session(snapshot, memory_limit, cache)


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
        return QueryError(what, hint=f"The tables are {', '.join([*TABLES, *VIEWS])}.")
    if "Values were not provided" in what or "excess parameters" in what:
        return QueryError(what, hint=_VALUES_HINT)
    if "not found in FROM clause" in what:
        return QueryError(what, hint="List a table's columns with: DESCRIBE table.")
    return QueryError(what)


def _spill_folder(below: Path) -> Path | None:
    """A folder of this session's own in the scratch folder, which DuckDB makes when it spills.

    None where nothing can be written: then a question that outgrows memory is an error.
    """
    with suppress(OSError):
        below.mkdir(exist_ok=True)
        if os.access(below, os.W_OK | os.X_OK):
            scratch.sweep(below)
            return below / f"{scratch.prefix('duckdb')}{uuid.uuid4().hex[:12]}"
    return None


def _release(connection: duckdb.DuckDBPyConnection, spill_folder: Path | None, hold: Hold) -> None:
    connection.close()
    hold.release()
    if spill_folder:
        shutil.rmtree(spill_folder, ignore_errors=True)
