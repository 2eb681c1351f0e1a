"""Rows of `detections` at places of one's choice, straight into a store."""

from __future__ import annotations

from datetime import date

import healpy
import numpy as np
import pyarrow as pa

from store.contract import DETECTIONS
from store.files import write_table
from store.layout import HealpixPixel
from store.manifest import Manifest, night_group


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
    files = [
        write_table(layout, DETECTIONS, detections(rng, pixel, night, n), part, pixel)
        for pixel in pixels
    ]
    return Manifest.of(night_group(night), files)
