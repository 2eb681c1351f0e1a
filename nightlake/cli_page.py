"""The command line as a page: `docs/cli.md`.

python -m nightlake.cli_page > docs/cli.md
"""

from __future__ import annotations

import click

from nightlake.cli import VERBS, cli

INTRODUCTION = """# Commands

Made from the commands' own help by `python -m nightlake.cli_page`.
"""


def cli_page() -> str:
    """The page, Markdown."""
    parts = [INTRODUCTION, _section("nightlake", cli)]
    context = click.Context(cli)
    for verb in VERBS:
        command = cli.get_command(context, verb)
        assert command is not None
        parts.append(_section(f"nightlake {verb}", command))
    return "\n".join(parts)


def _section(name: str, command: click.Command) -> str:
    with click.Context(
        command,
        info_name=name,
        terminal_width=96,
        max_content_width=96,
        help_option_names=["-h", "--help"],
    ) as context:
        text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"## {name}\n\n```\n{text}\n```\n"


if __name__ == "__main__":
    print(cli_page(), end="")
