"""The column contract: every table and column of an archive, in one place.

Parquet schemas and their metadata, `docs/columns.md`, and the header of every export are
generated from here. ZTF's own names are used where ZTF has one.
"""

# fmt: off
from __future__ import annotations

from dataclasses import replace

from store.columns import FAST_CODEC, NEVER, Column, Encoding, Table
from store.matchfile_tables import matchfile_tables
from store.statistics_columns import STATISTICS

C = Column
FLOAT32 = "float32 as in the input, infinities too"

# --- identifiers ----------------------------------------------------------------------------
HEALPIX_29 = C(
    "_healpix_29", "int64", "", "pos.healpix",
    "HEALPix index of ra, dec at order 29, NESTED; files are sorted by it",
    precision="0.0004 arcsec", encoding="delta",
)
OID = C(
    "oid", "int64", "", "meta.id;meta.main",
    "Object id in the data-release scheme: field·1e12 + fid·1e11 + ccdid·1e9 + qid·1e8 + sourceid",
    encoding="plain",
)
NIGHT = C("night", "date32", "", "time.epoch", "Night of the exposure: a UTC date from obsmjd",
          encoding="dictionary")
EXPID = C("expid", "int64", "", "meta.id;obs.exposure",
          "Exposure id, floor((obsmjd − 57754)·1e5)", encoding="dictionary")
PID = C("pid", "int64", "", "meta.id;meta.main",
        "Image id, expid·1e4 + rcid·100 + 15", encoding="delta")
FIELD = C("field", "int16", "", "meta.id;obs.field", "Survey field", encoding="dictionary")
FID = C("fid", "int8", "", "meta.id;instr.filter", "Filter: 1 = g, 2 = r, 3 = i",
        encoding="dictionary")
FILTERCODE = C("filtercode", "string", "", "meta.code;instr.filter", "Filter code: zg, zr, zi",
               encoding="dictionary")
CCDID = C("ccdid", "int8", "", "meta.id;instr.det", "CCD, 1–16", encoding="dictionary")
QID = C("qid", "int8", "", "meta.id;instr.det", "Quadrant of the CCD, 1–4", encoding="dictionary")
RCID = C("rcid", "int8", "", "meta.id;instr.det",
         "Readout channel, 4·(ccdid − 1) + qid − 1", encoding="dictionary")
RFID = C("rfid", "int64", "", "meta.id;obs.image",
         "Reference image id, field·1e6 + 120·1e3 + fid·100 + rcid; 120 is the reference's version",
         encoding="dictionary")
SOURCEID = C("sourceid", "int32", "", "meta.id", "Row of the source in its input catalogue, from 0",
             encoding="delta")

# --- one measured source --------------------------------------------------------------------
RA = C("ra", "float64", "deg", "pos.eq.ra;meta.main", "Right ascension, ICRS",
       precision="float64 as in the input", encoding="split")
DEC = C("dec", "float64", "deg", "pos.eq.dec;meta.main", "Declination, ICRS",
        precision="float64 as in the input", encoding="split")
XPOS = C("xpos", "float32", "pix", "pos.cartesian.x;instr.det",
         "Position along NAXIS1, 1-based", precision=FLOAT32, encoding="split",
         null="the input gives none")
YPOS = C("ypos", "float32", "pix", "pos.cartesian.y;instr.det",
         "Position along NAXIS2, 1-based", precision=FLOAT32, encoding="split",
         null="the input gives none")
FLUX = C("flux", "float32", "adu", "phot.count", "PSF-fit flux in the image's own DN",
         null="the input gives none, or NaN", precision=FLOAT32, encoding="split")
FLUXERR = C("fluxerr", "float32", "adu", "stat.error;phot.count",
            "One-sigma uncertainty of flux, DN", null="the input gives none, or NaN",
            precision=FLOAT32, encoding="split")
