"""A prompt at which an archive is asked: SQL statements, and words that begin with a dot.

It is the session's own DuckDB: read-only, and it opens only the files that a statement needs. What
is typed is kept nowhere.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import click

from nightlake.commands.answer import give
from nightlake.commands.query import explain
from nightlake.errors import Exit, exit_of
from nightlake.split import split
from queries.columns import describe
from queries.errors import QueryError
from queries.macros import macro_names, meaning, signature
from queries.named import offered, query_names
from queries.views import VIEWS
from store.contract import TABLES
from store.errors import NightlakeError
from store.words import printable

if TYPE_CHECKING:
    import polars as pl

    from nightlake.archive import Archive

PROMPT, CONTINUED = "nightlake> ", "      ...> "
_HELP = """\
Statements are DuckDB's SQL and end with a semicolon; the archive is only read.

.tables              the tables
.schema TABLE        columns of one: type, unit, meaning
.queries             the queries of the library; .queries NAME tells of one
.query NAME A=B …    answer one, with values for its parameters
.show NAME           its SQL, to be pasted and changed
.functions           functions of the sky
.format table|csv    form of the answers from now on
.help                this
.quit                end; so does Ctrl-D"""


@dataclass
class Prompt:
    """Asks `archive` what is typed."""

    archive: Archive
    form: str = "table"

    def run(self, source: TextIO) -> int:
        """Answer all that comes from `source`; the exit code.

        At a terminal a fault is told and the next line is read; else the first fault ends it.
        """
        interactive = source.isatty()
        if interactive:
            self._greet()
        begun = ""
        while True:
            try:
                line = _typed(begun) if interactive else source.readline()
            except KeyboardInterrupt:
                click.echo()
                begun = ""
                continue
            if not begun.strip() and line.startswith("."):
                asked, begun = [line.strip()], ""
            else:
                asked, begun = split(begun + line)
            if not line and begun.strip():
                asked, begun = [begun], ""  # the last one may do without its semicolon
            for what in asked:
                if what in (".quit", ".exit"):
                    return Exit.DONE
                code = self._answer(what)
                if code and not interactive:
                    return code
            if not line:
                return Exit.DONE

    def _greet(self) -> None:
        snapshot = self.archive.snapshot
        click.echo(f"{self.archive.root}, publication {snapshot.number}. Type .help for help.")
        _complete(
            [*TABLES, *VIEWS, *macro_names(), *query_names(), *(f".{w}" for w in self._words)]
        )

    def _answer(self, line: str) -> int:
        try:
            if line.startswith("."):
                self._word(line)
            else:
                self._give(self.archive.sql(line))
        except NightlakeError as error:
            click.echo(f"nightlake: {printable(str(error))}", err=True)
            return exit_of(error)
        except KeyboardInterrupt:
            click.echo("nightlake: interrupted", err=True)
            return Exit.INTERRUPTED
        return Exit.DONE

    def _give(self, frame: pl.DataFrame, *, known: bool = False) -> None:
        columns = describe(frame.columns) if known else None
        give(frame, self.form, None, columns=columns, more=".format csv gives all")

    # --- words --------------------------------------------------------------------------

    @property
    def _words(self) -> dict[str, Callable[[list[str]], None]]:
        return {
            "tables": self._tables,
            "schema": self._schema,
            "queries": self._queries,
            "query": self._query,
            "show": self._show,
            "functions": self._functions,
            "format": self._format,
            "help": lambda _: click.echo(_HELP),
        }

    def _word(self, line: str) -> None:
        try:
            word, *rest = shlex.split(line[1:]) or ["help"]
        except ValueError as error:
            raise _unknown(line) from error
        if word not in self._words:
            raise _unknown(word)
        self._words[word](rest)

    def _tables(self, _: list[str]) -> None:
        width = max(map(len, [*TABLES, *VIEWS]))
        for table in TABLES.values():
            click.echo(f"{table.name:<{width}}  {table.description}")
        for name in VIEWS:
            click.echo(f"{name:<{width}}  a view, of {' and '.join(VIEWS[name])}")

    def _schema(self, rest: list[str]) -> None:
        for name in rest or list(TABLES):
            if name not in TABLES:
                raise _unknown(name)
            click.echo(f"{name}")
            for column in TABLES[name].columns:
                unit = f" [{column.unit}]" if column.unit else ""
                click.echo(f"  {column.name} {column.dtype}{unit}  {column.description}")

    def _queries(self, rest: list[str]) -> None:
        if rest:
            click.echo("\n\n".join(explain(offered(name)) for name in rest))
            return
        for name in query_names():
            click.echo(f"{name}  {offered(name).meaning.split('. ')[0].rstrip('.')}.")

    def _query(self, rest: list[str]) -> None:
        if not rest:
            raise _unknown("query without a name")
        params = {}
        for word in rest[1:]:
            name, sign, value = word.partition("=")
            if not sign:
                raise _unknown(word)
            params[name.removeprefix("$")] = value
        self._give(self.archive.query(rest[0], **params), known=True)

    def _show(self, rest: list[str]) -> None:
        for name in rest:
            click.echo(offered(name).sql, nl=False)

    def _functions(self, _: list[str]) -> None:
        for name in macro_names():
            click.echo(f"{signature(name)}\n    {meaning(name)}")

    def _format(self, rest: list[str]) -> None:
        if rest not in (["table"], ["csv"]):
            raise _unknown("format, but for table or csv")
        (self.form,) = rest


def _unknown(word: str) -> QueryError:
    return QueryError(f"not understood: {word}", hint="Type .help for what is.")


def _typed(begun: str) -> str:
    """A line as it is typed; nothing at the end."""
    try:
        return input(CONTINUED if begun.strip() else PROMPT) + "\n"
    except EOFError:
        click.echo()
        return ""


def _complete(words: Sequence[str]) -> None:
    """Let the tab key complete some words, where there is a readline."""
    with suppress(ImportError):
        import readline

        def complete(text: str, state: int) -> str | None:
            fitting = [word for word in words if word.startswith(text)]
            return fitting[state] if state < len(fitting) else None

        readline.set_completer(complete)
        readline.set_completer_delims(" \t\n,;()=")
        readline.parse_and_bind("tab: complete")
