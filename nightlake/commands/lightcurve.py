"""nightlake lightcurve"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlake.commands.answer import give
from nightlake.commands.words import OUT, as_of_option, only_archive, output_options, words_argument
from store.channel import FILTER_IDS

if TYPE_CHECKING:
    import polars as pl

    from nightlake.archive import Archive
    from store.history import AsOf

# What a terminal shows first of the three dozen columns.
_FIRST = ("oid", "hmjd", "filtercode", "mag", "magerr", "catflags", "limitmag", "ra", "dec", "secz")


@click.command("lightcurve", short_help="Light curve of an object, or of all in a cone.")
@words_argument("[ARCHIVE]")
@click.option("--oid", type=int, metavar="N", help="Object id.")
@click.option(
    "--cone",
    nargs=3,
    type=float,
    metavar="RA DEC RADIUS",
    help="Centre in degrees (ICRS) and radius in arcsec.",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    type=click.Choice(list(FILTER_IDS)),
    help="Only this filter; may be given several times.",
)
@as_of_option
@output_options()
@click.option("--plot", type=OUT, metavar="FILE", help="Draw it: png, svg or pdf, as named.")
@click.option(
    "--period",
    type=click.FloatRange(0, min_open=True),
    metavar="DAYS",
    help="Fold the picture at this period.",
)
@click.option(
    "--epoch",
    type=float,
    metavar="HMJD",
    help="Phase 0 of the folded picture.  [default: brightest clean point]",
)
def command(
    words: tuple[str, ...],
    oid: int | None,
    cone: tuple[float, float, float] | None,
    filters: tuple[str, ...],
    as_of: AsOf | None,
    file_format: str | None,
    out: Path | None,
    plot: Path | None,
    period: float | None,
    epoch: float | None,
) -> None:
    """Light curve of one object, or of everything in a cone.

    All detections come back, bad ones too: catflags is 0 where nothing is wrong, has 32768 set
    where the whole image was judged bad, and is 65535 at the edge. hmjd is the heliocentric date
    (UTC) of mid-exposure, obsmjd the start of the exposure. In a cone, detections without an
    object have no oid and come last.

    \b
    Examples:
      nightlake lightcurve /data/ztf --oid 633207400012345
      nightlake lightcurve /data/ztf --cone 255.577 12.284 2 --filter zr --format csv
      nightlake lightcurve /data/ztf --oid 633207400012345 --plot rr.png --period 0.5667
    """
    from nightlake.archive import Archive
    from queries.columns import describe
    from queries.named import query

    root = only_archive(words)
    if (oid is None) == (cone is None):
        raise click.UsageError("Give either --oid or --cone.")
    if not all(math.isfinite(value) for value in (period or 1.0, epoch or 0.0)):
        raise click.UsageError("--period and --epoch must be finite numbers.")
    if period is not None and plot is None:
        raise click.UsageError("--period needs --plot.")
    with Archive(root, as_of=as_of) as archive:
        frame = archive.lightcurve(oid, cone=cone, filters=filters or None)
        what = f"object {oid}" if cone is None else "cone {:.6f} {:+.6f} {:g}″".format(*cone)
        if frame.is_empty():
            click.echo(f"nightlake: no detections of {what}", err=True)
        if plot:
            _draw(archive, frame, what, plot, period, epoch)
            if not (file_format or out):
                click.echo(f"{plot}: {frame.height} detections")
                return
    name = "lightcurve_by_oid" if cone is None else "lightcurve_by_cone"
    give(
        frame,
        file_format,
        out,
        columns=describe(frame.columns),
        description=f"Light curve, {what}. {query(name).meaning}",
        first=_FIRST,
    )


def _draw(
    archive: Archive,
    frame: pl.DataFrame,
    what: str,
    plot: Path,
    period: float | None,
    epoch: float | None,
) -> None:
    from products.canvas import picture_format, prepare, save

    picture_format(plot)
    prepare(archive.snapshot.layout.scratch, plot)
    from products.plots import draw_folded, draw_lightcurve

    title = what[0].upper() + what[1:]
    if period is None:
        figure = draw_lightcurve(frame, title=title)
    else:
        figure = draw_folded(frame, period, epoch_hmjd=epoch, title=title)
    save(figure, plot)
