"""The margins of a night: rows near another pixel than their own, kept beside that pixel too.

    merge     of each pixel, the rows near others go to a file in staging as well    (BorderRows)
    gather    each pixel's margin is made of what its neighbours have put there, and
              of what stands of it that came from pixels which nobody has touched     (margin_files)

So the bytes of a margin do not depend on how often, and in what order, images of a night came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import hpgeom
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from store import disk
from store.arrow import as_arrow, as_numpy
from store.borders import border_rows, nearby
from store.columns import ROW_GROUP_ROWS
from store.contract import DETECTIONS_MARGIN
from store.executor import Tasks
from store.files import TableWriter, check_intact
from store.layout import HEALPIX_ORDER, HealpixPixel, Layout
from store.manifest import FileEntry
from store.partition import Partition

# Neighbours share the files in staging that they are made of.
MARGINS_A_TASK = 64
PORTIONS = 4
_BORDERED = "bordered"


@dataclass(frozen=True, slots=True)
class MarginRule:
    """Which rows belong to margins: those within a radius of another leaf; none if it is 0."""

    partition: Partition
    radius_arcsec: float


class BorderRows:
    """Gathers the rows of one pixel that are near others, while the pixel's file is written."""

    def __init__(self, rule: MarginRule, pixel: HealpixPixel) -> None:
        self._rule, self._pixel = rule, pixel
        self._found: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        """Some rows of the pixel, in the schema of `detections`; they are copied."""
        radius = self._rule.radius_arcsec
        if not radius:
            return
        index = as_numpy(rows["_healpix_29"])
        near = border_rows(index, self._pixel.order, radius)
        if not near.size:
            return
        ra, dec = (as_numpy(rows[name])[near] for name in ("ra", "dec"))
        found = nearby(index[near], ra, dec, self._rule.partition, radius)
        if found.row.size:
            first = found.npix << (2 * (HEALPIX_ORDER - found.order))
            taken = rows.take(as_arrow(near[found.row]))
            self._found.append(taken.append_column(_BORDERED, as_arrow(first)))

    def save(self, staging: Path) -> None:
        """Put them in `staging`; what an earlier ingest put there goes."""
        path = _staged(staging, self._pixel)
        if not self._found:
            disk.remove(path)
            return
        rows = pa.concat_tables(self._found)
        with disk.File(path) as file, pa.ipc.new_file(file, rows.schema) as writer:
            writer.write_table(rows)


class NearRows:
    """Gathers the rows near some leaves that make up one pixel: what the margins of these hold.

    They come from the leaves themselves and from the margin that the pixel had as a whole.
    """

    def __init__(self, rule: MarginRule, leaves: Sequence[HealpixPixel]) -> None:
        self._rule, self._leaves = rule, leaves
        self._starts = np.array([leaf.index_range[0] for leaf in leaves])
        self._found = [_with_leaf(DETECTIONS_MARGIN.empty(), 0)]

    def add_inside(self, rows: pa.Table, leaf: HealpixPixel) -> None:
        """Some rows of a leaf, in the schema of `detections`; they are copied."""
        index = as_numpy(rows["_healpix_29"])
        if self._rule.radius_arcsec:
            self._add(rows, border_rows(index, leaf.order, self._rule.radius_arcsec))

    def add_outside(self, rows: pa.Table) -> None:
        """Some rows of the pixel's margin, in the schema of `detections`; they are copied."""
        if self._rule.radius_arcsec:
            self._add(rows, np.arange(rows.num_rows))

    def _add(self, rows: pa.Table, near: NDArray[np.int64]) -> None:
        index, ra, dec = (as_numpy(rows[name])[near] for name in ("_healpix_29", "ra", "dec"))
        found = nearby(index, ra, dec, self._rule.partition, self._rule.radius_arcsec)
        first = found.npix << (2 * (HEALPIX_ORDER - found.order))
        here = np.isin(first, self._starts)
        taken = rows.take(as_arrow(near[found.row[here]])).cast(DETECTIONS_MARGIN.schema())
        self._found.append(taken.append_column(_BORDERED, as_arrow(first[here])))

    def margins(self) -> Iterator[tuple[HealpixPixel, pa.Table]]:
        """Each leaf's margin, in the schema and the order of the contract."""
        rows = _sorted(pa.concat_tables(self._found))
        first = as_numpy(rows[_BORDERED])
        rows = rows.drop_columns([_BORDERED])
        for leaf in self._leaves:
            start, end = np.searchsorted(first, leaf.index_range).tolist()
            yield leaf, rows.slice(start, end - start)


@dataclass(frozen=True, slots=True)
class MarginTask:
    """The margins of some leaves; `touched` are the pixels about them that were merged anew."""

    root: Path
    part: str
    staging: Path
    rule: MarginRule
    leaves: tuple[HealpixPixel, ...]
    touched: tuple[HealpixPixel, ...]
    standing: tuple[FileEntry, ...]