MAG = C("mag", "float32", "mag", "phot.mag",
        "Calibrated magnitude: instrumental PSF magnitude + magzp, no colour term",
        null="the input's magnitude is not finite, or the image has no zero point",
        precision="float32; the instrumental magnitude is mag − magzp to 2e-6 mag",
        encoding="split")
MAGERR = C("magerr", "float32", "mag", "stat.error;phot.mag",
           "One-sigma uncertainty of mag; the signal-to-noise ratio is 1.0857/magerr",
           null="the input gives none, or NaN", precision=FLOAT32, encoding="split")
CHI = C("chi", "float32", "", "stat.fit.chi2", "DAOPhot chi of the PSF fit",
        null="the input gives none, or NaN", precision=FLOAT32, encoding="split")
SHARP = C("sharp", "float32", "", "src.morph", "DAOPhot sharpness",
          null="the input gives none, or NaN", precision=FLOAT32, encoding="split")
CATFLAGS = C("catflags", "uint16", "", "meta.code.qual",
             "Mask bits within 5×5 pixels; 65535 = on or near the edge; 32768 = image judged bad",
             null="the input has no flags column", encoding="dictionary")

DETECTIONS = Table(
    "detections",
    "One row per measured source of one image (PSF-fit photometry)",
    (
        HEALPIX_29,
        replace(OID, null="no reference source is matched, or a nearer detection took it"),
        NIGHT, EXPID, FIELD, FID, CCDID, QID, RCID, SOURCEID, RA, DEC, XPOS, YPOS,
        C("hmjd", "float64", "d", "time.epoch;obs",
          "Heliocentric modified Julian date (UTC) of mid-exposure: "
          "obsmjd + light-travel time at obsmjd + exptime/2",
          null="the exposure time is not known", precision="float64, steps of 0.6 µs",
          encoding="split"),
        C("secz", "float32", "", "obs.airmass",
          "Airmass of the source, secant of its true (unrefracted) zenith distance at obsmjd",
          null="the source is below the horizon", precision="float32, 1.2e-7 at secz 2",
          encoding="split"),
        FLUX, FLUXERR, MAG, MAGERR,
        C("clrcorr", "float32", "mag", "phot.mag;arith.diff",
          "Colour term to add to mag: clrcoeff·(g−r), the reference source's colour on the "
          "standard system, which counts in the colour coefficients of both references",
          null="no g−r, for want of a reference of both filters that see the source or of their "
          "colour coefficients; or the image has no colour coefficient",
          precision="float32", encoding="split"),
        CHI, SHARP, CATFLAGS,
        C("match_arcsec", "float32", "arcsec", "pos.angDistance",
          "Separation from the nearest reference source of the channel",
          null="none within the match radius", precision="float32", encoding="split"),
        C("match_rank", "int16", "", "meta.number",
          "Rank by separation among the image's detections of that reference source; 1 has the oid",
          null="none within the match radius", encoding="dictionary"),
    ),
    sort=("_healpix_29", "expid", "rcid", "sourceid"),
    spatial=True,
)

# What LSDB needs beside `detections`; whoever asks in SQL finds nothing new in it.
DETECTIONS_MARGIN = replace(
    DETECTIONS,
    name="detections_margin",
    description="Detections near another HEALPix pixel than their own, kept beside that pixel too",
)

DETECTIONS_INDEX = Table(
    "detections_index",
    "One row per object and HEALPix pixel that may hold detections of it",
    (
        replace(OID, encoding="delta"),
        C("Norder", "uint8", "", "meta.id", "HEALPix order of the pixel", encoding="dictionary"),
        C("Npix", "uint64", "", "pos.healpix", "HEALPix number of the pixel, NESTED",
          encoding="dictionary"),
    ),
    sort=("oid", "Norder", "Npix"),
    row_group_rows=1 << 20,
)

