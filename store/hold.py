"""A reader's hold on a publication: `vacuum` leaves alone what somebody holds.

It is a shared lock on the file `publication.json`: nothing is written, so that it works where the
archive can only be read, and the kernel ends it with the process, however it ends. Where the file
system has no such locks, a reader goes on without.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from store.errors import DamagedArchiveError, UnknownPublicationError
from store.layout import Layout
from store.snapshot import Snapshot, open_snapshot


class Hold:
    """A publication that stays for as long as it is held; let go at the end of its `with`.

    Raises
    ------
    UnknownPublicationError : the publication is not there, or no longer.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        handle = _open(snapshot.folder)
        if handle is None:
            raise UnknownPublicationError(
                f"publication {snapshot.number} is not there",
                where=snapshot.layout.root,
                hint="List what is there with: nightlake history ARCHIVE.",
            )
        # Whoever drops its last reference lets go too.
        self.release = weakref.finalize(self, os.close, handle)

    def __enter__(self) -> Snapshot:
        return self.snapshot

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def hold_current(root: Path) -> Hold:
    """Hold what is published now in the archive at `root`."""
    while True:
        snapshot = open_snapshot(root)
        try:
            return Hold(snapshot)
        except UnknownPublicationError as error:
            # Vacuumed in between: then another one is current by now.
            if open_snapshot(root).number == snapshot.number:
                raise DamagedArchiveError(
                    f"publication {snapshot.number}, which is current, is missing",
                    where=root,
                    hint="Restore the archive from a backup.",
                ) from error


def hold_catalogue(folder: Path) -> tuple[Path, Hold | None]:
    """Where a catalogue lies, links followed, and a hold on the publication that it is part of.

    An archive's `detections` leads to what is current, which may be another publication a moment
    later: whoever reads it file by file keeps to the folder that is returned. A catalogue that is
    of no archive has nothing to hold.
    """
    while True:
        real = _followed(folder)
        publication = real.parent
        if not _is_publication(publication):
            return real, None
        layout = Layout(publication.parent.parent)
        try:
            return real, Hold(Snapshot(layout, int(publication.name)))
        except UnknownPublicationError:
            if _followed(folder) == real:
                raise


def _followed(folder: Path) -> Path:
    """Where a folder lies, links followed; but a publication's own link to a catalogue is not."""
    at = folder.absolute()
    while at.is_symlink() and not _is_publication(at.parent.resolve()):
        at = at.parent / at.readlink()
    return at.parent.resolve() / at.name


def _is_publication(folder: Path) -> bool:
    return folder.parent.name == "publications" and _file(folder).is_file()


@contextmanager
def unheld(folder: Path) -> Iterator[bool]:
    """Whether nobody holds the publication in `folder`; while it lasts nobody can begin to."""
    path = _file(folder)
    try:
        # On network file systems an exclusive lock needs a file that is open for writing.
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _open(folder: Path) -> int | None:
    """The publication's file, locked; None if it is not there, or goes while it is opened."""
    path = _file(folder)
    try:
        # A pipe that someone laid there would be waited at for ever.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    with suppress(OSError):  # no locks here
        fcntl.flock(handle, fcntl.LOCK_SH)
    try:
        still_there = os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        still_there = False
    if not still_there:
        os.close(handle)
        return None
    return handle


def _file(folder: Path) -> Path:
    return folder / "publication.json"
