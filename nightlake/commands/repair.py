"""nightlake repair"""

from __future__ import annotations

import click

from nightlake.commands.words import only_archive, words_argument


@click.command("repair", short_help="Make links and HATS metadata anew.")
@words_argument("[ARCHIVE]")
def command(words: tuple[str, ...]) -> None:
    """Publish what is published once more, with every link and all HATS metadata made anew.

    Data files and manifests stay as they are: `verify` tells what this mends and what needs a
    night to be given again.

    \b
    Examples:
      nightlake repair /data/ztf
    """
    from nightlake.archive import Archive

    with Archive(only_archive(words)) as archive:
        archive.repair()
        click.echo(f"publication {archive.snapshot.number}: links and metadata made anew")