REFERENCE_SOURCES = Table(
    "reference_sources",
    "One row per source of a reference image's catalogue: what detections are matched to",
    (
        HEALPIX_29, OID, RFID, FIELD, FID, CCDID, QID, RCID, SOURCEID,
        replace(RA, encoding="plain"), replace(DEC, encoding="plain"), XPOS, YPOS,
        FLUX, FLUXERR, replace(MAG, encoding="plain"), MAGERR, CHI, SHARP, CATFLAGS,
    ),
    sort=("_healpix_29", "rfid", "sourceid"),
    spatial=True,
    # What every image of a channel is matched to, for years: read twice as fast, for 14 % more.
    bare=("sourceid", "ra", "dec", "mag"),
)

# --- images and exposures -------------------------------------------------------------------
UNKNOWN = "nobody knows: neither the header, the name, a science header nor the metadata table"
OBSMJD = C("obsmjd", "float64", "d", "time.start;obs.exposure",
           "Modified Julian date (UTC) of the exposure's start", encoding="split")
EXPTIME = C("exptime", "float64", "s", "time.duration;obs.exposure", "Exposure time", null=UNKNOWN)
PROGRAMID = C("programid", "int8", "", "meta.id", "Programme: 1 public, 2 partnership, 3 Caltech",
              null=UNKNOWN)
AIRMASS = C("airmass", "float64", "", "obs.airmass",
            "Airmass of the boresight as listed in the header", null=UNKNOWN)
MAGZP = C("magzp", "float64", "mag", "phot.mag;arith.zp", "Magnitude zero point", null=UNKNOWN)
MAGZPUNC = C("magzpunc", "float64", "mag", "stat.error;phot.mag;arith.zp",
             "Uncertainty of magzp", null=UNKNOWN)
MAGZPRMS = C("magzprms", "float64", "mag", "stat.stdev;phot.mag;arith.zp",
             "Scatter of the calibrators about magzp", null=UNKNOWN)
CLRCOEFF = C("clrcoeff", "float64", "", "arith.factor;phot.color", "Colour coefficient",
             null=UNKNOWN)
CLRCOUNC = C("clrcounc", "float64", "", "stat.error;phot.color", "Uncertainty of clrcoeff",
             null=UNKNOWN)
PCOLOR = C("pcolor", "string", "", "meta.note;phot.color",
           "Calibrator colour that clrcoeff multiplies", null=UNKNOWN)
INFOBITS = C("infobits", "int64", "", "meta.code.qual", "Processing status bits", null=UNKNOWN)
NO_SCALE = "no WCS with its cards, or none that is read; or published in an older format"
# As VOUnit and FITS spell it: neither has a sign for it.
PERCENT = "10**-2"
INPUT_FILE = C("input_file", "string", "", "meta.id;meta.file",
               "Name of the input file, without its folder")
INPUT_CHECKSUM = C("input_checksum", "string", "", "meta.checksum",
                   "xxh3-128 of the input file's bytes")

