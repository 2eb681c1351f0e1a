"""nightlake repair"""

from __future__ import annotations

import click

from nightlake.commands.words import only_archive, words_argument


@click.command("repair", short_help="Make links and HATS metadata anew.")
@words_argument("[ARCHIVE]")
def command(words: tuple[str, ...]) -> None:
    """Publish what is published once more, with every link and all HATS metadata made anew.

    If the link `current` is lost, it leads to the newest publication again; unfinished files that
    killed processes left are removed. Data files and manifests stay as they are: `verify` tells
    what this mends and what needs a night to be given again.

    \b
    Examples:
      nightlake repair /data/ztf
    """
    from store.repair import repair

    snapshot = repair(only_archive(words).absolute())
    click.echo(f"publication {snapshot.number}: links and metadata made anew")
