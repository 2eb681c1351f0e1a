"""nightlake vacuum"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nightlake.commands.words import only_archive, words_argument

if TYPE_CHECKING:
    from store.vacuum import VacuumReport


@click.command("vacuum", short_help="Remove old publications and what only they needed.")
@words_argument("[ARCHIVE]")
@click.option(
    "--keep",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Publications that stay whatever their age, the newest.",
)
@click.option(
    "--older-than",
    type=click.FloatRange(0, 1e6),
    default=7,
    show_default=True,
    metavar="DAYS",
    help="A publication stays until it has not been current for so long.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would go; remove nothing.")
def command(words: tuple[str, ...], keep: int, older_than: float, dry_run: bool) -> None:
    """Remove old publications, then all that no publication needs any more.

    That is data files, manifests and folders of links, and what killed processes left unfinished:
    a night whose ingest was interrupted is done again from its start. A publication that somebody
    reads stays. Programs that open the files themselves, as LSDB does, hold nothing: for them is
    --older-than. While a night is being ingested, vacuum is refused.

    \b
    Examples:
      nightlake vacuum /data/ztf --dry-run
      nightlake vacuum /data/ztf --keep 10
      nightlake vacuum /data/ztf --older-than 0
    """
    from nightlake.archive import Archive

    with Archive(only_archive(words)) as archive:
        _tell(archive.vacuum(keep=keep, older_than_days=older_than, dry_run=dry_run), dry_run)


def _tell(report: VacuumReport, dry_run: bool) -> None:
    parts = [
        f"{number:,} {what}{'s' if number > 1 else ''}"
        for number, what in (
            (len(report.publications), "publication"),
            (report.data_files, "data file"),
            (report.manifests, "manifest"),
            (report.pixel_folders, "pixel folder"),
            (report.leftovers, "leftover"),
        )
        if number
    ]
    if report.held:
        click.echo(f"in use, stays: publication {', '.join(map(str, report.held))}")
    verb = "would be removed" if dry_run else "removed"
    click.echo(f"{', '.join(parts)}: {verb}" if parts else f"nothing {verb}")
    if parts:
        click.echo(f"{report.bytes / 1e6:,.1f} MB {'would be freed' if dry_run else 'freed'}")
