"""A HATS catalogue of one file a pixel, in a folder that appears whole or not at all.

`dataset/Norder=5/Dir=0/Npix=123.parquet`: no links and no folders of files, so that a web server
that knows nothing of them can serve it. Format: https://hats.readthedocs.io.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from products.errors import UnwritableOutputError
from products.outputs import beside
from store.hats import (
    COMMON_METADATA,
    HATS_VERSION,
    PROPERTIES,
    write_listing,
    write_properties,
)
from store.layout import HEALPIX_ORDER, MAP_ORDER, HealpixPixel
from store.point_map import Counts, write_point_map

_COLLECTION = "collection.properties"


@dataclass(frozen=True, slots=True)
class PixelFile:
    """What was written of one pixel: rows, and the rows in each cell of the point map."""

    pixel: HealpixPixel
    rows: int
    cells: tuple[int, ...]


@contextmanager
def whole_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder beside `out`, which takes its place at the end; on an error nothing is left.

    Parameters
    ----------
    overwrite : a catalogue or collection that is there is replaced; nothing else ever is.

    Raises
    ------
    UnwritableOutputError : something is there, or it cannot be written.
    """
    if out.exists() or out.is_symlink():
        is_export = any((out / name).is_file() for name in (PROPERTIES, _COLLECTION))
        if (out / "archive.json").exists() or not is_export or out.is_symlink():
            raise UnwritableOutputError(out, "something else than an export is there")
        if not overwrite:
            raise UnwritableOutputError(out, "it exists already", "Choose another, or --overwrite.")
    with beside(out, "partial") as partial:
        partial.mkdir()
        yield partial
        _sync(partial)
        if out.exists():
            _exchange(partial, out)
        else:
            partial.rename(out)


def _exchange(partial: Path, out: Path) -> None:
    """Put a folder in the place of another; that stays if it cannot be done."""
    with beside(out, "former") as former:
        out.rename(former)
        try:
            partial.rename(out)
        except BaseException:
            former.rename(out)
            raise


def _sync(folder: Path) -> None:
    """Make all that is below a folder last: a loss of power leaves no half export."""
    for below, _, files in os.walk(folder):
        for name in (*files, "."):
            handle = os.open(Path(below, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def pixel_path(catalogue: Path, pixel: HealpixPixel) -> Path:
    """Where a pixel's file goes; its folder is made."""
    path = catalogue / "dataset" / f"{pixel.hats_path}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def finish_catalogue(
    catalogue: Path,
    name: str,
    schema: pa.Schema,
    files: Sequence[PixelFile],
    counts: Counts | None,
    said: Mapping[str, object],
) -> None:
    """Write what makes a folder of pixels a catalogue.

    Parameters
    ----------
    counts : rows by cell of the sky; None for a margin, which has no point map.
    said : what hats.properties says besides: product type, columns of the position.
    """
    dataset = catalogue / "dataset"
    dataset.mkdir(parents=True, exist_ok=True)
    pq.write_metadata(schema, dataset / COMMON_METADATA)
    pixels = sorted(file.pixel for file in files)
    write_listing(catalogue, pixels)
    properties: dict[str, object] = {
        **said,
        "obs_collection": name,
        "hats_nrows": sum(file.rows for file in files),
        "hats_col_healpix": "_healpix_29",
        "hats_col_healpix_order": HEALPIX_ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_order": max((pixel.order for pixel in pixels), default=0),
        "hats_version": HATS_VERSION,
        "hats_builder": "nightlake",
    }
    if counts is not None:
        properties["hats_skymap_order"] = MAP_ORDER
        write_point_map(catalogue, counts)
        # A link could not be served.
        sky_map = catalogue / "skymap.fits"
        sky_map.unlink()
        shutil.copyfile(catalogue / "point_map.fits", sky_map)
    write_properties(catalogue / PROPERTIES, properties)
