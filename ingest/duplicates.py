"""Files that hold the same image: alike, the first is taken; different, none is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingest.errors import DuplicateImage, RefusedInput, UnreadableFile
from store.atomic import checksum_of

Refused = list[tuple[Path, RefusedInput]]


def one_of(paths: Sequence[Path], image: str) -> tuple[Path | None, Refused]:
    """Which of the files of one image to take, and which are refused.

    Parameters
    ----------
    paths : one or more files; more are read whole, to be compared.
    image : what a message calls the image.

    Returns
    -------
    path : the first; None if the files differ or cannot be read.
    refused : the files that cannot be read, and all that differ.
    """
    if len(paths) == 1:
        return paths[0], []
    refused: Refused = []
    digests: dict[Path, str] = {}
    for path in paths:
        try:
            digests[path] = checksum_of(path)
        except OSError as error:
            refused.append((path, UnreadableFile(path, error.strerror or str(error))))
    if len(set(digests.values())) <= 1:
        return next(iter(digests), None), refused
    for path, digest in digests.items():
        other = next(p for p in digests if digests[p] != digest)
        refused.append((path, DuplicateImage(path, image, other.name)))
    return None, refused
