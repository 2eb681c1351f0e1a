"""nightlake export"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from nightlake.commands.progress import progress_bar
from nightlake.commands.words import as_of_option, split_archive, words_argument

if TYPE_CHECKING:
    from products.hats_export.job import ExportReport
    from store.history import AsOf

FORMS: tuple[Literal["nested"], Literal["catalogues"]] = ("nested", "catalogues")


@click.command("export", short_help="Copy light curves or catalogues for others.")
@words_argument("[ARCHIVE] FORM OUT")
@click.option(
    "--collection", metavar="NAME", help="nested: what was imported by this name, as it was."
)
@click.option("--all-images", is_flag=True, help="nested: with images judged bad.")
@click.option("--overwrite", is_flag=True, help="Replace an export that is there.")
@as_of_option
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: cores]")
@click.option("--quiet", is_flag=True, help="Tell nothing.")
def command(
    words: tuple[str, ...],
    collection: str | None,
    all_images: bool,
    overwrite: bool,
    as_of: AsOf | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Write a HATS catalogue of one file a pixel into the new folder OUT. FORM is one of:

    \b
      nested      light curves, one row each, in the form of the public data releases:
                  objectid, objra, objdec, filterid, fieldid, rcid, nepochs and
                  lightcurve{hmjd, mag, magerr, clrcoeff, catflags}
      catalogues  the collection and all catalogues beside it, without links: for serving
                  over plain HTTP

    OUT appears whole or not at all. Light curves are all that is published; images judged bad are
    left out unless --all-images is given.

    \b
    Examples:
      nightlake export /data/ztf nested lightcurves_hats
      nightlake export /data/ztf nested dr19_hats --collection dr19
      nightlake export /data/ztf catalogues /srv/www/ztf
    """
    from nightlake.archive import Archive

    root, rest = split_archive(words)
    form = next((form for form in FORMS if rest[:1] == [form]), None)
    if form is None or len(rest) != 2:
        raise click.UsageError(f"Write a FORM ({', '.join(FORMS)}) and the folder OUT.")
    out = rest[1]
    if form != "nested" and (collection is not None or all_images):
        raise click.UsageError("--collection and --all-images are for nested light curves.")
    with Archive(root, as_of=as_of) as archive, progress_bar(quiet) as progress:
        report = archive.export(
            form,
            out,
            collection=collection,
            all_images=all_images,
            overwrite=overwrite,
            workers=workers,
            progress=progress,
        )
    if not quiet:
        _tell(Path(out), form, report)


def _tell(out: Path, form: str, report: ExportReport) -> None:
    taken = report.taken
    for n, why in (
        (taken.bad, "of images judged bad (--all-images)"),
        (taken.unmeasured, "without date, magnitude or uncertainty"),
        (taken.stale, "of references that were replaced: rematch, then export again"),
    ):
        if n:
            click.echo(f"left out: {n:,} rows {why}", err=True)
    what = f"{report.rows:,} rows"
    if form == "nested":
        what = f"{report.rows:,} light curves, {report.epochs:,} epochs"
    click.echo(
        f"{out}: {what} in {report.pixels:,} pixels, of publication {report.publication}; "
        f"{report.seconds:.1f} s"
    )
