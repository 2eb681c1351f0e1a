"""nightlake scale"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlake.commands.answer import give
from nightlake.commands.words import (
    NIGHT,
    OUT,
    as_of_option,
    only_archive,
    output_options,
    words_argument,
)

if TYPE_CHECKING:
    from nightlake.archive import Archive
    from store.history import AsOf

# What a terminal shows first of an image.
_FIRST = (
    "pid", "filtercode", "rcid", "secz", "pct_scale_diff_worst", "scale_worst_x", "scale_worst_y",
    "scale_prior", "is_bad", "bad_reason",
)  # fmt: skip


@click.command("scale", short_help="Pixel scales against their priors, and against airmass.")
@words_argument("[ARCHIVE]")
@click.option("--night", type=NIGHT, metavar="DATE", help="The images of this night instead.")
@click.option(
    "--plot",
    type=OUT,
    metavar="FILE",
    help="Draw scale against airmass, of --night or all: png, svg or pdf, as named.",
)
@click.option(
    "--pressure",
    "pressure_atm",
    type=click.FloatRange(0, 2),
    default=0.80,
    show_default=True,
    metavar="ATM",
    help="Of the model's air at the telescope.",
)
@click.option(
    "--temperature",
    "temperature_c",
    type=click.FloatRange(-60, 60),
    default=15.0,
    show_default=True,
    metavar="CELSIUS",
    help="Of the model's air at the telescope.",
)
@as_of_option
@output_options()
def command(
    words: tuple[str, ...],
    night: date | None,
    plot: Path | None,
    pressure_atm: float,
    temperature_c: float,
    as_of: AsOf | None,
    file_format: str | None,
    out: Path | None,
) -> None:
    """The scale check: how far pixel scales are from those of their priors.

    Each night has a line: how many images were checked, by which priors, and how many were judged
    bad. With --night its images are listed, the worst first. With --plot the mean pixel scales are
    drawn against airmass, with the line that refraction gives them.

    \b
    Examples:
      nightlake scale /data/ztf
      nightlake scale /data/ztf --night 2020-09-24 --format csv
      nightlake scale /data/ztf --night 2020-09-24 --plot scale.png --pressure 0.82
    """
    from nightlake.archive import Archive
    from queries.columns import describe
    from queries.named import query
    from store.errors import UnknownNightError

    root = only_archive(words)
    with Archive(root, as_of=as_of) as archive:
        frame = archive.scale(night)
        if night is not None and frame.is_empty():
            raise UnknownNightError(root, str(night))
        if plot:
            _draw(archive, night, plot, pressure_atm, temperature_c)
            if not (file_format or out):
                click.echo(f"{plot}: pixel scale against airmass, {night or 'all nights'}")
                return
    named = query("scale_qa_by_night" if night is None else "scale_qa_by_image")
    give(
        frame,
        file_format,
        out,
        columns=describe(frame.columns),
        description=named.meaning,
        first=_FIRST if night else (),
    )


def _draw(
    archive: Archive, night: date | None, plot: Path, pressure_atm: float, temperature_c: float
) -> None:
    from products.canvas import picture_format, prepare, save

    picture_format(plot)
    prepare(archive.snapshot.layout.scratch, plot)
    from products.scale_figure import draw_scale
    from store.settings import read_settings
    from transforms.atmosphere import HPA_PER_ATM, Air
    from transforms.site import Site

    site = read_settings(archive.root).site
    figure = draw_scale(
        archive.query("scale_vs_airmass", night=night),
        title=f"Pixel scale against airmass, {f'night {night}' if night else 'all nights'}",
        air=Air(pressure_hpa=pressure_atm * HPA_PER_ATM, temperature_c=temperature_c),
        site=Site(site.name, site.x_m, site.y_m, site.z_m),
    )
    save(figure, plot)
