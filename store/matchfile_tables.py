"""The tables of imported matchfiles: what stands in them, column by column, and nothing lost.

Columns are those of the file's own tables (`store.matchfile`), with arrays a column an element. A
name that other tables have too has their type, unit and meaning: types only ever grow wider. NaN is
null, and null is NaN again where such a file is written.
"""

# fmt: off
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from store.columns import NEVER, Column, Encoding, Table
from store.matchfile import (
    EXPOSURES,
    SOURCEDATA,
    SOURCES,
    TRANSIENTDATA,
    MatchTable,
)
from store.statistics_columns import PERCENTS, SIGMAS

# Columns that say which channel a row is of stand before all others.
CHANNEL = {"fieldid": "field", "filterid": "fid", "rcid": "rcid"}
# What has another unit than the column of that name in other tables.
RENAMED = {"astrometricrms": "astrometricrms_rad"}
# Attributes of the file's group, by their names in the table `matchfiles`.
ATTRIBUTES = {
    "calibratedSinceLastMatch": "calibrated_since_last_match",
    "datetimeCalibrated": "datetime_calibrated",
    "datetimeMatched": "datetime_matched",
    "globalMaglimit": "global_maglimit",
    "goodSystematicErrorLimit": "good_systematic_error_limit",
    "nCalibrationSources": "n_calibration_sources",
    "referenceImageID": "reference_image_id",
    "referenceZeroPoint": "reference_zero_point",
    "referenceZeroPointErr": "reference_zero_point_err",
    "saturatedMagnitude": "saturated_magnitude",
}
_NAN = "NaN in the file"
_ABSENT = "the file does not say"
# Those of no other table: unit, UCD and meaning.
_MEANING = {
    "clrmed": ("mag", "phot.color;stat.median", "Median colour of the calibrators"),
    "clrrms": ("mag", "stat.stdev;phot.color", "Scatter of the calibrators' colours"),
    "diq": ("arcsec", "instr.obsty.seeing", "Seeing, full width at half maximum; 0 is not known"),
    "fracday": ("", "meta.id", "yyyymmdd and fraction of the day of the file name"),
    "gmedian": ("adu", "instr.background;stat.median", "Median of the image"),
    "ipac_pub_date": ("d", "time.release", "Modified Julian date when it became public"),
    "nps1matches": ("", "meta.number", "Calibrators that were matched"),
    "nsources": ("", "meta.number", "Rows of sourcedata of the exposure"),
    "nstars": ("", "meta.number", "0 in the real files"),
    "ntransients": ("", "meta.number", "Rows of transientdata of the exposure"),
    "obshjd": ("d", "time.epoch;obs", "Heliocentric Julian date of the start, of the mean place"),
    "programpi": ("", "meta.id.PI", "Principal investigator of the programme"),
    "zpclrcov": ("", "stat.covariance", "Covariance of zero point and colour coefficient"),
    "zpmed": ("mag", "phot.mag;arith.zp;stat.median", "Median zero point of the calibrators"),
    "astrometricrms": ("rad", "stat.stdev;pos.angDistance", "Scatter of the positions"),
    "matchid": ("", "meta.id", "Id of the source, or of the transient, within its file"),
    "ngoodobsrel": ("", "meta.number;obs", "Good epochs of exposures with relative photometry"),
    "nobsrel": ("", "meta.number;obs", "Epochs of exposures with relative photometry"),
    "refchi": ("", "stat.fit.chi2", "chi of the reference source"),
    "refmag": ("mag", "phot.mag", "Magnitude of the reference source"),
    "refmagerr": ("mag", "stat.error;phot.mag", "Its error"),
    "refsharp": ("", "src.morph", "sharp of the reference source"),
    "refsnr": ("", "stat.snr", "Signal-to-noise ratio of the reference source"),
    "uncalibmeanmag": ("mag", "phot.mag;stat.mean",
                       "Mean without relative photometry; 0 is not known"),
    "x": ("", "pos.cartesian.x", "Unit vector of ra, dec: x"),
    "y": ("", "pos.cartesian.y", "Unit vector of ra, dec: y"),
    "z": ("", "pos.cartesian.z", "Unit vector of ra, dec: z, the sine of dec"),
    "hjd": ("d", "time.epoch;obs", "Heliocentric Julian date (UTC) of mid-exposure"),
    "magerrmodel": ("mag", "stat.error;phot.mag", "Formal error, 1.0857·psffluxerr/psfflux"),
    "mjd": ("d", "time.epoch;obs.exposure", "Modified Julian date (UTC) of mid-exposure"),
    "psfflux": ("adu", "phot.count", "PSF-fit flux in the image's own DN"),
    "psffluxerr": ("adu", "stat.error;phot.count", "Its one-sigma uncertainty"),
    "psfmag": ("mag", "phot.mag", "Magnitude without relative photometry"),
    "psfmagerr": ("mag", "stat.error;phot.mag", "Its formal error"),
    "sid": ("", "meta.id", "Id of the measurement"),
    "snr": ("", "stat.snr", "Signal-to-noise ratio"),
}
# Those of other tables that mean something else here.
_OTHER_MEANING = {
    "mag": "Calibrated magnitude, with relative photometry, no colour term",
    "magerr": "Error by the file's error model, its attributes A to D",
    "medmagerr": "Median magerr of all epochs, good or not",
}


