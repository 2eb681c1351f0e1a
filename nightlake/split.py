"""Statements that are typed line by line, told apart by the semicolons that end them."""

from __future__ import annotations

import re

# A string, a quoted name, a comment, a text between dollars; whatever is in it ends nothing.
_WHOLE = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*(?:\n|$)|/\*.*?\*/|\$(\w*)\$.*?\$\1\$""", re.DOTALL
)
_COMMENTS = re.compile(r"--[^\n]*\n|/\*.*?\*/", re.DOTALL)
_OPEN = re.compile(r"""['"]|/\*|\$\w*\$""")


def split(text: str) -> tuple[list[str], str]:
    """The statements that `text` ends with a semicolon each, and what of another one follows."""
    found, start, at = [], 0, 0
    while at < len(text):
        whole = _WHOLE.match(text, at)
        if whole:
            at = whole.end()
        elif _OPEN.match(text, at):
            break  # it is not closed yet
        elif text[at] == ";":
            found.append(text[start:at].strip())
            at = start = at + 1
        else:
            at += 1
    rest = text[start:]
    return [part for part in found if _says(part)], rest if _says(rest) else ""


def _says(text: str) -> bool:
    """Whether there is more than comments."""
    return bool(_COMMENTS.sub("", text).strip())
