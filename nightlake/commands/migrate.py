"""nightlake migrate"""

from __future__ import annotations

import click

from nightlake.commands.words import only_archive, words_argument


@click.command("migrate", short_help="Bring an archive of an older format to this one.")
@words_argument("[ARCHIVE]")
def command(words: tuple[str, ...]) -> None:
    """Bring an archive of an older format to this one, as a new publication.

    What was published before can no longer be read with --as-of, and goes with `vacuum`. An
    interrupted migration is run again.

    \b
    Examples:
      nightlake migrate /data/ztf
    """
    from store.layout import FORMAT_VERSION
    from store.migrate import migrate

    snapshot = migrate(only_archive(words).absolute())
    if snapshot is None:
        click.echo(f"of format {FORMAT_VERSION} already; nothing was done")
    else:
        click.echo(f"publication {snapshot.number}: of format {FORMAT_VERSION} now")
