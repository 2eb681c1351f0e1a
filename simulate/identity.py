"""Who is who: channels, filters, exposures, images, and the names of their files.

All rules were measured on real light-curve rows and headers of the survey.
"""

from __future__ import annotations

import math
from datetime import date, timedelta

FILTER_CODES = {1: "zg", 2: "zr", 3: "zi"}
FILTER_NAMES = {1: "ZTF_g", 2: "ZTF_r", 3: "ZTF_i"}
CHANNELS = range(64)

MJD_OF_ORDINAL_ZERO = -678576  # MJD of datetime.date.toordinal() == 0
EXPID_EPOCH_MJD = 57754  # 2017-01-01
PIPELINE_ID = 15


def ccd_of(rcid: int) -> int:
    """CCD, 1 to 16, of a readout channel, 0 to 63."""
    return rcid // 4 + 1


def quadrant_of(rcid: int) -> int:
    """Quadrant, 1 to 4, of a readout channel, 0 to 63."""
    return rcid % 4 + 1


def mjd_of(day: date) -> int:
    """MJD at 0 h UTC of a date."""
    return day.toordinal() + MJD_OF_ORDINAL_ZERO


def date_of(mjd: float) -> date:
    """UTC date of an MJD."""
    return date.fromordinal(math.floor(mjd) - MJD_OF_ORDINAL_ZERO)


def utc_text(day: date, seconds: float) -> str:
    """ISO time of a second of a UTC day, to a millisecond: 2024-01-10T05:00:12.345."""
    thousandths = round(seconds * 1000)
    days, thousandths = divmod(thousandths, 86_400_000)
    minutes, thousandths = divmod(thousandths, 60_000)
    return (
        f"{day + timedelta(days):%Y-%m-%d}T{minutes // 60:02d}:{minutes % 60:02d}:"
        f"{thousandths // 1000:02d}.{thousandths % 1000:03d}"
    )


def expid_of(obsmjd: float) -> int:
    """Exposure id: floor((OBSMJD − 57754)·1e5), without a guard for rounding, as the survey."""
    return math.floor((obsmjd - EXPID_EPOCH_MJD) * 1e5)


def pid_of(expid: int, rcid: int) -> int:
    """Id of one quadrant image."""
    return expid * 10_000 + rcid * 100 + PIPELINE_ID


def rfid_of(field: int, fid: int, rcid: int) -> int:
    """Id of a reference image."""
    return field * 1_000_000 + 120 * 1_000 + fid * 100 + rcid


def channel_name(field: int, fid: int, rcid: int) -> str:
    """The middle of a reference file's name: 000633_zr_c07_q4."""
    return f"{field:06d}_{FILTER_CODES[fid]}_c{ccd_of(rcid):02d}_q{quadrant_of(rcid)}"


def science_stem(file_time: str, field: int, fid: int, rcid: int) -> str:
    """Name of an image's files without their kind; `file_time` is YYYYMMDDffffff."""
    return (
        f"ztf_{file_time}_{field:06d}_{FILTER_CODES[fid]}_c{ccd_of(rcid):02d}"
        f"_o_q{quadrant_of(rcid)}"
    )


def science_folder(file_time: str) -> str:
    """Folder of an exposure's files below the data folder: sci/2024/0110/208345."""
    return f"sci/{file_time[:4]}/{file_time[4:8]}/{file_time[8:]}"


def reference_path(field: int, fid: int, rcid: int) -> str:
    """A reference catalogue's path below the data folder."""
    return f"ref/{field:06d}/ztf_{channel_name(field, fid, rcid)}_refpsfcat.fits"
