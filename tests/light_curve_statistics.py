"""Statistics of one light curve by numpy and scipy, as they stand in the literature.

Straightforward, slow, and without a line of the code that they judge.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from scipy import stats

WITH_ERRORS = [
    "weightedmeanmag",
    "weightedmeanmagerr",
    "chi2",
    "weightedmagrms",
    "stetsonj",
    "stetsonk",
]
EXCURSIONS = [
    "nabovemeanbystd",
    "nbelowmeanbystd",
    "nconsecabovemeanbystd",
    "nconsecbelowmeanbystd",
    "nconsecfrommeanbystd",
]
PERCENTS = np.array([5, 10, 17.5, 25, 32.5, 40, 60, 67.5, 75, 82.5, 90, 95])


def longest_run(flags):
    return max((len(run) for run in "".join("x" if f else " " for f in flags).split()), default=0)


def of_one(hmjd, mag, magerr, usable, slack=0.0):
    """Every statistic of one object, NaN and −1 where it cannot be known.

    Limits that epochs are counted beyond are a relative `slack` wider.
    """
    known = np.isfinite(magerr) & (magerr > 0)
    good = usable & np.isfinite(hmjd) & np.isfinite(mag)
    t = hmjd[good]
    order = np.argsort(t, kind="stable")
    t, x, e = t[order], mag[good][order], np.where(known, magerr, np.nan)[good][order]
    n = len(x)
    nan = math.nan
    found = {
        "nobs": len(mag),
        "ngoodobs": n,
        "nmagerr": int(np.isfinite(e).sum()),
        "firsthmjd": t[0] if n else nan,
        "lasthmjd": t[-1] if n else nan,
        "minmag": x.min() if n else nan,
        "maxmag": x.max() if n else nan,
        "medianmag": np.median(x) if n else nan,
        "medmagerr": np.median(magerr[known]) if known.any() else nan,
        "percentiles": np.quantile(x, 1 / PERCENTS) if n else np.full(12, nan),
        "magquantiles": np.percentile(x, PERCENTS) if n else np.full(12, nan),
    }
    found["medianabsdev"] = np.median(np.abs(x - found["medianmag"])) if n > 1 else nan
    found["robustrms"] = found["medianabsdev"] / stats.norm.ppf(0.75)
    found["chisq"] = 1.4826 * found["medianabsdev"] / found["medmagerr"]
    return found | moments(x) | with_errors(x, e, slack) | in_time(t, x, slack)


def moments(x):
    n = len(x)
    nan = math.nan
    spread = n > 1 and bool((x != x[0]).any())
    # scipy warns of a spread that is all rounding; its moments are of an offset already taken away.
    d = x - x[0] if n else x
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return {
            "meanmag": x[0] + d.mean() if n else nan,
            "magrms": np.std(d, ddof=1) if n > 1 else nan,
            "skewness": stats.skew(d) * ((n - 1) / n) ** 1.5 if spread and n > 2 else nan,
            "smallkurtosis": stats.kurtosis(d, bias=False) if spread and n > 3 else nan,
            "vonneumannratio": (
                np.mean(np.diff(d) ** 2) / np.var(d, ddof=1) if spread and n > 2 else nan
            ),
        }


def with_errors(x, e, slack):
    k = int(np.isfinite(e).sum())
    nan = math.nan
    found = dict.fromkeys(WITH_ERRORS, nan) | {name: np.full(3, -1) for name in EXCURSIONS}
    found |= {"beyondmeanbystd": np.full(3, nan), "nmedianbufferrange": -1}
    if k == 0:
        return found
    y, s = x[np.isfinite(e)], e[np.isfinite(e)]
    w = 1 / s**2
    base = y[0]
    x, y = x - base, y - base
    centre = np.average(y, weights=w)
    found["weightedmeanmag"] = base + centre
    found["weightedmeanmagerr"] = 1 / np.sqrt(w.sum())
    found["nmedianbufferrange"] = int(
        (np.abs(x - centre) > 0.2 * np.ptp(x) / 2 * (1 + slack)).sum()
    )
    if k < 2:
        return found
    found["chi2"] = np.sum(((y - centre) / s) ** 2)
    deviation = np.sqrt(np.average((y - centre) ** 2, weights=w) * k / (k - 1))
    found["weightedmagrms"] = deviation
    delta = np.sqrt(k / (k - 1)) * (y - centre) / s
    p = delta[1:] * delta[:-1]
    found["stetsonj"] = np.mean(np.sign(p) * np.sqrt(np.abs(p)))
    if (delta != 0).any():
        found["stetsonk"] = np.mean(np.abs(delta)) / np.sqrt(np.mean(delta**2))
    limits = np.array([1.0, 3.0, 5.0]) * deviation * (1 + slack)
    d = x - centre
    above, below = d[:, None] > limits, d[:, None] < -limits
    found["nabovemeanbystd"], found["nbelowmeanbystd"] = above.sum(axis=0), below.sum(axis=0)
    for name, flags in zip(EXCURSIONS[2:], (above, below, above | below), strict=True):
        found[name] = np.array([longest_run(column) for column in flags.T])
    found["beyondmeanbystd"] = (above | below).mean(axis=0)
    return found


def in_time(t, x, slack):
    n = len(x)
    nan = math.nan
    found = {"lineartrend": nan, "lineartrenderr": nan, "maxslope": nan, "con": nan}
    found["npairposslope"] = int((np.diff(x[-30:]) < 0).sum()) if n > 1 else -1
    if n > 1 and t[0] < t[-1]:
        # Not scipy's error: it comes from 1 − r², which a perfect line leaves without digits.
        days, d = t - t.mean(), x - x[0]
        line = stats.linregress(days, d)
        residuals = d - line.intercept - line.slope * days
        found["lineartrend"] = line.slope
        if n > 2:
            variance = np.sum(residuals**2) / (n - 2)
            found["lineartrenderr"] = np.sqrt(variance / np.sum(days**2))
        days = np.diff(t)
        found["maxslope"] = np.max(np.abs(np.diff(x))[days > 0] / days[days > 0])
    if n > 2:
        d = x - np.median(x)
        side = np.sign(d) * (np.abs(d) > 2 * np.std(x - x[0], ddof=1) * (1 + slack))
        triples = (side[2:] == side[1:-1]) & (side[1:-1] == side[:-2]) & (side[2:] != 0)
        found["con"] = 1 + triples.sum() / n
    return found
