"""The `sources` of a real matchfile, recomputed from its own `sourcedata`, column by column.

The sample is trimmed: of each source some rows are missing. Complete are the usable epochs of the
source with two (matchid 4), and of the one with three (matchid 6) once its missing magnitude, the
faintest, is taken from `maxmag`. Of the others a column is held to what the rows that are there and
the file's other columns allow.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from realdata import REAL, needs_real
from scipy.optimize import linprog

from transforms.statistics import PERCENTS, Statistics, good_epochs, object_statistics

pytestmark = needs_real

FILE = REAL / "matchfile" / "ztf_000245_zr_c10_q1_match.pytable"
TWO, THREE = 4, 6
# Sources with 28 to 84 usable epochs; the file computes some columns of no fewer.
LONG = [0, 1, 3, 5, 7, 8, 9]
FLOAT32 = 1.2e-7

# The verdict on every column; each is shown by the test of that name below.
AGREES = {"nobs", "ngoodobs", "meanmag", "medianmag", "minmag", "maxmag", "magrms", "x", "y", "z"}
AGREES_BY_CONVENTION = {"percentiles", "chisq", "medmagerr", "skewness"}
# As exactly as the rows that are there allow.
CONSISTENT = {"medianabsdev", "lineartrend", "vonneumannratio", "npairposslope", "con"}
NOT_COMPUTED_THERE = {
    "smallkurtosis", "stetsonj", "stetsonk", "weightedmagrms", "weightedmeanmag",  # NaN
    "nabovemeanbystd", "nbelowmeanbystd", "nconsecabovemeanbystd", "nconsecbelowmeanbystd",
    "nconsecfrommeanbystd", "nmedianbufferrange", "uncalibmeanmag",  # 0
}  # fmt: skip
# Of rows that are missing, or of what is not in the file.
NOT_DERIVABLE = {"maxslope", "astrometricrms", "nobsrel", "ngoodobsrel"}
NO_STATISTICS = {
    "matchid", "ra", "dec", "refchi", "refmag", "refmagerr", "refsharp", "refsnr"
}  # fmt: skip


class Matchfile(NamedTuple):
    """The real file: tables as they are, ours on their rows."""

    sources: NDArray[Any]
    rows: NDArray[Any]
    ours: Statistics

    def usable(self, matchid: int) -> NDArray[Any]:
        """The rows of a source without flags, in order of time."""
        rows = self.rows[(self.rows["matchid"] == matchid) & good_epochs(self.rows["catflags"])]
        return rows[np.argsort(rows["hjd"])]

    def mags(self, matchid: int) -> NDArray[np.float64]:
        """Their magnitudes."""
        return self.usable(matchid)["mag"].astype(float)

    def scaled(self, matchid: int, column: str) -> Any:
        """A column in units of `magrms` from `meanmag`."""
        source = self.sources[matchid]
        return (np.float64(source[column]) - np.float64(source["meanmag"])) / source["magrms"]


@cache
def matchfile() -> Matchfile:
    import h5py

    with h5py.File(FILE) as file:
        sources, rows = file["matches/sources"][:], file["matches/sourcedata"][:]
    assert sources["matchid"].tolist() == list(range(10))
    starts = np.searchsorted(rows["matchid"], np.arange(11))
    usable = good_epochs(rows["catflags"])
    ours = object_statistics(starts, rows["hjd"], rows["mag"], rows["magerr"], usable)
    return Matchfile(sources, rows, ours)


def of_three() -> Statistics:
    """Ours of the source whose third magnitude is the file's `maxmag`."""
    mags = [*matchfile().mags(THREE), matchfile().sources["maxmag"][THREE]]
    return object_statistics([0, 3], np.arange(3.0), mags, np.full(3, 0.2))


