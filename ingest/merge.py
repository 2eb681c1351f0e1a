"""Some pixels of one night: their runs of all shards, and what is published already, as files."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest.margins import BorderRows, MarginRule
from ingest.merger import merger
from ingest.runs import Run, within
from ingest.shards import Piece
from ingest.standing import NOTHING, Gone, standing_run
from store.contract import DETECTIONS
from store.files import TableWriter, check_intact
from store.layout import HealpixPixel, Layout
from store.manifest import FileEntry


@dataclass(frozen=True, slots=True)
class PixelTask:
    """What goes into one pixel's file: pieces of shards, and the night's published file of it."""

    pixel: HealpixPixel
    pieces: tuple[Piece, ...]
    standing: FileEntry | None = None

    @property
    def rows(self) -> int:
        """Rows to be read."""
        standing = 0 if self.standing is None else self.standing.rows
        return standing + sum(piece.rows for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class MergeTask:
    """Some pixels of a night; of what stands of it, some rows may be gone."""

    root: Path
    part: str
    staging: Path
    pixels: tuple[PixelTask, ...]
    margins: MarginRule
    gone: Gone = NOTHING


def merge_pixels(task: MergeTask) -> list[FileEntry]:
    """Write the file of each pixel that has a row left, and describe it."""
    files = []
    # A file is synced and named while the next one is made: the disk does not wait for the
    # processor, nor the processor for the disk.
    with ThreadPoolExecutor(1) as syncing:
        for one in task.pixels:
            borders = BorderRows(task.margins, one.pixel)
            with TableWriter(
                Layout(task.root), DETECTIONS, task.part, one.pixel, read_soon=False
            ) as writer:
                with _runs(task, one) as runs:
                    for table in merger().tables(runs, *one.pixel.index_range):
                        writer.write(table)
                        borders.add(table)
                if writer.rows:
                    files.append(syncing.submit(writer.finish()))
            borders.save(task.staging)
    return [file.result() for file in files]


@contextmanager
def _runs(task: MergeTask, one: PixelTask) -> Iterator[list[Run]]:
    """All that goes into a pixel, sorted run by run."""
    runs = [
        Run(task.staging / piece.shard, piece.start, piece.start + piece.rows, (piece.image,))
        for piece in one.pieces
    ]
    if one.pixel.order > task.margins.partition.order:
        # Images are cut by the base order alone, so that their shards stay good when pixels split.
        runs = within(runs, *one.pixel.index_range)
    if one.standing is None:
        yield runs
        return
    # Damage must not be merged into a new file, whose checksum would vouch for it.
    path = check_intact(Layout(task.root), one.standing)
    with standing_run(path, task.gone, task.staging) as standing:
        yield [*standing, *runs]
