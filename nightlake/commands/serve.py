"""nightlake serve"""

from __future__ import annotations

import os

import click

from nightlake.commands.words import ENVIRONMENT, only_archive, words_argument


@click.command("serve", short_help="Serve light curves over HTTP.")
@words_argument("[ARCHIVE]")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True,
    envvar="NIGHTLAKE_PORT", metavar="N", help="Port to listen at; 0 is any that is free.",
)  # fmt: skip
@click.option(
    "--host", default="127.0.0.1", show_default=True, envvar="NIGHTLAKE_HOST", metavar="NAME",
    help="Address to listen at; 0.0.0.0 is all of this machine's.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1, 256), default=1, show_default=True,
    envvar="NIGHTLAKE_WORKERS", metavar="N", help="Processes that answer.",
)  # fmt: skip
@click.option(
    "--programs", metavar="N,…|all",
    help="Programmes whose images are shown.  [default: NIGHTLAKE_PROGRAMS, else 1: public]",
)  # fmt: skip
@click.option("--no-access-log", is_flag=True, help="Do not print a line for each request.")
def command(
    words: tuple[str, ...],
    port: int,
    host: str,
    workers: int,
    programs: str | None,
    no_access_log: bool,
) -> None:
    """Serve an archive: the light-curve API of ZTF's archive, an API of its own, and pages.

    The archive is only read; what is published meanwhile is shown at once, without a restart.
    Limits are variables NIGHTLAKE_MAX_RADIUS_ARCSEC and the like: see docs/deploy.md. Ctrl-C or
    SIGTERM ends it, when what is under way has been answered.

    \b
    Examples:
      nightlake serve /data/ztf
      nightlake serve /data/ztf --host 0.0.0.0 --port 80 --workers 4
      curl 'http://127.0.0.1:8080/cgi-bin/ZTF/nph_light_curves?POS=CIRCLE+255.577+12.284+0.0014&FORMAT=CSV'
    """
    root = only_archive(words)
    try:
        import fastapi  # noqa: F401
    except ImportError:
        raise click.UsageError(
            "The service is not installed: pip install 'nightlake[service]'."
        ) from None
    from service.server import run
    from service.settings import PREFIX, Settings
    from store.snapshot import open_snapshot

    open_snapshot(root.absolute())
    os.environ[ENVIRONMENT] = str(root.absolute())
    if programs is not None:
        os.environ[f"{PREFIX}PROGRAMS"] = programs
    Settings.of_environment()
    ready = f"Serving {root} at {{address}} (Ctrl-C ends it)"
    run(host, port, workers, access_log=not no_access_log, ready=ready)
