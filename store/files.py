"""Tables as immutable files, named by their content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import xxhash

from store import disk
from store.arrow import as_numpy
from store.atomic import checksum, checksum_of, partial_of, sweep, write_whole
from store.columns import CODEC_LEVEL, PERIOD_CODEC_LEVEL, Table
from store.errors import DamagedArchiveError
from store.layout import CATALOGUES, HealpixPixel, Layout
from store.manifest import FileEntry
from store.periods import Period
from store.point_map import Counts, count_cells

if TYPE_CHECKING:
    import pyarrow as pa

BUFFER_BYTES = 1 << 20
GIVE_AGAIN = "Give its whole night again: nightlake ingest ARCHIVE PATH --rebuild."
GIVE_PERIOD_AGAIN = (
    "Restore it from a backup, or withdraw all nights of the period at once and give them again."
)


def write_table(
    layout: Layout, table: Table, data: pa.Table, part: str, pixel: HealpixPixel | None = None
) -> FileEntry:
    """Write rows of `table` as one immutable file, named by its content, and describe it.

    The same rows give the same bytes and the same name: a file that is there already is kept.
    """
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    table.write(data, sink)
    content = memoryview(sink.getvalue())
    mapped = _mapped(table, pixel)
    cells = None if mapped is None else count_cells(as_numpy(data["_healpix_29"]), mapped)
    entry = _entry(
        layout, table, part, pixel, data.num_rows, len(content), checksum(content), cells
    )  # fmt: skip
    path = layout.root / entry.path
    if not _is_there(path, entry):
        write_whole(path, content)
    return entry


class TableWriter:
    """One immutable file of `table`, written row group by row group; only one is in memory.

    The file has no name until it is finished, and none at all if it is left before that. It is made
    in the folder `making`, for who does not hold the lock of the group that it belongs to.
    `metadata` is said in the file beside the contract's words. `read_soon` is false of what nobody
    reads at once: the system's cache does not keep it.
    """

    def __init__(
        self,
        layout: Layout,
        table: Table,
        part: str,
        pixel: HealpixPixel | None = None,
        making: Path | None = None,
        metadata: Mapping[bytes, bytes] | None = None,
        *,
        read_soon: bool = True,
    ) -> None:
        self.rows = 0
        self._read_soon = read_soon
        self._nights: set[date] | None = set() if Period.named(part) else None
        self._mapped = _mapped(table, pixel)
        self._cells: Counts | None = None
        self._layout, self._table, self._part, self._pixel = layout, table, part, pixel
        folder = _path(layout, table, part, pixel, "").parent
        disk.make_folder(folder)
        number = "" if pixel is None else f"-{pixel.order}-{pixel.npix}"
        made_at = making / f"{table.name}-{part}{number}" if making else folder / f"{part}{number}"
        self._partial = partial_of(made_at)
        self._file = _DigestedFile(self._partial)
        # A page has several small parts: they reach the file in few large ones.
        self._buffer = BufferedWriter(self._file, BUFFER_BYTES)
        # A period is written once and read for years.
        level = CODEC_LEVEL if self._nights is None else PERIOD_CODEC_LEVEL
        self._writer = table.writer(self._buffer, level, metadata)
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._finished:
            with suppress(OSError), self._file:  # what is thrown away need not be whole
                self._writer.close()
                self._buffer.close()
            disk.discard(self._partial)

    def write(self, rows: pa.Table) -> None:
        """Append rows, in the table's schema, as one row group, or several if they are many."""
        self._writer.write_table(rows, row_group_size=self._table.row_group_rows)
        self.rows += rows.num_rows
        if self._nights is not None:
            self._nights.update(rows["night"].unique().to_pylist())
        if self._mapped is not None:
            cells = count_cells(as_numpy(rows["_healpix_29"]), self._mapped)
            self._cells = cells if self._cells is None else self._cells + cells

    def finish(self) -> Callable[[], FileEntry]:
        """End the file. What is returned makes it last, names it and describes it.

        That waits for the disk, and may be done in another thread.
        """
        self._writer.close()
        self._buffer.flush()
        size, digest = self._file.tell(), self._file.digest.hexdigest()
        self._finished = True
        entry = _entry(
            self._layout, self._table, self._part, self._pixel, self.rows, size, digest,
            self._cells,
        )  # fmt: skip
        if self._nights is not None:
            nights = tuple(f"{night:%Y%m%d}" for night in sorted(self._nights))
            entry = replace(entry, nights=nights)

        def settle() -> FileEntry:
            path = self._layout.root / entry.path
            try:
                with self._file as file:
                    if _is_there(path, entry):
                        disk.remove(self._partial)
                    else:
                        file.sync()
                        if not self._read_soon:
                            file.forget()
                        disk.rename(self._partial, path)
            except BaseException:
                disk.discard(self._partial)
                raise
            return entry

        return settle


