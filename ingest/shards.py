"""Shards: the rows of a batch of images, image by image, ready to be merged by pixel.

A night's rows come image by image and are kept pixel by pixel. A batch of images makes one file of
records: those of an image are sorted by HEALPix index, so the rows that a pixel has of it are one
run. A pixel is merged from its runs in all shards. So a night makes two intermediate files a
batch, not one for each image and pixel, and none of them is ever held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.records import RECORD, ImageKey, ImageSorter, Records
from store import disk
from store.layout import HEALPIX_ORDER


class Piece(NamedTuple):
    """The rows that one pixel has of one image: a run of a shard's records, sorted by index."""

    shard: str
    npix: int
    start: int
    rows: int
    image: ImageKey


class ShardWriter:
    """Writes one image's rows after the other.

    Parameters
    ----------
    file : where to.
    name : the shard's, as pieces will call it.
    order : of the pixels.
    """

    def __init__(self, file: disk.File, name: str, order: int, sorter: ImageSorter) -> None:
        self._file = file
        self._name = name
        self._shift = 2 * (HEALPIX_ORDER - order)
        self._sorter = sorter
        self._rows = 0
        self.pieces: list[Piece] = []

    def add(self, columns: Mapping[str, NDArray[Any]], image: ImageKey) -> None:
        """Write an image's rows (columns as `ImageSorter.sort` takes them)."""
        records = self._sorter.sort(columns)
        n = len(records)
        if not n:
            return
        npix = records["_healpix_29"] >> self._shift
        cuts = [0, *(np.flatnonzero(npix[1:] != npix[:-1]) + 1).tolist(), n]
        for start, end in pairwise(cuts):
            piece = Piece(self._name, int(npix[start]), self._rows + start, end - start, image)
            self.pieces.append(piece)
        write_records(self._file, records)
        self._rows += n


@contextmanager
def new_shard(path: Path, order: int, sorter: ImageSorter) -> Iterator[ShardWriter]:
    """A shard at `path`, gone at the end if nothing was written; a marker says that it is whole."""
    with disk.File(path) as file:
        writer = ShardWriter(file, path.name, order, sorter)
        yield writer
    if not writer.pieces:
        disk.remove(path)


def write_records(file: disk.File, records: Records) -> None:
    """Append records to a file."""
    file.write(records.view(np.uint8).data)


def read_records(file: FileIO, start: int, into: Records) -> None:
    """Fill `into` with the records of a file from `start` on."""
    file.seek(start * RECORD.itemsize)
    left = memoryview(into.view(np.uint8).data)
    while left:
        count = file.readinto(left)
        if not count:
            raise OSError(5, "is shorter than it was written", str(file.name))
        left = left[count:]
