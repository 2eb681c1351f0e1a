"""What a pixel's light curves need of the images, from the nights' files of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from products.lightcurves.objects import CHANNEL, OF_IMAGES
from store.contract import IMAGES, LIGHTCURVE_IMAGES
from store.files import check_linked
from transforms.identifiers import pid

Night = tuple[str, Path]


def shown_images(
    nights: Sequence[Night], expid: NDArray[np.int64], rcid: NDArray[np.int8]
) -> pa.Table:
    """The rows of `lightcurve_images` of some images.

    Parameters
    ----------
    nights : the file of images of each night that may hold them.
    expid, rcid : (n,) the images, each any number of times.
    """
    # A row's exposure and channel as one number; Arrow finds the few distinct ones in one pass.
    numbers = pa.Array.from_buffers(
        pa.int64(), len(expid), [None, pa.py_buffer(expid * 64 + rcid)]
    ).unique()
    wanted = pa.array([pid(number >> 6, number & 63) for number in numbers.to_pylist()], pa.int64())
    names = LIGHTCURVE_IMAGES.names
    tables = [LIGHTCURVE_IMAGES.empty()]
    for _, path in nights:
        rows = pq.ParquetFile(check_linked(path)).read(names, use_threads=False)
        tables.append(rows.filter(pc.is_in(rows["pid"], wanted)).select(names))
    rows = pa.concat_tables([table.cast(LIGHTCURVE_IMAGES.schema()) for table in tables])
    return rows.sort_by([(name, "ascending") for name in LIGHTCURVE_IMAGES.sort])


def images_of_channels(nights: Sequence[Night], channels: pa.Table) -> pa.Table:
    """All images of some channels, columns `OF_IMAGES`.

    Parameters
    ----------
    channels : columns `CHANNEL`, each any number of times.
    """
    wanted = np.unique(_numbers(channels))
    tables = [IMAGES.empty().select(OF_IMAGES)]
    for _, path in nights:
        file = pq.ParquetFile(check_linked(path))
        rows = np.flatnonzero(np.isin(_numbers(file.read(list(CHANNEL))), wanted))
        if rows.size:
            tables.append(file.read(list(OF_IMAGES), use_threads=False).take(rows))
    return pa.concat_tables(tables)


def _numbers(table: pa.Table) -> NDArray[np.int64]:
    """Each row's channel as one number."""
    number = np.zeros(table.num_rows, dtype=np.int64)
    for name in CHANNEL:
        number = number * 10_000 + table[name].to_numpy()
    return number
