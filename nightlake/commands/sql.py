"""nightlake sql"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlake.commands.answer import give
from nightlake.commands.words import (
    PARAM,
    as_of_option,
    output_options,
    split_archive,
    words_argument,
)
from store.errors import NotAnArchiveError

if TYPE_CHECKING:
    from store.history import AsOf


@click.command("sql", short_help="Answer one SQL question.")
@words_argument("[ARCHIVE] QUESTION")
@click.option(
    "--param",
    "-p",
    "params",
    type=PARAM,
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for $NAME: whole number, number or text; may be given several times.",
)
@as_of_option
@output_options()
@click.option(
    "--memory-limit",
    metavar="SIZE",
    help="Memory before a question spills to disk, as 2GB. [default: 80 % of the machine's]",
)
def command(
    words: tuple[str, ...],
    params: tuple[tuple[str, int | float | str], ...],
    as_of: AsOf | None,
    file_format: str | None,
    out: Path | None,
    memory_limit: str | None,
) -> None:
    """Answer one SQL question; a lone - reads it from standard input.

    The tables are detections, reference_sources, images, exposures, nights, reference_images and
    refusals, lightcurves and objects once they are built, and what was imported; DESCRIBE shows
    their columns. It is DuckDB's SQL with functions of the sky, as cone and separation, and the
    archive is only read. Name a night, a cone or an object, and only their files are opened.

    \b
    Examples:
      nightlake sql /data/ztf "select count(*) from detections"
      nightlake sql /data/ztf "select * from images where is_bad" --format csv
      nightlake sql /data/ztf "from images where field = $field" -p field=633
      nightlake sql /data/ztf "from detections where cone(ra, dec, 255.577, 12.284, 5)"
      nightlake sql /data/ztf "describe detections"
      nightlake sql /data/ztf "select count(*) from detections" --as-of 41
      nightlake sql /data/ztf - < question.sql
    """
    from nightlake.archive import Archive

    root, rest = split_archive(words)
    if len(rest) > 1:
        # With NIGHTLAKE_ARCHIVE set, the first of two words was meant as the archive.
        raise NotAnArchiveError(Path(rest[0]))
    if not rest:
        raise click.UsageError("No QUESTION: give one SQL statement, in quotes.")
    question = sys.stdin.read() if rest[0] == "-" else rest[0]
    with Archive(root, as_of=as_of, memory_limit=memory_limit) as archive:
        give(archive.sql(question, **dict(params)), file_format, out)
