"""Files that appear whole: written beside their name, synced, then renamed to it."""

from __future__ import annotations

import os
from pathlib import Path

import xxhash


def checksum(data: bytes | memoryview) -> str:
    """Checksum of a file's content: xxh3-128, hexadecimal."""
    return xxhash.xxh3_128_hexdigest(data)


def checksum_of(path: Path) -> str:
    """Checksum of the file at `path`; it is read in pieces.

    Raises
    ------
    OSError : it cannot be read.
    """
    digest = xxhash.xxh3_128()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Write `data` at `path`: after a crash it is there whole, or not at all.

    Several processes may write the same path at once, each its own copy; the last one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` last through a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_link(link: Path, target: Path) -> None:
    """Point the symbolic link `link` at `target` by one rename: readers see the old or the new."""
    partial = link.with_name(f".{link.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(os.path.relpath(target, link.parent))
    partial.replace(link)
    sync_folder(link.parent)
