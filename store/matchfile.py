"""The form of a matchfile: groups, tables, columns, attributes and paths, declared once.

One HDF5 file a field, filter, CCD and quadrant, as PyTables writes it:

    srcmatch/rc27/fr000601-000650/ztf_000633_zr_c07_q4_match.pytable
    └── matches
        ├── exposures       one row an exposure
        ├── sources         one row a source of the reference catalogue, with statistics
        ├── sourcedata      its measurements, grouped by matchid
        ├── transients      one row a group of measurements that match no reference source
        └── transientdata   their measurements

Everything is little-endian; columns stand in the order of the alphabet, but for `psfmag` and
`psfmagerr`, which follow `psffluxerr`. Source: a real file, ztf_000245_zr_c10_q1_match.pytable,
and the ZTF Science Data System's explanatory supplement (Masci et al.), where it agrees with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from store.channel import channel_part

GROUP = "matches"
GROUP_TITLE = "Matched Sources"
# Matchids are less: readers make ids of their own by adding them to a multiple of a million.
MATCHIDS = 1_000_000
# Fields of one folder.
FOLDER_FIELDS = 50

_EXPOSURES = """
airmass f4, clrcoeff f4, clrcounc f4, clrmed f4, clrrms f4, diq f4, expid u4, exptime f4,
fieldid u4, filterid u2, fracday u8, gmedian f4, infobits u4, ipac_pub_date f4, limitmag f4,
magzp f4, magzprms f4, magzpunc f4, nps1matches i4, nsources i4, nstars i4, ntransients i4,
obshjd f8, obsmjd f8, pcolor S8, programid u2, programpi S40, rcid u1, zpclrcov f4, zpmed f4
"""
_SOURCES = """
astrometricrms f8, chisq f4, con f4, dec f8, lineartrend f4, magrms f4, matchid i4, maxmag f4,
maxslope f4, meanmag f4, medianabsdev f4, medianmag f4, medmagerr f4, minmag f4,
nabovemeanbystd 3u2, nbelowmeanbystd 3u2, nconsecabovemeanbystd 3u2, nconsecbelowmeanbystd 3u2,
nconsecfrommeanbystd 3u2, ngoodobs u2, ngoodobsrel u2, nmedianbufferrange u2, nobs u2,
nobsrel u2, npairposslope u2, percentiles 12f4, ra f8, refchi f4, refmag f4, refmagerr f4,
refsharp f4, refsnr f4, skewness f4, smallkurtosis f4, stetsonj f4, stetsonk f4,
uncalibmeanmag f4, vonneumannratio f4, weightedmagrms f4, weightedmeanmag f4, x f8, y f8, z f8
"""
_SOURCEDATA = """
catflags u2, chi f4, dec f8, expid u4, hjd f8, mag f4, magerr f4, magerrmodel f4, matchid u4,
mjd f8, programid u2, psfflux f4, psffluxerr f4, ra f8, sharp f4, xpos f4, ypos f4
"""
_TRANSIENTDATA = """
catflags u2, chi f4, dec f8, expid u4, hjd f8, mag f4, magerr f4, magerrmodel f4, matchid u4,
mjd f8, programid u2, psfflux f4, psffluxerr f4, psfmag f4, psfmagerr f4, ra f8, sharp f4,
sid u8, snr f4, x f8, xpos f4, y f8, ypos f4, z f8
"""


@dataclass(frozen=True, slots=True)
class MatchTable:
    """One table: its name, the end of its title, and the type of its rows."""

    name: str
    title: str
    dtype: np.dtype[np.void]

    def title_of(self, field: int, rcid: int) -> str:
        """Its title in the file of a channel; that of `exposures` names none."""
        if self.name == "exposures":
            return self.title
        return f"Field {field:06d} RC {rcid} {self.title}"


def _dtype(columns: str) -> np.dtype[np.void]:
    pairs = [column.split() for column in columns.replace("\n", " ").split(",")]
    return np.dtype([(name, kind) for name, kind in pairs])


EXPOSURES = MatchTable("exposures", "List of Exposures", _dtype(_EXPOSURES))
SOURCES = MatchTable("sources", "Matched Sources Table", _dtype(_SOURCES))
SOURCEDATA = MatchTable("sourcedata", "Matched Sources Data", _dtype(_SOURCEDATA))
TRANSIENTS = MatchTable("transients", "Transients Table", _dtype(_SOURCES))
TRANSIENTDATA = MatchTable("transientdata", "Transients Data", _dtype(_TRANSIENTDATA))
MATCH_TABLES = {
    table.name: table for table in (EXPOSURES, SOURCES, SOURCEDATA, TRANSIENTS, TRANSIENTDATA)
}
# Coefficients of the error model, attributes of `sourcedata`.
MODEL_ATTRIBUTES = ("A", "B", "C", "D")
# Attributes of the group, each with its type.
GROUP_ATTRIBUTES: dict[str, type] = {
    "calibratedSinceLastMatch": np.int64,
    "ccdID": np.int64,
    "datetimeCalibrated": str,
    "datetimeMatched": str,
    "fieldID": np.int64,
    "filterID": np.int64,
    "globalMaglimit": np.float32,
    "goodSystematicErrorLimit": np.float64,
    "nCalibrationSources": np.int64,
    "quadrantID": np.int64,
    "rcID": np.int64,
    "referenceImageID": np.int64,
    "referenceZeroPoint": np.float64,
    "referenceZeroPointErr": np.float64,
    "saturatedMagnitude": np.float64,
}


def matchfile_name(field: int, fid: int, ccdid: int, qid: int) -> str:
    """Name of a channel's file: ztf_000633_zr_c07_q4_match.pytable."""
    return f"ztf_{channel_part(field, fid, ccdid, qid)}_match.pytable"


def matchfile_path(field: int, fid: int, ccdid: int, qid: int) -> str:
    """Where the survey keeps it: srcmatch/rc27/fr000601-000650/…

    Fifty fields a folder, as its reference images are kept.
    """
    first = (field - 1) // FOLDER_FIELDS * FOLDER_FIELDS + 1
    folder = f"fr{first:06d}-{first + FOLDER_FIELDS - 1:06d}"
    rcid = 4 * (ccdid - 1) + qid - 1
    return f"srcmatch/rc{rcid:02d}/{folder}/{matchfile_name(field, fid, ccdid, qid)}"


def reference_image_id(field: int, fid: int, rcid: int) -> int:
    """The `referenceImageID` of a channel."""
    return field * 10_000 + fid * 100 + rcid
