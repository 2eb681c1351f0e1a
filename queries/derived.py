"""The columns that answers of the library add to the contract's."""

# fmt: off
from __future__ import annotations

from store.columns import Column

C = Column
NO_IMAGE = "no image has one"

DERIVED: dict[str, Column] = {
    column.name: column
    for column in (
        C("hjd", "float64", "d", "time.epoch;obs",
          "Heliocentric Julian date (UTC) of mid-exposure: hmjd + 2400000.5",
          null="hmjd is null", precision="float64, steps of 40 µs: use hmjd for timing"),
        C("matched_fraction", "float64", "", "stat.fraction",
          "Fraction of the rows in detections that have an oid", null="there are no rows"),
        C("detections_per_image", "float64", "", "meta.number",
          "Rows in detections, mean over the images"),
        C("axis2_angle", "float64", "deg", "pos.posAng",
          "Position angle of the second pixel axis, north through east",
          null="the image has no WCS"),
        C("is_current", "bool", "", "meta.code",
          "Whether the reference catalogue that was used is the one that stands"),
        C("n_stale", "int64", "", "meta.number",
          "Images whose ids are not those of the references that stand: rematch makes "
          "them anew"),
        C("current_recipe", "string", "", "meta.code",
          "What match_recipe would be by the references that stand"),
        C("n_without_reference", "int64", "", "meta.number",
          "Images without a reference catalogue"),
        C("median_airmass", "float64", "", "obs.airmass",
          "Airmass of the header, median of the images", null=NO_IMAGE),
        C("median_seeing", "float64", "pix", "instr.obsty.seeing;stat.median",
          "Seeing, median of the images", null=NO_IMAGE),
        C("median_limitmag", "float64", "mag", "phot.mag;stat.median",
          "Limiting magnitude, 5 sigma, median of the images", null=NO_IMAGE),
        C("best_limitmag", "float64", "mag", "phot.mag;stat.max",
          "Limiting magnitude, 5 sigma, of the deepest image", null=NO_IMAGE),
        C("stacked_limitmag", "float64", "mag", "phot.mag",
          "Limiting magnitude, 5 sigma, of all good images stacked, each weighted by its "
          "depth: 1.25 log10 of the sum of 10^(0.8 limitmag)", null=NO_IMAGE),
        C("limitmag_change", "float64", "mag", "phot.mag;arith.diff",
          "limitmag, less the median of the good images of the filter",
          null="limitmag is null, or no image of the filter is good"),
        C("median_magzp", "float64", "mag", "phot.mag;arith.zp;stat.median",
          "Magnitude zero point, median of the images", null=NO_IMAGE),
        C("magzp_change", "float64", "mag", "phot.mag;arith.diff",
          "magzp less the median of its channel over all nights, median of the images"),
        C("magzp_scatter", "float64", "mag", "stat.stdev;phot.mag",
          "Scatter of these differences: 1.4826 median absolute deviations"),
        C("median_magzprms", "float64", "mag", "stat.stdev;phot.mag",
          "Scatter of the calibrators about magzp, median of the images", null=NO_IMAGE),
        C("median_clrcoeff", "float64", "", "arith.factor;phot.color",
          "Colour coefficient, median of the images", null=NO_IMAGE),
        C("total_exptime", "float64", "s", "time.duration;obs.exposure",
          "Exposure time, sum over the good images", null=NO_IMAGE),
        C("first_night", "date32", "", "time.epoch", "The first night"),
        C("last_night", "date32", "", "time.epoch", "The last night"),
        C("min_matched_fraction", "float64", "", "stat.fraction;stat.min",
          "Smallest matched fraction of an image", null="no image has rows and a reference"),
        C("worst_pid", "int64", "", "meta.id", "The image of which the worst value is",
          null=NO_IMAGE),
        C("mag_bin", "float64", "mag", "phot.mag", "Lower edge of the bin of mean magnitudes"),
        C("n_objects", "int64", "", "meta.number", "Objects"),
        C("n_epochs", "int64", "", "meta.number", "Detections that count"),
        C("median_rms", "float64", "mag", "stat.stdev;phot.mag;stat.median",
          "Standard deviation of an object's magnitudes, median of the objects"),
        C("p16_rms", "float64", "mag", "stat.stdev;phot.mag", "The same, 16th percentile"),
        C("p84_rms", "float64", "mag", "stat.stdev;phot.mag", "The same, 84th percentile"),
        C("median_magerr", "float64", "mag", "stat.error;phot.mag",
          "Root mean square of an object's magerr, median of the objects",
          null="no magerr is known"),
        C("rms_over_magerr", "float64", "", "arith.ratio",
          "Standard deviation over the root mean square of magerr, median of the objects:"
          " 1 where the errors are right and nothing varies", null="no magerr is known"),
        C("n_fitted", "int64", "", "meta.number", "Images whose light-travel time was fitted"),
        C("median_residual_us", "float64", "us", "stat.fit.residual",
          "hjd_residual_us, median of the images", null="no fit was made"),
        C("max_residual_us", "float64", "us", "stat.fit.residual;stat.max",
          "hjd_residual_us of the worst image", null="no fit was made"),
        C("n_iers_extrapolated", "int64", "", "meta.number",
          "Images outside the installed earth-orientation table"),
        C("table_name", "string", "", "meta.id", "Name of the table"),
        C("n_rows", "int64", "", "meta.number", "Rows"),
    )
}
