"""Statistics of light curves: all of them at once, and the peers' ways to a few of them, in turn.

python -m benchmarks.statistics [--rows N] [--json FILE]

polars groups the epochs by object and computes the dozen statistics that it has expressions for;
numpy and scipy go from object to object, for a part of them. Ours computes all.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from benchmarks.harness import (
    Contender,
    Ratio,
    Result,
    in_turn,
    own_peak_mb,
    played,
    times_faster,
)
from transforms.statistics import PERCENTS, Statistics, object_statistics

# Epochs of an object: a year at the survey's pace, several years, and a deep field.
EPOCHS = (20, 150, 900)
# Every which object the loop visits: all would take minutes.
EVERY = 20

Floats = NDArray[np.float64]


class Sky:
    """Objects of `epochs` epochs each, `rows` epochs or just below in all."""

    def __init__(self, rows: int, epochs: int) -> None:
        rng = np.random.default_rng(epochs)
        objects = max(1, rows // epochs)
        n = objects * epochs
        self.starts = np.arange(objects + 1) * epochs
        self.hmjd = np.sort(rng.uniform(58200.0, 60500.0, (objects, epochs)), axis=1).ravel()
        level = np.repeat(rng.uniform(14.0, 20.5, objects), epochs)
        self.magerr = 0.01 + 0.2 * 10 ** (0.4 * (level - 20.5)) * rng.uniform(0.8, 1.2, n)
        self.mag = level + self.magerr * rng.standard_normal(n)
        self.usable = rng.random(n) > 0.05

    def ours(self) -> Statistics:
        """Every statistic of every object, on one thread."""
        return object_statistics(self.starts, self.hmjd, self.mag, self.magerr, self.usable)

    def polars(self) -> pl.DataFrame:
        """What polars has expressions for, on all its threads."""
        mag, weight = pl.col("mag"), pl.col("magerr") ** -2
        epochs = pl.LazyFrame(
            {
                "object": np.repeat(np.arange(self.starts.size - 1), np.diff(self.starts)),
                "hmjd": self.hmjd,
                "mag": self.mag,
                "magerr": self.magerr,
                "usable": self.usable,
            }
        ).filter("usable")
        return (
            epochs.group_by("object")
            .agg(
                pl.len().alias("ngoodobs"),
                mag.mean().alias("meanmag"),
                ((mag * weight).sum() / weight.sum()).alias("weightedmeanmag"),
                mag.median().alias("medianmag"),
                mag.min().alias("minmag"),
                mag.max().alias("maxmag"),
                mag.std().alias("magrms"),
                (mag - mag.median()).abs().median().alias("medianabsdev"),
                mag.skew().alias("g1"),
                mag.kurtosis().alias("g2"),
                (mag.diff().pow(2).mean() / mag.var()).alias("vonneumannratio"),
                (mag.diff() / pl.col("hmjd").diff()).abs().max().alias("maxslope"),
                *(
                    mag.quantile(percent / 100, "linear").alias(f"p{percent:g}")
                    for percent in PERCENTS
                ),
            )
            .sort("object")
            .collect()
        )

    def loop(self) -> list[tuple[float, ...]]:
        """Eleven statistics by numpy and scipy, of every 20th object."""
        found = []
        for i in range(0, self.starts.size - 1, EVERY):
            rows = slice(self.starts[i], self.starts[i + 1])
            use = self.usable[rows]
            t, mag, err = self.hmjd[rows][use], self.mag[rows][use], self.magerr[rows][use]
            weight = err**-2
            middle = np.median(mag)
            centre = np.average(mag, weights=weight)
            found.append(
                (
                    mag.mean(),
                    centre,
                    middle,
                    mag.std(ddof=1),
                    np.median(np.abs(mag - middle)),
                    *np.percentile(mag, PERCENTS),
                    ((mag - centre) ** 2 * weight).sum(),
                    stats.skew(mag),
                    stats.kurtosis(mag, bias=False),
                    (np.diff(mag) ** 2).mean() / mag.var(ddof=1),
                    np.polynomial.polynomial.polyfit(t - t.mean(), mag, 1)[1],
                    np.abs(np.diff(mag) / np.diff(t)).max(),
                )
            )
        return found


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are epochs."""
    return played(arguments, __doc__, 2_000_000, run)


def run(rows: int, rounds: int) -> Result:
    """Product and peers on light curves of several lengths; answers are compared first."""
    skies = {epochs: Sky(rows, epochs) for epochs in EPOCHS}
    contenders: dict[str, Contender] = {}
    for epochs, sky in skies.items():
        _check(sky)
        contenders[f"ours, {epochs} epochs"] = sky.ours
        contenders[f"polars, {epochs} epochs"] = sky.polars
        contenders[f"loop, {epochs} epochs"] = sky.loop
    seconds = in_turn(contenders, rounds)
    result = Result("statistics", rows)
    for epochs, sky in skies.items():
        ours, polars, loop = (f"{way}, {epochs} epochs" for way in ("ours", "polars", "loop"))
        visited = int((sky.starts[1:] - sky.starts[:-1])[::EVERY].sum())
        # A loop over all objects takes longer by as much as there are more of them.
        seconds[loop] = [taken * sky.mag.size / visited for taken in seconds[loop]]
        for way in (ours, polars, loop):
            result.figures[f"{way}, ns an epoch"] = (
                float(np.median(seconds[way])) / sky.mag.size * 1e9
            )
        rate = sky.mag.size / _processor_seconds(sky.ours, rounds) / 1e6
        result.ratios += [
            Ratio(f"{ours}: million epochs/s of a core", rate, 4),
            Ratio(f"{ours}, against polars", times_faster(seconds, ours, polars), 1),
            Ratio(f"{ours}, against numpy and scipy", times_faster(seconds, ours, loop), 5),
        ]
    result.peak_memory_mb = own_peak_mb()
    return result


def _processor_seconds(contender: Contender, rounds: int) -> float:
    """Median time on a processor: a rate "a core" should not tell who else uses the machine."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        contender()
        taken.append(time.process_time() - start)
    return max(float(np.median(taken)), 1e-9)


def _check(sky: Sky) -> None:
    """A fast wrong answer fails."""
    ours, table, some = sky.ours(), sky.polars(), np.array(sky.loop()).T
    close = partial(np.testing.assert_allclose, rtol=1e-8, atol=1e-10)
    for name in ("meanmag", "weightedmeanmag", "medianmag", "minmag", "maxmag", "magrms"):
        close(getattr(ours, name), table[name])
    for name in ("medianabsdev", "vonneumannratio", "maxslope"):
        close(getattr(ours, name), table[name])
    n = ours.ngoodobs
    close(ours.ngoodobs, table["ngoodobs"])
    close(ours.skewness, table["g1"] * (1 - 1 / n) ** 1.5)
    close(ours.smallkurtosis, (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * table["g2"] + 6))
    for k, percent in enumerate(PERCENTS):
        close(ours.magquantiles[:, k], table[f"p{percent:g}"])
    close(ours.chi2[::EVERY], some[-6])
    close(ours.smallkurtosis[::EVERY], some[-4])
    close(ours.lineartrend[::EVERY], some[-2])
    close(ours.weightedmeanmag[::EVERY], some[1])


if __name__ == "__main__":
    main()
