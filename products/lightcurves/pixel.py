"""The light curves of one pixel, from files to files: what a worker does.

    gather    rows of the pixel, and rows of its objects from beyond its border
    order     by object and time, told by keys alone
    write     lightcurves, a row group at a time; the index of their objects; their images;
              the objects with their statistics

The files are a pure function of what was given: `store.lightcurve_files.MadeOf` names it in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from products.lightcurves.gathered import Gathered, as_column, put_numbers
from products.lightcurves.groups import base_of, read_groups
from products.lightcurves.images import StagedImages
from products.lightcurves.objects import (
    CHANNEL,
    OF_EPOCHS,
    n_covered,
    with_statistics,
)
from products.lightcurves.objects import (
    in_order as sorted_sources,
)
from products.lightcurves.order import KEYS, Rows, Runs, in_order, runs_of
from products.lightcurves.references import own_sources, places_about
from products.lightcurves.sources import PixelSources
from store.arrow import as_arrow, as_numpy
from store.columns import ROW_GROUP_ROWS, Table
from store.contract import (
    LIGHTCURVE_IMAGES,
    LIGHTCURVE_INDEX,
    LIGHTCURVES,
    OBJECTS,
)
from store.files import TableWriter, check_linked
from store.layout import Layout
from store.manifest import FileEntry, lightcurve_part
from store.partition import Partition
from transforms.lookup import Places

# A reference position is kept to 1e-7 degrees, and so is a detection's.
ROUNDING_ARCSEC = 0.01
# What is needed of rows that count in objects alone, which lie in another pixel.
OF_OBJECTS = list(dict.fromkeys([*OF_EPOCHS, *KEYS, "_healpix_29"]))
# Rows between two times that mapped pages are given back.
MAPPED_ROWS = 1_000_000
# Epochs whose statistics are computed at once, at 100 bytes each.
EPOCHS = 250_000


@dataclass(frozen=True, slots=True)
class PixelTask:
    """What is to be built, and where it may keep what memory has no room for."""

    root: Path
    staging: Path
    sources: PixelSources
    partition: Partition
    radius_arcsec: float


def build_pixel(task: PixelTask) -> list[FileEntry]:
    """Write the files of one pixel, and describe them; they are not published yet.

    Raises
    ------
    DamagedArchiveError : a file is not what was published: damage must not be vouched for.
    """
    sources = task.sources
    radius = task.radius_arcsec + ROUNDING_ARCSEC
    own = own_sources(sources.references, sources.pixel)
    places = places_about(
        own, sources.references, sources.about, sources.pixel, task.partition, radius
    )
    rows, n_own = _gathered(task, own, places, radius)
    order = in_order(rows.values)
    runs = runs_of(rows.values, order, n_own)
    images = StagedImages(task.staging, [night for night, _ in sources.images])
    made = [
        *_write_lightcurves(task, rows, order[order < n_own]),
        *_write_index(task, runs),
        *_write_images(task, images, rows, n_own),
        *_write_objects(task, own, images, rows, order, runs),
    ]
    return [settle() for settle in made]


def _gathered(
    task: PixelTask, own: pa.Table, places: Places, radius_arcsec: float
) -> tuple[Gathered, int]:
    """All rows of the pixel, then those of its objects that lie elsewhere; how many are its own."""
    files = [_Parquet(path) for path in task.sources.detections]
    beyond = [_Parquet(path) for path in task.sources.nearby]
    n_own = sum(file.rows for file in files)
    ids = np.sort(as_numpy(own["oid"]))
    elsewhere = [found for file in beyond for found in _rows_of(ids, file)]
    n = n_own + sum(batch.num_rows for batch in elsewhere)
    rows = Gathered(LIGHTCURVES, LIGHTCURVES.names, n, task.staging)

    def add(batch: pa.RecordBatch) -> None:
        added = rows.add(batch)
        added["object_healpix_29"][:] = places.numbers_of(
            added["oid"], added["ra"], added["dec"], radius_arcsec, added["_healpix_29"]
        )

    for file in files:
        for batch in file.batches():
            add(batch)
    for batch in elsewhere:
        add(batch)
    return rows, n_own


class _Parquet:
    """A file that is known to be what was published, and open only while it is read.

    A reader that is kept keeps what it has read.
    """

    def __init__(self, link: Path) -> None:
        self._path = check_linked(link)
        self._metadata = pq.read_metadata(self._path)

    @property
    def rows(self) -> int:
        rows: int = self._metadata.num_rows
        return rows

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self._path, metadata=self._metadata) as file:
            yield from file.iter_batches(ROW_GROUP_ROWS, columns=columns, use_threads=False)


def _rows_of(ids: NDArray[np.int64], file: _Parquet) -> Iterator[pa.RecordBatch]:
    """The rows of a file that carry one of some ids, which ascend; columns `OF_OBJECTS`."""
    if not len(ids):
        return
    for batch in file.batches(OF_OBJECTS):
        oid = np.empty(batch.num_rows, np.int64)
        put_numbers(batch.column("oid"), oid)
        at = np.minimum(np.searchsorted(ids, oid), len(ids) - 1)
        if (rows := np.flatnonzero(ids[at] == oid)).size:
            yield batch.take(as_arrow(rows))


def _writer(task: PixelTask, table: Table) -> TableWriter:
    pixel = task.sources.pixel
    return TableWriter(
        Layout(task.root),
        table,
        lightcurve_part(pixel),
        pixel,
        making=task.staging,
        metadata=task.sources.made_of.metadata(),
    )


Settle = Callable[[], FileEntry]


def _write_lightcurves(task: PixelTask, rows: Gathered, order: Rows) -> Iterator[Settle]:
    """The rows in their order, and the index of where each object's are."""
    if len(order):
        with _writer(task, LIGHTCURVES) as writer:
            schema = LIGHTCURVES.schema()
            for start in range(0, len(order), ROW_GROUP_ROWS):
                writer.write(rows.take(order[start : start + ROW_GROUP_ROWS], schema))
                if start % MAPPED_ROWS < ROW_GROUP_ROWS:
                    rows.give_back()
            yield writer.finish()


