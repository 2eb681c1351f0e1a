"""nightlake rematch"""

from __future__ import annotations

import click

from nightlake.commands.progress import progress_bar, tell_report
from nightlake.commands.words import NIGHT, split_archive, words_argument
from nightlake.errors import Exit


@click.command("rematch", short_help="Match what is published to references that came later.")
@words_argument("[ARCHIVE] [NIGHT]...")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: cores]")
@click.option("--quiet", is_flag=True, help="Nothing is told.")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], workers: int | None, quiet: bool) -> None:
    """Match the stale images of some nights, or of all, to the references that stand now.

    An image is stale if the references that its ids and colours came from have been replaced, or
    have come since; `nights` counts them. No input file is needed: ids and colour terms are made
    anew from the published rows, as an ingest would make them. Each night is published whole; an
    interrupted command is run again.

    \b
    Examples:
      nightlake rematch /data/ztf
      nightlake rematch /data/ztf 2020-09-24 2020-09-25
    """
    from nightlake.archive import Archive

    root, rest = split_archive(words)
    nights = [NIGHT.convert(word, None, None) for word in rest]
    with Archive(root) as archive, progress_bar(quiet) as progress:
        report = archive.rematch(*nights, workers=workers, progress=progress)
    if any(group.images for group in report.groups):
        ctx.exit(tell_report(report, "night", quiet))
    if not quiet:
        click.echo("nothing is stale: every image has the ids of the references that stand")
    ctx.exit(Exit.DONE)
