"""The HATS face of a publication: what makes its folders a catalogue that LSDB opens.

Format: HATS, hierarchical adaptive tiling scheme, as read by the `hats` package.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from store import disk
from store.columns import Table
from store.layout import HEALPIX_ORDER, MAP_ORDER, HealpixPixel

HATS_VERSION = "v1.0"


def write_catalogue_metadata(
    folder: Path, table: Table, archive_name: str, pixels: Iterable[HealpixPixel], n_rows: int
) -> None:
    """Write hats.properties, partition_info.csv and dataset/_common_metadata below `folder`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ordered = sorted(pixels)
    dataset = folder / "dataset"
    disk.make_folder(dataset)
    sink = pa.BufferOutputStream()
    pq.write_metadata(table.schema(), sink)
    disk.write_file(dataset / "_common_metadata", memoryview(sink.getvalue()))

    listing = "".join(f"{pixel.order},{pixel.npix}\n" for pixel in ordered)
    disk.write_file(folder / "partition_info.csv", f"Norder,Npix\n{listing}".encode("ascii"))

    properties = {
        "obs_collection": f"{archive_name}_{table.name}",
        "dataproduct_type": "source" if table.name == "detections" else "object",
        "hats_nrows": n_rows,
        "hats_col_ra": "ra",
        "hats_col_dec": "dec",
        "hats_col_healpix": "_healpix_29",
        "hats_col_healpix_order": HEALPIX_ORDER,
        "hats_npix_suffix": "/",
        "hats_order": max((pixel.order for pixel in ordered), default=0),
        "hats_skymap_order": MAP_ORDER,
        "hats_version": HATS_VERSION,
        "hats_builder": "nightlake",
        "obs_description": table.description,
    }
    lines = "".join(f"{key}={value}\n" for key, value in properties.items())
    disk.write_file(folder / "hats.properties", lines.encode())


def catalogue_pixels(folder: Path) -> list[HealpixPixel]:
    """The pixels that a catalogue lists, in order."""
    lines = (folder / "partition_info.csv").read_text(encoding="ascii").split()[1:]
    return [HealpixPixel(*map(int, line.split(","))) for line in lines]


def read_properties(folder: Path) -> dict[str, str]:
    """The catalogue's hats.properties, as written."""
    lines = (folder / "hats.properties").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