IMAGES = Table(
    "images",
    "One row per quadrant image: identifiers, times, calibration, WCS, fits and counts",
    (
        PID, EXPID, NIGHT, FIELD, FID, FILTERCODE, CCDID, QID, RCID, OBSMJD, EXPTIME, PROGRAMID,
        C("filefracday", "int64", "", "meta.id", "yyyymmdd and fraction of the day of the file "
          "name; up to 118 s from obsmjd, so never a time", null="the file name gives none"),
        C("ra", "float64", "deg", "pos.eq.ra", "Right ascension of the image's centre, ICRS: by "
          "its WCS, else the middle of its rows", null="no WCS, and no row with coordinates"),
        C("dec", "float64", "deg", "pos.eq.dec", "Declination of the image's centre, ICRS: by "
          "its WCS, else the middle of its rows", null="no WCS, and no row with coordinates"),
        AIRMASS,
        C("secz", "float64", "", "obs.airmass", "Recomputed airmass of the image's centre",
          null="below the horizon"),
        MAGZP, MAGZPUNC, MAGZPRMS, CLRCOEFF, CLRCOUNC, PCOLOR,
        C("seeing", "float64", "pix", "instr.obsty.seeing", "Seeing, full width at half maximum",
          null=UNKNOWN),
        C("limitmag", "float64", "mag", "phot.mag;stat.min",
          "Limiting magnitude, 5 sigma, of the PSF-fit catalogue", null=UNKNOWN),
        C("saturate", "float64", "adu", "instr.saturation", "Saturation level", null=UNKNOWN),
        INFOBITS,
        C("is_bad", "bool", "", "meta.code.qual",
          "Image judged bad: 32768 is set in catflags of all its rows"),
        C("bad_reason", "string", "", "meta.note", "The rule that judged it and its reason",
          null="the image is not judged bad"),
        C("reference_state", "string", "", "meta.code",
          "matched, or no_reference: then every oid of the image is null"),
        replace(RFID, null="no reference catalogue was used"),
        C("reference_checksum", "string", "", "meta.checksum",
          "xxh3-128 of the reference catalogue that was used", null="none was used"),
        C("match_radius_arcsec", "float64", "arcsec", "pos.angDistance",
          "Match radius that was used"),
        C("hjd_method", "string", "", "meta.code", "fit (offset frame) or exact (dot product)"),
        C("hjd_frame_ra", "float64", "deg", "pos.eq.ra", "Centre of the fit's offset frame",
          null="no fit was made"),
        C("hjd_frame_dec", "float64", "deg", "pos.eq.dec", "Centre of the fit's offset frame",
          null="no fit was made"),
        *(
            C(f"hjd_c{i}", "float64", "s", "stat.fit.param",
              f"Light-travel time: coefficient of {term}, x and y the direction cosines in the "
              "offset frame", null="no fit was made")
            for i, term in enumerate(("1", "x", "y", "xy", "x²", "y²"))
        ),
        C("hjd_residual_us", "float64", "us", "stat.fit.residual",
          "Largest difference of fit and exact value over the image's rows in its footprint",
          null="no fit was made"),
        C("iers_extrapolated", "bool", "", "meta.code.qual",
          "obsmjd is outside the installed earth-orientation table: secz is less certain"),
        C("crval1", "float64", "deg", "pos.wcs.crval", "WCS reference value, axis 1", null=UNKNOWN),
        C("crval2", "float64", "deg", "pos.wcs.crval", "WCS reference value, axis 2", null=UNKNOWN),
        C("crpix1", "float64", "pix", "pos.wcs.crpix", "WCS reference pixel, axis 1", null=UNKNOWN),
        C("crpix2", "float64", "pix", "pos.wcs.crpix", "WCS reference pixel, axis 2", null=UNKNOWN),
        C("cd1_1", "float64", "deg/pix", "pos.wcs.cdmatrix", "WCS matrix", null=UNKNOWN),
        C("cd1_2", "float64", "deg/pix", "pos.wcs.cdmatrix", "WCS matrix", null=UNKNOWN),
        C("cd2_1", "float64", "deg/pix", "pos.wcs.cdmatrix", "WCS matrix", null=UNKNOWN),
        C("cd2_2", "float64", "deg/pix", "pos.wcs.cdmatrix", "WCS matrix", null=UNKNOWN),
        C("wcs_cards", "string", "", "pos.wcs",
          "All WCS cards as in the header, 80 characters each: distortion included", null=UNKNOWN),
        C("pixel_scale_arcsec", "float64", "arcsec/pix", "instr.scale;stat.mean",
          "Mean pixel scale over the chip: the root of the area of sky that a pixel covers",
          null=NO_SCALE),
        C("pct_scale_diff_min", "float64", PERCENT, "instr.scale;arith.diff;stat.min",
          "Pixel scale against its prior, percent of the prior: least over the chip",
          null=NO_SCALE),
        C("pct_scale_diff_max", "float64", PERCENT, "instr.scale;arith.diff;stat.max",
          "The same, greatest", null=NO_SCALE),
        C("pct_scale_diff_rms", "float64", PERCENT, "instr.scale;arith.diff",
          "The same, root mean square", null=NO_SCALE),
        C("pct_scale_diff_worst", "float64", PERCENT, "instr.scale;arith.diff",
          "The same where it is farthest from 0; beyond the archive's scale_limit_percent the "
          "image is bad; below −100 the solution folds over", null=NO_SCALE),
        C("scale_worst_x", "float64", "pix", "pos.cartesian.x;instr.det",
          "Where that is, along NAXIS1, 1-based", null=NO_SCALE),
        C("scale_worst_y", "float64", "pix", "pos.cartesian.y;instr.det",
          "Where that is, along NAXIS2, 1-based", null=NO_SCALE),
        C("scale_prior", "string", "", "meta.code",
          "Prior of its pixel scale: given (ingest --prior), archive (the median of good images "
          "of nights before) or ideal (an equidistant camera)", null=NO_SCALE,
          encoding="dictionary"),
        C("scale_infobit16", "bool", "", "meta.code.qual",
          "The rule of INFOBITS bit 16, held against this prior: the pixel scale leaves "
          "−0.20…+2.00 % somewhere", null=NO_SCALE),
        C("n_read", "int64", "", "meta.number", "Rows of the input catalogue"),
        C("n_published", "int64", "", "meta.number", "Rows in detections"),
        C("n_refused", "int64", "", "meta.number", "Rows refused (see refusals)"),
        C("n_matched", "int64", "", "meta.number", "Rows with an oid"),
        C("n_unmatched", "int64", "", "meta.number", "Rows without an oid"),
        INPUT_FILE, INPUT_CHECKSUM,
        C("metadata_from", "string", "", "meta.note",
          "Where its metadata came from, in order: header, head, sciimg, table, filename"),
        C("recipe", "string", "", "meta.checksum",
          "Checksum of all the image was made from but for references and the prior of its pixel "
          "scale: input, metadata, settings, code"),
        C("match_recipe", "string", "", "meta.code",
          "What its ids and colour terms were made from: the first 16 digits of the checksums of "
          "the references used (of g and r, which give colours, or of i), and the match radius; "
          "an image is stale if the references that stand now would give another",
          null="published in an older format; the image is stale", encoding="dictionary"),
        C("scale_recipe", "string", "", "meta.code",
          "What its pixel scale was judged by: the kind of prior, the first 16 digits of its "
          "checksum, and the limit in percent", null="no WCS with its cards, or published in an "
          "older format", encoding="dictionary"),
    ),
    sort=("pid",),
)