def test_every_column_has_a_verdict():
    verdicts = [
        AGREES, AGREES_BY_CONVENTION, CONSISTENT, NOT_COMPUTED_THERE, NOT_DERIVABLE, NO_STATISTICS
    ]  # fmt: skip
    named = set().union(*verdicts)
    assert named == set(matchfile().sources.dtype.names)
    assert len(named) == sum(map(len, verdicts))
    statistics = named - NO_STATISTICS - {"x", "y", "z"}
    without = {"nobsrel", "ngoodobsrel", "uncalibmeanmag", "astrometricrms"}
    assert statistics - without <= set(Statistics._fields)


@pytest.mark.parametrize("name", ["meanmag", "medianmag", "minmag", "maxmag", "magrms"])
def test_complete_sources_agree_to_float32(name):
    theirs = matchfile().sources[name]
    assert getattr(matchfile().ours, name)[TWO] == pytest.approx(theirs[TWO], rel=FLOAT32)
    # A difference of magnitudes that are themselves float32.
    tolerance = 1e-5 if name == "magrms" else FLOAT32
    assert getattr(of_three(), name)[0] == pytest.approx(theirs[THREE], rel=tolerance)


def test_without_epochs_theirs_is_zero_and_ours_is_unknown():
    sources, ours = matchfile().sources, matchfile().ours
    assert sources["nobs"][2] == ours.nobs[2] == 0
    assert sources["meanmag"][2] == 0
    assert np.isnan(ours.meanmag[2])


def test_usable_are_epochs_without_any_flag():
    sources, rows = matchfile().sources, matchfile().rows
    for matchid in LONG:
        mags = matchfile().mags(matchid)
        assert mags.min() == sources["minmag"][matchid]
        assert mags.max() <= sources["maxmag"][matchid]
        assert len(mags) <= sources["ngoodobs"][matchid]
    # A source's row with bit 0 is brighter than its `minmag`: it is not counted.
    flagged = rows[(rows["matchid"] == 1) & (rows["catflags"] == 1)]
    assert flagged["mag"].min() < sources["minmag"][1]


def test_counts_are_never_less_than_the_rows_that_are_there():
    sources, ours = matchfile().sources, matchfile().ours
    assert (sources["nobs"] >= ours.nobs).all()
    assert (sources["ngoodobs"] >= ours.ngoodobs).all()
    assert sources["ngoodobs"][TWO] == ours.ngoodobs[TWO] == 2


def test_unit_vectors_are_of_the_position():
    sources = matchfile().sources
    ra, dec = np.radians(sources["ra"]), np.radians(sources["dec"])
    np.testing.assert_allclose(sources["x"], np.cos(dec) * np.cos(ra), rtol=1e-15)
    np.testing.assert_allclose(sources["y"], np.cos(dec) * np.sin(ra), rtol=1e-13)
    np.testing.assert_allclose(sources["z"], np.sin(dec), rtol=1e-15)


def test_percentiles_are_at_one_over_the_percent():
    theirs = matchfile().sources["percentiles"]
    np.testing.assert_allclose(matchfile().ours.percentiles[TWO], theirs[TWO], rtol=FLOAT32)
    np.testing.assert_allclose(of_three().percentiles[0], theirs[THREE], rtol=FLOAT32)
    for matchid in LONG:
        # Between two epochs a quantile is linear in its place, (n−1)/p: those between the same two
        # lie on a line, and at place 0 is the brightest.
        place = (matchfile().sources["ngoodobs"][matchid] - 1) / np.array(PERCENTS)
        between = place < 1
        slope = (theirs[matchid] - matchfile().mags(matchid).min())[between] / place[between]
        assert between.sum() >= 2
        assert np.ptp(slope) < 4e-6
        # Never the percentiles that the documents name.
        assert (np.diff(theirs[matchid]) < 0).all()


