"""FITS header cards as bytes: a fixed form, written as the real files write them.

astropy.io.fits needs some milliseconds for the headers of a file, which is what 1,000 rows cost;
the tests hold these cards to it.
"""

from __future__ import annotations

from collections.abc import Iterable

Value = str | int | float | bool
Card = tuple[str, Value] | tuple[str, Value, str]

CARD_BYTES, BLOCK_BYTES = 80, 2880


def card(key: str, value: Value, comment: str = "") -> str:
    """One card, 80 characters.

    Raises
    ------
    ValueError : it does not fit.
    """
    if isinstance(value, bool):
        text = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        text = f"{_quoted(value):<20}"
    elif isinstance(value, float):
        text = f"{_number(value):>20}"
    else:
        text = f"{value:>20d}"
    line = f"{key:<8}= {text}"
    if len(line) > CARD_BYTES or len(key) > 8:
        raise ValueError(f"header card {key} is too long: {value!r}")
    if comment:
        line = f"{line} / {comment}"[:CARD_BYTES]
    return f"{line:<80}"


def _quoted(value: str) -> str:
    return "'" + f"{value:<8}".replace("'", "''") + "'"


def _number(value: float) -> str:
    text = repr(value).upper()
    return text if "." in text or "E" in text else text + "."


def cards(rows: Iterable[Card]) -> list[str]:
    """Many cards."""
    return [card(*row) for row in rows]


def block(lines: list[str]) -> bytes:
    """A header unit: the cards, END, and blanks to a multiple of 2880 bytes."""
    raw = "".join([*lines, f"{'END':<80}"]).encode("ascii")
    return raw + b" " * (-len(raw) % BLOCK_BYTES)


def text(lines: list[str]) -> bytes:
    """A header as the survey's .hdr files have it: a line each, no END."""
    return ("\n".join(lines) + "\n").encode("ascii")
