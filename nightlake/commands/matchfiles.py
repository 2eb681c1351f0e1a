"""nightlake matchfiles"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nightlake.commands.matchfile import making_options
from nightlake.commands.progress import progress_bar
from nightlake.commands.words import as_of_option, only_archive, words_argument
from nightlake.errors import Exit
from store.history import AsOf


@click.command("matchfiles", short_help="Write all matchfiles that are not up to date.")
@words_argument("[ARCHIVE]")
@making_options
@as_of_option
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: cores]")
@click.option("--quiet", is_flag=True, help="Tell nothing but what is refused.")
def command(
    words: tuple[str, ...],
    out: Path,
    as_of: AsOf | None,
    workers: int | None,
    quiet: bool,
    **making: Any,
) -> None:
    """Write the matchfiles of every field, filter, CCD and quadrant with references.

    Only those are written whose images, references, options or code changed since the folder was
    last brought up to date; each appears whole or not at all.

    \b
    Examples:
      nightlake matchfiles /data/ztf --out /data/matchfiles
      nightlake matchfiles /data/ztf --workers 8 --compress gzip
    """
    from nightlake.archive import Archive

    with Archive(only_archive(words), as_of=as_of) as archive, progress_bar(quiet) as progress:
        report = archive.matchfiles(out, workers=workers, progress=progress, **making)
    for error in report.refused:
        click.echo(f"refused: {error}", err=True)
    if not quiet:
        rows = sum(made.detections for made in report.written)
        click.echo(
            f"{out}: {len(report.written):,} matchfiles written with {rows:,} detections, "
            f"{report.unchanged:,} unchanged; {report.seconds:.1f} s"
        )
    if report.refused:
        some = report.written or report.unchanged
        click.get_current_context().exit(Exit.REFUSALS if some else Exit.NOTHING)
