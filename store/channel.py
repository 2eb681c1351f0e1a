"""Channels, one quadrant of one field in one filter: their codes, their names, their object ids."""

from __future__ import annotations

FILTERCODES = {1: "zg", 2: "zr", 3: "zi"}
FILTER_IDS = {code: fid for fid, code in FILTERCODES.items()}


def channel_part(field: int, fid: int, ccdid: int, qid: int) -> str:
    """Name of a channel's reference files, as its survey names them: 000633_zr_c07_q4.

    A filter that the survey does not have is named by its number: 000633_fid5_c07_q4.
    """
    return f"{field:06d}_{FILTERCODES.get(fid, f'fid{fid}')}_c{ccdid:02d}_q{qid}"


def channel_of_part(part: str) -> tuple[int, int, int, int]:
    """Field, fid, ccdid and qid that `channel_part` made a name of; in order as ids are."""
    field, code, ccd, quadrant = part.split("_")
    fid = FILTER_IDS[code] if code in FILTER_IDS else int(code.removeprefix("fid"))
    return int(field), fid, int(ccd.removeprefix("c")), int(quadrant.removeprefix("q"))


def channel_of_oid(oid: int) -> tuple[int, int, int, int]:
    """Field, fid, ccdid and qid that an object id names, whether or not there are such.

    The id is field·1e12 + fid·1e11 + ccdid·1e9 + qid·1e8 + sourceid.
    """
    field, rest = divmod(oid, 10**12)
    fid, rest = divmod(rest, 10**11)
    ccdid, rest = divmod(rest, 10**9)
    return field, fid, ccdid, rest // 10**8