def test_chisq_is_the_robust_scatter_over_the_median_error():
    sources = matchfile().sources[LONG]
    expected = np.float32(1.4826) * sources["medianabsdev"] / sources["medmagerr"]
    np.testing.assert_allclose(sources["chisq"], expected, rtol=2 * FLOAT32)
    # Not the exact factor; and not the documents' χ², which the file's own spread contradicts.
    exact = 1.482602218505602 * sources["medianabsdev"] / sources["medmagerr"]
    assert (np.abs(exact / sources["chisq"] - 1) > 1e-6).all()
    assert sources["chisq"][0] < 0.5 * (sources["magrms"][0] / sources["medmagerr"][0]) ** 2
    ours = matchfile().ours
    np.testing.assert_allclose(
        ours.chisq[LONG], 1.4826 * ours.medianabsdev[LONG] / ours.medmagerr[LONG], rtol=1e-14
    )


def test_medmagerr_is_of_all_epochs_flagged_ones_too():
    sources, rows = matchfile().sources, matchfile().rows
    for matchid in (1, 5, 7, 9, TWO, THREE):
        # Of an odd number of epochs the median is the error of one of them.
        assert sources["nobs"][matchid] % 2 == 1
        assert sources["medmagerr"][matchid] in rows["magerr"][rows["matchid"] == matchid]
    # Source 4: of its two usable epochs it would be halfway.
    assert sources["medmagerr"][TWO] == matchfile().usable(TWO)["magerr"].min()
    # Source 6: the third is the faintest, and has the largest error.
    assert sources["medmagerr"][THREE] == matchfile().usable(THREE)["magerr"].max()


def least_and_most_cubes(matchid: int) -> NDArray[np.float64]:
    """Bounds of Σd³/s³ of a source whose rows are partly missing, by linear programming.

    What the missing magnitudes are is free, but for the file's mean, rms, extremes, median,
    median absolute deviation and quantiles. Magnitudes are in rms from the mean.
    """
    source = matchfile().sources[matchid]
    n = int(source["ngoodobs"])
    known = (matchfile().mags(matchid) - np.float64(source["meanmag"])) / source["magrms"]
    least, most, middle = (
        matchfile().scaled(matchid, name) for name in ("minmag", "maxmag", "medianmag")
    )
    if known.max() < most - 1e-5:
        known = np.append(known, most)
    deviation = source["medianabsdev"] / source["magrms"]
    grid = np.linspace(least, most, 4001)
    step = grid[1] - grid[0]
    half = n // 2
    # (which magnitudes, at most how many of all n)
    limits = [
        (lambda v, by: v < middle - by, half),
        (lambda v, by: v > middle + by, half),
        (lambda v, by: np.abs(v - middle) < deviation - by, half),
        (lambda v, by: np.abs(v - middle) > deviation + by, half),
    ]
    for place, value in zip(
        (n - 1) / np.array(PERCENTS), matchfile().scaled(matchid, "percentiles"), strict=True
    ):
        limits += [
            (lambda v, by, at=value: v < at - by, int(place) + 1),
            (lambda v, by, at=value: v > at + by, n - 1 - int(place)),
        ]
    few = [which(grid, step).astype(float) for which, _ in limits]
    left = [count - which(known, 1e-5).sum() for which, count in limits]
    sums = np.array([grid, grid**2])
    free = np.array([-known.sum(), n - 1 - np.sum(known**2)])
    # The grid and float32 leave the sums free by as much.
    slack = np.array([2e-3, 2e-2])
    bounds = []
    for sign in (1, -1):
        found = linprog(
            sign * grid**3,
            A_ub=np.vstack([*few, sums, -sums]),
            b_ub=np.concatenate([left, free + slack, slack - free]),
            A_eq=np.ones((1, grid.size)),
            b_eq=[n - known.size],
        )
        assert found.success
        bounds.append(sign * found.fun + np.sum(known**3))
    return np.array(bounds)


