"""The edge to the file system: every change that the archive makes to it goes through here.

Each change is one call of `os` or `fcntl`, looked up in this module when it is made, so that a
test can put in their place what counts, fails, forgets or kills. What lasts through a loss of
power, and in what order it must:

    a file's content    synced before the file has the name that others look for
    a name, a folder    lasts once the folder that it stands in is synced
    the link `current`  replaced after all that it leads to lasts
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from typing import Any, Self

from store.errors import NightlakeError, UnwritableArchiveError


class File(RawIOBase):
    """A new file to be written; an old one of that name is emptied.

    Unlike Python's own it writes all that it is given, or raises `OSError`.
    """

    def __init__(self, path: Path) -> None:
        self._handle = -1
        # Through a link that someone laid there it could empty any file.
        how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        self._handle = os.open(path, how, 0o666)

    def __enter__(self) -> Self:
        return self

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            left = left[os.write(self._handle, left) :]
        return size

    def tell(self) -> int:
        """Bytes from the start."""
        return os.lseek(self._handle, 0, os.SEEK_CUR)

    def sync(self) -> None:
        """Make what was written last."""
        os.fsync(self._handle)

    def forget(self) -> None:
        """Let the system's cache drop what was synced: the next file takes the same memory.

        On a virtual machine, memory that was not used lately is ten times slower to write to.
        """
        if hasattr(os, "posix_fadvise"):  # not on macOS
            os.posix_fadvise(self._handle, 0, 0, os.POSIX_FADV_DONTNEED)

    def fileno(self) -> int:
        """The handle."""
        return self._handle

    def writable(self) -> bool:
        """Yes."""
        return True

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            super().close()
            if self._handle >= 0:
                os.close(self._handle)


def write_file(path: Path, data: bytes | memoryview) -> None:
    """A file of that content, which lasts; its name does once its folder is synced."""
    with File(path) as file:
        file.write(data)
        file.sync()


def sync_file(path: Path) -> None:
    """Make the content of a file last that somebody else wrote."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` last."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def rename(old: Path, new: Path) -> None:
    """Give a file, a link or a folder another name, in one step; a file that has it goes."""
    os.replace(old, new)


def make_link(link: Path, text: str) -> None:
    """A symbolic link that says `text`."""
    os.symlink(text, link)


def make_folder(folder: Path) -> None:
    """A folder, and those above it, if they are not there."""
    if not folder.is_dir():
        if folder.parent != folder:
            make_folder(folder.parent)
        with suppress(FileExistsError):  # another process was faster
            os.mkdir(folder)


def make_lasting_folder(folder: Path) -> None:
    """A folder, and those above it, if they are not there; each new name is synced."""
    if not folder.is_dir():
        make_lasting_folder(folder.parent)
        make_folder(folder)
        sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Remove a file or a link, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def remove_tree(folder: Path) -> None:
    """Remove a folder and all that is in it, if it is there; links are not followed."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            remove_tree(entry)
        else:
            remove(entry)
    os.rmdir(folder)


def discard(path: Path) -> None:
    """Remove what is of no use any more, a file or a folder; if that fails it is left."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            remove(path)


@contextmanager
def lock(path: Path, *, wait: bool, shared: bool = False) -> Iterator[None]:
    """Hold the file or the folder at `path` locked; the kernel ends it with its process.

    A file that is not there is made.

    Raises
    ------
    BlockingIOError : another holds it, and `wait` is false.
    """
    how = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    handle = os.open(path, how | os.O_CLOEXEC, 0o666)
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(handle, kind | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """What the system refuses while the archive at `root` is written, as one error of ours.

    Raises
    ------
    UnwritableArchiveError : says what the system said, and of which file.
    """
    try:
        yield
    except (NightlakeError, BlockingIOError, BrokenPipeError):
        raise  # a pipe is none of the archive's: whoever was told of the progress has gone
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise UnwritableArchiveError(root, f"{error.strerror or error}{where}") from error
