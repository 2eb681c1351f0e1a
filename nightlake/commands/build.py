"""nightlake build"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nightlake.commands.progress import progress_bar
from nightlake.commands.words import split_archive, words_argument

if TYPE_CHECKING:
    from products.lightcurves.job import BuildReport

PRODUCTS = ("lightcurves",)


@click.command("build", short_help="Build a product: light curves and objects.")
@words_argument("[ARCHIVE] PRODUCT")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes. [default: cores]")
@click.option("--rebuild", is_flag=True, help="Build all of it, changed or not.")
@click.option("--quiet", is_flag=True, help="Nothing is told.")
def command(words: tuple[str, ...], workers: int | None, rebuild: bool, quiet: bool) -> None:
    """Build a product of what is published, or bring it up to date. PRODUCT is lightcurves.

    lightcurves keeps the detections object by object as well, so that a light curve of many nights
    is read from one place, and makes objects, the reference sources with the statistics of their
    light curves. Only pixels of the sky that a new night touched are built again. All is published
    at once; nobody who reads or ingests meanwhile is disturbed. Nights that come later are read
    from their own files until the next build: light curves are complete without it.

    \b
    Examples:
      nightlake build /data/ztf lightcurves
      nightlake build /data/ztf lightcurves --workers 8
      nightlake build /data/ztf lightcurves --rebuild
    """
    from nightlake.archive import Archive

    root, rest = split_archive(words)
    if rest[1:]:
        raise click.UsageError(f"Unexpected argument: {rest[1]}")
    product = rest[0] if rest else ""
    if product not in PRODUCTS:
        said = f"{product!r} is no PRODUCT" if product else "No PRODUCT"
        raise click.UsageError(f"{said}: write {', '.join(PRODUCTS)}.")
    with Archive(root) as archive:
        with progress_bar(quiet) as progress:
            report = archive.build(product, workers=workers, rebuild=rebuild, progress=progress)
        if not quiet:
            click.echo(_told(report))


def _told(report: BuildReport) -> str:
    end = f"publication {report.publication}"
    if report.nothing_done:
        return f"nothing changed: all {report.unchanged:,} pixels are up to date; {end}"
    gone = f", {report.gone:,} gone" if report.gone else ""
    return (
        f"{report.pixels:,} pixels built, {report.unchanged:,} unchanged{gone}: "
        f"{report.rows:,} rows, {report.objects:,} objects in {report.seconds:.1f} s; {end}"
    )
