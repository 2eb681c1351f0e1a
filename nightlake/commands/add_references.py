"""nightlake add-references"""

from __future__ import annotations

import click

from nightlake.commands.progress import progress_bar, tell_report
from nightlake.commands.words import split_archive, words_argument


@click.command("add-references", short_help="Add reference catalogues.")
@words_argument("[ARCHIVE] PATH...")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: cores]")
@click.option("--quiet", is_flag=True, help="Only refusals are told.")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], workers: int | None, quiet: bool) -> None:
    """Add reference catalogues (ztf_*_refpsfcat.fits), given as files or folders.

    Nights that are ingested afterwards are matched to them; nights that are there already are
    matched once they are ingested again.

    \b
    Examples:
      nightlake add-references /data/ztf ref/
      nightlake add-references /data/ztf ztf_000633_zr_c07_q4_refpsfcat.fits
    """
    from nightlake.archive import Archive

    root, paths = split_archive(words)
    if not paths:
        raise click.UsageError("No PATH: name files or folders of reference catalogues.")
    with Archive(root) as archive:
        with progress_bar(quiet) as progress:
            report = archive.add_references(paths, workers=workers, progress=progress)
        ctx.exit(tell_report(report, "field", quiet))
