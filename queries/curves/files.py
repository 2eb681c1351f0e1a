"""Parquet files of rows in the order of a HEALPix index, read row group by row group.

A file's footer is parsed once and remembered, with the rows and the index range of each row group.
A reader is opened about the parsed footer in 0.1 ms; those of large files stay open.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from queries.curves.cache import ByteCache
from store.errors import DamagedArchiveError

Value = TypeVar("Value")
Index = NDArray[np.int64]
# What a parsed footer takes in memory: of a column, and of it in one row group.
_COLUMN_BYTES, _CHUNK_BYTES = 1_850, 800
_VIEW_BYTES = 2_000


@dataclass(frozen=True)
class Footer:
    """What a file tells at its end.

    Attributes
    ----------
    start : int64 (n_groups + 1,), first row of each row group, then the number of rows.
    first, last : int64 (n_groups,), smallest and largest index in each; empty without `order_by`.
    """

    metadata: Any
    names: list[str]
    start: Index
    first: Index
    last: Index


@dataclass(frozen=True)
class ParquetFile:
    """One published file, of which some columns are read."""

    path: Path
    footer: Footer
    columns: list[str]
    numbers: list[int]

    @property
    def n_groups(self) -> int:
        """Row groups."""
        return len(self.footer.start) - 1

    def read(self, groups: Sequence[int]) -> pa.RecordBatch:
        """All rows of some row groups, in this order, as one batch.

        Raises
        ------
        DamagedArchiveError : the file cannot be read.
        """
        return self.batch(self.table(groups))

    def table(self, groups: Sequence[int]) -> pa.Table:
        """The same in pieces, one a row group: to be cut before it is copied.

        Raises
        ------
        DamagedArchiveError : the file cannot be read.
        """
        return guarded(self.path, lambda: self._table(list(groups)))

    def batch(self, table: pa.Table) -> pa.RecordBatch:
        """Rows of it as one batch: columns in the order that was asked for, of plain types."""
        rows = one_batch(table)
        # They come in the order of `numbers`; fields of their own would not be of plain types.
        return pa.RecordBatch.from_arrays(rows.columns, names=self.columns)

    def _table(self, groups: list[int]) -> pa.Table:
        def make() -> Any:
            return _reader(self.path, self.footer.metadata)

        stays = self.n_groups >= _STAYS_OPEN
        with _READERS.lent(self.path, make) if stays else nullcontext(make()) as reader:
            return reader.read_row_groups(
                groups, column_indices=self.numbers, use_threads=len(groups) > _MANY_GROUPS
            )


# A file of fewer is cheap to open, and there may be a thousand: one a night.
_STAYS_OPEN = 8
# Where threads pay: below, handing the columns round costs more than it saves.
_MANY_GROUPS = 8


class _Readers:
    """Open readers that nobody uses at the moment: a reader is for one thread at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: deque[tuple[Path, Any]] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def lent(self, path: Path, make: Callable[[], Any]) -> Iterator[Any]:
        """One of the file at `path` for the time of a `with`, then kept for the next.

        The one that waits longest goes if they are too many.
        """
        with self._lock:
            idle = self._idle
            reader = _taken(idle, path)
        if reader is None:
            reader = make()
        yield reader
        with self._lock:
            idle.appendleft((path, reader))
            if len(idle) > self._most:
                idle.pop()

    def close(self) -> None:
        """Let go of all; of those that are lent, when they come back."""
        # Not under the lock: it may be the garbage collector that calls, amid any of the above.
        self._idle = deque()


def _taken(idle: deque[tuple[Path, Any]], path: Path) -> Any | None:
    for place, (of, reader) in enumerate(idle):
        if of == path:
            del idle[place]
            return reader
    return None


# Each has a file open, and a process may have a thousand.
_READERS = _Readers(128)


def close_idle() -> None:
    """Close the files that are kept open for the next question; what is known of them stays.

    Until then a file that was removed takes its place on the disk, and its mapped pages count as
    the process's memory.
    """
    _READERS.close()


def open_file(
    path: Path, columns: tuple[str, ...], order_by: str | None, cache: ByteCache
) -> ParquetFile:
    """The file at `path`, a published one, of which `columns` will be read.

    Raises
    ------
    DamagedArchiveError : it cannot be read, or lacks a column.
    """

    def footer() -> tuple[Footer, int]:
        found = guarded(path, lambda: _footer(path, order_by))
        n_groups = len(found.start) - 1
        return found, len(found.names) * (_COLUMN_BYTES + n_groups * _CHUNK_BYTES)

    def view() -> tuple[ParquetFile, int]:
        found = cache.get(("footer", path, order_by), footer)
        return guarded(path, lambda: _view(path, found, columns)), _VIEW_BYTES

    return cache.get(("file", path, order_by, columns), view)


def read_columns(path: Path, columns: Sequence[str]) -> pa.RecordBatch:
    """Some columns of a small file, as one batch.

    Raises
    ------
    DamagedArchiveError : it cannot be read, or lacks a column.
    """
    file = guarded(path, lambda: _view(path, _footer(path, None), columns))
    return file.read(range(file.n_groups))


def guarded(path: Path, read: Callable[[], Value]) -> Value:
    """What `read` gives; what goes wrong with the file is told as damage."""
    try:
        return read()
    except (OSError, pa.ArrowException, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DamagedArchiveError(
            f"the file cannot be read ({reason})",
            where=path,
            hint="See what is wrong with: nightlake verify ARCHIVE.",
        ) from error


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """The rows of a table as one batch; copied only where they are in pieces."""
    batches = table.to_batches()
    if len(batches) != 1:
        batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _reader(path: Path, metadata: Any) -> Any:
    # Neither buffered nor read ahead: the file is in memory, or soon will be.
    file = pq.ParquetFile(
        pa.memory_map(str(path)), metadata=metadata, pre_buffer=False, buffer_size=0
    )
    return file.reader


def _footer(path: Path, order_by: str | None) -> Footer:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe that someone laid there would be waited at
        raise OSError("no regular file")
    metadata = pq.read_metadata(path, memory_map=True)
    names = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
    n_groups = metadata.num_row_groups
    rows = [metadata.row_group(i).num_rows for i in range(n_groups)]
    bounds = np.empty((2, n_groups if order_by else 0), np.int64)
    if order_by:
        number = _number(names, order_by)
        for i in range(n_groups):
            said = metadata.row_group(i).column(number).statistics
            known = said is not None and said.has_min_max
            bounds[:, i] = (said.min, said.max) if known else (0, np.iinfo(np.int64).max - 1)
    start = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]).astype(np.int64)
    return Footer(metadata, names, start, bounds[0], bounds[1])


def _view(path: Path, footer: Footer, columns: Sequence[str]) -> ParquetFile:
    return ParquetFile(
        path, footer, list(columns), [_number(footer.names, name) for name in columns]
    )


def _number(names: list[str], name: str) -> int:
    if name not in names:
        raise KeyError(f"column {name} is missing")
    return names.index(name)


def resolved(path: Path) -> Path:
    """Where a link of a publication leads: the immutable file, whose name tells its content."""
    return Path(os.path.realpath(path))