def test_skewness_divides_by_the_cube_of_magrms():
    refuted = set()
    for matchid in LONG:
        n = float(matchfile().sources["ngoodobs"][matchid])
        theirs = matchfile().sources["skewness"][matchid]
        b1 = least_and_most_cubes(matchid) / n
        assert b1[0] < theirs < b1[1]
        g1 = b1 * (n / (n - 1)) ** 1.5
        for name, bounds in {"g1": g1, "G1": g1 * np.sqrt(n * (n - 1)) / (n - 2)}.items():
            if not bounds[0] < theirs < bounds[1]:
                refuted.add(name)
    assert refuted == {"g1", "G1"}


def test_half_of_the_epochs_deviate_less_than_medianabsdev():
    for matchid in LONG:
        source = matchfile().sources[matchid]
        deviations = np.abs(matchfile().mags(matchid) - source["medianmag"])
        half = source["ngoodobs"] // 2
        assert (deviations < source["medianabsdev"] - 1e-5).sum() <= half
        assert (deviations > source["medianabsdev"] + 1e-5).sum() <= half


def test_trend_and_von_neumann_ratio_are_as_near_as_missing_rows_allow():
    sources, ours = matchfile().sources[LONG], matchfile().ours
    errors = ours.lineartrenderr[LONG]
    assert (np.abs(ours.lineartrend[LONG] - sources["lineartrend"]) < errors).all()
    # The one source with a trend has it in both, and of the sign that fainter later is positive.
    trend = LONG.index(7)
    assert max(ours.lineartrend[7], sources["lineartrend"][trend]) < -1.5 * errors[trend]
    # The ratio of noise is 2 ± 2/√n.
    scatter = 2 / np.sqrt(ours.ngoodobs[LONG])
    assert (np.abs(ours.vonneumannratio[LONG] - sources["vonneumannratio"]) < scatter).all()
    assert np.argmin(ours.vonneumannratio[LONG]) == np.argmin(sources["vonneumannratio"]) == trend


def test_npairposslope_is_of_few_epochs_not_of_all():
    sources = matchfile().sources[LONG]
    # Of noise half of the pairs, ± √(pairs/12).
    for pairs, fits in (
        (sources["ngoodobs"] - 1.0, False),
        (np.minimum(29, sources["ngoodobs"] - 1), True),
    ):
        off = (sources["npairposslope"] - pairs / 2) / np.sqrt(pairs / 12)
        assert (np.abs(off).max() < 3) == fits
    assert np.abs(matchfile().ours.npairposslope[LONG] - sources["npairposslope"]).max() <= 5


def test_con_counts_no_triple():
    assert (matchfile().sources["con"][LONG] == 1).all()
    assert (matchfile().ours.con[LONG] == 1).all()


def test_columns_that_the_file_leaves_empty():
    sources = matchfile().sources
    for name in NOT_COMPUTED_THERE:
        values = sources[name][LONG]
        assert np.isnan(values).all() or (values == 0).all(), name
    # Counts of 0 "from the mean" where the brightest epoch is 3.7 rms from it: the mean there is
    # the weighted one, which is NaN.
    assert (matchfile().scaled(0, "minmag"), sources["nbelowmeanbystd"][0, 0]) == (
        pytest.approx(-3.75, abs=0.01),
        0,
    )


def test_maxslope_is_of_epochs_that_are_missing():
    # 6 to 257 mag/day: of epochs a minute or less apart; those that are there are a day.
    assert (matchfile().ours.maxslope[LONG] < matchfile().sources["maxslope"][LONG]).all()
    assert matchfile().sources["maxslope"][LONG].min() > 6


def test_astrometricrms_is_not_what_its_documents_say():
    source, rows = matchfile().sources[TWO], matchfile().usable(TWO)
    assert len(rows) == source["ngoodobs"]
    ra, dec = np.radians(rows["ra"]), np.radians(rows["dec"])
    # Even about their own mean two positions scatter more, if the file's unit is the radian; the
    # degree of the documents is farther off.
    about_mean = np.hypot(np.cos(dec.mean()) * ra.std(), dec.std())
    assert about_mean > 1.4 * source["astrometricrms"]
