"""What the verbs share: which archive is meant, nights, output formats."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from queries.parameters import parse_night
from store.errors import NotAnArchiveError
from store.history import parse_as_of
from store.layout import Layout

ENVIRONMENT = "NIGHTLAKE_ARCHIVE"
FORMATS = ("table", "csv", "parquet", "votable")
# Of light curves, which astropy reads as its own tables too.
CURVE_FORMATS = (*FORMATS, "ecsv")


def split_archive(
    words: Sequence[str], environ: Mapping[str, str] = os.environ
) -> tuple[Path, list[str]]:
    """The archive that is meant, and the words that remain.

    The first word is the archive if it is a folder that holds an archive; otherwise
    NIGHTLAKE_ARCHIVE names it and every word remains.

    Raises
    ------
    NotAnArchiveError : neither names an archive.
    click.UsageError : there is no word and no NIGHTLAKE_ARCHIVE.
    """
    if words and Layout(Path(words[0])).settings.is_file():
        return Path(words[0]), list(words[1:])
    if environ.get(ENVIRONMENT):
        return Path(environ[ENVIRONMENT]), list(words)
    if words:
        raise NotAnArchiveError(Path(words[0]))
    raise click.UsageError(f"No archive: name its folder, or set {ENVIRONMENT}.")


def only_archive(words: Sequence[str]) -> Path:
    """The archive, where nothing else may be named.

    Raises
    ------
    NotAnArchiveError : a word is left over, which must have been meant as the archive.
    """
    root, rest = split_archive(words)
    if len(words) == 1 and rest:
        raise NotAnArchiveError(Path(rest[0]))
    if rest:
        raise click.UsageError(f"Unexpected argument: {rest[0]}")
    return root


class NightType(click.ParamType[date]):
    """A night: 2020-09-24 or 20200924."""

    name = "night"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The date that `value` spells."""
        if isinstance(value, date):
            return value
        try:
            return parse_night(str(value))
        except ValueError as error:
            return self.fail(f"{error}.", param, ctx)


def listed_paths(listing: Path) -> list[str]:
    """The paths that a file lists, one a line; empty ones and those that begin with # are not."""
    # As the system has them: a name may hold any byte but an end of line.
    lines = os.fsdecode(listing.read_bytes()).split("\n")
    return [line for line in lines if line.strip() and not line.startswith("#")]


class ParamType(click.ParamType[tuple[str, int | float | str]]):
    """A named value, night=2020-09-24: a whole number, a number, or else a text."""

    name = "param"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int | float | str]:
        """The name and the value that `value` spells."""
        name, literal = TEXT_PARAM.convert(value, param, ctx)
        if re.fullmatch(r"[+-]?\d+", literal):
            return name, int(literal)
        if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", literal, re.IGNORECASE):
            return name, float(literal)
        return name, literal


class TextParamType(click.ParamType[tuple[str, str]]):
    """A named value as it is written, night=2020-09-24; what it means, its query says."""

    name = "param"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """The name and the text behind it."""
        match = re.fullmatch(r"\$?([A-Za-z_]\w*)=(.*)", str(value), re.DOTALL)
        if match is None:
            return self.fail(f"{value!r} is no value: write name=value.", param, ctx)
        return match[1], match[2]


class AsOfType(click.ParamType[int | date | datetime]):
    """An earlier publication: its number, a date or a time."""

    name = "publication"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | date | datetime:
        """The number, date or time that `value` spells."""
        try:
            return parse_as_of(str(value))
        except ValueError as error:
            return self.fail(f"{error}.", param, ctx)


NIGHT = NightType()
AS_OF = AsOfType()
TEXT_PARAM = TextParamType()
PARAM = ParamType()
OUT = click.Path(dir_okay=False, path_type=Path)


def words_argument(metavar: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The positional words of a verb, the archive first among them."""
    return click.argument("words", nargs=-1, metavar=metavar)


def as_of_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Option --as-of."""
    return click.option(
        "--as-of",
        type=AS_OF,
        metavar="N|DATE|TIME",
        help="Read an earlier publication: its number, or what was current then (UTC).",
    )(function)


def output_options(
    formats: Sequence[str] = FORMATS,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options --format and --out."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        function = click.option(
            "--out", type=OUT, metavar="FILE", help="Write to FILE, not to standard output."
        )(function)
        return click.option(
            "--format",
            "file_format",
            type=click.Choice(formats),
            help="Form of the answer. [default: as --out is named, else table]",
        )(function)

    return decorate
