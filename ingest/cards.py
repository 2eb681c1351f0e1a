"""FITS header cards: eighty characters each become a keyword and a value.

Written by hand because the planning pass reads some 55,000 headers a night: `astropy.io.fits`
takes about a millisecond to open one file, and 0.3 s to be imported.
"""

from __future__ import annotations

import re
from functools import lru_cache

Value = str | int | float | bool


class _Unreadable:
    """Stands for a value that is there and is none of FITS."""


UNREADABLE = _Unreadable()
CARD_BYTES = 80  # FITS standard 4.0, section 4.1
END_CARD = b"END".ljust(CARD_BYTES)
# FITS standard, section 4.1: characters 32 to 126. A terminal would obey others; here they are one.
_ODD = "\x7f"
_PRINTABLE = bytes(byte if 32 <= byte < 127 else ord(_ODD) for byte in range(256))

_VALUE = re.compile(
    r" *(?:"
    r"'(?P<text>(?:[^'\x7f]|'')*)' *(?=/|$)"
    r"|(?P<truth>[TF]) *(?=/|$)"
    r"|(?P<whole>[+-]?[0-9]+) *(?=/|$)"
    r"|(?P<real>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[EeDd][+-]?[0-9]+)?) *(?=/|$)"
    # Not FITS, but some writers leave them; a date that is NaN should be reported as NaN.
    r"|(?P<special>[+-]?(?i:nan|inf)) *(?=/|$)"
    r")"
)


class Header(dict[str, Value]):
    """Keywords and values of one header; the first of a repeated keyword counts.

    Attributes
    ----------
    cards : the header's own text, 80 characters a card, without END and padding; what is not
        printable ASCII, which FITS has no room for, is a question mark.
    unreadable : keywords of cards whose values are none: damaged ones.
    """

    cards: str = ""
    unreadable: frozenset[str] = frozenset()

    def raw(self, wanted: re.Pattern[str]) -> str:
        """The raw cards whose keyword fully matches `wanted`, joined; the first of each keyword."""
        found: dict[str, str] = {}
        for start in range(0, len(self.cards), CARD_BYTES):
            keyword = self.cards[start : start + 8].rstrip()
            if keyword not in found and wanted.fullmatch(keyword):
                found[keyword] = self.cards[start : start + CARD_BYTES].ljust(CARD_BYTES)
        return "".join(found.values())


def parse_cards(block: bytes) -> Header:
    """Keywords and values of a block of 80-byte cards, up to END or the block's end.

    Strings lose their trailing blanks, doubled quotes become one, CONTINUE cards are joined.
    Cards without a value (COMMENT, HISTORY, undefined) and cards that are no FITS are skipped.
    """
    text = block.translate(_PRINTABLE).decode("ascii")
    header = Header()
    unreadable = []
    last = ""  # the keyword that a CONTINUE card would go on with
    end = len(text)
    for start in range(0, len(text), CARD_BYTES):
        card = text[start : start + CARD_BYTES]
        keyword, value = _parse_card(card)
        if isinstance(value, _Unreadable):
            unreadable.append(keyword)
            last = ""
        elif keyword == "CONTINUE":
            _continue(header, last, value)
        elif keyword == "END" and value is None:
            end = start
            break
        else:
            last = ""
            if value is not None and keyword not in header:
                header[keyword] = value
                last = keyword
    header.cards = text[:end].replace(_ODD, "?")
    header.unreadable = frozenset(unreadable)
    return header


def parse_card_lines(text: bytes) -> Header:
    """The same of a text file of cards: a card a line, blanks at line ends lost or not.

    A file without line ends is taken as plain 80-byte cards.
    """
    lines = text.splitlines()
    if len(lines) <= 1:
        return parse_cards(text)
    return parse_cards(b"".join(line[:CARD_BYTES].ljust(CARD_BYTES) for line in lines))


@lru_cache(maxsize=2048)  # most cards of a night's catalogues are the same in all of them
def _parse_card(card: str) -> tuple[str, Value | _Unreadable | None]:
    """Keyword and value, or ("", None) where a card has none; ("END", None) is the end."""
    keyword = card[:8].rstrip()
    if card[8:10] == "= ":
        return keyword.upper(), _value(card[10:])
    if keyword == "CONTINUE":
        return keyword, _value(card[8:])
    return ("END", None) if keyword == "END" and not card[8:].strip() else ("", None)


def _value(text: str) -> Value | _Unreadable | None:
    match = _VALUE.match(text)
    if match is None:
        return UNREADABLE if text.partition("/")[0].strip() else None
    kind, token = match.lastgroup, match[match.lastgroup or 0]
    if kind == "text":
        return token.replace("''", "'").rstrip()
    if kind == "truth":
        return token == "T"
    if kind == "whole":
        return int(token)
    return float(token.upper().replace("D", "E"))


def _continue(header: Header, keyword: str, piece: Value | None) -> None:
    so_far = header.get(keyword)
    if isinstance(so_far, str) and so_far.endswith("&") and isinstance(piece, str):
        header[keyword] = so_far[:-1] + piece
