"""The command `nightlake`: one line that answers, or one line that says what went wrong.

Each verb is a module of `nightlake.commands`, imported when it is called: `--help` costs the
import of click and nothing else.
"""

from __future__ import annotations

import importlib
import keyword
import os
import sys
from collections.abc import Sequence

import click

from nightlake.errors import MEANING, Exit, exit_of
from store.errors import NightlakeError
from store.words import printable

# Verb: what it does, in the order of a first day's work. Its module is nightlake.commands.VERB.
VERBS = {
    "init": "Create an archive.",
    "add-references": "Add reference catalogues: what detections are matched to.",
    "ingest": "Ingest nights of PSF catalogues.",
    "import": "Import what there is already, as light curves.",
    "rematch": "Match what is published to references that came later.",
    "build": "Build a product: light curves and objects.",
    "nights": "List the nights; draw the map of one.",
    "report": "Write the report of a night: one HTML page.",
    "scale": "Pixel scales against their priors, and against airmass.",
    "lightcurve": "Light curves of objects, or of a part of the sky.",
    "query": "Answer a query of the library, by its name.",
    "sql": "Answer one SQL question.",
    "shell": "Ask at a prompt: SQL, and the queries of the library.",
    "crossmatch": "Match two catalogues by position.",
    "matchfile": "Write the matchfile of one quadrant, in HDF5.",
    "matchfiles": "Write all matchfiles that are not up to date.",
    "export": "Copy light curves or catalogues for others.",
    "serve": "Serve light curves over HTTP.",
    "refusals": "List the inputs that were refused, and why.",
    "withdraw": "Publish the archive without some nights.",
    "compact": "Make one file a pixel of many nights.",
    "history": "List what was published, when and why.",
    "vacuum": "Remove old publications and what only they needed.",
    "verify": "Check every published file.",
    "repair": "Make links and HATS metadata anew.",
    "migrate": "Bring an archive of an older format to this one.",
    "simulate": "Write simulated nights in the real formats.",
}

_EPILOG = """\b
NIGHTLAKE_ARCHIVE names the archive where a command names none.

\b
Exit codes:
""" + "\n".join(f"  {code.value:<4} {meaning}" for code, meaning in MEANING.items())


class LazyGroup(click.Group):
    """A group whose verbs are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, from its module."""
        if cmd_name not in VERBS:
            return None
        name = cmd_name.replace("-", "_") + "_" * keyword.iskeyword(cmd_name)
        module = importlib.import_module(f"nightlake.commands.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing one."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"nightlake {version('nightlake')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="VERB [ARCHIVE] …",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version.",
)
def cli() -> None:
    """Nightlake: nights of PSF photometry as light curves and SQL."""


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Nothing is raised for bad input."""
    try:
        with cli.make_context("nightlake", list(arguments)) as context:
            cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as wanted:
        return wanted.exit_code
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except NightlakeError as error:
        return _fail(str(error), exit_of(error))
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted; what was published stays, the rest is done again", 130)
    except BrokenPipeError:
        # Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except Exception as error:
        if os.environ.get("NIGHTLAKE_TRACEBACK"):
            raise
        if isinstance(error, OSError) and error.strerror:
            where = f"{error.filename}: " if error.filename else ""
            return _fail(f"{where}{error.strerror}", Exit.ERROR)
        kind = type(error).__name__
        return _fail(
            f"internal error ({kind}: {' '.join(str(error).split())}). "
            "Run again with NIGHTLAKE_TRACEBACK=1 and report what it shows.",
            Exit.INTERNAL,
        )
    return Exit.DONE


def _fail(line: str, code: int) -> int:
    click.echo(f"nightlake: {printable(line)}", err=True)
    return code


def main() -> None:
    """Entry point of the command."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
