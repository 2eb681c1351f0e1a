"""The named queries: one statement a file in `queries/sql`, told by its header.

    -- Meaning, in a sentence or two.
    --
    -- Parameters
    --   $ra, $dec (DOUBLE) centre, degrees, ICRS
    --
    -- Columns
    --   ra [deg], dec [deg], catflags

A file pastes into the duckdb shell; values stand in it only as `$name`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from queries.errors import UnknownQueryError

_FOLDER = Path(__file__).parent / "sql"
_PARAMETER = re.compile(r"^\s*(\$\w+(?:, \$\w+)*) \(([A-Z\[\]]+)\) (.+)$")
_COLUMN = re.compile(r"^(\w+)(?: \[([^\]]+)\])?$")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a query needs: its DuckDB type and meaning."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One file of the library; `columns` maps each column of its answer to its unit."""

    name: str
    meaning: str
    parameters: tuple[Parameter, ...]
    columns: dict[str, str]
    sql: str


@cache
def query(name: str) -> NamedQuery:
    """The query of that name.

    Raises
    ------
    UnknownQueryError : there is none.
    """
    path = _FOLDER / f"{name}.sql"
    if not re.fullmatch(r"\w+", name) or not path.is_file():
        raise UnknownQueryError(name, query_names())
    return parse(name, path.read_text(encoding="utf-8"))


def query_names() -> list[str]:
    """Every name of the library, in alphabetical order."""
    return sorted(path.stem for path in _FOLDER.glob("*.sql"))


def parse(name: str, text: str) -> NamedQuery:
    """A query from its file's text.

    Raises
    ------
    ValueError : its header does not follow the form above.
    """
    sections = _sections(text)
    parameters = [
        Parameter(sigil.removeprefix("$"), kind, meaning)
        for names, kind, meaning in _parameter_lines(name, sections.get("Parameters", []))
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


def _parameter_lines(name: str, lines: list[str]) -> list[tuple[str, str, str]]:
    found = []
    for line in lines:
        match = _PARAMETER.match(line)
        if match is None:
            raise ValueError(f"{name}.sql: parameter {line!r} is not `$name (TYPE) meaning`")
        found.append((match.group(1), match.group(2), match.group(3)))
    return found
