"""Light curves the slow way: all rows of an archive, joined and filtered by polars alone."""

from __future__ import annotations

import numpy as np
import polars as pl

from queries.curves.columns import SHOWN
from store.snapshot import Snapshot


def all_rows(snapshot: Snapshot) -> pl.DataFrame:
    """Every published detection with what its image says, in the order of an answer."""
    detections, images = (
        pl.concat([pl.read_parquet(path) for path in snapshot.files(table)])
        for table in ("detections", "images")
    )
    shown = [name for name in SHOWN if name in images.columns and name not in detections.columns]
    key = ["night", "expid", "rcid"]
    joined = detections.join(images.select(*key, *shown), on=key, how="left", validate="m:1")
    # A reference position and a row's may differ by more than the index tells: none is used here.
    return joined.with_columns(hjd=pl.col("hmjd") + 2400000.5).sort(
        "fid", "oid", "hmjd", "expid", "rcid", "sourceid", nulls_last=True
    )


def separation_arcsec(rows: pl.DataFrame, ra_deg: float, dec_deg: float) -> np.ndarray:
    """Of each row from a place, by the length of the chord between unit vectors."""

    def vectors(ra, dec):
        ra, dec = np.radians(ra), np.radians(dec)
        return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)

    chord = vectors(rows["ra"].to_numpy(), rows["dec"].to_numpy()) - vectors(ra_deg, dec_deg)
    return np.degrees(2 * np.arcsin(np.linalg.norm(chord, axis=-1) / 2)) * 3600


def curve_of(rows: pl.DataFrame, oid: int, *, all_images: bool = False) -> pl.DataFrame:
    """Those that carry an id, as an answer shows them."""
    return _shown(rows.filter(pl.col("oid") == oid), all_images)


def curve_in_cone(
    rows: pl.DataFrame, ra_deg: float, dec_deg: float, radius_arcsec: float, *, all_images=False
) -> pl.DataFrame:
    """Those within a circle, as an answer shows them."""
    inside = separation_arcsec(rows, ra_deg, dec_deg) <= radius_arcsec
    return _shown(rows.filter(inside), all_images)


def _shown(rows: pl.DataFrame, all_images: bool) -> pl.DataFrame:
    wanted = (
        rows if all_images else rows.filter(pl.col("is_bad").not_() | pl.col("is_bad").is_null())
    )
    return wanted.select(SHOWN)
