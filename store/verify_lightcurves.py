"""Are light curves what was built, and are they the detections that they were built of?

Of each pixel: the order and the place of its rows, that the index leads to each object's rows and
to no others, that its images are those that have rows, and that all files were made of the same.
`verify --deep` holds the rows of every night that has not changed since against the detections
that are published: how many they are, and a sum over their values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from store.arrow import as_numpy
from store.columns import Table
from store.contract import LIGHTCURVE_INDEX, STORED_TABLES
from store.findings import BUILD, Finding
from store.layout import LIGHTCURVE_TABLES, HealpixPixel
from store.lightcurve_files import LightcurveFiles, read_made_of
from store.manifest import FileEntry
from store.point_map import count_cells
from store.snapshot import Snapshot

READ_ROWS = 1_000_000
# 1970-01-01 as `date.toordinal` counts.
_EPOCH = 719_163
_PRIMES = (0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9)
# What stands for null in keys that are compared: after all values, as null is sorted.
_LAST = np.iinfo(np.int64).max
# Columns of whose values a sum is made: wherever rows differ, one of these does.
_SUMMED = ("_healpix_29", "oid", "hmjd", "expid", "rcid", "sourceid", "mag", "flux", "catflags")

Pixels = Mapping[HealpixPixel, Mapping[str, FileEntry]]
Numbers = NDArray[Any]


def check_lightcurves(
    snapshot: Snapshot, entries: Sequence[FileEntry], sound: Sequence[FileEntry], deep: bool
) -> Iterator[Finding]:
    """Faults of the light curves; none of pixels that have a damaged file, which is told already.

    Parameters
    ----------
    entries : all published files.
    sound : those that are what was published.
    deep : hold their rows against those of detections too.
    """
    pixels: dict[HealpixPixel, dict[str, FileEntry]] = defaultdict(dict)
    known = {entry.path for entry in sound}
    damaged = set()
    for entry in entries:
        if entry.table in LIGHTCURVE_TABLES and entry.pixel is not None:
            pixels[entry.pixel][entry.table] = entry
            if entry.path not in known:
                damaged.add(entry.pixel)
    root = snapshot.layout.root
    files = LightcurveFiles(snapshot)
    for pixel in sorted(pixels.keys() - damaged):
        of_pixel = pixels[pixel]
        faults = list(_check_pixel(root, pixel, of_pixel))
        yield from faults
        if deep and not faults and "lightcurves" in of_pixel:
            path = of_pixel["lightcurves"].path
            yield from _check_against(files, pixel, path, known)


def _check_pixel(
    root: Path, pixel: HealpixPixel, entries: Mapping[str, FileEntry]
) -> Iterator[Finding]:
    made = {str(read_made_of(root / entry.path)) for entry in entries.values()}
    if len(made) > 1 or "None" in made:
        where = f"light curves of {pixel.order}/{pixel.npix}"
        yield Finding("made_of", where, "their files were not made of the same", BUILD)
    for name, entry in entries.items():
        if not _is_sorted(root / entry.path, STORED_TABLES[name]):
            what = f"is not sorted by {', '.join(STORED_TABLES[name].sort)}"
            yield Finding("order", entry.path, what, BUILD)
        if entry.cells is not None:
            yield from _check_places(root / entry.path, entry, pixel)
    if "lightcurves" in entries:
        yield from _check_index(root, entries)
        yield from _check_images(root, entries)


def _check_places(path: Path, entry: FileEntry, pixel: HealpixPixel) -> Iterator[Finding]:
    low, past = pixel.index_range
    counts = np.zeros(len(entry.cells or ()), dtype=np.int64)
    outside = 0
    for (index,) in _read(path, ["_healpix_29"]):
        outside += int(np.count_nonzero((index < low) | (index >= past)))
        counts += count_cells(index, pixel)
    if outside:
        what = f"{outside} rows lie outside pixel {pixel.order}/{pixel.npix}"
        yield Finding("pixel", entry.path, what, BUILD)
    elif tuple(counts.tolist()) != entry.cells:
        what = "its rows lie in other cells of the point map than its manifest says"
        yield Finding("cells", entry.path, what, BUILD)


def _is_sorted(path: Path, table: Table) -> bool:
    """Whether rows stand in the table's order, nulls last."""
    before: list[Numbers] | None = None
    for columns in _read(path, table.sort):
        if not len(columns[0]):
            continue
        if before is not None:
            columns = [np.concatenate(pair) for pair in zip(before, columns, strict=True)]
        # Of neighbours, the first column in which they differ must ascend.
        equal = np.ones(len(columns[0]) - 1, dtype=np.bool_)
        for values in columns:
            if (equal & (values[1:] < values[:-1])).any():
                return False
            equal &= values[1:] == values[:-1]
        before = [values[-1:] for values in columns]
    return True


