"""The named queries: one statement a file in `queries/sql`, told by its header.

    -- Meaning, in a sentence or two.
    --
    -- Parameters
    --   $ra, $dec (DOUBLE) centre, degrees, ICRS
    --   $night (DATE = null) only this night;
    --       null is all of them
    --
    -- Columns
    --   ra [deg], dec [deg], catflags

A file pastes into the duckdb shell; values stand in it only as `$name`. What is given behind a
parameter's type is its default. Files in `queries/sql/internal` serve Nightlake itself: they are
held to the same form, and are not offered by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from queries.errors import UnknownQueryError
from queries.parameters import Parameter, bind

_FOLDER = Path(__file__).parent / "sql"
_INTERNAL = _FOLDER / "internal"
_PARAMETER = re.compile(r"^(\$\w+(?:, \$\w+)*) \(([A-Z\[\]]+)(?: = ([^)]+))?\) (.+)$")
_COLUMN = re.compile(r"^(\w+)(?: \[([^\]]+)\])?$")


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One file of the library; `columns` maps each column of its answer to its unit."""

    name: str
    meaning: str
    parameters: tuple[Parameter, ...]
    columns: dict[str, str]
    sql: str

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A value for each parameter; see `queries.parameters.bind`."""
        return bind(self.name, self.parameters, given)


@cache
def query(name: str) -> NamedQuery:
    """The query of that name, offered or internal.

    Raises
    ------
    UnknownQueryError : there is none.
    """
    for folder in (_FOLDER, _INTERNAL):
        path = folder / f"{name}.sql"
        if re.fullmatch(r"\w+", name) and path.is_file():
            return parse(name, path.read_text(encoding="utf-8"))
    raise UnknownQueryError(name, query_names())


def offered(name: str) -> NamedQuery:
    """The query of that name among those that are offered.

    Raises
    ------
    UnknownQueryError : there is none.
    """
    if name not in query_names():
        raise UnknownQueryError(name, query_names())
    return query(name)


def query_names() -> list[str]:
    """The names of the queries that are offered, in alphabetical order."""
    return sorted(path.stem for path in _FOLDER.glob("*.sql"))


def internal_names() -> list[str]:
    """The names of those that serve Nightlake itself."""
    return sorted(path.stem for path in _INTERNAL.glob("*.sql"))


def parse(name: str, text: str) -> NamedQuery:
    """A query from its file's text.

    Raises
    ------
    ValueError : its header does not follow the form above.
    """
    sections = _sections(text)
    parameters = [
        Parameter(sigil.removeprefix("$"), kind, meaning, default)
        for names, kind, default, meaning in _parameter_lines(name, sections.get("Parameters", []))
        for sigil in names.split(", ")
    ]
    columns: dict[str, str] = {}
    for item in " ".join(sections.get("Columns", [])).split(","):
        match = _COLUMN.match(item.strip())
        if match is None:
            raise ValueError(f"{name}.sql: column {item.strip()!r} is not `name [unit]`")
        columns[match.group(1)] = match.group(2) or ""
    return NamedQuery(name, " ".join(sections["Meaning"]), tuple(parameters), columns, text)


def _sections(text: str) -> dict[str, list[str]]:
    """The header's lines under `Meaning`, `Parameters` and `Columns`."""
    sections: dict[str, list[str]] = {"Meaning": []}
    title = "Meaning"
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        words = line.removeprefix("--").strip()
        if words in ("Parameters", "Columns"):
            title = words
            sections[title] = []
        elif words:
            sections[title].append(words)
    return sections


def _parameter_lines(name: str, lines: list[str]) -> list[tuple[str, str, str | None, str]]:
    """Names, type, default and meaning of each line, with the lines that continue it."""
    whole: list[str] = []
    for line in lines:
        if whole and not line.startswith("$"):
            whole[-1] += f" {line}"
        else:
            whole.append(line)
    found = []
    for line in whole:
        match = _PARAMETER.match(line)
        if match is None:
            raise ValueError(f"{name}.sql: parameter {line!r} is not `$name (TYPE) meaning`")
        found.append((match[1], match[2], match[3], match[4]))
    return found
