"""nightlake query"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlake.commands.answer import give
from nightlake.commands.words import (
    TEXT_PARAM,
    as_of_option,
    output_options,
    split_archive,
    words_argument,
)
from store.errors import NotAnArchiveError

if TYPE_CHECKING:
    from queries.named import NamedQuery
    from store.history import AsOf

_WIDTH = 96


@click.command("query", short_help="Answer a query of the library, by its name.")
@words_argument("[ARCHIVE] NAME")
@click.option(
    "--param",
    "-p",
    "params",
    type=TEXT_PARAM,
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for a parameter; may be given several times.",
)
@click.option("--list", "listed", is_flag=True, help="Tell what each query is and takes, and end.")
@click.option("--show", metavar="NAME", help="Print the SQL of one query, and end.")
@as_of_option
@output_options()
def command(
    words: tuple[str, ...],
    params: tuple[tuple[str, str], ...],
    listed: bool,
    show: str | None,
    as_of: AsOf | None,
    file_format: str | None,
    out: Path | None,
) -> None:
    """Answer a query of the library, by its name.

    Parameters that have a default may be left out. Each query is one file of SQL that --show prints
    and that any DuckDB answers over the archive's tables.

    \b
    Examples:
      nightlake query --list
      nightlake query --show night_summary
      nightlake query /data/ztf night_summary -p night=2020-09-24
      nightlake query /data/ztf images_by_quality -p limit=50 --format csv
      nightlake query /data/ztf cone_search -p ra=255.577 -p dec=12.284 --out around.vot
    """
    from nightlake.archive import Archive
    from queries.columns import describe
    from queries.named import offered, query_names

    if listed:
        click.echo("\n\n".join(explain(offered(name)) for name in query_names()))
        return
    if show is not None:
        click.echo(offered(show).sql, nl=False)
        return
    root, rest = split_archive(words)
    if len(rest) > 1:
        raise NotAnArchiveError(Path(rest[0]))
    if not rest:
        raise click.UsageError("No NAME of a query: see nightlake query --list.")
    named = offered(rest[0])
    with Archive(root, as_of=as_of) as archive:
        frame = archive.query(named.name, **dict(params))
    give(frame, file_format, out, columns=describe(frame.columns), description=named.meaning)


def explain(named: NamedQuery) -> str:
    """A query's meaning, parameters and columns, as lines to be read."""
    parts = [_wrapped(named.meaning, "  ")]
    for parameter in named.parameters:
        default = "" if parameter.default is None else f" = {parameter.default}"
        head = f"  ${parameter.name} ({parameter.type}{default}): "
        parts.append(_wrapped(head + parameter.meaning, "      ", first=""))
    columns = (f"{name} [{unit}]" if unit else name for name, unit in named.columns.items())
    parts.append(_wrapped(f"  gives {', '.join(columns)}", "      ", first=""))
    return "\n".join([named.name, *parts])


def _wrapped(text: str, indent: str, *, first: str | None = None) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
