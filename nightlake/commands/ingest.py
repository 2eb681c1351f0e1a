"""nightlake ingest"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from nightlake.commands.progress import (
    progress_bar,
    tell_crowded,
    tell_refusals,
    tell_report,
)
from nightlake.commands.words import NIGHT, listed_paths, split_archive, words_argument
from nightlake.errors import Exit

if TYPE_CHECKING:
    from ingest.report import IngestEstimate


@click.command("ingest", short_help="Ingest nights of PSF catalogues.")
@words_argument("[ARCHIVE] [PATH]...")
@click.option("--night", type=NIGHT, metavar="DATE", help="Take only images of this night.")
@click.option(
    "--files-from",
    "listing",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read paths from FILE too, one a line.",
)
@click.option("--dry-run", is_flag=True, help="Tell rows and disk; write nothing.")
@click.option(
    "--metadata",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Table of image metadata (CSV), for what headers lack.",
)
@click.option(
    "--prior",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Headers that pixel scales are held against, one or more a channel.",
)
@click.option(
    "--hjd",
    "hjd_method",
    type=click.Choice(["fit", "exact"]),
    default="fit",
    show_default=True,
    help="Light-travel time: by the offset-frame fit, or exactly for each row.",
)
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: cores]")
@click.option(
    "--rebuild",
    is_flag=True,
    help="Make every image anew, published and unchanged ones too: mends damaged files.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Make the nights exactly these files: images that are not among them are removed.",
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Work on the Dask cluster of this scheduler, as tcp://10.0.0.5:8786.",
)
@click.option("--quiet", is_flag=True, help="Only refusals are told.")
@click.pass_context
def command(
    ctx: click.Context,
    words: tuple[str, ...],
    night: date | None,
    listing: Path | None,
    dry_run: bool,
    metadata: Path | None,
    prior: Path | None,
    hjd_method: Literal["fit", "exact"],
    workers: int | None,
    rebuild: bool,
    exact: bool,
    dask: str | None,
    quiet: bool,
) -> None:
    """Ingest PSF catalogues (ztf_*_psfcat.fits), given as files or folders.

    Each night is published whole, or not at all. What is refused is told, one line a file, and
    recorded in the table refusals; the rest of its night goes on. An interrupted command is run
    again: nothing is taken twice.

    \b
    Examples:
      nightlake ingest /data/ztf sci/2020/0924
      nightlake ingest /data/ztf sci/ --night 2020-09-24 --dry-run
      nightlake ingest /data/ztf sci/2020/0924 --exact
      nightlake ingest /data/ztf sci/2020/0924 --prior priors/
    """
    from nightlake.archive import Archive

    root, paths = split_archive(words)
    if listing is not None:
        paths += listed_paths(listing)
    if not paths:
        raise click.UsageError("No PATH: name files or folders of PSF catalogues.")
    with Archive(root) as archive:
        if dry_run:
            found = archive.estimate(paths, night=night, metadata=metadata)
            ctx.exit(_tell_estimate(found, night))
        with progress_bar(quiet) as progress:
            report = archive.ingest(
                paths,
                night=night,
                metadata=metadata,
                prior=prior,
                hjd_method=hjd_method,
                workers=workers,
                rebuild=rebuild,
                exact=exact,
                dask=dask,
                progress=progress,
            )
        if not report.groups and not report.refusals:
            ctx.exit(_tell_nothing(night))
        code = tell_report(report, "night", quiet)
        if not quiet:
            tell_crowded(archive)
        ctx.exit(code)


def _tell_nothing(night: date | None) -> Exit:
    of_night = f" of night {night}" if night else ""
    click.echo(f"nightlake: no image{of_night} among these files; nothing was done", err=True)
    return Exit.NOTHING


def _tell_estimate(found: IngestEstimate, night: date | None) -> Exit:
    if not found.nights and not found.refusals:
        return _tell_nothing(night)
    tell_refusals(found.refusals)
    for night, (images, rows) in sorted(found.nights.items()):
        click.echo(f"{night}  {images:,} images  {rows:,} rows")
    click.echo(
        f"{found.disk_bytes / 1e6:,.1f} MB on disk, {found.staging_bytes / 1e6:,.1f} MB meanwhile; "
        f"{len(found.refusals)} refusals; nothing was written"
    )
    if found.refusals:
        return Exit.REFUSALS if found.nights else Exit.NOTHING
    return Exit.DONE