class _DigestedFile(disk.File):
    """A file whose checksum is made while it is written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.digest = xxhash.xxh3_128()

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        self.digest.update(data)
        return super().write(data)


def sweep_unfinished(layout: Layout, part: str) -> None:
    """Remove the unfinished files of parts that begin so, left by processes that were killed.

    Only for who holds the lock of the group that they belong to.
    """
    for table in (layout.root / "data").glob("*"):
        sweep(table, part)
        for folder in table.glob(f"{part}*"):
            sweep(folder)


def check_intact(layout: Layout, entry: FileEntry) -> Path:
    """The path of a published file, once it is known to be what was published.

    Raises
    ------
    DamagedArchiveError : it is not, or cannot be read.
    """
    path = layout.root / entry.path
    _check(path, entry.checksum, GIVE_AGAIN if entry.nights is None else GIVE_PERIOD_AGAIN)
    return path


def check_linked(link: Path) -> Path:
    """The same of the file that a publication's link leads to, whose name tells its checksum."""
    path = link.resolve()
    hint = GIVE_AGAIN if Period.named(link.stem) is None else GIVE_PERIOD_AGAIN
    _check(path, path.stem.rpartition("-")[2], hint)
    return path


def _check(path: Path, digest: str, hint: str) -> None:
    """Refuse a file whose checksum does not begin with `digest`."""
    try:
        intact = checksum_of(path).startswith(digest)
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise DamagedArchiveError(what, where=path, hint=hint) from error
    if not intact:
        what = "is not what was published (checksum differs)"
        raise DamagedArchiveError(what, where=path, hint=hint)


def _path(
    layout: Layout, table: Table, part: str, pixel: HealpixPixel | None, digest: str
) -> Path:  # fmt: skip
    folder = layout.data_folder(table.name, part)
    if pixel is None:
        return folder.with_name(f"{part}-{digest[:16]}.parquet")
    return folder / f"{pixel.order}-{pixel.npix}-{digest[:16]}.parquet"


def _entry(
    layout: Layout, table: Table, part: str, pixel: HealpixPixel | None,
    rows: int, size: int, digest: str, cells: Counts | None,
) -> FileEntry:  # fmt: skip
    return FileEntry(
        table=table.name,
        part=part,
        path=layout.relative(_path(layout, table, part, pixel, digest)),
        rows=rows,
        bytes=size,
        checksum=digest,
        order=None if pixel is None else pixel.order,
        npix=None if pixel is None else pixel.npix,
        cells=None if cells is None else tuple(cells.tolist()),
    )


def _mapped(table: Table, pixel: HealpixPixel | None) -> HealpixPixel | None:
    """The pixel whose cells count the rows; none for margins, whose rows lie outside it."""
    return pixel if table.name in CATALOGUES else None


def _is_there(path: Path, entry: FileEntry) -> bool:
    """Whether the file is there already, as it should be: a damaged one is written again."""
    return (
        path.exists() and path.stat().st_size == entry.bytes and checksum_of(path) == entry.checksum
    )
