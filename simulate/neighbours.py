"""Pairs of sources closer than a radius on a plane: strips in y, each sorted by x."""

from __future__ import annotations

import numpy as np

from simulate.arrays import Floats, Ints


def pairs_within(x: Floats, y: Floats, radius: float) -> tuple[Ints, Ints, Floats]:
    """Every pair of points within a radius, once.

    Parameters
    ----------
    x, y : float64 (n,), finite plane coordinates.
    radius : same unit; > 0.

    Returns
    -------
    first, second : int64 (p,), indices of the two; in no special order.
    distance : float64 (p,).
    """
    if len(x) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    strip = np.floor((y - y.min()) / radius)
    # One number orders all: strips lie so far apart that no search reaches across by accident.
    apart = float(np.ptp(x)) + 4 * radius
    key = strip * apart + (x - x.min())
    order = np.argsort(key, kind="stable")
    key = key[order]
    own = np.arange(len(key))
    same = (own + 1, np.searchsorted(key, key + radius, "right"))
    above = (
        np.searchsorted(key, key + apart - radius, "left"),
        np.searchsorted(key, key + apart + radius, "right"),
    )
    first, second = (
        np.concatenate(parts) for parts in zip(_spread(*same), _spread(*above), strict=True)
    )
    first, second = order[first], order[second]
    distance = np.hypot(x[first] - x[second], y[first] - y[second])
    near = distance <= radius
    return first[near], second[near], distance[near]


def _spread(start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """All (i, j) with start[i] <= j < stop[i]."""
    counts = np.maximum(stop - start, 0)
    first = np.repeat(np.arange(len(start)), counts)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    return first, np.arange(len(first)) - before + start[first]