EXPOSURES = Table(
    "exposures",
    "One row per exposure: all quadrant images taken at once",
    (
        EXPID, NIGHT, replace(FIELD, encoding="dictionary"), FID, FILTERCODE, OBSMJD, EXPTIME,
        PROGRAMID, AIRMASS,
        C("earth_x_s", "float64", "s", "pos.cartesian.x;pos.heliocentric",
          "Heliocentric position of the observatory at obsmjd, light-seconds, ICRS axes"),
        C("earth_y_s", "float64", "s", "pos.cartesian.y;pos.heliocentric", "The same, y"),
        C("earth_z_s", "float64", "s", "pos.cartesian.z;pos.heliocentric", "The same, z"),
        C("n_images", "int64", "", "meta.number", "Images published"),
        C("n_published", "int64", "", "meta.number", "Rows in detections"),
        C("n_matched", "int64", "", "meta.number", "Rows with an oid"),
    ),
    sort=("expid",),
)

NIGHTS = Table(
    "nights",
    "One row per night: what was read, published and refused, and by which code and tables",
    (
        NIGHT,
        C("first_obsmjd", "float64", "d", "time.start", "Start of the first exposure (UTC)"),
        C("last_obsmjd", "float64", "d", "time.start", "Start of the last exposure (UTC)"),
        C("n_exposures", "int64", "", "meta.number", "Exposures"),
        C("n_images", "int64", "", "meta.number", "Images"),
        C("n_bad_images", "int64", "", "meta.number", "Images judged bad"),
        C("n_read", "int64", "", "meta.number", "Rows of the input catalogues"),
        C("n_published", "int64", "", "meta.number", "Rows in detections"),
        C("n_refused", "int64", "", "meta.number", "Rows refused"),
        C("n_matched", "int64", "", "meta.number", "Rows with an oid"),
        C("n_unmatched", "int64", "", "meta.number", "Rows without an oid"),
        C("iers_version", "string", "", "meta.version",
          "Earth-orientation table and leap seconds that were used"),
        C("code_version", "string", "", "meta.version", "Version of Nightlake that made the night"),
    ),
    sort=("night",),
)

