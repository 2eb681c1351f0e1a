"""A HATS catalogue where it lies: its pixels, and its rows by row group.

Format: HATS, https://hats.readthedocs.io; `Npix=N.parquet` or a folder `Npix=N/` of files.
"""

from __future__ import annotations

import csv
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from products.crossmatch.columns import ColumnNames, check_position, choose, degrees, id_type
from products.crossmatch.rows import (
    Block,
    Catalogue,
    Ranges,
    Rows,
    healpix_key,
    overlapping,
)
from products.errors import MissingColumnError, UnreadableCatalogueError
from store.hold import hold_catalogue
from store.layout import HEALPIX_ORDER, HealpixPixel

# Row groups that are needed again soon are kept, up to so many bytes: of the right side by the
# margins of other pixels, of the left (the last one always) by the pixels that one is cut into. No
# more: memory that is used again costs less than new memory.
CACHE_BYTES = {"left": 8 << 20, "right": 256 << 20}
_CATALOGUES = {"object", "source"}
_PIXEL_PATH = re.compile(r"Norder=(\d+)/Dir=\d+/Npix=(\d+)")


def find_hats(folder: Path) -> Path | None:
    """The HATS catalogue at `folder`, or the primary one of a collection; None if it is none."""
    if (folder / "collection.properties").is_file():
        path = folder / "collection.properties"
        primary = read_properties(path).get("hats_primary_table_url", "")
        if not primary:
            raise UnreadableCatalogueError(path, "it names no hats_primary_table_url")
        return folder / primary
    if any((folder / name).is_file() for name in ("hats.properties", "properties")):
        return folder
    return None


def read_properties(path: Path) -> dict[str, str]:
    """A file of `key=value` lines; comments begin with # or !.

    Raises
    ------
    UnreadableCatalogueError : it is no text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UnreadableCatalogueError(path, "it is no text in UTF-8") from error
    pairs = [line.split("=", 1) for line in lines if "=" in line and line[0] not in "#!"]
    return {key.strip(): value.strip() for key, value in pairs}


class HatsCatalogue(Catalogue):
    """The HATS catalogue in `folder`.

    Raises
    ------
    UnreadableCatalogueError : it is an association, an index or a map, or files are missing.
    MissingColumnError, BadColumnError
    """

    def __init__(self, folder: Path, wanted: ColumnNames, side: str) -> None:
        # Not through an archive's links: a night may be published before the last file is read.
        self.folder, self._hold = hold_catalogue(folder)
        said = _said(self.folder)
        self.name = said.get("obs_collection", folder.name)
        self._suffix = said.get("hats_npix_suffix", ".parquet")
        self.pixels = tuple(sorted(_pixels(self.folder), key=lambda pixel: pixel.index_range))
        ends = np.array([pixel.index_range for pixel in self.pixels], dtype=np.int64).reshape(-1, 2)
        self._first, self._last = ends[:, 0], ends[:, 1] - 1
        self._blocks: dict[HealpixPixel, list[Block]] = {}
        self._cache = _Cache(CACHE_BYTES[side])

        schema = self._schema()
        default = (said.get("hats_col_ra", ""), said.get("hats_col_dec", ""))
        self.columns = choose(schema.names, wanted, folder, side, default)
        self.id_name = self.columns.id
        if self.id_name is None:  # a row's number means nothing where rows lie in many files
            raise MissingColumnError("id", folder, schema.names, f"--{side}-id")
        self.id_type = id_type(schema.field(self.id_name).type, self.id_name, folder)
        for name in (self.columns.ra, self.columns.dec):
            check_position(schema.field(name), folder)
        key = said.get("hats_col_healpix", "_healpix_29")
        exact = said.get("hats_col_healpix_order", "29") == str(HEALPIX_ORDER)
        usable = key in schema.names and schema.field(key).type == pa.int64()
        self.key = key if exact and usable else None

    def _schema(self) -> pa.Schema:
        path = self.folder / "dataset" / "_common_metadata"
        if not path.is_file():
            path = next((p for pixel in self.pixels for p in self._files(pixel)), path)
        return pq.read_schema(path)

    def _files(self, pixel: HealpixPixel) -> list[Path]:
        stem = self.folder / "dataset" / pixel.hats_path
        if self._suffix == "/":
            return sorted(p for p in stem.glob("*.parquet") if p.name[0] not in "._")
        return [stem.with_name(stem.name + self._suffix)]

    def blocks_in(self, ranges: Ranges) -> Sequence[Block]:
        """The row groups that may hold rows of the ranges."""
        blocks: list[Block] = []
        for i in overlapping(self._first, self._last, ranges):
            pixel = self.pixels[i]
            if pixel not in self._blocks:
                self._blocks[pixel] = [
                    block for path in self._files(pixel) for block in self._row_groups(pixel, path)
                ]
            blocks += self._blocks[pixel]
        first = np.array([block.first for block in blocks], dtype=np.int64)
        last = np.array([block.last for block in blocks], dtype=np.int64)
        return [blocks[i] for i in overlapping(first, last, ranges)]

    def _row_groups(self, pixel: HealpixPixel, path: Path) -> list[Block]:
        try:
            with pa.OSFile(str(path)) as source:
                metadata = pq.read_metadata(source)
        except (OSError, pa.ArrowException) as error:
            raise UnreadableCatalogueError(path, str(error)) from error
        return [
            RowGroup(
                self,
                pixel,
                path,
                i,
                metadata.row_group(i).num_rows,
                *self._ends(pixel, metadata.row_group(i)),
            )
            for i in range(metadata.num_row_groups)
            if metadata.row_group(i).num_rows
        ]

    def _ends(self, pixel: HealpixPixel, group: pq.RowGroupMetaData) -> tuple[int, int]:
        """Least and greatest index of a row group, by its statistics or its pixel."""
        first, past = pixel.index_range
        for i in range(group.num_columns if self.key else 0):
            column = group.column(i)
            if column.path_in_schema == self.key:
                known = column.statistics
                if known is not None and known.has_min_max:
                    return max(first, known.min), min(past - 1, known.max)
        return first, past - 1

    def close(self) -> None:
        """Forget rows and row groups at once: they know the catalogue and it knows them."""
        self._cache.clear()
        self._blocks.clear()
        if self._hold is not None:
            self._hold.release()

    def load(self, block: RowGroup) -> Rows:
        """The rows of a row group."""
        rows = self._cache.get((block.path, block.number))
        if rows is None:
            rows = self._read(block)
            self._cache.put((block.path, block.number), rows)
        return rows

    def _read(self, block: RowGroup) -> Rows:
        columns = self.columns
        names = list(dict.fromkeys([*columns.names, *([self.key] if self.key else [])]))
        try:
            # Others of the pool are at work: Arrow's own threads would only be in their way. What
            # is wanted of a row group lies together: to fetch it ahead would copy it once more.
            with (
                pa.OSFile(str(block.path)) as source,
                pq.ParquetFile(source, pre_buffer=False) as file,
            ):
                table = file.read_row_group(block.number, columns=names, use_threads=False)
            ids = _one(table, str(columns.id)).cast(self.id_type)
            ra = degrees(_one(table, columns.ra), columns.ra, block.path)
            dec = degrees(_one(table, columns.dec), columns.dec, block.path)
            key = _one(table, self.key).to_numpy() if self.key else healpix_key(ra, dec)
        except (OSError, pa.ArrowException, KeyError) as error:
            raise UnreadableCatalogueError(block.path, str(error)) from error
        rows = Rows.sort(ra, dec, ids, key)
        # On the very border libraries disagree: the catalogue says which pixel a row is in. Keys
        # that are cut stay in order.
        if rows.key[0] < block.first or rows.key[-1] > block.last:
            rows = replace(rows, key=np.clip(rows.key, block.first, block.last))
        return rows


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a file of one pixel."""

    catalogue: HatsCatalogue
    pixel: HealpixPixel
    path: Path
    number: int
    n_rows: int
    first: int
    last: int

    def count(self, first: int, past: int) -> float:
        """Rows of index first ≤ i < past, were they spread evenly."""
        inside = min(past, self.last + 1) - max(first, self.first)
        return self.n_rows * max(0, inside) / (self.last + 1 - self.first)

    def load(self) -> Rows:
        """The rows."""
        return self.catalogue.load(self)


