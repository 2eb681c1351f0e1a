"""nightlake history"""

from __future__ import annotations

from pathlib import Path

import click

from nightlake.commands.answer import give
from nightlake.commands.words import only_archive, output_options, words_argument


@click.command("history", short_help="List what was published, when and why.")
@words_argument("[ARCHIVE]")
@output_options()
def command(words: tuple[str, ...], file_format: str | None, out: Path | None) -> None:
    """List every publication that is still there, the newest last.

    Each can be read with --as-of. came, changed and went are the groups in which it differs from
    the one before it (nights, references of a field, refusals); a dash where that one is no longer
    there. Old publications go with `vacuum`.

    \b
    Examples:
      nightlake history /data/ztf
      nightlake history /data/ztf --format csv
    """
    import polars as pl

    from nightlake.archive import Archive

    with Archive(only_archive(words)) as archive:
        frame = archive.history()
    frame = frame.with_columns(
        pl.col("published").dt.strftime("%Y-%m-%d %H:%M:%S"),
        pl.col("came", "changed", "went").list.join(" "),
    )
    description = "What was published, when (UTC) and why."
    give(frame, file_format, out, description=description, last_rows=True)
