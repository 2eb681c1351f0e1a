"""The columns of one channel, from the light-curve product where it is right, else detections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from products.matchfile.columns import Channel, Columns, Inputs
from products.matchfile.reading import Wanted, read_rows, read_whole
from products.matchfile.rows import unit_vectors
from queries.sky import Cone
from store.arrow import as_numpy
from store.channel import channel_part
from store.contract import DETECTIONS, REFERENCE_SOURCES
from store.layout import HealpixPixel
from store.lightcurve_files import LightcurveFiles
from store.manifest import references_group
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

# A quadrant's corners are 0.62 degrees from its centre; centres are taken to 0.1 degrees.
_QUADRANT_ARCSEC = 3600.0
_OF_REFERENCE = (
    "sourceid", "ra", "dec", "mag", "magerr", "flux", "fluxerr", "chi", "sharp"
)  # fmt: skip
_COUNTS = ("programid", "filefracday", "infobits")


def read_inputs(
    snapshot: Snapshot, channel: Channel, images: pl.DataFrame, **of_file: Any
) -> Inputs:
    """What is known of a channel.

    Parameters
    ----------
    images : rows of queries/sql/internal/channel_images.sql of this channel.
    of_file : the members of `Inputs` that are no columns.

    Raises
    ------
    DamagedArchiveError : a file cannot be read.
    """
    references = _references(snapshot, channel)
    return Inputs(
        channel,
        _detections(snapshot, channel, images, references["sourceid"]),
        references,
        _image_columns(images, references),
        **of_file,
    )


def reference_entries(snapshot: Snapshot, channel: Channel) -> list[tuple[Path, str]]:
    """The files of the channel's reference sources, each with its checksum."""
    part = channel_part(*channel)
    return [
        (snapshot.layout.root / entry.path, entry.checksum)
        for entry in snapshot.manifest(references_group(channel.field)).files
        if entry.table == REFERENCE_SOURCES.name and entry.part == part
    ]


def _references(snapshot: Snapshot, channel: Channel) -> dict[str, NDArray[Any]]:
    paths = [path for path, _ in reference_entries(snapshot, channel)]
    found = pa.concat_tables(read_whole(path, _OF_REFERENCE) for path in paths)
    found = found.sort_by("sourceid")
    return {name: as_numpy(found[name], -1) for name in _OF_REFERENCE}


def _detections(
    snapshot: Snapshot, channel: Channel, images: pl.DataFrame, sourceid: NDArray[Any]
) -> Columns:
    """The channel's rows of all pixels that its images may touch."""
    files = LightcurveFiles(snapshot)
    field, fid, ccdid, qid = channel
    wanted = Wanted(
        channel.rcid,
        images["expid"].to_numpy(),
        field * 10**12 + fid * 10**11 + ccdid * 10**9 + qid * 10**8,
        sourceid,
    )
    touched = _touched(snapshot, images)
    return read_rows((file for pixel in touched for file in _sources(files, pixel)), wanted)


def _sources(files: LightcurveFiles, pixel: HealpixPixel) -> Iterator[tuple[Path, frozenset[date]]]:
    """The files that hold a pixel's rows, and the nights whose rows in them do not count."""
    of_pixel = files.of(pixel)
    if of_pixel.lightcurves is not None:
        yield of_pixel.lightcurves, of_pixel.stale
    for path in of_pixel.others:
        yield path, of_pixel.fresh if "-" in path.stem else frozenset()


def _touched(snapshot: Snapshot, images: pl.DataFrame) -> list[HealpixPixel]:
    pixels = snapshot.pixels(DETECTIONS.name)
    centres = images.select("ra", "dec").drop_nulls().select(_rounded()).unique()
    cones = [Cone(ra, dec, _QUADRANT_ARCSEC) for ra, dec in centres.iter_rows()]
    return sorted({pixel for cone in cones for pixel in cone.touched(pixels)})


def _rounded() -> list[pl.Expr]:
    import polars as pl

    return [pl.col("ra").round(1), pl.col("dec").round(1)]


def _image_columns(images: pl.DataFrame, references: Columns) -> Columns:
    columns: dict[str, NDArray[Any]] = {}
    for name in images.columns:
        column = images[name]
        if name in _COUNTS:
            columns[name] = column.fill_null(-1).to_numpy()
        elif name == "pcolor":
            columns[name] = np.array([text or "" for text in column], dtype="S")
        elif column.dtype.is_float():
            columns[name] = column.to_numpy().astype(np.float64)
        elif column.dtype.is_integer():
            columns[name] = column.to_numpy()
    # The light-travel time to the mean place of the reference sources.
    place = unit_vectors(references["ra"], references["dec"])
    mean = np.array([place[axis].mean() for axis in "xyz"])
    earth = [columns.pop(f"earth_{axis}_s") for axis in "xyz"]
    columns["light_travel_s"] = np.stack(earth, axis=1) @ (mean / np.linalg.norm(mean))
    return columns
