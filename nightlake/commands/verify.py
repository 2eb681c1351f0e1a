"""nightlake verify"""

from __future__ import annotations

import click

from nightlake.commands.progress import progress_bar, tell_crowded
from nightlake.commands.words import only_archive, words_argument
from nightlake.errors import Exit


@click.command("verify", short_help="Check every published file.")
@words_argument("[ARCHIVE]")
@click.option("--deep", is_flag=True, help="Count the rows of every image and night again too.")
@click.option("--quiet", is_flag=True, help="Only faults are told.")
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], deep: bool, quiet: bool) -> None:
    """Check every published file against what was published: bytes, rows, order, pixels, links.

    With --deep the rows of every image, exposure, night and reference are counted again, from the
    detections, and what was read must be what was published and what was refused.

    Each fault is one line: what, where, and the remedy. The exit code is 1 if there is one.

    \b
    Examples:
      nightlake verify /data/ztf
      nightlake verify /data/ztf --deep
    """
    from nightlake.archive import Archive

    with Archive(only_archive(words)) as archive:
        with progress_bar(quiet) as progress:
            findings = archive.verify(progress, deep=deep)
        for finding in findings:
            click.echo(str(finding))
        if findings:
            click.echo(f"nightlake: {len(findings)} faults", err=True)
            ctx.exit(Exit.ERROR)
        if not quiet:
            click.echo(f"publication {archive.snapshot.number}: no fault found")
            tell_crowded(archive)