def elements(table: MatchTable) -> Iterator[tuple[str, str, int | None]]:
    """Of each column that is kept: its name here, in the file, and which element of an array."""
    assert table.dtype.names is not None
    for name in table.dtype.names:
        shape = table.dtype[name].shape
        if name in CHANNEL:
            continue
        if not shape:
            yield RENAMED.get(name, name), name, None
            continue
        labels = SIGMAS if shape[0] == len(SIGMAS) else PERCENTS
        stem = "percentile" if name == "percentiles" else name
        for k, label in enumerate(labels):
            yield f"{stem}_{label}", name, k


def matchfile_tables(known: Mapping[str, Column]) -> tuple[Table, ...]:
    """The four tables.

    Parameters
    ----------
    known : columns of other tables by their names.
    """
    key = tuple(replace(known[name], null=NEVER, encoding="dictionary")
                for name in ("collection", "field", "fid", "rcid"))
    row = Column("row", "int32", "", "meta.number", "Row of the file's own table, from 0",
                 encoding="delta")
    transient = Column("is_transient", "bool", "", "meta.code",
                       "Of transients or transientdata: it matches no reference source")
    data = dict.fromkeys((*elements(SOURCEDATA), *elements(TRANSIENTDATA)))
    return (
        Table(
            "matchfiles", "One row per matchfile that was imported",
            (*key, *(known[name] for name in ("ccdid", "qid", "input_file", "input_checksum")),
             *_attributes(known)),
            sort=("collection", "field", "fid", "rcid"),
        ),
        Table(
            "matchfile_exposures", "Table `exposures` of imported matchfiles",
            (*key, row, *(_column(EXPOSURES, *of, known) for of in elements(EXPOSURES))),
            sort=("row",),
        ),
        Table(
            "matchfile_sources", "Tables `sources` and `transients` of imported matchfiles",
            (*key, transient, row, *(_column(SOURCES, *of, known) for of in elements(SOURCES))),
            sort=("is_transient", "row"),
        ),
        Table(
            "matchfile_detections",
            "Tables `sourcedata` and `transientdata` of imported matchfiles",
            (*key, transient, row, *(_detection(of, known) for of in data)),
            sort=("is_transient", "row"),
        ),
    )


def _detection(of: tuple[str, str, int | None], known: Mapping[str, Column]) -> Column:
    """A column of both tables, or one of transients alone: null of the others."""
    column = _column(TRANSIENTDATA, *of, known)
    if of in set(elements(SOURCEDATA)):
        return column
    return replace(column, null="sourcedata have none")


def _column(
    table: MatchTable, name: str, theirs: str, element: int | None, known: Mapping[str, Column]
) -> Column:
    dtype = table.dtype[theirs].base
    encoding: Encoding = "split" if dtype.kind == "f" else "dictionary"
    if name in ("matchid", "expid", "sid"):
        encoding = "delta"
    if theirs in _MEANING and name not in known:
        unit, ucd, description = _MEANING[theirs]
        made = Column(name, _arrow_type(dtype), unit, ucd, description)
    elif name.startswith("percentile_"):
        percent = name.removeprefix("percentile_").replace("_", ".")
        made = Column(name, "float32", "mag", "phot.mag;stat.value",
                      f"Percentile, as in the file: of a real one the quantile at 1/{percent}")
    else:
        made = known[name]
        made = replace(made, description=_OTHER_MEANING.get(name, made.description))
    return replace(made, null=_NAN if dtype.kind == "f" else NEVER, encoding=encoding,
                   precision="as in the file")


def _arrow_type(dtype: np.dtype[np.generic]) -> str:
    """Whole numbers with a sign: those of SQL. Ids of 64 bits have fewer digits."""
    if dtype.kind == "S":
        return "string"
    if dtype.kind == "f":
        return "float32" if dtype.itemsize == 4 else "float64"
    return "int64"


def _attributes(known: Mapping[str, Column]) -> Iterator[Column]:
    def column(name: str, dtype: str, unit: str, ucd: str, description: str) -> Column:
        return Column(name, dtype, unit, ucd, description, null=_ABSENT)

    yield column("reference_image_id", "int64", "", "meta.id;obs.image", "Its referenceImageID")
    yield column("reference_zero_point", "float64", "mag", "phot.mag;arith.zp",
                 "Its referenceZeroPoint")
    yield column("reference_zero_point_err", "float64", "mag", "stat.error;phot.mag;arith.zp",
                 "Its referenceZeroPointErr")
    yield column("saturated_magnitude", "float64", "mag", "phot.mag;stat.min",
                 "Its saturatedMagnitude")
    yield column("good_systematic_error_limit", "float64", "mag", "stat.error.sys;phot.mag",
                 "Its goodSystematicErrorLimit")
    yield column("global_maglimit", "float32", "mag", "phot.mag;stat.max", "Its globalMaglimit")
    yield column("n_calibration_sources", "int64", "", "meta.number", "Its nCalibrationSources")
    yield column("calibrated_since_last_match", "int64", "", "meta.code",
                 "Its calibratedSinceLastMatch")
    yield column("datetime_matched", "string", "", "time.creation", "Its datetimeMatched")
    yield column("datetime_calibrated", "string", "", "time.processing", "Its datetimeCalibrated")
    for letter, term in zip("abcd", ("1", "m", "10^(0.4m)", "10^(0.8m)"), strict=True):
        yield column(f"error_{letter}", "float64", "", "stat.fit.param",
                     f"Its error model: coefficient of {term}")
    for name, what in (("exposures", "exposures"), ("sources", "sources"),
                       ("transients", "transients"), ("detections", "sourcedata"),
                       ("transient_detections", "transientdata")):
        yield Column(f"n_{name}", "int64", "", "meta.number", f"Rows of {what}")
    yield replace(known["recipe"],
                  description="Checksum of all its rows were made from: input, collection, code")
