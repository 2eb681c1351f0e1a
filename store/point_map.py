"""Where rows lie on the sky: counts by HEALPix cell, of a file and of a whole catalogue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from store.layout import HealpixPixel

# 0.23 degrees. HATS cuts a search by it; a finer map finds no pixel less to open.
MAP_ORDER = 8

Counts = NDArray[np.int64]


def count_cells(index: NDArray[np.int64], pixel: HealpixPixel) -> Counts:
    """How many rows of a pixel lie in each of its cells of `MAP_ORDER`.

    Parameters
    ----------
    index : int64 (n,), `_healpix_29` of the rows, ascending; all inside `pixel`.

    Returns
    -------
    int64 (4^(MAP_ORDER − pixel.order),), in NESTED order; one number for a pixel of `MAP_ORDER`
    or deeper. Zeros for no rows.
    """
    low, past = pixel.index_range
    cells: int = 4 ** max(0, MAP_ORDER - pixel.order)
    bounds = low + (past - low) // cells * np.arange(cells + 1)
    return np.diff(np.searchsorted(index, bounds))