def margin_files(
    root: Path,
    part: str,
    staging: Path,
    rule: MarginRule,
    touched: Sequence[HealpixPixel],
    standing: Mapping[HealpixPixel, FileEntry],
    executor: Tasks,
) -> list[FileEntry]:
    """The files of a night's margins.

    Parameters
    ----------
    touched : the pixels whose border rows `BorderRows` has saved in `staging`.
    standing : the margins that are published of the night.
    """
    if not rule.radius_arcsec:
        return []
    near = _with_neighbours({_base(pixel, rule) for pixel in touched}, rule)
    bases = [HealpixPixel(rule.partition.order, npix) for npix in sorted(near)]
    leaves = [leaf for base in bases for leaf in rule.partition.leaves(base)]
    size = max(1, min(MARGINS_A_TASK, len(leaves) // (PORTIONS * executor.workers)))
    tasks = []
    for start in range(0, len(leaves), size):
        some = leaves[start : start + size]
        about = _with_neighbours({_base(leaf, rule) for leaf in some}, rule)
        tasks.append(
            MarginTask(
                root,
                part,
                staging,
                rule,
                tuple(some),
                tuple(pixel for pixel in touched if _base(pixel, rule) in about),
                tuple(standing[leaf] for leaf in some if leaf in standing),
            )
        )
    files = [entry for leaf, entry in standing.items() if leaf not in set(leaves)]
    for _, made in executor.run(make_margins, tasks):
        files += made
    return files


def make_margins(task: MarginTask) -> list[FileEntry]:
    """Write the margin of each leaf that has one, and describe it."""
    layout = Layout(task.root)
    rows = _sorted(pa.concat_tables([_new_rows(task), *_standing_rows(layout, task)]))
    first = as_numpy(rows[_BORDERED])
    rows = rows.drop_columns([_BORDERED])
    files = []
    with ThreadPoolExecutor(1) as syncing:
        for leaf in task.leaves:
            start, end = np.searchsorted(first, leaf.index_range).tolist()
            if start == end:
                continue
            with TableWriter(layout, DETECTIONS_MARGIN, task.part, leaf) as writer:
                for row in range(start, end, ROW_GROUP_ROWS):
                    writer.write(rows.slice(row, min(ROW_GROUP_ROWS, end - row)))
                files.append(syncing.submit(writer.finish()))
    return [file.result() for file in files]


def _new_rows(task: MarginTask) -> pa.Table:
    """What the pixels that were merged have for these leaves."""
    found = [_with_leaf(DETECTIONS_MARGIN.empty(), 0)]
    bounds = np.array([leaf.index_range[0] for leaf in task.leaves])
    for pixel in task.touched:
        path = _staged(task.staging, pixel)
        if path.exists():
            with pa.OSFile(str(path)) as file:
                rows = pa.ipc.open_file(file).read_all()
            wanted = np.isin(as_numpy(rows[_BORDERED]), bounds)
            found.append(rows.take(as_arrow(np.flatnonzero(wanted))))
    return pa.concat_tables(found)


def _standing_rows(layout: Layout, task: MarginTask) -> Iterator[pa.Table]:
    """What stands of these margins and came from pixels that were not merged."""
    bounds = np.array([pixel.index_range[0] for pixel in task.touched])
    for entry in task.standing:
        if entry.pixel is None:
            continue
        file = pq.ParquetFile(check_intact(layout, entry))
        rows = file.read().cast(DETECTIONS_MARGIN.schema())
        order, npix = task.rule.partition.locate(as_numpy(rows["_healpix_29"]))
        kept = ~np.isin(npix << (2 * (HEALPIX_ORDER - order)), bounds)
        rows = rows.take(as_arrow(np.flatnonzero(kept)))
        yield _with_leaf(rows, entry.pixel.index_range[0])


def _sorted(rows: pa.Table) -> pa.Table:
    """By leaf, and within it in the order of the contract."""
    keys = [as_numpy(rows[name]) for name in (_BORDERED, *DETECTIONS_MARGIN.sort)]
    return rows.take(as_arrow(np.lexsort(keys[::-1]))).combine_chunks()


def _with_leaf(rows: pa.Table, first: int) -> pa.Table:
    return rows.append_column(_BORDERED, as_arrow(np.full(rows.num_rows, first)))


def _staged(staging: Path, pixel: HealpixPixel) -> Path:
    return staging / f"{pixel.order}-{pixel.npix}.border"


def _base(pixel: HealpixPixel, rule: MarginRule) -> int:
    """The pixel of the base order that it is, or is part of."""
    return pixel.npix >> (2 * (pixel.order - rule.partition.order))


def _with_neighbours(bases: set[int], rule: MarginRule) -> set[int]:
    """Pixels of the base order and those that touch them."""
    listed = np.array(sorted(bases), dtype=np.int64)
    around = hpgeom.neighbors(2**rule.partition.order, listed, nest=True)
    return bases | (set(np.ravel(around).tolist()) - {-1})
