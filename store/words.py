"""Text from outside as words that can be shown: no terminal obeys them, and all can be encoded."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""`text` with every character that is not printable spelled, as in \x1b or \n.

    Such are controls, ends of lines, marks that turn the direction of writing, and the bytes of a
    file's name that are no UTF-8 (as \xff): printed raw, they could move the cursor, hide what
    stands beside them, or end the program that encodes them. Printable text is left alone.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _spelled(one) for one in text)


def _spelled(one: str) -> str:
    # Python holds a byte that is no UTF-8 as a lone surrogate.
    code = ord(one)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return one.encode("unicode_escape").decode("ascii")
