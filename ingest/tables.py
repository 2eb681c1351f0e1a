"""The small tables of a night: images, exposures, and the night itself."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pyarrow as pa

from ingest.version import code_version
from store.columns import Table
from store.contract import EXPOSURES, IMAGES, NIGHTS
from store.files import check_intact
from store.layout import Layout
from store.manifest import Manifest
from transforms.earth_orientation import earth_orientation_version


def read_small_table(
    layout: Layout, manifest: Manifest, table: Table, columns: list[str] | None = None
) -> pl.DataFrame:
    """A table of a group that is one file, or some of its columns; empty if the group has none.

    Raises
    ------
    DamagedArchiveError : the file is not what was published.
    """
    for entry in manifest.files:
        if entry.table == table.name:
            return pl.read_parquet(check_intact(layout, entry), columns=columns)
    frame = pl.from_arrow(table.empty())
    assert isinstance(frame, pl.DataFrame)
    return frame if columns is None else frame.select(columns)


def to_contract(frame: pl.DataFrame, table: Table) -> pa.Table:
    """`frame`, sorted and in the contract's schema; equal keys keep the order they come in."""
    ordered = frame.select(table.names).sort(table.sort, maintain_order=True)
    return ordered.to_arrow().cast(table.schema())


def images_frame(kept: pl.DataFrame, records: list[dict[str, Any]], night: date) -> pl.DataFrame:
    """The night's images: the standing ones that are kept, and the new."""
    rows = [{**record, "night": night} for record in records]
    new = pl.DataFrame(rows, schema=kept.schema)
    return pl.concat([kept, new]).sort(IMAGES.sort, maintain_order=True)


def exposures_frame(
    standing: pl.DataFrame, images: pl.DataFrame, earth_s: dict[int, list[float]]
) -> pl.DataFrame:
    """The night's exposures, counted from its images.

    What is the same in all images of an exposure is the word of the first that knows it.
    `earth_s` has the observatory's heliocentric position for each exposure of this ingest; for
    the others it stands in `standing`.
    """
    same = ["night", "field", "fid", "filtercode", "obsmjd", "exptime", "programid", "airmass"]
    frame = (
        images.sort("pid", maintain_order=True)
        .group_by("expid", maintain_order=True)
        .agg(
            *(pl.col(name).drop_nulls().first() for name in same),
            n_images=pl.len().cast(pl.Int64),
            n_published=pl.col("n_published").sum(),
            n_matched=pl.col("n_matched").sum(),
        )
    )
    axes = ["earth_x_s", "earth_y_s", "earth_z_s"]
    new = pl.DataFrame(
        [(expid, *position) for expid, position in earth_s.items()],
        schema={"expid": pl.Int64, **dict.fromkeys(axes, pl.Float64)},
        orient="row",
    )
    old = standing.select("expid", *axes).filter(~pl.col("expid").is_in(new["expid"].implode()))
    return frame.join(pl.concat([old, new]), on="expid", how="left", maintain_order="left").select(
        EXPOSURES.names
    )


def night_frame(images: pl.DataFrame, made: pl.DataFrame | None = None) -> pl.DataFrame:
    """The one row of `nights`: made by this code, or as a row that stands says, if there is one."""
    versions = [earth_orientation_version(), code_version()]
    if made is not None and not made.is_empty():
        versions = list(made.select("iers_version", "code_version").row(0))
    counts = ["n_read", "n_published", "n_refused", "n_matched", "n_unmatched"]
    return images.select(
        pl.col("night").first(),
        first_obsmjd=pl.col("obsmjd").min(),
        last_obsmjd=pl.col("obsmjd").max(),
        n_exposures=pl.col("expid").n_unique().cast(pl.Int64),
        n_images=pl.len().cast(pl.Int64),
        n_bad_images=pl.col("is_bad").sum().cast(pl.Int64),
        **{name: pl.col(name).sum() for name in counts},
        iers_version=pl.lit(versions[0]),
        code_version=pl.lit(versions[1]),
    ).select(NIGHTS.names)
