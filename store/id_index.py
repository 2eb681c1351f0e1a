"""Where the detections of an object may lie: its pixels, for lookups by id in LSDB.

A detection has the id of a reference source within the match radius. So its pixel is that of the
source, or another one within that radius: most ids have one pixel, those near borders have several.
The index follows from references and partition alone; nights do not change it. That an id has no
detections in a pixel, or the pixel none at all, does no harm: whoever asks finds none there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import hpgeom
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from store.arrow import as_arrow, as_numpy
from store.borders import border_rows, nearby
from store.channel import channel_of_part
from store.contract import DETECTIONS_INDEX
from store.errors import DamagedArchiveError
from store.files import TableWriter
from store.layout import HEALPIX_ORDER, INDEX, Layout
from store.manifest import REFERENCES, FileEntry, Manifest
from store.partition import Partition
from store.snapshot import Snapshot

# Rows of a row group: an id is looked up by reading one, and each is listed in `_metadata`.
GROUP_ROWS = DETECTIONS_INDEX.row_group_rows
_NEEDED = ["_healpix_29", "oid", "ra", "dec"]


def with_index(
    layout: Layout, manifest: Manifest, partition: Partition, radius_arcsec: float
) -> Manifest:
    """The manifest of a field's references with the index of its ids, written anew.

    Equal sources and an equal partition give equal bytes. One channel is in memory at a time, and
    a row group.

    Parameters
    ----------
    radius_arcsec : match radius.

    Raises
    ------
    DamagedArchiveError : a file of sources cannot be read.
    """
    files = [entry for entry in manifest.files if entry.table != INDEX]
    part = manifest.group.rpartition("/")[2]
    with TableWriter(layout, DETECTIONS_INDEX, part) as writer:
        for rows in index_rows(layout, manifest, partition, radius_arcsec):
            writer.write(rows)
        entry = writer.finish()()
    return Manifest.of(manifest.group, [*files, entry])


def with_indexes(
    snapshot: Snapshot,
    changed: Mapping[str, Manifest],
    partition: Partition,
    radius_arcsec: float,
) -> dict[str, Manifest]:
    """`changed`, in which references have the indexes of their ids under `partition`.

    Where other pixels are split than in `snapshot`, references about these come in too.
    """
    layout = snapshot.layout
    moved = snapshot.partition.split ^ partition.split
    bases = {pixel.npix >> (2 * (pixel.order - partition.order)) for pixel in moved}
    listed = np.array(sorted(bases), dtype=np.int64)
    bases.update(np.ravel(hpgeom.neighbors(2**partition.order, listed, nest=True)).tolist())
    manifests = dict(changed)
    for group in snapshot.groups if moved else ():
        if group.startswith(REFERENCES) and group not in changed:
            manifest = snapshot.manifest(group)
            if any(entry.npix in bases for entry in manifest.files):
                manifests[group] = manifest
    for group, manifest in manifests.items():
        if group.startswith(REFERENCES) and manifest.files:
            manifests[group] = with_index(layout, manifest, partition, radius_arcsec)
    return manifests


def index_rows(
    layout: Layout, manifest: Manifest, partition: Partition, radius_arcsec: float
) -> Iterator[pa.Table]:
    """The index of a field's ids, by id and pixel, a row group at a time."""
    channels: dict[str, list[FileEntry]] = {}
    for entry in manifest.files:
        if entry.table == "reference_sources":
            channels.setdefault(entry.part, []).append(entry)
    waiting = DETECTIONS_INDEX.empty()
    # Ids begin with the channel: in the order of channels they are sorted throughout.
    for part in sorted(channels, key=channel_of_part):
        rows = _channel_rows(layout, channels[part], partition, radius_arcsec)
        waiting = pa.concat_tables([waiting, rows])
        while waiting.num_rows >= GROUP_ROWS:
            yield waiting.slice(0, GROUP_ROWS)
            waiting = waiting.slice(GROUP_ROWS)
    yield waiting


def _channel_rows(
    layout: Layout, entries: Sequence[FileEntry], partition: Partition, radius_arcsec: float
) -> pa.Table:
    tables = [_read(layout, entry) for entry in entries]
    index, oid, ra, dec = (
        np.concatenate([as_numpy(table[name]) for table in tables]) for name in _NEEDED
    )
    order, npix = partition.locate(index)
    found = []
    for depth in np.unique(order).tolist():
        rows = np.flatnonzero(order == depth)
        near = rows[border_rows(index[rows], depth, radius_arcsec)]
        pairs = nearby(index[near], ra[near], dec[near], partition, radius_arcsec)
        found.append((oid[near[pairs.row]], pairs.order, pairs.npix))
    oid, order, npix = (
        np.concatenate(columns) for columns in zip((oid, order, npix), *found, strict=True)
    )
    by_id = np.lexsort((npix << (2 * (HEALPIX_ORDER - order)), oid))
    columns = zip((oid, order, npix), DETECTIONS_INDEX.schema(), strict=True)
    arrays = [as_arrow(values[by_id], field.type) for values, field in columns]
    return pa.Table.from_arrays(arrays, schema=DETECTIONS_INDEX.schema())


def _read(layout: Layout, entry: FileEntry) -> pa.Table:
    path = layout.root / entry.path
    try:
        return pq.ParquetFile(path).read(_NEEDED, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        what = f"a reference cannot be read ({str(error).partition(chr(10))[0]})"
        hint = "Run verify; add-references writes the field again."
        raise DamagedArchiveError(what, where=path, hint=hint) from error
