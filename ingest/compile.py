"""Compile what an ingest calls into the installation's cache: `python -m ingest.compile`.

The kernels that move records are compiled for the columns of `detections`, which
`transforms.compile` does not know.
"""

from __future__ import annotations

import numpy as np

from ingest.records import OF_ROW, ImageKey, ImageSorter, numpy_type
from ingest.row_groups import RowGroups
from transforms.compile import compile_all, compile_for_images
from transforms.sorting import RadixSorter


def compile_ingest() -> None:
    """Take two rows through every kernel of an ingest."""
    compile_for_images()
    columns = {column.name: np.zeros(2, numpy_type(column)) for column in OF_ROW}
    records = ImageSorter().sort(columns)
    order, _ = RadixSorter().sort(records["_healpix_29"])
    image = ImageKey(night=0, expid=0, field=0, fid=1, ccdid=1, qid=1, rcid=0, has_flags=True)
    for _ in RowGroups().tables(records, order, [image]):
        pass


if __name__ == "__main__":
    compile_all()
    compile_ingest()
