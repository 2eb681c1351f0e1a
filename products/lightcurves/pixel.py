"""The light curves of one pixel, from files to files: what a worker does.

    gather    rows of the pixel, and rows of its objects from beyond its border
    order     by object and time, told by keys alone
    write     lightcurves, a row group at a time; the index of their objects; their images;
              the objects with their statistics

The files are a pure function of what was given: `store.lightcurve_files.MadeOf` names it in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from products.lightcurves.gathered import Gathered, as_arrow
from products.lightcurves.groups import base_of, read_groups
from products.lightcurves.images import images_of_channels, shown_images
from products.lightcurves.objects import CHANNEL, OF_EPOCHS, object_rows
from products.lightcurves.order import Rows, in_order
from products.lightcurves.references import own_sources, places_about
from products.lightcurves.sources import PixelSources
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
# Rows between two times that mapped pages are given back.
MAPPED_ROWS = 1_000_000


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
    made = [
        *_write_lightcurves(task, rows, order[order < n_own]),
        *_write_images(task, rows, n_own),
        *_write_objects(task, own, rows, order),
    ]
    return [settle() for settle in made]


def _gathered(
    task: PixelTask, own: pa.Table, places: Places, radius_arcsec: float
) -> tuple[Gathered, int]:
    """All rows of the pixel, then those of its objects that lie elsewhere; how many are its own."""
    files = [pq.ParquetFile(check_linked(path)) for path in task.sources.detections]
    beyond = [pq.ParquetFile(check_linked(path)) for path in task.sources.nearby]
    n_own = sum(file.metadata.num_rows for file in files)
    elsewhere = [_rows_of(batch, own) for file in beyond for batch in _batches(file)]
    elsewhere = [batch for batch in elsewhere if batch.num_rows]
    n = n_own + sum(batch.num_rows for batch in elsewhere)
    rows = Gathered(LIGHTCURVES, LIGHTCURVES.names, n, task.staging)

    def add(batch: pa.RecordBatch) -> None:
        added = rows.add(batch)
        added["object_healpix_29"][:] = places.numbers_of(
            added["oid"], added["ra"], added["dec"], radius_arcsec, added["_healpix_29"]
        )

    for file in files:
        for batch in _batches(file):
            add(batch)
    for batch in elsewhere:
        add(batch)
    return rows, n_own


def _batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    with file:
        yield from file.iter_batches(ROW_GROUP_ROWS, use_threads=False)


def _rows_of(batch: pa.RecordBatch, sources: pa.Table) -> pa.RecordBatch:
    """The rows that carry the id of one of some sources."""
    return batch.filter(pc.is_in(batch.column("oid"), sources["oid"], skip_nulls=True))


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
    with _writer(task, LIGHTCURVE_INDEX) as writer:
        index = _index(rows, order)
        for start in range(0, max(1, index.num_rows), ROW_GROUP_ROWS):
            writer.write(index.slice(start, ROW_GROUP_ROWS))
        yield writer.finish()


def _index(rows: Gathered, order: Rows) -> pa.Table:
    oid, place = (rows.values[name][order] for name in ("oid", "object_healpix_29"))
    first = np.flatnonzero(_begins(oid) | _begins(place))
    n_rows = np.diff(first, append=len(order))
    first, n_rows = (values[oid[first] >= 0] for values in (first, n_rows))
    by_id = np.lexsort((place[first], oid[first]))
    first, n_rows = first[by_id], n_rows[by_id]
    columns = (oid[first], place[first], first, n_rows)
    schema = LIGHTCURVE_INDEX.schema()
    arrays = [as_arrow(values, field) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _begins(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a run of equal values begins."""
    return np.concatenate([np.ones(min(1, len(values)), np.bool_), values[1:] != values[:-1]])


def _write_images(task: PixelTask, rows: Gathered, n_own: int) -> Iterator[Settle]:
    """What is shown of the images that have rows in the pixel."""
    expid, rcid = (rows.values[name][:n_own] for name in ("expid", "rcid"))
    found = shown_images(task.sources.images, expid, rcid)
    if found.num_rows:
        with _writer(task, LIGHTCURVE_IMAGES) as writer:
            for start in range(0, found.num_rows, ROW_GROUP_ROWS):
                writer.write(found.slice(start, ROW_GROUP_ROWS))
            yield writer.finish()


def _write_objects(task: PixelTask, own: pa.Table, rows: Gathered, order: Rows) -> Iterator[Settle]:
    """The pixel's reference sources, with the statistics of all of their rows."""
    if own.num_rows:
        images = images_of_channels(task.sources.images, own.select(CHANNEL))
        groups = read_groups(base_of(task.sources.pixel, task.partition.order), task.staging)
        own = own.append_column("group_id", [groups.of(own["oid"].to_numpy())])
        found = object_rows(own, _epochs(own, rows, order), images)
        with _writer(task, OBJECTS) as writer:
            for start in range(0, found.num_rows, ROW_GROUP_ROWS):
                writer.write(found.slice(start, ROW_GROUP_ROWS))
            yield writer.finish()


def _epochs(own: pa.Table, rows: Gathered, order: Rows) -> pa.Table:
    """The rows of the sources, but for those that carry an id and lie elsewhere."""
    oid, place = (rows.values[name][order] for name in ("oid", "object_healpix_29"))
    ids, places = (own[name].to_numpy() for name in ("oid", "_healpix_29"))
    by_id = np.argsort(ids)
    first = np.flatnonzero(_begins(oid) | _begins(place))
    at = by_id[np.minimum(np.searchsorted(ids, oid[first], sorter=by_id), len(ids) - 1)]
    there = (ids[at] == oid[first]) & (places[at] == place[first])
    n_rows = np.diff(first, append=len(order))
    schema = pa.schema([LIGHTCURVES[name].field() for name in OF_EPOCHS])
    return rows.take(order[np.repeat(there, n_rows)], schema)
