"""nightlake compact"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from nightlake.commands.progress import progress_bar
from nightlake.commands.words import NIGHT, only_archive, words_argument

if TYPE_CHECKING:
    from ingest.compact import CompactReport


@click.command("compact", short_help="Make one file a pixel of many nights.")
@words_argument("[ARCHIVE]")
@click.option(
    "--from", "first", type=NIGHT, metavar="NIGHT", help="The first night. [default: all]"
)
@click.option("--to", "last", type=NIGHT, metavar="NIGHT", help="The last night. [default: all]")
@click.option(
    "--max-rows",
    type=click.IntRange(1),
    default=5_000_000,
    show_default=True,
    metavar="N",
    help="Pixels that hold more rows are split.",
)
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: cores]")
@click.option("--quiet", is_flag=True, help="Nothing is told.")
def command(
    words: tuple[str, ...],
    first: date | None,
    last: date | None,
    max_rows: int,
    workers: int | None,
    quiet: bool,
) -> None:
    """Make one file a pixel of the detections of many nights: reading opens fewer files.

    Every table holds the same rows before and after. Periods that were compacted before and have
    nights in common with this one are taken in whole. Pixels that hold more than --max-rows, of
    all nights, are cut in four, and again; later nights are cut like that too. All is published
    at once; nobody who reads or ingests meanwhile is disturbed. The former files go with `vacuum`.

    \b
    Examples:
      nightlake compact /data/ztf
      nightlake compact /data/ztf --from 2020-09-01 --to 2020-09-30
      nightlake compact /data/ztf --max-rows 1000000
    """
    from nightlake.archive import Archive

    with Archive(only_archive(words)) as archive:
        with progress_bar(quiet) as progress:
            report = archive.compact(
                first=first, last=last, max_rows=max_rows, workers=workers, progress=progress
            )
        if not quiet:
            click.echo(_told(report))


def _told(report: CompactReport) -> str:
    end = f"publication {report.publication}"
    if report.nothing_done:
        return f"nothing changed: one file a pixel already; {end}"
    nights = "" if report.first is None else f"{report.first} to {report.last}: "
    files = f"{report.files_before:,} files are {report.files_after:,}"
    split = f", {report.split:,} pixel{'s' if report.split > 1 else ''} split"
    return f"{nights}{files}{split if report.split else ''} in {report.seconds:.1f} s; {end}"
