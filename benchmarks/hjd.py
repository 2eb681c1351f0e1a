"""Heliocentric dates, alone and with airmass: our kernels and the paper's methods, in turn.

python -m benchmarks.hjd [--rows N] [--json FILE]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks import paper
from benchmarks.harness import (
    Contender,
    Ratio,
    Result,
    in_turn,
    own_peak_mb,
    played,
    times_faster,
)
from transforms.ephemeris import observer_contexts
from transforms.hjd import (
    QUADRANT_HALF_WIDTH_DEG,
    OffsetFrameFit,
    evaluate,
    fit_light_travel_time,
    footprint_centre,
    light_travel_time,
)
from transforms.image import heliocentric_and_airmass, secz

Floats = NDArray[np.float64]

MJD = 59116.4317708
EXPOSURES = 700  # of a night
# A worker goes from image to image, its rows just read and still in the processor's caches: of
# several passes over several images only the first waits for memory.
IMAGES = 4
PASSES = 6


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are those of one quadrant."""
    return played(arguments, __doc__, 20_000, run)


def run(rows: int, rounds: int) -> Result:
    """Product and peers on images of `rows` sources; answers are compared first."""
    rng = np.random.default_rng(1)
    images = [
        (
            58.0 + rng.uniform(-0.43, 0.43, rows) / np.cos(np.radians(35.7)),
            35.7 + rng.uniform(-0.43, 0.43, rows),
        )
        for _ in range(IMAGES)
    ]
    contexts = observer_contexts([MJD])
    earth, apparent = contexts.earth_heliocentric_s[0], contexts.apparent[0]
    out = np.empty(rows), np.empty(rows)

    def fit(ra: Floats, dec: Floats) -> OffsetFrameFit:
        return fit_light_travel_time(*footprint_centre(ra, dec), QUADRANT_HALF_WIDTH_DEG, earth)

    def fused(ra: Floats, dec: Floats, *, exact: bool) -> tuple[Floats, Floats, float]:
        made = None if exact else fit(ra, dec)
        return heliocentric_and_airmass(ra, dec, earth, apparent, fit=made, out=out)

    def paper_both(ra: Floats, dec: Floats) -> None:
        paper.light_travel_fit(MJD, ra, dec)
        paper.secz(MJD, ra, dec)

    ways: dict[str, Callable[[Floats, Floats], object]] = {
        "fit + secz": lambda ra, dec: fused(ra, dec, exact=False),
        "exact + secz": lambda ra, dec: fused(ra, dec, exact=True),
        "fit": lambda ra, dec: evaluate(fit(ra, dec), ra, dec),
        "exact": lambda ra, dec: light_travel_time(ra, dec, earth),
        "paper fit + secz": paper_both,
        "paper fit": lambda ra, dec: paper.light_travel_fit(MJD, ra, dec),
        "astropy direct": lambda ra, dec: paper.light_travel_direct(MJD, ra, dec),
    }
    _check(
        *images[0],
        fused(*images[0], exact=False)[2],
        light_travel_time(*images[0], earth),
        apparent,
    )

    def over_images(way: str) -> None:
        for ra, dec in images * PASSES:
            ways[way](ra, dec)

    contenders: dict[str, Contender] = {way: partial(over_images, way) for way in ways}
    dates = MJD + np.arange(EXPOSURES) * 5e-4
    contenders["ephemerides"] = lambda: observer_contexts(dates)
    seconds = in_turn(contenders, rounds)

    result = Result("hjd", rows)
    for way in ways:
        result.figures[f"{way}, ns a row"] = (
            float(np.median(seconds[way])) / rows / IMAGES / PASSES * 1e9
        )
    claims = [
        ("fit + secz", "paper fit + secz", 100),
        ("exact + secz", "paper fit + secz", 100),
        ("fit", "paper fit", 60),
        ("exact", "astropy direct", 60),
    ]
    result.ratios = [
        Ratio(f"{ours}, against {peer}", times_faster(seconds, ours, peer), goal)
        for ours, peer, goal in claims
    ]
    each_ms = float(np.median(seconds["ephemerides"])) / EXPOSURES * 1e3
    result.ratios.append(Ratio("ephemerides, ms an exposure", each_ms, 0.15, at_most=True))
    result.peak_memory_mb = own_peak_mb()
    return result


def _check(ra: Floats, dec: Floats, residual_s: float, exact: Floats, apparent: Floats) -> None:
    """A fast wrong answer fails: 1 µs of astropy, the fit 1 µs of exact, secz 1e-7."""
    assert np.abs(exact - paper.light_travel_direct(MJD, ra, dec)).max() < 1e-6
    assert residual_s < 1e-6
    assert np.abs(secz(ra, dec, apparent) - paper.secz(MJD, ra, dec)).max() < 1e-7


if __name__ == "__main__":
    main()
