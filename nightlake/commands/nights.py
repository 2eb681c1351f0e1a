"""nightlake nights"""

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


@click.command("nights", short_help="List the nights; draw the map of one.")
@words_argument("[ARCHIVE]")
@click.option("--night", type=NIGHT, metavar="DATE", help="The images of this night instead.")
@click.option("--map", "picture", type=OUT, metavar="FILE", help="Draw the map of --night.")
@click.option(
    "--colour",
    type=click.Choice(["matched", "detections"]),
    default="matched",
    show_default=True,
    help="What colours the map: matched fraction, or detections per image.",
)
@as_of_option
@output_options()
def command(
    words: tuple[str, ...],
    night: date | None,
    picture: Path | None,
    colour: str,
    as_of: AsOf | None,
    file_format: str | None,
    out: Path | None,
) -> None:
    """List the nights of an archive: what was published, refused and matched.

    With --night the images of that night are listed; with --map its map is drawn (png, svg or
    pdf, as the name says).

    \b
    Examples:
      nightlake nights /data/ztf
      nightlake nights /data/ztf --night 2020-09-24 --format csv
      nightlake nights /data/ztf --night 2020-09-24 --map night.png
      nightlake nights /data/ztf --as-of 2026-11-22
    """
    from nightlake.archive import Archive
    from queries.columns import describe
    from queries.named import query
    from store.errors import UnknownNightError

    root = only_archive(words)
    if picture and night is None:
        raise click.UsageError("--map needs --night.")
    with Archive(root, as_of=as_of) as archive:
        if night is None:
            frame, description = archive.nights(), query("nights").meaning
        else:
            frame = archive.sql(query("images_of_night").sql, night=night)
            description = query("images_of_night").meaning
            if frame.is_empty():
                raise UnknownNightError(root, str(night))
        if picture and night:
            _draw(archive, night, colour, picture)
            if not (file_format or out):
                click.echo(f"{picture}: map of {night}")
                return
        columns = describe(frame.columns)
        give(frame, file_format, out, columns=columns, description=description)


def _draw(archive: Archive, night: date, colour: str, picture: Path) -> None:
    from products.canvas import picture_format, prepare, save

    picture_format(picture)
    prepare(archive.snapshot.layout.scratch, picture)
    from products.night_map import draw_night_map
    from queries.named import query

    frame = archive.sql(query("map_of_night").sql, night=night)
    save(draw_night_map(frame, title=f"Night {night}", colour=colour), picture)
