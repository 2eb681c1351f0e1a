"""nightlake refusals"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlake.commands.answer import give
from nightlake.commands.words import (
    NIGHT,
    as_of_option,
    only_archive,
    output_options,
    words_argument,
)

if TYPE_CHECKING:
    from store.history import AsOf


@click.command("refusals", short_help="List the inputs that were refused, and why.")
@words_argument("[ARCHIVE]")
@click.option("--night", type=NIGHT, metavar="DATE", help="Only those of this night.")
@as_of_option
@output_options()
def command(
    words: tuple[str, ...],
    night: date | None,
    as_of: AsOf | None,
    file_format: str | None,
    out: Path | None,
) -> None:
    """List the inputs that were refused, whole or in part: why, and what to do about it.

    \b
    Examples:
      nightlake refusals /data/ztf
      nightlake refusals /data/ztf --night 2020-09-24 --format csv
    """
    from nightlake.archive import Archive
    from queries.columns import describe
    from queries.named import query

    with Archive(only_archive(words), as_of=as_of) as archive:
        frame = archive.refusals(night)
    if frame.is_empty() and file_format in (None, "table") and out is None:
        click.echo("nothing was refused")
        return
    description = query("refusals").meaning
    give(frame, file_format, out, columns=describe(frame.columns), description=description)
