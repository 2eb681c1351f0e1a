"""Nothing is written or removed through a link that leads out of an archive.

An archive's folders are folders. Links are made in `publications` and `pixels`, to what is read
alone, and removed as links. Whoever takes a lock, and may then write or remove, looks first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from store.errors import DamagedArchiveError
from store.layout import Layout

# Folders, and how deep below each another's folder could be hung in.
DEPTHS = {
    "locks": 0, "make": 0, "publications": 0, "scratch": 0,
    "manifests": 1, "staging": 1, "data": 2, "pixels": 2,
}  # fmt: skip


def check_bounds(layout: Layout) -> None:
    """Refuse an archive some folder of which is a link.

    Raises
    ------
    DamagedArchiveError : names the first.
    """
    for name, depth in DEPTHS.items():
        for link in _links(str(layout.root / name), depth):
            raise DamagedArchiveError(
                f"is a link to {os.readlink(link)!r}: nothing is written or removed through it",  # noqa: PTH115
                where=link,
                hint="Put the folder itself there, or mount it there.",
            )


def _links(path: str, depth: int) -> Iterator[str]:
    """Links at `path` and up to so deep below it."""
    if os.path.islink(path):  # noqa: PTH114 - thousands of them
        yield path
    elif depth:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as listing:
            for entry in listing:
                if entry.is_symlink():
                    yield entry.path
                elif depth > 1 and entry.is_dir(follow_symlinks=False):
                    yield from _links(entry.path, depth - 1)
