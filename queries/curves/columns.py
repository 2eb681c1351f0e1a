"""The columns of a light curve: what is read of a detection and of its image, and what is shown."""

from __future__ import annotations

from store.contract import DETECTIONS, LIGHTCURVE_IMAGES

# What a light curve shows, in this order; `hjd` is derived.
SHOWN = (
    "oid", "expid", "hjd", "hmjd", "obsmjd", "mag", "magerr", "clrcorr", "catflags", "filtercode",
    "ra", "dec", "chi", "sharp", "filefracday", "field", "fid", "ccdid", "qid", "rcid", "limitmag",
    "magzp", "magzprms", "clrcoeff", "clrcounc", "exptime", "airmass", "secz", "programid",
    "match_arcsec", "night", "seeing", "infobits", "is_bad", "bad_reason",
)  # fmt: skip
JD_OF_MJD = 2400000.5
# Read of a detection: what is shown, and what breaks ties in order.
OF_DETECTION = (*(name for name in SHOWN if name in DETECTIONS.names), "sourceid")
# Read of its image, which is found by these.
IMAGE_KEY = ("night", "expid", "rcid")
OF_IMAGE = tuple(
    name for name in SHOWN if name in LIGHTCURVE_IMAGES.names and name not in DETECTIONS.names
)
# Rows come in this order; those without an object after those with one.
ORDER = ("fid", "oid", "hmjd", "expid", "rcid", "sourceid")
