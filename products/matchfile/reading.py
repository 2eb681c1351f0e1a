"""A channel's rows out of files that hold others' too, each value at its place when it is read.

    which     columns that tell whose the rows are: row groups without one of ours are done with
    where     the place of each row, by source and time
    values    all other columns of the row groups that are left, a few at a time: what is decoded
              is still in the nearer caches when it is taken to its place

Nothing but what is wanted ever stands in memory as a whole, and both cores decode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from products.matchfile.columns import MEASURED, Columns
from store.arrow import as_arrow, as_numpy
from store.contract import DETECTIONS
from store.errors import DamagedArchiveError
from store.executor import available_cores
from transforms.listed import positions
from transforms.placing import LAST, NOWHERE, places, put

Numbers = NDArray[np.int32]

# Rows decoded at once, which stay in the nearer caches; and those that one core goes through, for
# to open a file takes as long as to decode a few thousand rows.
PIECE = 32_768
PART = 262_144
_WHOSE = ("rcid", "expid", "oid", "match_rank")


class Wanted(NamedTuple):
    """Whose rows are wanted."""

    rcid: int
    expid: NDArray[np.int64]
    """(k,), the exposures of its images, each once."""
    first_oid: int
    """The id of its reference source 0."""
    sourceid: NDArray[Any]
    """(m,), the reference sources, ascending."""


class _Part(NamedTuple):
    """Some row groups of a file, for one core; and the nights whose rows in it do not count."""

    path: Path
    metadata: pq.FileMetaData
    groups: list[int]
    without: frozenset[date]

    @contextmanager
    def opened(self) -> Iterator[pq.ParquetFile]:
        """The file; where it cannot be read, that is damage."""
        with _of_archive(self.path), pq.ParquetFile(self.path, metadata=self.metadata) as file:
            yield file


class _Piece(NamedTuple):
    """A few row groups with rows that are wanted: the source and exposure of each row of theirs."""

    part: _Part
    groups: list[int]
    source: Numbers
    exposure: Numbers


def read_rows(files: Iterable[tuple[Path, frozenset[date]]], wanted: Wanted) -> Columns:
    """The wanted rows that have a source, by source and time, and after them those without one.

    Rows whose source is not among the wanted ones are left out, and such as are not the nearest to
    theirs.

    Parameters
    ----------
    files : of detections or light curves; the rows of some nights are left out of each.

    Returns
    -------
    Columns : the detections that `products.matchfile.columns.Inputs` has.

    Raises
    ------
    DamagedArchiveError : a file cannot be read.
    """
    parts = [part for path, without in files for part in _parts(path, without)]
    number_of = _numbers(wanted.sourceid)
    with ThreadPoolExecutor(available_cores()) as cores:
        found = list(cores.map(lambda part: list(_whose(part, wanted, number_of)), parts))
        pieces = [piece for of_part in found for piece in of_part]
        where = places(
            np.concatenate([_NONE, *(piece.source for piece in pieces)]),
            np.concatenate([_NONE, *(piece.exposure for piece in pieces)]),
            wanted.sourceid.size,
        )
        rows = {name: np.empty(where.size, np.dtype(DETECTIONS[name].dtype)) for name in MEASURED}
        rows |= {name: np.empty(where.size, np.int32) for name in ("source", "exposure")}
        left = iter(np.split(where.place, np.cumsum([piece.source.size for piece in pieces])))
        places_of = [[next(left) for _ in of_part] for of_part in found]
        list(cores.map(lambda some, place: _take(some, place, rows), found, places_of))
    rows["is_unmatched"] = np.arange(where.size) >= where.starts[-1]
    return rows


_NONE = np.empty(0, dtype=np.int32)


def _parts(path: Path, without: frozenset[date]) -> Iterator[_Part]:
    with _of_archive(path):
        metadata = pq.read_metadata(path)
    for groups in _cut(range(metadata.num_row_groups), metadata, PART):
        yield _Part(path, metadata, groups, without)


def _cut(groups: Iterable[int], metadata: pq.FileMetaData, rows: int) -> Iterator[list[int]]:
    """Row groups in lists of so many rows, or a few more."""
    some: list[int] = []
    size = 0
    for group in groups:
        some.append(group)
        size += metadata.row_group(group).num_rows
        if size >= rows:
            yield some
            some, size = [], 0
    if some:
        yield some


def _whose(part: _Part, wanted: Wanted, number_of: Numbers) -> Iterator[_Piece]:
    """The pieces of a part that have wanted rows."""
    names = [*_WHOSE, *(["night"] if part.without else [])]
    with part.opened() as file:
        for groups in _cut(part.groups, part.metadata, PIECE):
            rows = file.read_row_groups(groups, columns=names, use_threads=False)
            source, exposure = _told(rows, part.without, wanted, number_of)
            sizes = [part.metadata.row_group(group).num_rows for group in groups]
            starts = np.cumsum([0, *sizes[:-1]])
            there = np.maximum.reduceat(source, starts) > NOWHERE
            if there.any():
                of_there = np.repeat(there, sizes)
                yield _Piece(
                    part,
                    [group for group, is_there in zip(groups, there, strict=True) if is_there],
                    source[of_there],
                    exposure[of_there],
                )


def _told(
    rows: pa.Table, without: frozenset[date], wanted: Wanted, number_of: Numbers
) -> tuple[Numbers, Numbers]:
    """The source of each row, or `LAST` without one, or `NOWHERE`; and its exposure."""
    exposure = positions(as_numpy(rows["expid"], -1), wanted.expid)
    ours = (as_numpy(rows["rcid"], -1) == wanted.rcid) & (exposure >= 0)
    if without:
        nights = as_arrow(np.array(sorted(without), "datetime64[D]"))
        ours &= ~as_numpy(pc.is_in(rows["night"], value_set=nights))
    oid = as_numpy(rows["oid"], -1)
    sourceid = oid - wanted.first_oid
    # An id that no source has finds the last place, where none is.
    known = (sourceid >= 0) & (sourceid < number_of.size)
    source = number_of[np.where(known, sourceid, number_of.size - 1)]
    source[(oid < 0) & (as_numpy(rows["match_rank"], -1) < 0)] = LAST
    source[~ours] = NOWHERE
    return source, exposure


def _numbers(sourceid: NDArray[Any]) -> Numbers:
    """The number of each source by its id; that of no source comes last."""
    numbers = np.full(int(sourceid[-1]) + 2 if sourceid.size else 1, NOWHERE, dtype=np.int32)
    numbers[sourceid] = np.arange(sourceid.size)
    return numbers


def _take(pieces: list[_Piece], where: list[Numbers], rows: dict[str, NDArray[Any]]) -> None:
    """Read the values of a part's pieces, and take them to their places."""
    if not pieces:
        return
    with pieces[0].part.opened() as file:
        for piece, place in zip(pieces, where, strict=True):
            read = file.read_row_groups(piece.groups, columns=list(MEASURED), use_threads=False)
            for name in MEASURED:
                put(as_numpy(read[name], 0), place, rows[name])
            put(piece.source, place, rows["source"])
            put(piece.exposure, place, rows["exposure"])


@contextmanager
def _of_archive(path: Path) -> Iterator[None]:
    """A file that cannot be read is damage."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise DamagedArchiveError(
            f"cannot be read ({' '.join(str(error).split())[:200]})",
            where=path,
            hint="Check the archive with: nightlake verify ARCHIVE.",
        ) from error


def read_whole(path: Path, columns: Iterable[str]) -> pa.Table:
    """Some columns of a file, all rows.

    Raises
    ------
    DamagedArchiveError : it cannot be read.
    """
    with _of_archive(path):
        return pq.read_table(path, columns=list(columns))
