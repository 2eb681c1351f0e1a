"""The columns of one channel, from the light-curve product where it is right, else detections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from products.matchfile.columns import Channel, Columns, Inputs
from products.matchfile.rows import unit_vectors
from queries.sky import Cone
from store.channel import channel_part
from store.contract import DETECTIONS, REFERENCE_SOURCES
from store.errors import DamagedArchiveError
from store.layout import HealpixPixel
from store.lightcurve_files import LightcurveFiles
from store.manifest import references_group
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl

# A quadrant's corners are 0.62 degrees from its centre; centres are taken to 0.1 degrees.
_QUADRANT_ARCSEC = 3600.0
_OF_ROW = (
    "oid", "expid", "sourceid", "ra", "dec", "xpos", "ypos", "hmjd", "flux", "fluxerr", "mag",
    "magerr", "chi", "sharp", "catflags", "match_rank",
)  # fmt: skip
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
    detections = _detections(snapshot, channel, images)
    return Inputs(
        channel,
        _with_sources(detections, references, channel),
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
    found = pa.concat_tables(_read(path, _OF_REFERENCE) for path in paths)
    found = found.sort_by("sourceid")
    return {name: _numpy(found[name], -1) for name in _OF_REFERENCE}


def _detections(
    snapshot: Snapshot, channel: Channel, images: pl.DataFrame
) -> dict[str, NDArray[Any]]:
    """The channel's rows of all pixels that its images may touch."""
    files = LightcurveFiles(snapshot)
    tables = [
        _rows_of(path, channel, without)
        for pixel in _touched(snapshot, images)
        for path, without in _sources(files, pixel)
    ]
    found = pa.concat_tables(tables or [DETECTIONS.empty().select(list(_OF_ROW))])
    columns = {name: _numpy(found[name], -1) for name in _OF_ROW if name != "catflags"}
    return columns | {"catflags": _numpy(found["catflags"], 0)}


def _sources(files: LightcurveFiles, pixel: HealpixPixel) -> Iterator[tuple[Path, frozenset[date]]]:
    """The files that hold a pixel's rows, and the nights whose rows in them do not count."""
    of_pixel = files.of(pixel)
    if of_pixel.lightcurves is not None:
        yield of_pixel.lightcurves, of_pixel.stale
    for path in of_pixel.others:
        yield path, of_pixel.fresh if "-" in path.stem else frozenset()


def _rows_of(path: Path, channel: Channel, without: frozenset[date]) -> pa.Table:
    """The channel's rows of a file, but those of some nights.

    First it is looked which they are: that is a few bytes a thousand rows, and where all are, as in
    a field's middle, nothing has to be copied.
    """
    key = [*Channel._fields, *(["night"] if without else [])]
    rows = _read(path, key)
    ours = np.ones(rows.num_rows, dtype=np.bool_)
    for name, value in zip(Channel._fields, channel, strict=True):
        ours &= _numpy(rows[name], -1) == value
    if without:
        nights = pa.array(sorted(without), pa.date32())
        ours &= ~pc.is_in(rows["night"], value_set=nights).to_numpy()
    if not ours.any():
        return DETECTIONS.empty().select(list(_OF_ROW))
    found = _read(path, _OF_ROW)
    return found if ours.all() else found.filter(pa.array(ours))


def _touched(snapshot: Snapshot, images: pl.DataFrame) -> list[HealpixPixel]:
    pixels = snapshot.pixels(DETECTIONS.name)
    centres = images.select("ra", "dec").drop_nulls().select(_rounded()).unique()
    cones = [Cone(ra, dec, _QUADRANT_ARCSEC) for ra, dec in centres.iter_rows()]
    return sorted({pixel for cone in cones for pixel in cone.touched(pixels)})


def _rounded() -> list[pl.Expr]:
    import polars as pl

    return [pl.col("ra").round(1), pl.col("dec").round(1)]


def _read(path: Path, columns: Iterable[str]) -> pa.Table:
    """Some columns of a file."""
    try:
        return pq.read_table(path, columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise DamagedArchiveError(
            f"cannot be read ({' '.join(str(error).split())[:200]})",
            where=path,
            hint="Check the archive with: nightlake verify ARCHIVE.",
        ) from error


def _numpy(column: pa.ChunkedArray, null: int) -> NDArray[Any]:
    """A column as numpy has it; nulls are NaN in floats, `null` in whole numbers."""
    if pa.types.is_integer(column.type) and column.null_count:
        column = pc.fill_null(column, pa.scalar(null, column.type))
    found: NDArray[Any] = column.to_numpy()
    return found


def _with_sources(
    detections: dict[str, NDArray[Any]], references: Columns, channel: Channel
) -> Columns:
    """The rows with the number of their reference source, instead of its id."""
    oid, rank = detections.pop("oid"), detections.pop("match_rank")
    field, fid, ccdid, qid = channel
    base = field * 10**12 + fid * 10**11 + ccdid * 10**9 + qid * 10**8
    sourceid = references["sourceid"]
    of_sourceid = np.full(int(sourceid[-1]) + 2 if sourceid.size else 1, -1, dtype=np.int32)
    of_sourceid[sourceid] = np.arange(sourceid.size)
    index = oid - base
    # An id that no reference source has finds the last place, where none is.
    known = (index >= 0) & (index < of_sourceid.size)
    detections["source"] = of_sourceid[np.where(known, index, of_sourceid.size - 1)]
    detections["is_unmatched"] = (oid < 0) & (rank < 0)
    return detections


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