def _check_index(root: Path, entries: Mapping[str, FileEntry]) -> Iterator[Finding]:
    """The index against the rows that it leads to."""
    curves = entries["lightcurves"]
    if "lightcurve_index" not in entries:
        yield Finding("index", curves.path, "has no index", BUILD)
        return
    found = [
        np.concatenate(parts)
        for parts in zip(*_read(root / curves.path, ["oid", "object_healpix_29"]), strict=True)
    ]
    oid, place = found
    begins = np.ones(len(oid), dtype=np.bool_)
    begins[1:] = (oid[1:] != oid[:-1]) | (place[1:] != place[:-1])
    first = np.flatnonzero(begins)
    n_rows = np.diff(first, append=len(oid))
    named = oid[first] != _LAST
    first, n_rows = first[named], n_rows[named]
    by_id = np.lexsort((place[first], oid[first]))
    wanted = (oid[first][by_id], place[first][by_id], first[by_id], n_rows[by_id])
    path = entries["lightcurve_index"].path
    index = [
        np.concatenate(parts)
        for parts in zip(*_read(root / path, LIGHTCURVE_INDEX.names), strict=True)
    ]
    if not all(np.array_equal(*pair) for pair in zip(index, wanted, strict=True)):
        yield Finding("index", path, f"does not lead to the rows of {curves.path}", BUILD)


def _check_images(root: Path, entries: Mapping[str, FileEntry]) -> Iterator[Finding]:
    """The images of a pixel are those that have rows in it."""
    curves, images = entries["lightcurves"], entries.get("lightcurve_images")
    wanted: set[int] = set()
    for expid, rcid in _read(root / curves.path, ["expid", "rcid"]):
        wanted.update(np.unique(expid * 64 + rcid).tolist())
    listed = []
    if images is not None:
        for expid, rcid in _read(root / images.path, ["expid", "rcid"]):
            listed += (expid * 64 + rcid).tolist()
    if sorted(listed) != sorted(wanted):
        where = curves.path if images is None else images.path
        what = f"lists {len(listed)} images, {len(wanted)} have rows in {curves.path}"
        yield Finding("lightcurve_images", where, what, BUILD)


def _check_against(
    files: LightcurveFiles, pixel: HealpixPixel, path: str, known: set[str]
) -> Iterator[Finding]:
    """Of nights that have not changed, the rows against those of the detections."""
    snapshot = files.snapshot
    root = snapshot.layout.root
    fresh = {night.toordinal() for night in files.of(pixel).fresh}
    detections = snapshot.files("detections", [pixel])
    sound = {str((root / name).resolve()) for name in known}
    if any(str(file.resolve()) not in sound for file in detections):
        return  # found already
    wanted = _sums(detections, fresh)
    found = _sums([root / path], fresh)
    for night in sorted({*wanted, *found}):
        if wanted[night] != found[night]:
            rows, there = found[night][0], wanted[night][0]
            said = f"holds {rows} rows of {date.fromordinal(night)}, detections have {there}"
            what = (
                said
                if rows != there
                else f"its rows of {date.fromordinal(night)} are not detections'"
            )
            yield Finding("lightcurve_rows", path, what, BUILD)


def _sums(paths: Sequence[Path], nights: set[int]) -> dict[int, tuple[int, int]]:
    """Rows of each of some nights, and a sum over their values."""
    sums: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    chosen = np.array(sorted(nights), dtype=np.int64)
    for path in paths:
        for night, *values in _read(path, ["night", *_SUMMED]):
            mixed = np.zeros(len(night), dtype=np.uint64)
            for number, column in enumerate(values):
                bits = np.ascontiguousarray(column, column.dtype.newbyteorder("="))
                wide = bits.view(f"u{bits.itemsize}").astype(np.uint64)
                mixed = (mixed ^ wide) * np.uint64(_PRIMES[number % 3])
                mixed ^= mixed >> np.uint64(29)
            ordinal = night.astype(np.int64) + _EPOCH
            for one in np.unique(ordinal[np.isin(ordinal, chosen)]).tolist():
                here = ordinal == one
                rows, total = sums[one]
                total = (total + int(mixed[here].sum())) % 2**64
                sums[one] = rows + int(np.count_nonzero(here)), total
    return sums


def _read(path: Path, names: Sequence[str]) -> Iterator[list[Numbers]]:
    """Some columns of a file, a part at a time: days for dates, null as the last number."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(READ_ROWS, columns=list(names)):
            yield [_numbers(batch.column(name)) for name in names]


def _numbers(column: pa.Array) -> Numbers:
    if pa.types.is_date32(column.type):
        column = column.view(pa.int32())
    if not column.null_count:
        return as_numpy(column)
    if pa.types.is_floating(column.type):
        return np.where(as_numpy(column.is_valid()), as_numpy(column), np.inf)
    return as_numpy(column.cast(pa.int64()), _LAST)
