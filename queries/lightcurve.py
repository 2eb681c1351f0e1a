"""Light curves, by object or by place.

All rows come back, bad ones too: `catflags` says which (0 is clean), `is_bad` which images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from queries.connection import Session
from queries.errors import UnknownFilterError, UnknownObjectError
from queries.library import query
from queries.sky import Cone
from store.contract import REFERENCE_SOURCES
from store.manifest import references_group
from store.settings import read_settings
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

FILTERS = {"zg": 1, "zr": 2, "zi": 3}
# A reference position is kept to 1e-7 degrees, and so is a detection's.
_ROUNDING_ARCSEC = 0.01


def lightcurve_by_oid(session: Session, oid: int) -> pl.DataFrame:
    """Every detection of one object, in the order of time.

    Raises
    ------
    UnknownObjectError : no reference source has that id.
    """
    snapshot = session.snapshot
    ra_deg, dec_deg = locate(session, oid)
    radius_arcsec = read_settings(snapshot.layout.root).match_radius_arcsec + _ROUNDING_ARCSEC
    cone = Cone(ra_deg, dec_deg, radius_arcsec)
    first, last = cone.span
    with session.narrowed("detections", _files(snapshot, cone)):
        return session.sql(
            query("lightcurve_by_oid").sql, {"oid": oid, "first": first, "last": last}
        )


def lightcurve_by_cone(
    session: Session, cone: Cone, filters: Sequence[str] | None = None
) -> pl.DataFrame:
    """Every detection in `cone`: by filter, object and time; those without an object come last.

    Parameters
    ----------
    filters : of zg, zr, zi; None is all.
    """
    first, last = cone.span
    params = {
        "ra": cone.ra_deg,
        "dec": cone.dec_deg,
        "radius_arcsec": cone.radius_arcsec,
        "first": first,
        "last": last,
        "fids": filter_ids(filters),
    }
    with session.narrowed("detections", _files(session.snapshot, cone)):
        return session.sql(query("lightcurve_by_cone").sql, params)


def locate(session: Session, oid: int) -> tuple[float, float]:
    """Right ascension and declination of an object's reference source, degrees.

    Raises
    ------
    UnknownObjectError : no reference source has that id.
    """
    snapshot = session.snapshot
    files = reference_files(snapshot, oid)
    with session.narrowed("reference_sources", files):
        rows = session.rows(f"SELECT ra, dec FROM ({_bare(query('object').sql)})", {"oid": oid})
    if not rows:
        found = (
            f"none of the {channel_of(oid)} reference sources has that id"
            if files
            else f"no reference catalogue {channel_of(oid)}"
        )
        raise UnknownObjectError(oid, snapshot.layout.root, found)
    ra_deg, dec_deg = rows[0]
    return ra_deg, dec_deg


def channel_of(oid: int) -> str:
    """The reference channel that an object id names: 000633_zr_c07_q4.

    The id is field·1e12 + fid·1e11 + ccdid·1e9 + qid·1e8 + sourceid.
    """
    codes = {fid: code for code, fid in FILTERS.items()}
    field, rest = divmod(oid, 10**12)
    fid, rest = divmod(rest, 10**11)
    ccdid, rest = divmod(rest, 10**9)
    return f"{field:06d}_{codes.get(fid, f'fid{fid}')}_c{ccdid:02d}_q{rest // 10**8}"


def reference_files(snapshot: Snapshot, oid: int) -> list[Path]:
    """The files of the reference channel that `oid` names, of all files of its field."""
    manifest = snapshot.manifest(references_group(oid // 10**12))
    return [
        snapshot.layout.root / entry.path
        for entry in manifest.files
        if entry.table == REFERENCE_SOURCES.name and entry.part == channel_of(oid)
    ]


def filter_ids(filters: Sequence[str] | None) -> list[int] | None:
    """Numbers of filters given by code; None is all.

    Raises
    ------
    UnknownFilterError : the survey has no such filter.
    """
    if filters is None:
        return None
    for name in filters:
        if name not in FILTERS:
            raise UnknownFilterError(name)
    return [FILTERS[name] for name in filters]


def _files(snapshot: Snapshot, cone: Cone) -> list[Path]:
    """The files of detections that may lie in `cone`."""
    return snapshot.files("detections", cone.touched(snapshot.pixels("detections")))


def _bare(sql: str) -> str:
    return sql.rstrip().removesuffix(";")
