"""ZTF's identifiers, computed: of exposures, images, reference images, objects and nights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from transforms.errors import TransformError

FILTERCODES = {1: "zg", 2: "zr", 3: "zi"}

# MJD of 2017-01-01, from which ZTF counts exposures and nights.
EPOCH_MJD = 57754.0
MJD_EPOCH = date(1858, 11, 17)
# How a PID ends: the type of a science image.
SCIENCE_IMAGE = 15
# Version of the reference images in an RFID: of all that were seen.
REFERENCE_VERSION = 120
# A sourceid has eight digits of an object id.
SOURCEIDS = 100_000_000


def expid(obsmjd: float) -> int:
    """Exposure id: floor((obsmjd − 57754)·1e5), without a guard against rounding, as ZTF has it."""
    return math.floor((_date(obsmjd) - EPOCH_MJD) * 1e5)


def nid(obsmjd: float) -> int:
    """Night id: days from 2017-01-01 UTC."""
    return math.floor(_date(obsmjd) - EPOCH_MJD)


def night(obsmjd: float, noon_offset_hours: float = 0.0) -> date:
    """Night of an exposure: the UTC date of obsmjd plus an offset.

    California's nights lie within one UTC date; another site shifts its noon to 0 h.

    Raises
    ------
    TransformError : the date is not finite or not in the years 1 to 9999.
    """
    try:
        return MJD_EPOCH + timedelta(days=math.floor(_date(obsmjd) + noon_offset_hours / 24.0))
    except OverflowError as error:
        raise TransformError(f"obsmjd {obsmjd} is not in the years 1 to 9999") from error


def rcid(ccdid: int, qid: int) -> int:
    """Readout channel, 0 to 63, of CCD 1–16 and quadrant 1–4."""
    if not (1 <= ccdid <= 16 and 1 <= qid <= 4):
        raise TransformError(f"no CCD {ccdid} with quadrant {qid}: there are 1–16 and 1–4")
    return int(rcid_unchecked(int(ccdid), int(qid)))


def rcid_unchecked(ccdid: Any, qid: Any) -> Any:
    """The same of any whole numbers, or columns of them: out of range where they name none."""
    return 4 * (ccdid - 1) + qid - 1


def channel(rcid: int) -> tuple[int, int]:
    """CCD and quadrant of a readout channel."""
    if not 0 <= rcid <= 63:
        raise TransformError(f"no readout channel {rcid}: there are 0–63")
    return rcid // 4 + 1, rcid % 4 + 1


def pid(expid: int, rcid: int) -> int:
    """Image id: expid·1e4 + rcid·100 + 15."""
    # int(): a numpy integer of a narrow column would overflow.
    return int(expid) * 10_000 + int(rcid) * 100 + SCIENCE_IMAGE


def rfid(field: int, fid: int, rcid: int, version: int = REFERENCE_VERSION) -> int:
    """Reference image id: field·1e6 + version·1e3 + fid·100 + rcid; `version` is 0 to 999."""
    return int(field) * 1_000_000 + int(version) * 1_000 + int(fid) * 100 + int(rcid)


def is_rfid_of(value: int, field: int, fid: int, rcid: int) -> bool:
    """Whether `value` is an id of the channel's reference image, of whatever version."""
    return value == rfid(field, fid, rcid, value // 1_000 % 1_000)


def oid(field: int, fid: int, ccdid: int, qid: int, sourceid: ArrayLike) -> NDArray[np.int64]:
    """Object ids in the data-release scheme.

    field·1e12 + fid·1e11 + ccdid·1e9 + qid·1e8 + sourceid, where `sourceid` is the source's row in
    its reference catalogue.

    Parameters
    ----------
    sourceid : int (n,), 0 to 99,999,999; −1 for none.

    Returns
    -------
    int64 (n,); −1 where sourceid is negative.
    """
    source = np.asarray(sourceid, dtype=np.int64)
    if source.size and int(source.max()) >= SOURCEIDS:
        raise TransformError(f"sourceid {int(source.max())} has more than 8 digits")
    base = int(field) * 10**12 + int(fid) * 10**11 + int(ccdid) * 10**9 + int(qid) * 10**8
    return np.where(source >= 0, base + source, -1)


@dataclass(frozen=True, slots=True)
class ObjectId:
    """The parts of an object id."""

    field: int
    fid: int
    ccdid: int
    qid: int
    sourceid: int


def decode_oid(oid: int) -> ObjectId:
    """Take an object id apart.

    Raises
    ------
    TransformError : its parts name no filter, CCD or quadrant.
    """
    field, rest = divmod(int(oid), 10**12)
    fid, rest = divmod(rest, 10**11)
    ccdid, rest = divmod(rest, 10**9)
    qid, sourceid = divmod(rest, 10**8)
    if oid < 0 or fid not in FILTERCODES or not (1 <= ccdid <= 16 and 1 <= qid <= 4):
        raise TransformError(
            f"oid {oid} is not field·1e12 + fid·1e11 + ccdid·1e9 + qid·1e8 + source"
        )
    return ObjectId(field, fid, ccdid, qid, sourceid)


def _date(obsmjd: float) -> float:
    if not math.isfinite(obsmjd):
        raise TransformError(f"obsmjd {obsmjd} is not a date")
    return obsmjd
