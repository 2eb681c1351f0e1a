"""Statistics of light curves, for all objects of a partition at once.

Each statistic is a column. One that has a name in the `sources` table of ZTF's matchfiles has that
name here and is what the real file holds; where the file's documents say otherwise, the documented
quantity stands beside it under a name of its own (`magquantiles`, `chi2`). Formulas, sources and
what few epochs give are said where each is computed: in `moments`, `quantiles` and `variability`.
What cannot be computed is NaN, or −1 in a count, never a default.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError
from transforms.kernel import kernel
from transforms.moments import (
    central_sums,
    chi_square,
    mean,
    rms,
    skewness,
    small_kurtosis,
    weighted_mean,
)
from transforms.quantiles import SIGMA_PER_MAD, median, median_absolute_deviation, quantile
from transforms.sphere import ARCSEC_PER_RADIAN, Floats, columns, sincos_degrees
from transforms.variability import (
    brightenings,
    con,
    excursions,
    linear_trend,
    max_slope,
    outside_buffer,
    stetson,
    von_neumann_ratio,
)

Counts = NDArray[np.int32]
Mask = NDArray[np.bool_]

# Percent; those that the matchfile's documents name.
PERCENTS = (5.0, 10.0, 17.5, 25.0, 32.5, 40.0, 60.0, 67.5, 75.0, 82.5, 90.0, 95.0)
# `chisq` of the real matchfile has these digits, not 1.482602….
CHISQ_SIGMA_PER_MAD = 1.4826
# Standard deviations of the excursions: the three columns of each.
SIGMAS = (1.0, 3.0, 5.0)


class Statistics(NamedTuple):
    """A column a statistic, one row an object, in the order of the objects.

    Magnitudes; slopes in mag/day; dates heliocentric MJD. "Usable" epochs are those of the mask
    with a finite date and magnitude; "with σ" those of them with a finite positive error. All but
    `nobs` and `medmagerr` look at usable epochs alone.
    """

    nobs: Counts
    """Epochs, usable or not."""
    ngoodobs: Counts
    """Usable epochs."""
    nmagerr: Counts
    """Usable epochs with σ."""
    firsthmjd: Floats
    """Date of the first usable epoch; NaN of none."""
    lasthmjd: Floats
    """Date of the last usable epoch; NaN of none."""
    meanmag: Floats
    """`moments.mean`."""
    weightedmeanmag: Floats
    """`moments.weighted_mean`."""
    weightedmeanmagerr: Floats
    """Its error, 1/√Σ(1/σ²)."""
    medianmag: Floats
    """`quantiles.median`."""
    minmag: Floats
    """The smallest (brightest) magnitude; NaN of none."""
    maxmag: Floats
    """The largest (faintest) magnitude; NaN of none."""
    medmagerr: Floats
    """Median of the known σ of all epochs, usable or not, as in the real file; NaN of none."""
    percentiles: Floats
    """(m, 12): as in the real file, quantiles at 1/p of p percent: 1/5, 1/10, … 1/95.

    The documents promise the 5th to the 95th percentile; the file has np.percentile(mag, 100/p):
    0.2, 0.1, 0.0571, 0.04, 0.0308, 0.025, 0.0167, 0.0148, 0.0133, 0.0121, 0.0111, 0.0105.
    """
    magquantiles: Floats
    """(m, 12): the 5th, 10th, 17.5th, 25th, 32.5th, 40th, 60th, 67.5th, 75th, 82.5th, 90th and 95th
    percentile, `quantiles.quantile`; NaN of none."""
    magrms: Floats
    """`moments.rms`."""
    weightedmagrms: Floats
    """`moments.chi_square`."""
    medianabsdev: Floats
    """`quantiles.median_absolute_deviation`."""
    robustrms: Floats
    """1.482602… · medianabsdev: `magrms` of a normal distribution."""
    chi2: Floats
    """`moments.chi_square`: about the weighted mean, nmagerr − 1 degrees of freedom."""
    chisq: Floats
    """As in the real file, 1.4826 · medianabsdev / medmagerr: no χ², though near 1 of noise."""
    skewness: Floats
    """`moments.skewness`."""
    smallkurtosis: Floats
    """`moments.small_kurtosis`."""
    stetsonj: Floats
    """`variability.stetson`."""
    stetsonk: Floats
    """`variability.stetson`."""
    vonneumannratio: Floats
    """`variability.von_neumann_ratio`."""
    lineartrend: Floats
    """`variability.linear_trend`."""
    lineartrenderr: Floats
    """Its standard error."""
    maxslope: Floats
    """`variability.max_slope`."""
    con: Floats
    """`variability.con`."""
    npairposslope: Counts
    """`variability.brightenings`."""
    nmedianbufferrange: Counts
    """`variability.outside_buffer`."""
    nabovemeanbystd: Counts
    """(m, 3): epochs more than 1, 3, 5 `weightedmagrms` above (fainter than) `weightedmeanmag`.

    The documents say of the mean; in the real file that cannot be: all counts are 0, with epochs 4
    rms from it. The weighted mean and rms, NaN there, would give 0. See `variability.excursions`.
    """
    nbelowmeanbystd: Counts
    """(m, 3): below (brighter than) it."""
    nconsecabovemeanbystd: Counts
    """(m, 3): length of the longest run of consecutive epochs above."""
    nconsecbelowmeanbystd: Counts
    """(m, 3): length of the longest run below."""
    nconsecfrommeanbystd: Counts
    """(m, 3): length of the longest run of epochs each above or below."""
    beyondmeanbystd: Floats
    """(m, 3): (nabovemeanbystd + nbelowmeanbystd) / ngoodobs; NaN where they are not known."""


WIDE = {"percentiles": (len(PERCENTS),), "magquantiles": (len(PERCENTS),)} | {
    name: (len(SIGMAS),) for name in Statistics._fields if name.endswith("bystd")
}


def object_statistics(
    starts: ArrayLike,
    hmjd: ArrayLike,
    mag: ArrayLike,
    magerr: ArrayLike,
    usable: ArrayLike | None = None,
) -> Statistics:
    """The statistics of objects from their epochs.

    Parameters
    ----------
    starts : int64 (m+1,), object i has the rows starts[i] up to starts[i+1].
    hmjd : (n,) heliocentric MJD, days. Rows of one object may be in any order; they are taken in
        order of time, those of one time as they come.
    mag : (n,) calibrated magnitudes. A row whose date or magnitude is not finite is not usable.
    magerr : (n,) their errors σ, mag; NaN, infinite, 0 or negative where it is not known. Errors
        are taken as they are: no weight is invented for an epoch without one.
    usable : bool (n,), which epochs count (see `good_epochs`); None for all.

    Returns
    -------
    Statistics : float64 and int32, (m,) each or (m, 3), (m, 12). Computed in float64 from
        deviations, so that an offset of the magnitudes costs nothing: sums are right to 1e-12.

    Raises
    ------
    TransformError : lengths differ, or `starts` does not ascend within the rows.
    """
    t, m, sigma = columns(hmjd, mag, magerr)
    rows = _checked(starts, t.size)
    mask = _mask(usable, t.size)
    objects = rows.size - 1
    made = Statistics(
        *(
            # The names of counts, and of no other statistic, begin with n.
            np.empty((objects, *WIDE.get(name, ())), np.int32 if name[0] == "n" else np.float64)
            for name in Statistics._fields
        )
    )
    if not _in_order(rows, t):
        of_row = np.repeat(np.arange(objects), np.diff(rows))
        order = rows[0] + np.lexsort((t[rows[0] : rows[-1]], of_row))
        t, m, sigma, mask = (np.take(column, order) for column in (t, m, sigma, mask))
        rows = rows - rows[0]
    _fill(rows, t, m, sigma, mask, made)
    return made


def robust_scatter(
    starts: ArrayLike, mag: ArrayLike, usable: ArrayLike | None = None
) -> tuple[Floats, Floats, Counts]:
    """`medianmag`, `medianabsdev` and `ngoodobs` alone, of objects whose dates say nothing.

    Parameters are those of `object_statistics`, and so are the values.
    """
    m = np.require(mag, np.float64, ["C", "A", "W"])
    rows = _checked(starts, m.size)
    centre, deviation = np.empty(rows.size - 1), np.empty(rows.size - 1)
    count = np.empty(rows.size - 1, dtype=np.int32)
    _fill_scatter(rows, m, _mask(usable, m.size), centre, deviation, count)
    return centre, deviation, count


def good_epochs(catflags: ArrayLike) -> Mask:
    """Epochs without any flag: what the real matchfile counts as `ngoodobs` and takes means of.

    Parameters
    ----------
    catflags : uint16 (n,), as `photometry.catflags` gives them.
    """
    unflagged: Mask = np.asarray(catflags) == 0
    return unflagged


def astrometric_rms(
    starts: ArrayLike,
    ra_deg: ArrayLike,
    dec_deg: ArrayLike,
    object_ra_deg: ArrayLike,
    object_dec_deg: ArrayLike,
    usable: ArrayLike | None = None,
) -> Floats:
    """Scatter of each object's positions about its own, √(Σ separation²/n), in arcseconds.

    What the matchfile's documents call `astrometricrms`; the real file's column is not it: of its
    complete source this is 3.3e-6 rad, the file has 2.0e-6.

    Parameters
    ----------
    starts : int64 (m+1,), as in `object_statistics`.
    ra_deg, dec_deg : (n,) ICRS degrees of each epoch; one that is NaN is not usable.
    object_ra_deg, object_dec_deg : (m,) positions of the objects.
    usable : bool (n,); None for all.

    Returns
    -------
    float64 (m,), arcseconds, of chords; NaN without a usable epoch or an object's position. Right
    at RA 0 and at the poles, to 1e-8 arcseconds.

    Raises
    ------
    TransformError : lengths differ, or `starts` does not ascend within the rows.
    """
    ra, dec = columns(ra_deg, dec_deg)
    ra_0, dec_0 = columns(object_ra_deg, object_dec_deg)
    rows = _checked(starts, ra.size)
    if ra_0.size != rows.size - 1:
        raise TransformError(f"{rows.size - 1} objects, but {ra_0.size} positions of objects")
    scatter = np.empty(ra_0.size)
    _scatter(rows, ra, dec, ra_0, dec_0, _mask(usable, ra.size), scatter)
    return scatter


def _checked(starts: ArrayLike, rows: int) -> NDArray[np.int64]:
    ready = np.require(starts, np.int64, ["C", "A", "W"])
    if ready.ndim != 1 or ready.size == 0:
        raise TransformError(f"starts of objects are needed and the last end, got {ready.shape}")
    if ready[0] < 0 or ready[-1] > rows or (np.diff(ready) < 0).any():
        raise TransformError(f"starts do not ascend within {rows} rows")
    return ready


def _mask(usable: ArrayLike | None, rows: int) -> Mask:
    if usable is None:
        return np.ones(rows, dtype=np.bool_)
    ready = np.require(usable, requirements=["C", "A", "W"])
    if ready.dtype != np.bool_ or ready.shape != (rows,):
        raise TransformError(f"usable must be {rows} booleans, got {ready.dtype} {ready.shape}")
    return ready


@kernel
def _in_order(starts: NDArray[np.int64], hmjd: Floats) -> bool:
    for i in range(starts.size - 1):
        before = -math.inf
        for row in range(starts[i], starts[i + 1]):
            if hmjd[row] < before:
                return False
            # NaN is not the last date: what follows it must not be earlier than what it follows.
            before = max(before, hmjd[row])
    return True


@kernel
def _gather(
    start: int, end: int, hmjd: Floats, mag: Floats, magerr: Floats, usable: Mask, epochs: Floats
) -> tuple[int, int, int]:
    """Copy one object's usable epochs, and all its known errors.

    `epochs` are rows of dates, magnitudes less that of the first usable epoch, 1/σ, σ of all
    epochs, and magnitudes to be sorted. Returns how many epochs are usable, how many of them have
    σ, and how many σ there are of all.
    """
    n = known = errors = 0
    for row in range(start, end):
        sigma = magerr[row]
        has_error = (sigma > 0.0) & (sigma < math.inf)
        if has_error:
            epochs[3, errors] = sigma
            errors += 1
        if usable[row] & math.isfinite(hmjd[row]) & math.isfinite(mag[row]):
            epochs[0, n] = hmjd[row]
            epochs[4, n] = mag[row]
            epochs[1, n] = mag[row] - epochs[4, 0]
            epochs[2, n] = 1.0 / sigma if has_error else 0.0
            known += has_error
            n += 1
    return n, known, errors


@kernel
def _longest(starts: NDArray[np.int64]) -> int:
    """The most rows of an object, 1 at least."""
    longest = 1
    for i in range(starts.size - 1):
        longest = max(longest, starts[i + 1] - starts[i])
    return longest


@kernel
def _fill_scatter(
    starts: NDArray[np.int64],
    mag: Floats,
    usable: Mask,
    centre: Floats,
    deviation: Floats,
    count: Counts,
) -> None:
    epochs = np.empty(_longest(starts))
    for i in range(starts.size - 1):
        n = 0
        for row in range(starts[i], starts[i + 1]):
            if usable[row] & math.isfinite(mag[row]):
                epochs[n] = mag[row]
                n += 1
        ordered = epochs[:n]
        ordered.sort()
        count[i] = n
        centre[i] = median(ordered)
        deviation[i] = median_absolute_deviation(ordered, centre[i])


@kernel
def _fill(
    starts: NDArray[np.int64],
    hmjd: Floats,
    mag: Floats,
    magerr: Floats,
    usable: Mask,
    made: Statistics,
) -> None:
    epochs = np.empty((5, _longest(starts)))
    for i in range(starts.size - 1):
        n, known, errors = _gather(starts[i], starts[i + 1], hmjd, mag, magerr, usable, epochs)
        made.nobs[i] = starts[i + 1] - starts[i]
        made.ngoodobs[i] = n
        made.nmagerr[i] = known
        made.firsthmjd[i] = epochs[0, 0] if n else math.nan
        made.lasthmjd[i] = epochs[0, n - 1] if n else math.nan
        base = epochs[4, 0] if n else math.nan
        all_errors, ordered = epochs[3, :errors], epochs[4, :n]
        all_errors.sort()
        ordered.sort()
        made.medmagerr[i] = median(all_errors)
        _levels(i, ordered, made)
        _spreads(i, base, known, epochs[0, :n], epochs[1, :n], epochs[2, :n], made)


@kernel
def _levels(i: int, ordered: Floats, made: Statistics) -> None:
    n = ordered.size
    made.minmag[i] = ordered[0] if n else math.nan
    made.maxmag[i] = ordered[n - 1] if n else math.nan
    middle = median(ordered)
    deviation = median_absolute_deviation(ordered, middle)
    made.medianmag[i] = middle
    made.medianabsdev[i] = deviation
    made.robustrms[i] = SIGMA_PER_MAD * deviation
    made.chisq[i] = CHISQ_SIGMA_PER_MAD * deviation / made.medmagerr[i]
    for k in range(len(PERCENTS)):
        made.percentiles[i, k] = quantile(ordered, 1.0 / PERCENTS[k])
        made.magquantiles[i, k] = quantile(ordered, PERCENTS[k] / 100.0)


@kernel
def _spreads(
    i: int,
    base: float,
    known: int,
    hmjd: Floats,
    values: Floats,
    inverse_errors: Floats,
    made: Statistics,
) -> None:
    """All that is of deviations: `values` are magnitudes less `base`."""
    n = values.size
    centre = mean(values)
    second, third, fourth = central_sums(values, centre)
    deviation = rms(second, n)
    made.meanmag[i] = base + centre
    made.magrms[i] = deviation
    made.skewness[i] = skewness(second, third, n)
    made.smallkurtosis[i] = small_kurtosis(second, fourth, n)
    made.vonneumannratio[i] = von_neumann_ratio(values, second)
    made.lineartrend[i], made.lineartrenderr[i] = linear_trend(hmjd, values, centre)
    made.maxslope[i] = max_slope(hmjd, values)
    made.con[i] = con(values, made.medianmag[i] - base, deviation)
    made.npairposslope[i] = brightenings(values)
    weighted, error = weighted_mean(values, inverse_errors)
    chi2, weighted_deviation = chi_square(values, inverse_errors, weighted, known)
    made.weightedmeanmag[i] = base + weighted
    made.weightedmeanmagerr[i] = error
    made.chi2[i] = chi2
    made.weightedmagrms[i] = weighted_deviation
    made.stetsonj[i], made.stetsonk[i] = stetson(values, inverse_errors, weighted, known)
    amplitude = 0.5 * (made.maxmag[i] - made.minmag[i])
    made.nmedianbufferrange[i] = outside_buffer(values, weighted, amplitude)
    for k in range(len(SIGMAS)):
        above, below, run_above, run_below, run_beyond = excursions(
            values, weighted, SIGMAS[k] * weighted_deviation
        )
        made.nabovemeanbystd[i, k] = above
        made.nbelowmeanbystd[i, k] = below
        made.nconsecabovemeanbystd[i, k] = run_above
        made.nconsecbelowmeanbystd[i, k] = run_below
        made.nconsecfrommeanbystd[i, k] = run_beyond
        made.beyondmeanbystd[i, k] = (above + below) / n if above >= 0 else math.nan


@kernel
def _scatter(
    starts: NDArray[np.int64],
    ra: Floats,
    dec: Floats,
    object_ra: Floats,
    object_dec: Floats,
    usable: Mask,
    scatter: Floats,
) -> None:
    for i in range(starts.size - 1):
        _, cos_0 = sincos_degrees(object_dec[i])
        n = 0
        squares = 0.0
        for row in range(starts[i], starts[i + 1]):
            # Half angles, not differences of unit vectors: those lose digits at a milliarcsecond.
            half_ra, _ = sincos_degrees(0.5 * (ra[row] - object_ra[i]))
            half_dec, _ = sincos_degrees(0.5 * (dec[row] - object_dec[i]))
            _, cos_dec = sincos_degrees(dec[row])
            square = 4.0 * (half_dec * half_dec + cos_dec * cos_0 * half_ra * half_ra)
            if usable[row] & (math.isfinite(ra[row]) & math.isfinite(dec[row])):
                squares += square
                n += 1
        scatter[i] = ARCSEC_PER_RADIAN * math.sqrt(squares / n) if n else math.nan
