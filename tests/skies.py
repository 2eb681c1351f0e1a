"""Rows of `detections` at places of one's choice, straight into a store."""

from __future__ import annotations

from datetime import date

import healpy
import numpy as np
import pyarrow as pa

from store.borders import nearby
from store.contract import DETECTIONS, DETECTIONS_MARGIN
from store.files import write_table
from store.layout import HealpixPixel
from store.manifest import FileEntry, Manifest, night_group
from store.settings import read_settings
from store.snapshot import open_snapshot


def detections(rng, pixel: HealpixPixel, night: date, n: int) -> pa.Table:
    """`n` rows at random places of a pixel, each other column 1."""
    low, past = pixel.index_range
    index = np.sort(rng.integers(low, past, n))
    ra, dec = healpy.pix2ang(2**29, index, nest=True, lonlat=True)
    values = {"_healpix_29": index, "ra": ra, "dec": dec, "night": np.full(n, np.datetime64(night))}
    schema = DETECTIONS.schema()
    arrays = [pa.array(values.get(f.name, np.ones(n))).cast(f.type) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def night_manifest(layout, night: date, pixels, n=100, seed=0) -> Manifest:
    """Written files of one night, ready to be published."""
    rng = np.random.default_rng(seed)
    part = f"{night:%Y%m%d}"
    rows = {pixel: detections(rng, pixel, night, n) for pixel in pixels}
    files = [write_table(layout, DETECTIONS, some, part, pixel) for pixel, some in rows.items()]
    return Manifest.of(night_group(night), [*files, *margins(layout, part, rows.values())])


def margins(layout, part, tables) -> list[FileEntry]:
    """The margins that go with some rows, row by row and leaf by leaf."""
    partition = open_snapshot(layout.root).partition
    radius = read_settings(layout.root).margin_arcsec
    rows = pa.concat_tables([DETECTIONS.empty(), *tables])
    if not radius or not rows.num_rows:
        return []
    rows = rows.sort_by([(name, "ascending") for name in DETECTIONS.sort])
    index, ra, dec = (rows[name].to_numpy() for name in ("_healpix_29", "ra", "dec"))
    found = nearby(index, ra, dec, partition, radius)
    wanted = {}
    for row, order, npix in zip(*(column.tolist() for column in found), strict=True):
        wanted.setdefault(HealpixPixel(order, npix), []).append(row)
    return [
        write_table(
            layout,
            DETECTIONS_MARGIN,
            rows.take(of_leaf).cast(DETECTIONS_MARGIN.schema()),
            part,
            leaf,
        )
        for leaf, of_leaf in sorted(wanted.items())
    ]
