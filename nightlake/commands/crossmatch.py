"""nightlake crossmatch"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nightlake.commands.progress import progress_bar
from nightlake.commands.words import OUT

_DEFAULT_OUT = Path("crossmatch.parquet")
_CATALOGUE = click.Path(path_type=Path)


def _column_options(side: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options --left-id, --left-ra and --left-dec, or those of the right."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for name, what in (("dec", "declination"), ("ra", "right ascension"), ("id", "ids")):
            function = click.option(
                f"--{side}-{name}",
                metavar="COLUMN",
                help=f"Column of {what} in {side.upper()}.  [default: found by its name]",
            )(function)
        return function

    return decorate


@click.command("crossmatch", short_help="Match two catalogues by position.")
@click.argument("left", type=_CATALOGUE)
@click.argument("right", type=_CATALOGUE)
@click.option(
    "--radius", default=1.5, show_default=True, type=click.FloatRange(0, 36000), metavar="ARCSEC",
    help="Greatest separation, itself included.",
)  # fmt: skip
@click.option(
    "--nearest/--all", "nearest", default=True,
    help="The nearest right row of each left row, or all pairs.  [default: nearest]",
)  # fmt: skip
@click.option("--left-only", is_flag=True, help="The left rows that have no match, instead.")
@_column_options("left")
@_column_options("right")
@click.option(
    "--out", type=OUT, metavar="FILE",
    help="Association table: .parquet or .csv.  [default: crossmatch.parquet, unless --hats]",
)  # fmt: skip
@click.option(
    "--hats", type=click.Path(path_type=Path), metavar="FOLDER",
    help="New folder for a HATS association catalogue; lsdb.read_hats opens it.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Threads. [default: cores]")
@click.option("--quiet", is_flag=True, help="Tell nothing.")
def command(
    left: Path,
    right: Path,
    radius: float,
    nearest: bool,
    left_only: bool,
    left_id: str | None,
    left_ra: str | None,
    left_dec: str | None,
    right_id: str | None,
    right_ra: str | None,
    right_dec: str | None,
    out: Path | None,
    hats: Path | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Match the catalogue LEFT to the catalogue RIGHT by position on the sky.

    Each is a Parquet file, a folder of Parquet files, a HATS catalogue (ARCHIVE/detections and
    ARCHIVE/reference_sources are), a FITS table or a CSV; positions in degrees, ICRS. Neither
    must fit in memory. A row without a column of ids is called by its number, from 0.

    \b
    Examples:
      nightlake crossmatch mine.csv /data/ztf/reference_sources --out matched.parquet
      nightlake crossmatch /data/ztf/reference_sources gaia/ --radius 1 --all --hats ztf_x_gaia
      nightlake crossmatch mine.fits gaia/ --left-id name --left-only --out alone.csv
    """
    if left_only and not nearest:
        raise click.UsageError("--left-only has no pairs: leave out --all.")
    if left_only and hats:
        raise click.UsageError("--left-only has no pairs for --hats: name a file with --out.")
    from products.crossmatch import ColumnNames, crossmatch

    if out is None and hats is None:
        out = _DEFAULT_OUT
    with progress_bar(quiet) as progress:
        report = crossmatch(
            left,
            right,
            out,
            hats=hats,
            radius_arcsec=radius,
            want="left_only" if left_only else "nearest" if nearest else "all",
            left_columns=ColumnNames(left_id, left_ra, left_dec),
            right_columns=ColumnNames(right_id, right_ra, right_dec),
            workers=workers,
            progress=progress,
        )
    if not quiet:
        places = " and ".join(str(place) for place in (out, hats) if place)
        click.echo(
            f"{places}: {report.rows:,} rows; {report.left_matched:,} of {report.left_rows:,} "
            f"left rows have a match within {radius:g}″; {report.seconds:.1f} s"
        )