REFERENCE_IMAGES = Table(
    "reference_images",
    "One row per reference image whose catalogue seeds the matching",
    (
        RFID, FIELD, FID, FILTERCODE, CCDID, QID, RCID,
        C("ra", "float64", "deg", "pos.eq.ra", "Right ascension of the image's centre, ICRS"),
        C("dec", "float64", "deg", "pos.eq.dec", "Declination of the image's centre, ICRS"),
        MAGZP, MAGZPUNC, MAGZPRMS, CLRCOEFF, CLRCOUNC, PCOLOR, INFOBITS,
        C("n_read", "int64", "", "meta.number", "Rows of the input catalogue"),
        C("n_published", "int64", "", "meta.number", "Rows in reference_sources"),
        C("n_refused", "int64", "", "meta.number", "Rows refused (see refusals)"),
        INPUT_FILE, INPUT_CHECKSUM,
        C("recipe", "string", "", "meta.checksum",
          "Checksum of all its sources were made from: input, metadata, settings, code"),
    ),
    sort=("rfid",),
)

REFUSALS = Table(
    "refusals",
    "One row per input that was refused, whole or in part, and why",
    (
        replace(NIGHT, null="the night of the input is not known"),
        INPUT_FILE,
        replace(INPUT_CHECKSUM, null="the whole file was refused"),
        replace(PID, ucd="meta.id;obs.image", encoding="plain",
                null="which image it is is not known, or it is a reference image"),
        C("code", "string", "", "meta.code", "What kind of fault: stable, for programs"),
        C("what", "string", "", "meta.note", "What is wrong"),
        C("hint", "string", "", "meta.note", "What to do about it"),
        C("n_rows", "int64", "", "meta.number", "Rows refused",
          null="the whole file was refused"),
        C("first_row", "int64", "", "meta.number", "The first refused row, from 0",
          null="the whole file was refused"),
    ),
    sort=("input_file", "code", "what", "night", "pid", "input_checksum"),
)

# --- products: made of the tables above by `nightlake build` ------------------------------------
OBJECT_HEALPIX_29 = C(
    "object_healpix_29", "int64", "", "pos.healpix",
    "_healpix_29 of the reference source that the oid names, if the row lies within the match "
    "radius of it; else the row's own: all rows of an object stand together",
    encoding="delta",
)
# Rows of an object are neighbours and in the order of time: its id makes long runs, exposures
# ascend.
_RUNS: dict[str, Encoding] = {"oid": "dictionary", "expid": "delta"}


def _of_lightcurves(column: Column) -> Column:
    """A column of detections as it is kept object by object."""
    return replace(column, encoding=_RUNS.get(column.name, column.encoding))


LIGHTCURVES = Table(
    "lightcurves",
    "Detections object by object, each in the order of time, as of the last build",
    (
        replace(HEALPIX_29, description="HEALPix index of ra, dec at order 29, NESTED"),
        OBJECT_HEALPIX_29,
        *map(_of_lightcurves, DETECTIONS.columns[1:]),
    ),
    # Rows without an oid come after those of one index that have one.
    sort=("object_healpix_29", "oid", "hmjd", "expid", "rcid", "sourceid"),
    spatial=True,
    # An object's rows are a thousand: few others are read with them, in 0.4 ms. The index leads to
    # them, and what names a row group's objects is all that helps a search without it.
    row_group_rows=4096,
    codec=FAST_CODEC,
    statistics=("_healpix_29", "object_healpix_29"),
)

