"""Where an answer goes: a file that appears whole, or standard output."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from products.errors import UnwritableOutputError

_PIECE_BYTES = 65_536


def write_output(data: bytes, out: Path | None) -> None:
    """Write `data` to the file `out`, which appears whole; None is standard output.

    Raises
    ------
    UnwritableOutputError : the file cannot be written; what was there before stays.
    """
    if out is None:
        sys.stdout.flush()
        # In pieces: a reader that goes away is noticed at the next one.
        for start in range(0, len(data), _PIECE_BYTES):
            sys.stdout.buffer.write(data[start : start + _PIECE_BYTES])
            sys.stdout.buffer.flush()
        return
    try:
        if out.exists() and not out.is_file():  # /dev/stdout, a named pipe
            out.write_bytes(data)
            return
        partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
        try:
            partial.write_bytes(data)
            partial.replace(out)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnwritableOutputError(out, error.strerror or str(error)) from error
