"""The statistics of an object's light curve, as `objects` has them.

Named as in the `sources` table of ZTF's matchfiles where they are there. What the matchfiles have
of each quantile or of 1, 3, 5 standard deviations in one array is a column each here: every format
holds it, and SQL needs no subscript. Formulas are with the kernels, `transforms.statistics`.
"""

# fmt: off
from __future__ import annotations

from store.columns import Column

PERCENTS = ("5", "10", "17_5", "25", "32_5", "40", "60", "67_5", "75", "82_5", "90", "95")
SIGMAS = ("1", "3", "5")

_GOOD = "good epochs"
_WITH_ERRORS = "good epochs with a known magerr"


def _few(least: int, of: str = _GOOD) -> str:
    return f"no {of}" if least == 1 else f"fewer than {least} {of}"


def _count(name: str, ucd: str, description: str, null: str | None = None) -> Column:
    never = {} if null is None else {"null": null}
    return Column(name, "int32", "", ucd, description, **never, encoding="dictionary")


def _float(name: str, unit: str, ucd: str, description: str, null: str) -> Column:
    return Column(name, "float32", unit, ucd, description, null=null,
                  precision="float32, of sums in float64", encoding="split")


def _mag(name: str, ucd: str, description: str, null: str) -> Column:
    return _float(name, "mag", ucd, description, null)


def _beyond(name: str, description: str) -> list[Column]:
    return [
        _count(f"{name}_{sigma}", "meta.number;src.var",
               f"{description} by more than {sigma} weightedmagrms", _few(2, _WITH_ERRORS))
        for sigma in SIGMAS
    ]


STATISTICS: tuple[Column, ...] = (
    _count("nobs", "meta.number;obs", "Epochs: detections that carry the oid, bad ones too"),
    _count("ngoodobs", "meta.number;obs",
           "Good epochs: with a mag, and without any of catflags, the bad image's among them. "
           "The statistics are of these, unless they say otherwise"),
    _count("n_covered", "meta.number;obs.image",
           "Images of the object's field, filter, CCD and quadrant whose WCS puts it on the chip, "
           "measured or not, bad ones too, in nights that have detections in its pixel; images "
           "without a WCS are not counted",
           "there are such images, and none has a WCS that is read"),
    Column("firsthmjd", "float64", "d", "time.start;obs", "Heliocentric MJD of the first good "
           "epoch", null=_few(1), precision="float64", encoding="split"),
    Column("lasthmjd", "float64", "d", "time.end;obs", "Heliocentric MJD of the last good epoch",
           null=_few(1), precision="float64", encoding="split"),
    _mag("meanmag", "phot.mag;stat.mean", "Mean", _few(1)),
    _mag("minmag", "phot.mag;stat.min", "Smallest: the brightest", _few(1)),
    _mag("maxmag", "phot.mag;stat.max", "Largest: the faintest", _few(1)),
    _mag("medianmag", "phot.mag;stat.median", "Median", _few(1)),
    *(
        _mag(f"magquantile_{percent}", "phot.mag;stat.value",
             f"Percentile {percent.replace('_', '.')}, linear between epochs", _few(1))
        for percent in PERCENTS
    ),
    _mag("weightedmeanmag", "phot.mag;stat.mean", "Mean weighted by 1/magerr²",
         _few(1, _WITH_ERRORS)),
    _mag("weightedmeanmagerr", "stat.error;phot.mag;stat.mean", "Its error, 1/√Σ(1/magerr²)",
         _few(1, _WITH_ERRORS)),
    _mag("medmagerr", "stat.error;phot.mag;stat.median", "Median magerr of all epochs, good or not",
         "no epoch with a known magerr"),
    _mag("magrms", "stat.stdev;phot.mag", "Standard deviation about the mean, with n − 1",
         _few(2)),
    _mag("medianabsdev", "stat.stdev;phot.mag", "Median absolute deviation from the median, "
         "not scaled", _few(2)),
    _mag("robustrms", "stat.stdev;phot.mag", "1.4826·medianabsdev: magrms of a normal "
         "distribution", _few(2)),
    _mag("weightedmagrms", "stat.stdev;phot.mag", "Standard deviation about weightedmeanmag, "
         "weighted by 1/magerr²", _few(2, _WITH_ERRORS)),
    _float("chi2", "", "stat.fit.chi2;phot.mag", "Σ((mag − weightedmeanmag)/magerr)²; of noise as "
           "large as the epochs with a known magerr less one", _few(2, _WITH_ERRORS)),
    _float("chisq", "", "stat.param;phot.mag", "As in the matchfiles, 1.4826·medianabsdev/"
           "medmagerr: no χ², though about 1 of noise", _few(2)),
    _float("stetsonj", "", "src.var.index", "Stetson's J of consecutive epochs about "
           "weightedmeanmag (Stetson 1996)", _few(2, _WITH_ERRORS)),
    _float("stetsonk", "", "src.var.index", "Stetson's K, 0.798 of a normal distribution",
           _few(2, _WITH_ERRORS) + ", or all mags are equal"),
    _float("skewness", "", "stat.param;phot.mag", "Skewness b₁ = (Σd³/n)/magrms³",
           _few(3) + ", or all mags are equal"),
    _float("smallkurtosis", "", "stat.param;phot.mag", "Excess kurtosis for small samples, G₂",
           _few(4) + ", or all mags are equal"),
    _float("vonneumannratio", "", "src.var.index", "Mean squared step between consecutive epochs "
           "over the variance: about 2 of noise, less of what varies slowly",
           _few(3) + ", or all mags are equal"),
    _float("lineartrend", "mag/d", "arith.rate;phot.mag", "Slope of the least-squares line without "
           "weights; positive is fading", _few(2) + ", or all are of one time"),
    _float("lineartrenderr", "mag/d", "stat.error;phot.mag", "Its standard error",
           _few(3) + ", or all are of one time"),
    _float("maxslope", "mag/d", "arith.rate;phot.mag", "The largest slope between "
           "consecutive epochs, without its sign", "no two good epochs of different times"),
    _float("con", "", "src.var.index", "1 + the part of the epochs that begin three in a row "
           "beyond 2 magrms of the median, on one side (Wozniak 2000)", _few(3)),
    _count("npairposslope", "meta.number;src.var", "Epochs of the last 30 that are brighter than "
           "the one before", _few(2)),
    _count("nmedianbufferrange", "meta.number;src.var", "Epochs farther from weightedmeanmag than "
           "20 % of half of maxmag − minmag", _few(1, _WITH_ERRORS)),
    *_beyond("nabovemeanbystd", "Epochs fainter than weightedmeanmag"),
    *_beyond("nbelowmeanbystd", "Epochs brighter than weightedmeanmag"),
    *_beyond("nconsecabovemeanbystd", "Longest run of consecutive epochs, each fainter"),
    *_beyond("nconsecbelowmeanbystd", "Longest run of consecutive epochs, each brighter"),
    *_beyond("nconsecfrommeanbystd", "Longest run of consecutive epochs, each fainter or brighter"),
    _float("astrometricrms", "arcsec", "stat.stdev;pos.angDistance", "Root mean square separation "
           "of good epochs from the reference source", _few(1)),
)
