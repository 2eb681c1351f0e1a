"""Files that appear whole: written beside their name, synced, then renamed to it."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

import xxhash

from store import disk


def checksum(data: bytes | memoryview) -> str:
    """Checksum of a file's content: xxh3-128, hexadecimal."""
    return xxhash.xxh3_128_hexdigest(data)


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading.

    Raises
    ------
    OSError : it cannot be read, or is a pipe or a device, which may have no end or wait for ever.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.open("rb")


def checksum_of(path: Path) -> str:
    """Checksum of the file at `path`; it is read in pieces.

    Raises
    ------
    OSError : it cannot be read.
    """
    digest = xxhash.xxh3_128()
    with open_regular(path) as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def partial_of(path: Path) -> Path:
    """Where this process makes what is to be at `path`: hidden beside it."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Write `data` at `path`: after a crash it is there whole, or not at all.

    Several processes may write the same path at once, each its own copy; the last one stays.
    The name lasts once the folder is synced.
    """
    disk.make_folder(path.parent)
    partial = partial_of(path)
    try:
        disk.write_file(partial, data)
        disk.rename(partial, path)
    except BaseException:
        disk.discard(partial)
        raise


def replace_link(link: Path, target: Path) -> None:
    """Point the symbolic link `link` at `target` by one rename: readers see the old or the new.

    The change lasts once the folder is synced.
    """
    partial = partial_of(link)
    disk.remove(partial)
    try:
        disk.make_link(partial, os.path.relpath(target, link.parent))
        disk.rename(partial, link)
    except BaseException:
        disk.discard(partial)
        raise


def sweep(folder: Path, name: str = "") -> None:
    """Remove what processes that were killed left in `folder`, of names that begin so.

    Only for who holds the lock under which such names are made.
    """
    for path in folder.glob(f".{name}*.partial"):
        if path.is_dir() and not path.is_symlink():
            disk.remove_tree(path)
        else:
            disk.remove(path)
