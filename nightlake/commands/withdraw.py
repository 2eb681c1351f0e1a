"""nightlake withdraw"""

from __future__ import annotations

import click

from nightlake.commands.words import NIGHT, split_archive, words_argument


@click.command("withdraw", short_help="Publish the archive without some nights.")
@words_argument("[ARCHIVE] NIGHT...")
def command(words: tuple[str, ...]) -> None:
    """Publish the archive without some nights, all of them at once.

    Their detections, images, exposures and refusals go. What was published before can still be
    read with --as-of, until it is vacuumed; `ingest` brings a night back.

    \b
    Examples:
      nightlake withdraw /data/ztf 2020-09-24
      nightlake withdraw /data/ztf 2020-09-24 2020-09-25
    """
    from nightlake.archive import Archive

    root, rest = split_archive(words)
    nights = [NIGHT.convert(word, None, None) for word in rest]
    if not nights:
        raise click.UsageError("No NIGHT: name one or several, as 2020-09-24.")
    with Archive(root) as archive:
        rows = archive.snapshot.rows("detections")
        snapshot = archive.withdraw(*nights)
        gone = rows - snapshot.rows("detections")
        click.echo(
            f"{', '.join(map(str, sorted(set(nights))))}: withdrawn, {gone:,} detections; "
            f"publication {snapshot.number}, the former is --as-of {snapshot.number - 1}"
        )
