"""nightlake lightcurve"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlake.commands.answer import give
from nightlake.commands.words import (
    CURVE_FORMATS,
    OUT,
    as_of_option,
    only_archive,
    output_options,
    words_argument,
)
from store.channel import FILTER_IDS

if TYPE_CHECKING:
    import polars as pl

    from nightlake.archive import Archive
    from store.history import AsOf

# What a terminal shows first of the three dozen columns.
_FIRST = (
    "position", "oid", "hmjd", "filtercode", "mag", "magerr", "catflags", "limitmag", "ra", "dec",
    "secz",
)  # fmt: skip
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MEANING = "Detections by filter, object and time, with what their images say."


@click.command("lightcurve", short_help="Light curves of objects, or of a part of the sky.")
@words_argument("[ARCHIVE]")
@click.option(
    "--oid",
    "oids",
    type=int,
    multiple=True,
    metavar="N",
    help="Object id; may be given several times.",
)
@click.option(
    "--cone",
    nargs=3,
    type=float,
    metavar="RA DEC RADIUS",
    help="Centre in degrees (ICRS) and radius in arcsec.",
)
@click.option(
    "--positions",
    type=_FILE,
    metavar="FILE",
    help="A table of places: .csv, .ecsv, .parquet, .fits or .vot.",
)
@click.option(
    "--radius",
    type=float,
    default=1.5,
    show_default=True,
    metavar="ARCSEC",
    help="About each of the positions.",
)
@click.option(
    "--position-ra",
    metavar="COLUMN",
    help="Their column of right ascension.  [default: found by its name]",
)
@click.option(
    "--position-dec",
    metavar="COLUMN",
    help="Their column of declination.  [default: found by its name]",
)
@click.option(
    "--polygon",
    metavar="RA,DEC,…",
    help="Corners in turn, in degrees (ICRS); sides are great circles.",
)
@click.option("--moc", metavar="MOC|FILE", help="Coverage map, as 5/1-3,7 6/12, or its file.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    type=click.Choice(list(FILTER_IDS)),
    help="Only this filter; may be given several times.",
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    type=int,
    metavar="N",
    help="Only this field; may be given several times.",
)
@click.option(
    "--hmjd",
    nargs=2,
    type=float,
    metavar="FROM TO",
    help="Only these times, both included; -inf and inf are open.",
)
@click.option(
    "--flags-mask",
    type=int,
    default=0,
    metavar="BITS",
    help="Leave out rows of which catflags has one of these bits.",
)
@click.option("--all-images", is_flag=True, help="Rows of images that were judged bad, too.")
@click.option(
    "--min-epochs", type=int, default=1, metavar="N", help="Leave out objects with fewer rows."
)
@click.option(
    "--collection", metavar="NAME", help="Of what was imported by this name: its ids, its objects."
)
@click.option(
    "--group",
    is_flag=True,
    help="All objects of its place with each object: one star, all fields and filters.",
)
@click.option(
    "--upper-limits",
    is_flag=True,
    help="A row for each image that covered an object and did not measure it, too.",
)
@as_of_option
@output_options(CURVE_FORMATS)
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
    oids: tuple[int, ...],
    cone: tuple[float, float, float] | None,
    positions: Path | None,
    radius: float,
    position_ra: str | None,
    position_dec: str | None,
    polygon: str | None,
    moc: str | None,
    filters: tuple[str, ...],
    fields: tuple[int, ...],
    hmjd: tuple[float, float] | None,
    flags_mask: int,
    all_images: bool,
    min_epochs: int,
    group: bool,
    upper_limits: bool,
    collection: str | None,
    as_of: AsOf | None,
    file_format: str | None,
    out: Path | None,
    plot: Path | None,
    period: float | None,
    epoch: float | None,
) -> None:
    """Light curves of objects, or of everything in a part of the sky.

    Flagged detections come too: catflags is 0 where nothing is wrong and 65535 at the edge of an
    image. Those of images that were judged bad come with --all-images only; catflags has 32768
    set there. hmjd is the heliocentric date (UTC) of mid-exposure, obsmjd the start of the
    exposure. Detections without an object have no oid and come last. Of positions, column
    position is the row of each in FILE, from 0.

    \b
    Examples:
      nightlake lightcurve /data/ztf --oid 633207400012345
      nightlake lightcurve /data/ztf --cone 255.577 12.284 2 --filter zr --format csv
      nightlake lightcurve /data/ztf --positions mine.csv --radius 2 --out curves.parquet
      nightlake lightcurve /data/ztf --polygon 255,12,255.2,12,255.1,12.2 --min-epochs 20
      nightlake lightcurve /data/ztf --oid 633207400012345 --plot rr.png --period 0.5667
      nightlake lightcurve /data/ztf --collection dr19 --cone 177.1 6.2 2
    """
    from nightlake.archive import Archive
    from queries.columns import describe

    root = only_archive(words)
    if sum(bool(place) for place in (oids, cone, positions, polygon, moc)) != 1:
        raise click.UsageError("Give one of --oid, --cone, --positions, --polygon and --moc.")
    if not all(math.isfinite(value) for value in (period or 1.0, epoch or 0.0)):
        raise click.UsageError("--period and --epoch must be finite numbers.")
    if period is not None and plot is None:
        raise click.UsageError("--period needs --plot.")
    places = None if positions is None else _positions(positions, position_ra, position_dec)
    with Archive(root, as_of=as_of) as archive:
        frame = archive.lightcurve(
            list(oids) or None,
            cone=cone,
            positions=places,
            radius_arcsec=radius,
            polygon=None if polygon is None else _corners(polygon),
            moc=None if moc is None else _moc(moc),
            filters=filters or None,
            fields=fields or None,
            hmjd=hmjd,
            flags_mask=flags_mask,
            all_images=all_images,
            min_epochs=min_epochs,
            group=group,
            upper_limits=upper_limits,
            collection=collection,
        )
        what = _what(oids, cone, positions, polygon)
        if frame.is_empty():
            click.echo(f"nightlake: no detections of {what}", err=True)
        if plot:
            _draw(archive, frame, what, plot, period, epoch)
            if not (file_format or out):
                click.echo(f"{plot}: {frame.height} detections")
                return
    give(
        frame,
        file_format,
        out,
        columns=describe(frame.columns),
        description=f"Light curve, {what}. {_MEANING}",
        first=_FIRST,
    )


def _what(
    oids: tuple[int, ...],
    cone: tuple[float, float, float] | None,
    positions: Path | None,
    polygon: str | None,
) -> str:
    """What is asked for, in a few words."""
    if oids:
        return f"object {oids[0]}" if len(oids) == 1 else f"{len(oids)} objects"
    if cone is not None:
        return "cone {:.6f} {:+.6f} {:g}″".format(*cone)
    if positions is not None:
        return f"the positions of {positions.name}"
    return "the coverage map" if polygon is None else f"polygon {polygon}"


def _positions(path: Path, ra: str | None, dec: str | None) -> dict[str, object]:
    from products.places import read_positions

    return dict(zip(("ra", "dec"), read_positions(path, ra, dec), strict=True))


def _corners(text: str) -> list[tuple[float, float]]:
    """Numbers apart by commas or blanks, as pairs."""
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise click.UsageError(f"--polygon takes numbers, not {text!r}.") from None
    if len(numbers) % 2:
        raise click.UsageError("--polygon takes RA and DEC of each corner.")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _moc(text: str) -> str | Path:
    """A coverage map that is spelled out, or the file of that name."""
    return Path(text) if Path(text).is_file() else text


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