class _Cache:
    """The rows read last, of a bounded size; several threads may ask at once."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._held: OrderedDict[tuple[Path, int], Rows] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[Path, int]) -> Rows | None:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: tuple[Path, int], rows: Rows) -> None:
        with self._lock:
            if key not in self._held:
                self._held[key] = rows
                self._left -= rows.nbytes
            while self._left < 0 and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._left += dropped.nbytes

    def clear(self) -> None:
        with self._lock:
            self._left += sum(rows.nbytes for rows in self._held.values())
            self._held.clear()


def _one(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _said(folder: Path) -> dict[str, str]:
    """The properties of a catalogue of objects or sources."""
    paths = (folder / name for name in ("hats.properties", "properties"))
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise UnreadableCatalogueError(folder, "no hats.properties")
    said = read_properties(path)
    kind = said.get("dataproduct_type", "object")
    if kind not in _CATALOGUES:
        raise UnreadableCatalogueError(
            folder, f"a HATS {kind}, not a catalogue", "Name a catalogue of objects or sources."
        )
    return said


def _pixels(folder: Path) -> list[HealpixPixel]:
    """The pixels that partition_info.csv lists, or else those that have a path."""
    listing = folder / "partition_info.csv"
    if listing.is_file():
        try:
            with listing.open(encoding="ascii", newline="") as lines:
                rows = [(int(row["Norder"]), int(row["Npix"])) for row in csv.DictReader(lines)]
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise UnreadableCatalogueError(listing, "it is no list of Norder,Npix") from error
    else:
        paths = (folder / "dataset").glob("Norder=*/Dir=*/Npix=*")
        found = (_PIXEL_PATH.search(path.as_posix()) for path in paths)
        rows = sorted({(int(m[1]), int(m[2])) for m in found if m})
    for order, npix in rows:
        if not (0 <= order <= HEALPIX_ORDER and 0 <= npix < 12 << 2 * order):
            raise UnreadableCatalogueError(folder, f"there is no pixel {npix} of order {order}")
    return [HealpixPixel(order, npix) for order, npix in rows]
