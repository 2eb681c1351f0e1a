"""Airmass of every source: the product's kernel and astropy's AltAz as in the paper, in turn.

python -m benchmarks.secz [--rows N] [--json FILE]
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks import paper
from benchmarks.harness import Ratio, Result, in_turn, own_peak_mb, played, times_faster
from transforms.ephemeris import observer_contexts
from transforms.image import secz

MJD = 59116.4317708


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are spread over the sky above airmass 3."""
    return played(arguments, __doc__, 200_000, run)


def run(rows: int, rounds: int) -> Result:
    """Product and peer on `rows` sources anywhere up to secz 3; answers are compared first."""
    rng = np.random.default_rng(1)
    apparent = observer_contexts([MJD]).apparent[0]
    ra = rng.uniform(0.0, 360.0, 4 * rows)
    dec = np.degrees(np.arcsin(rng.uniform(-0.7, 1.0, 4 * rows)))
    up = np.flatnonzero(secz(ra, dec, apparent) <= 3.0)[:rows]
    ra, dec = ra[up], dec[up]
    difference = np.abs(secz(ra, dec, apparent) - paper.secz(MJD, ra, dec)).max()
    assert difference < 1e-7, difference
    seconds = in_turn(
        {
            "secz": lambda: secz(ra, dec, apparent),
            "AltAz": lambda: paper.secz(MJD, ra, dec),
        },
        rounds,
    )
    result = Result("secz", len(ra))
    for name, taken in seconds.items():
        result.figures[f"{name}, ns a row"] = float(np.median(taken)) / len(ra) * 1e9
    result.ratios = [
        Ratio("secz, against AltAz", times_faster(seconds, "secz", "AltAz"), 30),
        Ratio("largest difference from AltAz", float(difference), 1e-7, at_most=True),
    ]
    result.peak_memory_mb = own_peak_mb()
    return result


if __name__ == "__main__":
    main()
