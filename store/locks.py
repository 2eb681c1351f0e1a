"""Locks that end with the process that holds them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from store.errors import ArchiveBusyError, UnwritableArchiveError
from store.layout import Layout


@contextmanager
def locked(layout: Layout, name: str, *, wait: bool) -> Iterator[None]:
    """Hold the lock `name`: `commit` for a publication, a group's name while it is staged.

    The kernel gives the lock back when its process ends, however it ends.

    Raises
    ------
    ArchiveBusyError : another process holds it, and `wait` is false.
    """
    path = layout.lock(name)
    try:
        path.parent.mkdir(exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise UnwritableArchiveError(layout.root, error.strerror or str(error)) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise ArchiveBusyError(layout.root, name) from error
        yield
