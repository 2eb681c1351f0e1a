"""nightlake matchfile"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nightlake.commands.words import OUT, as_of_option, only_archive, words_argument
from store.channel import FILTER_IDS
from store.history import AsOf

FOLDER = click.Path(file_okay=False, path_type=Path)


def making_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What both verbs let one choose of a matchfile."""
    options = (
        click.option(
            "--out", type=FOLDER, default=Path("matchfiles"), show_default=True, metavar="DIR",
            help="Folder below which files get the survey's own paths.",
        ),
        click.option(
            "--all-references", is_flag=True,
            help="Reference sources without a detection too.",
        ),
        click.option(
            "--relative/--no-relative", default=True,
            help="Refine the zero points of exposures relative to each other.  [default: relative]",
        ),
        click.option(
            "--transient-radius", "transient_radius_arcsec", metavar="ARCSEC", default=1.5,
            show_default=True, type=click.FloatRange(0, 60, min_open=True),
            help="Detections without a reference source are one transient so near its first.",
        ),
        click.option(
            "--transient-detections", default=2, show_default=True, metavar="N",
            type=click.IntRange(1), help="Detections that make a transient.",
        ),
        click.option(
            "--compress", type=click.Choice(["gzip", "blosc"]),
            help="gzip is read everywhere; blosc, faster, by PyTables and with hdf5plugin.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@click.command("matchfile", short_help="Write the matchfile of one quadrant, in HDF5.")
@words_argument("[ARCHIVE]")
@click.option("--field", type=int, required=True, metavar="N", help="Survey field.")
@click.option(
    "--filter", "filter_code", type=click.Choice(list(FILTER_IDS)), required=True, help="Filter."
)
@click.option("--ccd", type=int, required=True, metavar="N", help="CCD, 1 to 16.")
@click.option("--quadrant", type=int, required=True, metavar="N", help="Its quadrant, 1 to 4.")
@making_options
@click.option(
    "--collection", metavar="NAME",
    help="Write the matchfile that was imported by this name, as it was.",
)  # fmt: skip
@click.option(
    "--plot", type=OUT, metavar="FILE",
    help="Draw the stars' scatter, before and after the relative photometry.",
)  # fmt: skip
@as_of_option
@click.option("--quiet", is_flag=True, help="Tell nothing.")
def command(
    words: tuple[str, ...],
    field: int,
    filter_code: str,
    ccd: int,
    quadrant: int,
    out: Path,
    plot: Path | None,
    collection: str | None,
    as_of: AsOf | None,
    quiet: bool,
    **making: Any,
) -> None:
    """Write the light curves of one field, filter, CCD and quadrant as ZTF's matchfile.

    The file has the form of the survey's own: exposures, sources with statistics and sourcedata,
    transients and transientdata, in HDF5 as PyTables writes it; what reads those reads it.

    \b
    Examples:
      nightlake matchfile /data/ztf --field 633 --filter zr --ccd 7 --quadrant 4
      nightlake matchfile /data/ztf --field 633 --filter zg --ccd 1 --quadrant 1 --compress gzip
    """
    from nightlake.archive import Archive

    with Archive(only_archive(words), as_of=as_of) as archive:
        made = archive.matchfile(
            field, filter_code, ccd, quadrant, out=out, plot=plot, collection=collection, **making
        )
    if not quiet:
        click.echo(
            f"{made.path}: {made.detections:,} detections of {made.sources:,} sources in "
            f"{made.exposures:,} exposures, {made.transients:,} transients; "
            f"{made.bytes / 1e6:.1f} MB"
        )
