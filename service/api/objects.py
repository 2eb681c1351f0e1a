"""Objects by id or place: their reference sources, and the statistics of their light curves."""

from __future__ import annotations

import numpy as np
import polars as pl

from queries.answers import check_built
from queries.curves.places import Circles
from queries.errors import UnknownObjectError
from queries.named import query
from queries.selection import Selection
from service.archive import State
from service.curves import objects_within
from service.desk import Job

# A reference source is found again within a rounding of its place.
_AT_ARCSEC = 0.01
_SHOWN = ("oid", "ra", "dec", "separation_arcsec", "mag", "magerr", "filtercode", "field", "fid",
          "ccdid", "qid", "rcid")  # fmt: skip


def found(state: State, place: Selection) -> pl.DataFrame:
    """The reference sources of a selection, the nearest first.

    Raises
    ------
    UnknownObjectError : no reference source has an id.
    """
    if place.oids is None:
        assert place.circles is not None
        frame, _ = objects_within(state, place.circles)
        frame = frame.with_columns(separation_arcsec=_separation(frame, place.circles))
    else:
        at = state.reader.located(place.oids)
        there = set(at.oid.tolist())
        for oid in place.oids:
            if oid not in there:
                raise UnknownObjectError(oid, state.snapshot.layout.root, "no reference source")
        about = Circles(at.ra_deg, at.dec_deg, np.full(at.oid.size, _AT_ARCSEC))
        frame, _ = objects_within(state, about)
        frame = frame.filter(pl.col("oid").is_in(place.oids)).unique("oid")
        frame = frame.with_columns(separation_arcsec=pl.lit(0.0))
    code = {1: "zg", 2: "zr", 3: "zi"}
    return (
        frame.with_columns(
            filtercode=pl.col("fid").replace_strict(code, default=None, return_dtype=pl.String)
        )
        .select(_SHOWN)
        .sort("separation_arcsec", "oid")
    )


def with_statistics(state: State, job: Job, frame: pl.DataFrame) -> pl.DataFrame:
    """The same with what the last build knew of their light curves; null of newer ones.

    Raises
    ------
    NotBuiltError : there was none.
    """
    check_built(state.snapshot, "objects")
    known = [
        state.session.sql(
            query("objects_by_oid").sql,
            {"oids": some["oid"].to_list(), **_box(some)},
            stop=job.stop,
        )
        for some in frame.iter_slices(1000)
        if some.height
    ]
    if not known:
        return frame
    statistics = pl.concat(known)
    more = [name for name in statistics.columns if name not in frame.columns]
    return frame.join(statistics.select("oid", *more), on="oid", how="left", maintain_order="left")


def _box(frame: pl.DataFrame) -> dict[str, float]:
    """A circle about some places."""
    ra, dec = np.radians(frame["ra"].to_numpy()), np.radians(frame["dec"].to_numpy())
    unit = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    centre = unit.mean(axis=1)
    centre /= np.linalg.norm(centre)
    away = np.degrees(np.arccos(np.clip(centre @ unit, -1, 1))).max()
    return {
        "ra": float(np.degrees(np.arctan2(centre[1], centre[0]))) % 360,
        "dec": float(np.degrees(np.arcsin(np.clip(centre[2], -1, 1)))),
        "radius_arcsec": float(away) * 3600 * 1.001 + 1,
    }


def _separation(frame: pl.DataFrame, circles: Circles) -> pl.Series:
    """Degrees to arcsec on the sphere from the one centre, by half chords."""
    ra, dec = np.radians(frame["ra"].to_numpy()), np.radians(frame["dec"].to_numpy())
    ra0, dec0 = np.radians(circles.ra_deg[0]), np.radians(circles.dec_deg[0])
    chord = np.sin((dec - dec0) / 2) ** 2
    chord += np.cos(dec) * np.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
    return pl.Series(np.degrees(2 * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))) * 3600)
