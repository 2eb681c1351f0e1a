"""nightlake import"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nightlake.commands.progress import progress_bar, tell_refusals
from nightlake.commands.words import split_archive, words_argument
from nightlake.errors import Exit

if TYPE_CHECKING:
    from ingest.imports.job import ImportReport

KINDS = ("lightcurves", "matchfile")


@click.command("import", short_help="Import what there is already, as light curves.")
@words_argument("[ARCHIVE] KIND [FILE]...")
@click.option(
    "--collection",
    default="imported",
    show_default=True,
    metavar="NAME",
    help="What they are asked by: ids of a data release are not those of the archive.",
)
@click.option(
    "--remove",
    is_flag=True,
    help="Take files of these names out again; without FILE the whole collection.",
)
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: cores]")
@click.option("--quiet", is_flag=True, help="Only refusals are told.")
@click.pass_context
def command(
    ctx: click.Context,
    words: tuple[str, ...],
    collection: str,
    remove: bool,
    workers: int | None,
    quiet: bool,
) -> None:
    """Import what there is already. KIND is lightcurves or matchfile.

    Light curves come as files of a public data release (Parquet, of the bulk download or HATS) and
    as answers of the light-curve API (CSV), given as files or folders. They stand in tables of
    their own, imported_lightcurves and imports; detections and objects are not changed.

    Matchfiles (HDF5) are kept as they are, in the tables matchfiles, matchfile_exposures,
    matchfile_sources and matchfile_detections; nightlake matchfile --collection writes them again.

    A file is known by its name within its collection: the same file again changes nothing, another
    of that name takes its place. What is refused is told, one line a file, and recorded in the
    table refusals; the other files go on.

    \b
    Examples:
      nightlake import /data/ztf lightcurves ztf_001518_zr_c01_q2_dr19.parquet --collection dr19
      nightlake import /data/ztf lightcurves answers/ --collection my_stars
      nightlake import /data/ztf lightcurves --remove --collection my_stars
      nightlake import /data/ztf matchfile srcmatch/ --collection ztf2020
    """
    from nightlake.archive import Archive

    root, rest = split_archive(words)
    kind, *files = rest or [""]
    if kind not in KINDS:
        said = f"{kind!r} is no KIND" if kind else "No KIND"
        raise click.UsageError(f"{said}: write {', '.join(KINDS)}.")
    if not files and not remove:
        raise click.UsageError(f"No FILE: name files or folders of {kind.rstrip('s')}s.")
    with Archive(root) as archive:
        if remove:
            remove_files = (
                archive.remove_lightcurves if kind == "lightcurves" else archive.remove_matchfiles
            )
            went = remove_files(*files, collection=collection)
            number = archive.snapshot.number
            click.echo(
                f"{collection}: {went.files:,} files removed, {went.epochs:,} epochs; "
                f"publication {number}, the former is --as-of {number - 1}"
            )
            return
        with progress_bar(quiet) as progress:
            bring = (
                archive.import_lightcurves if kind == "lightcurves" else archive.import_matchfiles
            )
            report = bring(files, collection=collection, workers=workers, progress=progress)
        ctx.exit(_tell(report, kind, quiet))


def _tell(report: ImportReport, kind: str, quiet: bool) -> Exit:
    """What was imported, and how the command ends."""
    tell_refusals(report.refusals)
    if not quiet:
        import polars as pl

        from products.tables import print_table

        files = pl.DataFrame([asdict(file) for file in report.files]).rename({"name": "file"})
        if kind == "lightcurves":
            brought = f"{report.curves:,} curves, {report.epochs:,} epochs"
        else:
            files = files.drop("curves").rename({"epochs": "detections"})
            brought = f"{report.epochs:,} detections"
        print_table(files)
        click.echo(
            f"{report.collection}: {brought} in "
            f"{report.seconds:.1f} s; {len(report.refusals)} refusals; "
            f"publication {report.publication}"
        )
    if report.nothing_done:
        return Exit.NOTHING
    return Exit.REFUSALS if report.refusals else Exit.DONE