LIGHTCURVE_INDEX = Table(
    "lightcurve_index",
    "One row per object and place among the rows of `lightcurves` in its pixel",
    (
        replace(OID, encoding="delta"),
        OBJECT_HEALPIX_29,
        C("first_row", "int64", "", "meta.number", "Its first row, from 0", encoding="delta"),
        C("n_rows", "int64", "", "meta.number", "Its rows, which follow each other",
          encoding="delta"),
    ),
    sort=("oid", "object_healpix_29"),
)

# What a light curve shows of its images.
_SHOWN = (
    "pid", "filtercode", "obsmjd", "exptime", "programid", "filefracday", "airmass", "magzp",
    "magzpunc", "magzprms", "clrcoeff", "clrcounc", "pcolor", "seeing", "limitmag", "infobits",
    "is_bad", "bad_reason",
)
LIGHTCURVE_IMAGES = Table(
    "lightcurve_images",
    "What light curves show of the images that have rows in a pixel",
    (NIGHT, EXPID, RCID, *(column for column in IMAGES.columns if column.name in _SHOWN)),
    sort=("night", "expid", "rcid"),
)

OBJECTS = Table(
    "objects",
    "One row per reference source, with the statistics of its light curve as of the last build",
    (
        HEALPIX_29, replace(OID, encoding="delta"), RFID, FIELD, FID, CCDID, QID, RCID,
        C("group_id", "int64", "", "meta.id.assoc",
          "Objects of one place, of whatever fields and filters: all within the match radius of "
          "each other, none two of one field, filter, CCD and quadrant. Kept by later builds; "
          "_healpix_29 of the source that founded the group, or the next one that is free",
          encoding="delta"),
        replace(RA, description="Right ascension of the reference source, ICRS"),
        replace(DEC, description="Declination of the reference source, ICRS"),
        replace(MAG, description="Magnitude of the reference source, as in `reference_sources`"),
        replace(MAGERR, description="One-sigma uncertainty of mag"),
        *STATISTICS,
    ),
    sort=("_healpix_29", "rfid", "oid"),
    spatial=True,
)

# --- imports: what people have already ----------------------------------------------------------
COLLECTION = C("collection", "string", "", "meta.id;meta.main",
               "Name that was given to what was imported together: its ids are not the archive's",
               encoding="dictionary")
_NOT_GIVEN = "the input gives none: files of a data release do not"
IMPORTED_OID = replace(
    OID, encoding="delta",
    description="Object id as the input has it; it means something within its collection alone",
)

