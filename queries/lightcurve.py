"""Light curves, by object or by place.

All rows come back, bad ones too: `catflags` says which (0 is clean), `is_bad` which images.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING

from queries.connection import Session
from queries.errors import UnknownFilterError, UnknownObjectError
from queries.named import query
from queries.sky import Cone
from store.channel import FILTER_IDS, channel_of_oid, channel_part
from store.contract import REFERENCE_SOURCES
from store.layout import HEALPIX_ORDER
from store.manifest import references_group
from store.periods import parts_about
from store.settings import read_settings
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

# A reference position is kept to 1e-7 degrees, and so is a detection's.
_ROUNDING_ARCSEC = 0.01
# A quadrant's corners are 0.62 degrees from its centre (3072 × 3080 pixels of 1.01 arcsec), which
# is taken to 0.1 degrees here.
_QUADRANT_ARCSEC = 3600.0
_WHOLE_SKY = (0, 12 * 4**HEALPIX_ORDER - 1)


def lightcurve_by_oid(session: Session, oid: int) -> pl.DataFrame:
    """Every detection that carries an object's id, in the order of time.

    They lie at its reference source, unless the reference catalogue was replaced after their
    night was ingested: those of such nights are looked for in all of the channel's quadrant.

    Raises
    ------
    UnknownObjectError : no reference source has that id, and no detection.
    """
    oid = index(oid)  # ids come from arrays: numpy's integers are no Python ones
    snapshot = session.snapshot
    place = locate(session, oid)
    images = session.rows(query("matched_images").sql, _channel(oid))
    files: list[Path] = []
    first, last = _WHOLE_SKY
    if place is not None:
        cone = Cone(
            *place, read_settings(snapshot.layout.root).match_radius_arcsec + _ROUNDING_ARCSEC
        )
        first, last = cone.span
        files += _files(snapshot, [cone], {night for night, is_current, *_ in images if is_current})
    former = [(night, centre) for night, is_current, *centre in images if not is_current]
    if former:
        first, last = _WHOLE_SKY
        files += _files(snapshot, _quadrants(former), {night for night, _ in former})
    nights = {night for night, *_ in images}
    curve = session.sql(
        query("lightcurve_by_oid").sql,
        {"oid": oid, "first": first, "last": last},
        files={"detections": sorted(set(files)), "images": _of(nights, snapshot.files("images"))},
    )
    if place is None and curve.is_empty():
        raise UnknownObjectError(oid, snapshot.layout.root, _what_is_there(snapshot, oid))
    return curve


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
    files = {"detections": _files(session.snapshot, [cone])}
    return session.sql(query("lightcurve_by_cone").sql, params, files=files)


def locate(session: Session, oid: int) -> tuple[float, float] | None:
    """Right ascension and declination of an object's reference source, degrees; None without."""
    rows = session.rows(
        f"SELECT ra, dec FROM ({_bare(query('object').sql)})",
        {"oid": oid},
        files={"reference_sources": reference_files(session.snapshot, oid)},
    )
    return (rows[0][0], rows[0][1]) if rows else None


def reference_files(snapshot: Snapshot, oid: int) -> list[Path]:
    """The files of the reference channel that `oid` names, of all files of its field."""
    field, *_ = channel = channel_of_oid(oid)
    manifest = snapshot.manifest(references_group(field))
    return [
        snapshot.layout.root / entry.path
        for entry in manifest.files
        if entry.table == REFERENCE_SOURCES.name and entry.part == channel_part(*channel)
    ]


def _channel(oid: int) -> dict[str, int]:
    return dict(zip(("field", "fid", "ccdid", "qid"), channel_of_oid(oid), strict=True))


def _quadrants(images: Iterable[tuple[date, list[float | None]]]) -> list[Cone]:
    """Cones that hold the images of one channel, whose centres are much the same."""
    centres = {
        (round(ra_deg, 1), round(dec_deg, 1))
        for _, (ra_deg, dec_deg) in images
        if ra_deg is not None and dec_deg is not None
    }
    return [Cone(ra_deg, dec_deg, _QUADRANT_ARCSEC) for ra_deg, dec_deg in sorted(centres)]


def _what_is_there(snapshot: Snapshot, oid: int) -> str:
    part = channel_part(*channel_of_oid(oid))
    if reference_files(snapshot, oid):
        return f"none of the {part} reference sources has that id, and no detection"
    return f"no reference catalogue {part}"


def filter_ids(filters: Sequence[str] | None) -> list[int] | None:
    """Numbers of filters given by code; None is all.

    Raises
    ------
    UnknownFilterError : the survey has no such filter.
    """
    if filters is None:
        return None
    for name in filters:
        if name not in FILTER_IDS:
            raise UnknownFilterError(name)
    return [FILTER_IDS[name] for name in filters]


def _files(
    snapshot: Snapshot, cones: Iterable[Cone], nights: Collection[date] | None = None
) -> list[Path]:
    """The files of detections, of some nights or of all, that may lie in one of `cones`."""
    pixels = snapshot.pixels("detections")
    touched = {pixel for cone in cones for pixel in cone.touched(pixels)}
    files = snapshot.files("detections", sorted(touched))
    return files if nights is None else _of(nights, files)


def _of(nights: Collection[date], files: Iterable[Path]) -> list[Path]:
    """The files of these nights, and of the periods about them, by their names."""
    listed = list(files)
    wanted = parts_about(nights, (path.stem for path in listed))
    return [path for path in listed if path.stem in wanted]


def _bare(sql: str) -> str:
    return sql.rstrip().removesuffix(";")
