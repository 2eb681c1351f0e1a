"""Functions of the sky in SQL: one macro a file in `queries/sql/macros`, named as its file.

    -- What it gives, in a sentence or two.
    CREATE MACRO name(…) AS …;

A file pastes into the duckdb shell, and calls no other macro of these.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "sql" / "macros"


def macro_names() -> list[str]:
    """The name of every macro, in alphabetical order."""
    return sorted(path.stem for path in _FOLDER.glob("*.sql"))


@cache
def macro(name: str) -> str:
    """The statement that makes the macro of that name, with its header."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def signature(name: str) -> str:
    """How it is called, for example separation(ra1, dec1, ra2, dec2)."""
    match = re.search(r"CREATE MACRO (\w+\([^)]*\))", macro(name))
    assert match is not None, f"{name}.sql makes no macro"
    return match[1]


def meaning(name: str) -> str:
    """What it gives: its header."""
    lines = macro(name).splitlines()
    return " ".join(line.removeprefix("-- ") for line in lines[: _header_length(lines)])


def _header_length(lines: list[str]) -> int:
    return next(i for i, line in enumerate(lines) if not line.startswith("--"))