IMPORTED_LIGHTCURVES = Table(
    "imported_lightcurves",
    "One row per epoch of the light curves that were imported",
    (
        replace(HEALPIX_29, description="HEALPix index of objra, objdec at order 29, NESTED: "
                "epochs of a curve stand together; files are sorted by it"),
        COLLECTION, IMPORTED_OID,
        C("epoch", "int32", "", "meta.number", "Number of the epoch in its curve, from 0, in the "
          "order of the input", encoding="delta"),
        C("objra", "float64", "deg", "pos.eq.ra", "Right ascension of the object, ICRS: as "
          "the input gives it, else the middle of its epochs", precision="float32 or float64, "
          "as in the input", encoding="split"),
        C("objdec", "float64", "deg", "pos.eq.dec", "Declination of the object, ICRS; the same",
          precision="float32 or float64, as in the input", encoding="split"),
        FID,
        replace(FIELD, encoding="dictionary"), RCID,
        replace(DETECTIONS["hmjd"], null=NEVER, description="Heliocentric modified Julian "
                "date (UTC) as the input gives it; of the light-curve API mid-exposure, "
                "hjd − 2400000.5"),
        replace(MAG, null=NEVER, precision="float32 as in the input",
                description="Calibrated magnitude as the input gives it"),
        replace(MAGERR, null=NEVER, precision="float32 as in the input"),
        replace(CLRCOEFF, null="the input gives none", encoding="split",
                precision="float32 of the input, exactly"),
        replace(CATFLAGS, null=NEVER, description="Mask bits as the input gives them: 65535 "
                "= on or near the edge; 32768 = image judged bad"),
        replace(RA, description="Right ascension of the measurement, ICRS; of the object where "
                "the input gives no other"),
        replace(DEC, description="Declination of the measurement, ICRS; the same"),
        replace(EXPID, null=_NOT_GIVEN, encoding="delta"),
        replace(OBSMJD, null=_NOT_GIVEN),
        replace(CHI, null=_NOT_GIVEN), replace(SHARP, null=_NOT_GIVEN),
        C("filefracday", "int64", "", "meta.id", "yyyymmdd and fraction of the day of the image's "
          "name", null=_NOT_GIVEN, encoding="delta"),
        *(
            replace(IMAGES[name], null=_NOT_GIVEN, encoding="split",
                    precision="float32 of the input, exactly")
            for name in ("limitmag", "magzp", "magzprms", "clrcounc", "exptime", "airmass")
        ),
        replace(PROGRAMID, null=_NOT_GIVEN, encoding="dictionary"),
        replace(INPUT_FILE, encoding="dictionary"), replace(INPUT_CHECKSUM, encoding="dictionary"),
    ),
    sort=("_healpix_29", "oid", "epoch"),
    spatial=True,
    position=("objra", "objdec"),
)

IMPORTS = Table(
    "imports",
    "One row per file that was imported",
    (
        C("kind", "string", "", "meta.code", "What it holds: lightcurves"),
        COLLECTION,
        replace(INPUT_FILE, description="Name of the input file, without its folder; of a HATS "
                "catalogue with those that say which pixel it is"),
        INPUT_CHECKSUM,
        C("form", "string", "", "meta.note", "The form that it was read as"),
        C("position_type", "string", "", "meta.code", "Type of its positions: float32 or float64"),
        C("hmjd_type", "string", "", "meta.code", "Type of its dates: float32 or float64"),
        C("n_curves", "int64", "", "meta.number", "Light curves"),
        C("n_epochs", "int64", "", "meta.number", "Rows in imported_lightcurves"),
        C("first_oid", "int64", "", "meta.id;stat.min", "The least of its object ids"),
        C("last_oid", "int64", "", "meta.id;stat.max", "The greatest of its object ids"),
        C("first_hmjd", "float64", "d", "time.start", "hmjd of its first epoch"),
        C("last_hmjd", "float64", "d", "time.end", "hmjd of its last epoch"),
        C("recipe", "string", "", "meta.checksum",
          "Checksum of all its rows were made from: input, collection, partition, code"),
    ),
    sort=("collection", "input_file"),
)

MATCHFILES, MATCHFILE_EXPOSURES, MATCHFILE_SOURCES, MATCHFILE_DETECTIONS = matchfile_tables({
    column.name: column
    for table in (OBJECTS, IMAGES, DETECTIONS, IMPORTS, IMPORTED_LIGHTCURVES)
    for column in table.columns
})

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        DETECTIONS, REFERENCE_SOURCES, IMAGES, EXPOSURES, NIGHTS, REFERENCE_IMAGES, REFUSALS,
        LIGHTCURVES, OBJECTS, IMPORTED_LIGHTCURVES, IMPORTS,
        MATCHFILES, MATCHFILE_EXPOSURES, MATCHFILE_SOURCES, MATCHFILE_DETECTIONS,
    )
}

# All that is kept: the tables that are asked, and those that make a HATS collection of them or
# lead to their rows.
STORED_TABLES = TABLES | {
    table.name: table
    for table in (DETECTIONS_MARGIN, DETECTIONS_INDEX, LIGHTCURVE_INDEX, LIGHTCURVE_IMAGES)
}
