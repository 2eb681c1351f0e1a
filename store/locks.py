"""Locks that end with the process that holds them.

    commit      exclusive, whoever publishes; waited for
    GROUP       exclusive, whoever stages the files of a group
    periods     the same, of whoever compacts
    files       shared, whoever stages: new files, and old ones found good, that no publication
                leads to yet; exclusive, `vacuum`, which removes what no publication leads to

They are taken in the order group, files, commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from store import disk
from store.bounds import check_bounds
from store.errors import ArchiveBusyError
from store.layout import Layout

PERIODS = "periods"


@contextmanager
def locked(layout: Layout, name: str, *, wait: bool, shared: bool = False) -> Iterator[None]:
    """Hold the lock `name`; a shared one may be held by many.

    The kernel gives the lock back when its process ends, however it ends.

    Raises
    ------
    ArchiveBusyError : another process holds it, and `wait` is false.
    UnwritableArchiveError : the lock's file cannot be made.
    DamagedArchiveError : a folder of the archive is a link.
    """
    check_bounds(layout)
    path = layout.lock(name)
    with ExitStack() as held:
        try:
            with disk.writing(layout.root):
                disk.make_folder(path.parent)
                held.enter_context(disk.lock(path, wait=wait, shared=shared))
        except BlockingIOError as error:
            raise ArchiveBusyError(layout.root, name) from error
        yield


@contextmanager
def staged(layout: Layout, group: str, *, wait: bool) -> Iterator[None]:
    """Hold a group while its files are made and published: nothing of them is vacuumed meanwhile.

    Raises
    ------
    ArchiveBusyError : another process holds the group, and `wait` is false.
    UnwritableArchiveError : the lock's file cannot be made.
    """
    with (
        locked(layout, group, wait=wait),
        locked(layout, "files", wait=True, shared=True),
    ):
        yield


@contextmanager
def nobody_stages(layout: Layout) -> Iterator[None]:
    """Hold all groups at once: every file that no publication leads to is a leftover.

    Raises
    ------
    ArchiveBusyError : somebody stages.
    UnwritableArchiveError : the lock's file cannot be made.
    """
    with ExitStack() as held:
        try:
            held.enter_context(locked(layout, "files", wait=False))
        except ArchiveBusyError as error:
            what = "files that are not published yet, or copying the archive"
            raise ArchiveBusyError(layout.root, what) from error
        yield
