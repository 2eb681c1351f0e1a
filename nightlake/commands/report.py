"""nightlake report"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nightlake.commands.words import NIGHT, OUT, as_of_option, split_archive, words_argument

if TYPE_CHECKING:
    from store.history import AsOf


@click.command("report", short_help="Write the report of a night: one HTML page.")
@words_argument("[ARCHIVE] [NIGHT]")
@click.option(
    "--out",
    type=OUT,
    metavar="FILE",
    help="Where to write it.  [default: report-NIGHT.html in this folder]",
)
@as_of_option
def command(words: tuple[str, ...], out: Path | None, as_of: AsOf | None) -> None:
    """Write the report of a night as one HTML page, to be read in the morning.

    It says first whether the night was good, which images to look at and what was refused; then,
    with figures, where the night looked and how deep, seeing, zero points, match rate,
    repeatability, pixel scales and airmass. NIGHT is the newest unless it is given. The page holds
    all it shows: any browser opens it, without a network, and it can be sent by mail.

    \b
    Examples:
      nightlake report /data/ztf
      nightlake report /data/ztf 2020-09-24 --out night.html
    """
    from nightlake.archive import Archive

    root, rest = split_archive(words)
    if rest[1:]:
        raise click.UsageError(f"Unexpected argument: {rest[1]}")
    night: date | None = NIGHT.convert(rest[0], None, None) if rest else None
    with Archive(root, as_of=as_of) as archive:
        click.echo(f"{archive.report(night, out)}")
