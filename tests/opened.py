"""Which files a piece of work opens, as the kernel tells it (inotify)."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IN_OPEN = 0x20
_IN_ISDIR = 0x40000000
_IN_Q_OVERFLOW = 0x4000
_EVENT = struct.Struct("iIII")


@contextmanager
def opened_below(folder: Path) -> Iterator[list[Path]]:
    """The files below `folder` that are opened within the block, each as often as it is.

    The list is filled when the block ends.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert watch >= 0, os.strerror(ctypes.get_errno())
    places: dict[int, Path] = {}
    try:
        for place, _, _ in os.walk(folder):
            number = libc.inotify_add_watch(watch, os.fsencode(place), _IN_OPEN)
            assert number >= 0, os.strerror(ctypes.get_errno())
            places[number] = Path(place)
        opened: list[Path] = []
        yield opened
        opened += _read(watch, places)
    finally:
        os.close(watch)


def _read(watch: int, places: dict[int, Path]) -> Iterator[Path]:
    while True:
        try:
            data = os.read(watch, 1 << 20)
        except BlockingIOError:
            return
        at = 0
        while at < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            name = data[at : at + length].rstrip(b"\0")
            at += length
            assert not mask & _IN_Q_OVERFLOW, "more files were opened than can be counted"
            if not mask & _IN_ISDIR:
                yield places[number] / os.fsdecode(name)
