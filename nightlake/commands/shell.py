"""nightlake shell"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from nightlake.commands.words import as_of_option, only_archive, words_argument

if TYPE_CHECKING:
    from store.history import AsOf


@click.command("shell", short_help="Ask at a prompt: SQL, and the queries of the library.")
@words_argument("[ARCHIVE]")
@click.option(
    "--print-init",
    is_flag=True,
    help="Print the views and functions as SQL for any DuckDB, and end.",
)
@as_of_option
@click.option(
    "--memory-limit",
    metavar="SIZE",
    help="Memory before a question spills to disk, as 2GB. [default: 80 % of the machine's]",
)
@click.pass_context
def command(
    ctx: click.Context,
    words: tuple[str, ...],
    print_init: bool,
    as_of: AsOf | None,
    memory_limit: str | None,
) -> None:
    """Ask at a prompt: SQL, and the queries of the library.

    It is nightlake sql, question after question: the archive is only read, and what a statement
    does not need is not opened. Functions of the sky are there: cone, separation, in_healpix and
    others, which .functions explains. Statements may also come from a file or a pipe; then the
    first that fails ends it.

    What --print-init prints makes the same views and functions in the duckdb program, which then
    reads one publication's files by itself: it opens them all, whatever place or night is asked
    for, and nothing keeps vacuum from taking them.

    \b
    Examples:
      nightlake shell /data/ztf
      nightlake shell /data/ztf < questions.sql
      nightlake shell /data/ztf --print-init > views.sql && duckdb -init views.sql
    """
    from nightlake.archive import Archive

    root = only_archive(words)
    with Archive(root, as_of=as_of, memory_limit=memory_limit) as archive:
        if print_init:
            from queries.definitions import definitions

            click.echo("\n".join(definitions(archive.snapshot)), nl=False)
            ctx.exit()
        from nightlake.prompt import Prompt

        code = Prompt(archive).run(sys.stdin)
    ctx.exit(code)
