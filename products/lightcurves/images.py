"""What light curves need of the images, night by night.

A night's file of images is read once, whatever pixels its rows lie in, and left in a form of which
a pixel reads no more than what is its own:

    images-20240110.arrow   what is shown of each image, and its channel; mapped
    cards-20240110.arrow    its WCS cards, some images of one part of the sky together, compressed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import hpgeom
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from products.lightcurves.objects import CHANNEL, OF_IMAGES
from store import disk
from store.arrow import as_arrow, as_numpy
from store.contract import IMAGES, LIGHTCURVE_IMAGES
from store.files import check_linked
from transforms.identifiers import pid

CARDS = "wcs_cards"
SHOWN = LIGHTCURVE_IMAGES.names
# Images whose cards are compressed together: about those of a field and filter.
IMAGES_TOGETHER = 64
# Rows of detections that are looked at together.
ROWS = 1_000_000
# Cells of 0.9 degrees, the size of an image.
ORDER = 6


@dataclass(frozen=True, slots=True)
class NightTask:
    """A night's file of images, to be left in `staging`."""

    staging: Path
    night: str
    path: Path


def stage_images(task: NightTask) -> None:
    """Leave what light curves need of a night's images where pixels find it.

    Raises
    ------
    DamagedArchiveError : the file is not what was published.
    """
    place = ["ra", "dec"]
    names = dict.fromkeys([*SHOWN, *CHANNEL, *place, CARDS])
    rows = pq.ParquetFile(check_linked(task.path)).read(list(names), use_threads=False)
    ra, dec = (np.nan_to_num(as_numpy(rows[name])) for name in place)
    cell = hpgeom.angle_to_pixel(2**ORDER, ra, dec, nest=True)
    rows = rows.take(as_arrow(np.lexsort((as_numpy(rows["pid"]), cell))))
    _write(task.staging / f"images-{task.night}.arrow", rows.drop_columns([*place, CARDS]), None)
    _write(task.staging / f"cards-{task.night}.arrow", rows.select([CARDS]), IMAGES_TOGETHER)


def _write(path: Path, rows: pa.Table, together: int | None) -> None:
    """Arrow's file of some rows, in compressed batches of some or in one that can be mapped."""
    options = pa.ipc.IpcWriteOptions(compression=None if together is None else "zstd")
    with disk.File(path) as file, pa.ipc.new_file(file, rows.schema, options=options) as writer:
        writer.write_table(rows.combine_chunks(), max_chunksize=together)


class StagedImages:
    """What `stage_images` left of some nights.

    Parameters
    ----------
    nights : as 20240110.
    """

    def __init__(self, staging: Path, nights: Sequence[str]) -> None:
        self._staging = staging
        self._tables = {night: self._open(f"images-{night}").read_all() for night in nights}

    def _open(self, name: str) -> pa.ipc.RecordBatchFileReader:
        return pa.ipc.open_file(pa.memory_map(str(self._staging / f"{name}.arrow")))

    def shown(self, expid: NDArray[np.int64], rcid: NDArray[np.int8]) -> pa.Table:
        """The rows of `lightcurve_images` of some images, in its order.

        Parameters
        ----------
        expid, rcid : (n,) the images, each any number of times.
        """
        # An exposure and a channel as one number; Arrow finds the few distinct ones in one pass.
        numbers: set[int] = set()
        for start in range(0, len(expid), ROWS):
            some = expid[start : start + ROWS] * 64 + rcid[start : start + ROWS]
            found = pa.Array.from_buffers(pa.int64(), len(some), [None, pa.py_buffer(some)])
            numbers.update(found.unique().to_pylist())
        pids = sorted(pid(number >> 6, number & 63) for number in numbers)
        wanted = as_arrow(np.array(pids, dtype=np.int64))
        tables = [LIGHTCURVE_IMAGES.empty()]
        for rows in self._tables.values():
            here = rows.select(SHOWN).filter(pc.is_in(rows["pid"], wanted))
            tables.append(here.cast(LIGHTCURVE_IMAGES.schema()))
        rows = pa.concat_tables(tables)
        return rows.sort_by([(name, "ascending") for name in LIGHTCURVE_IMAGES.sort])

    def of_channels(self, channels: pa.Table) -> pa.Table:
        """All images of some channels, columns `OF_IMAGES`.

        Parameters
        ----------
        channels : columns `CHANNEL`, each any number of times.
        """
        wanted = np.unique(_numbers(channels))
        found = [IMAGES.empty().select(OF_IMAGES)]
        for night, rows in self._tables.items():
            chosen = np.flatnonzero(np.isin(_numbers(rows), wanted))
            if chosen.size:
                here = rows.select(CHANNEL).take(as_arrow(chosen))
                found.append(here.append_column(CARDS, self._cards(night, chosen)))
        return pa.concat_tables(found, promote_options="permissive")

    def _cards(self, night: str, rows: NDArray[np.intp]) -> pa.Array:
        """Cards of some rows, ascending, out of the batches that hold them."""
        file = self._open(f"cards-{night}")
        batches = np.unique(rows // IMAGES_TOGETHER)
        cards = pa.concat_arrays([file.get_batch(k).column(0) for k in batches.tolist()])
        before = np.searchsorted(batches, rows // IMAGES_TOGETHER) * IMAGES_TOGETHER
        return cards.take(as_arrow(before + rows % IMAGES_TOGETHER))


def _numbers(table: pa.Table) -> NDArray[np.int64]:
    """Each row's channel as one number."""
    number = np.zeros(table.num_rows, dtype=np.int64)
    for name in CHANNEL:
        number = number * 10_000 + as_numpy(table[name])
    return number
