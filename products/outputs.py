"""Where an answer goes: a file or a folder that appears whole, or standard output."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from products.errors import UnwritableOutputError
from store.errors import NightlakeError

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


@contextmanager
def beside(target: Path, kind: str) -> Iterator[Path]:
    """A hidden name beside `target`, for work in progress; gone afterwards if not renamed.

    Raises
    ------
    UnwritableOutputError : the folder of `target` cannot be written.
    """
    path = target.with_name(f".{target.name}.{os.getpid()}.{kind}")
    try:
        yield path
    except NightlakeError:
        raise
    except OSError as error:  # what was read has errors of its own by now
        raise UnwritableOutputError(target, error.strerror or str(error)) from error
    finally:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