def _write_index(task: PixelTask, runs: Runs) -> Iterator[Settle]:
    """Where the rows of each object are: also in a pixel that has none."""
    n_rows = np.diff(runs.own_start)
    found = np.flatnonzero((runs.oid >= 0) & (n_rows > 0))
    found = found[np.lexsort((runs.place[found], runs.oid[found]))]
    columns = (runs.oid, runs.place, runs.own_start, n_rows)
    schema = LIGHTCURVE_INDEX.schema()
    arrays = [
        as_column(values[found], field) for values, field in zip(columns, schema, strict=True)
    ]
    with _writer(task, LIGHTCURVE_INDEX) as writer:
        writer.write(pa.Table.from_arrays(arrays, schema=schema))
        yield writer.finish()


def _write_images(
    task: PixelTask, images: StagedImages, rows: Gathered, n_own: int
) -> Iterator[Settle]:
    """What is shown of the images that have rows in the pixel."""
    found = images.shown(*(rows.values[name][:n_own] for name in ("expid", "rcid")))
    if found.num_rows:
        with _writer(task, LIGHTCURVE_IMAGES) as writer:
            writer.write(found)
            yield writer.finish()


def _write_objects(
    task: PixelTask, own: pa.Table, images: StagedImages, rows: Gathered, order: Rows, runs: Runs
) -> Iterator[Settle]:
    """The pixel's reference sources, with the statistics of all of their rows."""
    if not own.num_rows:
        return
    groups = read_groups(base_of(task.sources.pixel, task.partition.order), task.staging)
    own = own.append_column("group_id", as_arrow(groups.of(as_numpy(own["oid"]))))
    own = sorted_sources(own)
    covered, known = n_covered(own, images.of_channels(own.select(CHANNEL)))
    with _writer(task, OBJECTS) as writer:
        for some, epochs in _epochs(own, rows, order, runs):
            writer.write(with_statistics(own[some], epochs, covered[some], known[some]))
        yield writer.finish()


def _epochs(
    own: pa.Table, rows: Gathered, order: Rows, runs: Runs
) -> Iterator[tuple[slice, pa.Table]]:
    """Some sources after the other, with all of their rows.

    Rows that carry a source's id and do not lie at it, for its reference was replaced, are not
    among them.
    """
    ids, places = (as_numpy(own[name]) for name in ("oid", "_healpix_29"))
    by_id = np.argsort(ids)
    at = by_id[np.minimum(np.searchsorted(ids, runs.oid, sorter=by_id), len(ids) - 1)]
    there = (ids[at] == runs.oid) & (places[at] == runs.place)
    n_rows = np.diff(runs.start)
    order = order[np.repeat(there, n_rows)]
    starts = np.concatenate([[0], np.cumsum(n_rows[there])])
    # Where the rows of a source begin, whose places ascend as those of the rows do.
    begins = starts[np.searchsorted(runs.place[there], places)]
    schema = pa.schema([LIGHTCURVES[name].field() for name in OF_EPOCHS])
    start = 0
    while start < len(ids):
        end = int(np.searchsorted(begins, begins[start] + EPOCHS))
        # Sources of one place stay together.
        end = int(np.searchsorted(places, places[min(end, len(ids) - 1)]))
        end = max(end, int(np.searchsorted(places, places[start], side="right")))
        if begins[-1] < begins[start] + EPOCHS:
            end = len(ids)
        last = len(order) if end == len(ids) else begins[end]
        yield slice(start, end), rows.take(order[begins[start] : last], schema)
        start = end
