"""What the image cannot tell apart becomes one source; what it can is or is not isolated."""

from __future__ import annotations

import numpy as np

from simulate import variables
from simulate.arrays import Bools, Floats, Ints
from simulate.sky import Sky

MUCH_FAINTER_MAG = 2.5  # a rival fainter by more does not spoil a match


def merge(
    flux: Floats, x: Floats, y: Floats, first: Ints, second: Ints
) -> tuple[Ints, Floats, Floats, Floats]:
    """Merge pairs into their brighter members.

    Parameters
    ----------
    flux, x, y : float64 (n,).
    first, second : int64 (p,), pairs that are closer than the image resolves.

    Returns
    -------
    hosts : int64 (m,), indices of the sources that remain.
    flux, x, y : float64 (m,), summed fluxes and the centroids that flux weighs.
    """
    everyone = np.arange(len(flux))
    if len(first) == 0:
        return everyone, flux, x, y
    swap = (flux[second] > flux[first]) | ((flux[second] == flux[first]) & (second < first))
    bright, faint = np.where(swap, second, first), np.where(swap, first, second)
    host = everyone.copy()
    # The brightest neighbour comes last, and the last assignment stays.
    order = np.argsort(flux[bright], kind="stable")
    host[faint[order]] = bright[order]
    while not np.array_equal(host, host[host]):  # a chain ends at its brightest
        host = host[host]
    total = _sums(host, flux)
    hosts = np.flatnonzero(host == everyone)
    shares = flux / total[host]
    centroids = (_sums(host, shares * x)[hosts], _sums(host, shares * y)[hosts])
    return hosts, total[hosts], *centroids


def _sums(host: Ints, values: Floats) -> Floats:
    sums: Floats = np.bincount(host, values, len(host)).astype(np.float64, copy=False)
    return sums


def isolated(sky: Sky, fid: int, mag_now: Floats) -> Bools:
    """Which sources have no rival within 6″, neither in this image nor in the reference.

    Parameters
    ----------
    sky : the true sources.
    fid : filter.
    mag_now : float64 (n,), magnitudes at the time of the image.

    Returns
    -------
    bool (n,). False if another source within 6″ is brighter, or fainter by less than 2.5 mag,
    now or on average; of a transient, if there is any other source.
    """
    mean = sky.mag[fid - 1]
    faintest, brightest = np.maximum(mag_now, mean), np.minimum(mag_now, mean)
    alone = np.ones(len(mean), bool)
    for one, other in ((sky.pair_first, sky.pair_second), (sky.pair_second, sky.pair_first)):
        rival = brightest[other] < faintest[one] + MUCH_FAINTER_MAG
        rival |= sky.kind[one] == variables.TRANSIENT
        alone[one[rival]] = False
    return alone
