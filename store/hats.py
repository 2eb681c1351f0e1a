"""The HATS face of a publication: what makes its folders a catalogue that LSDB opens.

Format: HATS, hierarchical adaptive tiling scheme, as read by the `hats` package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from store import disk
from store.columns import Table
from store.layout import HEALPIX_ORDER, MAP_ORDER, MARGIN, HealpixPixel
from store.settings import ArchiveSettings

HATS_VERSION = "v1.0"
PROPERTIES, COMMON_METADATA = "hats.properties", "_common_metadata"
LISTING = "partition_info.csv"
PRODUCT_TYPES = {
    "detections": "source",
    "reference_sources": "object",
    "lightcurves": "source",
    "objects": "object",
    "imported_lightcurves": "source",
    MARGIN: "margin",
}


def write_catalogue_metadata(
    folder: Path,
    table: Table,
    settings: ArchiveSettings,
    pixels: Iterable[HealpixPixel],
    n_rows: int,
) -> None:
    """Write hats.properties, partition_info.csv and dataset/_common_metadata below `folder`."""
    ordered = sorted(pixels)
    disk.make_folder(folder / "dataset")
    write_common_metadata(folder / "dataset", table)

    write_listing(folder, ordered)
    properties = {
        "obs_collection": f"{settings.name}_{table.name}",
        "dataproduct_type": PRODUCT_TYPES[table.name],
        "hats_nrows": n_rows,
        "hats_col_ra": table.position[0],
        "hats_col_dec": table.position[1],
        "hats_col_healpix": "_healpix_29",
        "hats_col_healpix_order": HEALPIX_ORDER,
        "hats_npix_suffix": "/",
        "hats_order": max((pixel.order for pixel in ordered), default=0),
        "hats_version": HATS_VERSION,
        "hats_builder": "nightlake",
        "obs_description": table.description,
    }
    if table.name == MARGIN:
        properties["hats_primary_table_url"] = f"{settings.name}_detections"
        properties["hats_margin_threshold"] = settings.margin_arcsec
    else:
        properties["hats_skymap_order"] = MAP_ORDER
    write_properties(folder / PROPERTIES, properties)


def write_listing(folder: Path, pixels: Iterable[HealpixPixel]) -> None:
    """Write partition_info.csv, the list of pixels."""
    listing = "".join(f"{pixel.order},{pixel.npix}\n" for pixel in sorted(pixels))
    disk.write_file(folder / LISTING, f"Norder,Npix\n{listing}".encode("ascii"))


def write_common_metadata(dataset: Path, table: Table) -> None:
    """Write the file that tells a catalogue's schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_metadata(table.schema(), sink)
    disk.write_file(dataset / COMMON_METADATA, memoryview(sink.getvalue()))


def write_properties(path: Path, properties: Mapping[str, object]) -> None:
    """Write a file of HATS properties."""
    lines = "".join(f"{key}={value}\n" for key, value in properties.items())
    disk.write_file(path, lines.encode())


def catalogue_pixels(folder: Path) -> list[HealpixPixel]:
    """The pixels that a catalogue lists, in order."""
    lines = (folder / LISTING).read_text(encoding="ascii").split()[1:]
    pixels = []
    for line in lines:
        order, npix = map(int, line.split(","))
        if not (0 <= order <= HEALPIX_ORDER and 0 <= npix < 12 * 4**order):
            raise ValueError(f"{line} is no pixel")
        pixels.append(HealpixPixel(order, npix))
    return pixels


def read_properties(path: Path) -> dict[str, str]:
    """A file of HATS properties, as written."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
