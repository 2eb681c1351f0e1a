"""What can go wrong when an answer is written or drawn.

store.errors.NightlakeError
└── ProductError                  base
    ├── UnwritableOutputError     the output file cannot be written
    ├── UnknownFormatError        no such format, or none that the file's name tells
    └── NothingToDrawError        no point has both coordinates
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from store.errors import NightlakeError


class ProductError(NightlakeError):
    """Something is wrong with an output."""

    code = "product"


class UnwritableOutputError(ProductError, PermissionError):
    """The output file cannot be written."""

    code = "unwritable_output"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"cannot write ({reason})", where=path, hint="Choose a file in a folder of your own."
        )


class UnknownFormatError(ProductError, ValueError):
    """No such format, or none that the file's name tells."""

    code = "unknown_format"

    def __init__(self, what: str, where: str | Path, known: Iterable[str]) -> None:
        super().__init__(what, where=where, hint=f"Choose among {', '.join(known)}.")


class NothingToDrawError(ProductError, ValueError):
    """There is nothing that could be drawn."""

    code = "nothing_to_draw"

    def __init__(self, what: str) -> None:
        super().__init__(f"no picture is drawn: {what}", hint="Ask for another place or night.")
