"""The whole of an export: pixel by pixel, several at a time, into a folder that appears whole.

What is in memory is, for each process, the rows of one pixel (nested) or some rows of each of its
files (plain).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from products.errors import NothingToExportError
from products.hats_export.folder import PixelFile, finish_catalogue, pixel_path, whole_folder
from products.hats_export.nested import Widths, nested_schema, write_nested
from products.hats_export.of_archive import (
    ROUNDING_ARCSEC,
    Rule,
    Taken,
    curves_of,
    gather_foreign,
)
from products.hats_export.of_import import imported_curves, pixels_of, widths_of
from products.hats_export.plain import one_file
from store.collection import OWN_PROPERTIES
from store.contract import STORED_TABLES
from store.executor import Executor, Progress
from store.hats import PROPERTIES, read_properties
from store.layout import INDEX, MARGIN, SPATIAL_TABLES, HealpixPixel, Layout
from store.manifest import FileEntry
from store.point_map import count_cells, read_point_map, sum_cells
from store.settings import read_settings
from store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote: rows (curves, of a nested one) of how many pixels, and their epochs.

    `taken` counts the rows that are in no curve, and why.
    """

    rows: int
    pixels: int
    seconds: float
    publication: int
    epochs: int = 0
    taken: Taken = field(default_factory=Taken)


@dataclass(frozen=True, slots=True)
class NestedTask:
    """One pixel to write below `catalogue`; of an import's `collection`, or of the archive."""

    root: Path
    number: int
    catalogue: Path
    pixel: HealpixPixel
    rule: Rule
    widths: Widths
    collection: str | None = None
    foreign: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class PlainTask:
    """One pixel of a table to write below `catalogue`."""

    root: Path
    number: int
    catalogue: Path
    table: str
    pixel: HealpixPixel


def export_nested(
    snapshot: Snapshot,
    out: Path,
    *,
    collection: str | None = None,
    all_images: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Export light curves as a HATS catalogue of one row a curve, its epochs nested.

    Rows have the form of the public data releases (`products.hats_export.nested`). Whoever asks
    gets all that is published: nights that no light curves were built of yet come from their
    detections.

    Parameters
    ----------
    snapshot : a state that the caller holds.
    out : new folder.
    collection : export what was imported by this name, as it was imported; None is the archive.
    all_images : with rows of images judged bad.
    overwrite : replace an export that is there.
    workers : processes; None for one a core.

    Raises
    ------
    UnwritableOutputError : `out` is there, or cannot be written; nothing is left behind.
    NothingToExportError : there is not one curve.
    UnknownCollectionError : nothing was imported by that name.
    DamagedArchiveError : a file cannot be read.
    """
    begun = time.perf_counter()
    out = out.absolute()
    settings = read_settings(snapshot.layout.root)
    rule = Rule(settings.match_radius_arcsec, all_images)
    name = f"{settings.name}_lightcurves" if collection is None else collection
    with whole_folder(out, overwrite=overwrite) as catalogue:
        if collection is None:
            widths, foreign = Widths(), _foreign(snapshot, settings.margin_arcsec, rule)
            pixels = {*snapshot.pixels("detections"), *snapshot.pixels(MARGIN), *(foreign or ())}
        else:
            pixels = set(pixels_of(snapshot, collection))
            widths, foreign = widths_of(snapshot, collection), None
        tasks = [
            NestedTask(
                snapshot.layout.root, snapshot.number, catalogue, pixel, rule, widths, collection,
                None if foreign is None else foreign.get(pixel, _nothing(foreign)),
            )
            for pixel in sorted(pixels)
        ]  # fmt: skip
        files: list[PixelFile] = []
        epochs, taken = 0, Taken()
        with Executor(workers) as executor:
            results = executor.run(write_pixel, tasks)
            for done, (_, (file, n, left_out)) in enumerate(results, 1):
                epochs, taken = epochs + n, taken + left_out
                files += [file] if file is not None else []
                if progress:
                    progress(done, len(tasks), "pixels")
        if not files:
            raise NothingToExportError(
                snapshot.layout.root, "there is no light curve", _why_nothing(taken)
            )
        said = {
            "dataproduct_type": "object",
            "hats_col_ra": "objra",
            "hats_col_dec": "objdec",
            "obs_description": "Light curves, a row each, in the form of the public data releases",
            "nightlake_publication": snapshot.number,
        }
        finish_catalogue(catalogue, name, nested_schema(widths), files, _counts(files), said)
    rows = sum(file.rows for file in files)
    seconds = time.perf_counter() - begun
    return ExportReport(rows, len(files), seconds, snapshot.number, epochs, taken)


def _why_nothing(taken: Taken) -> str:
    if taken.bad:
        return "All images are judged bad: see them with --all-images."
    return "Curves need reference catalogues (add-references, then rematch) and detections."


def write_pixel(task: NestedTask) -> tuple[PixelFile | None, int, Taken]:
    """Write the curves of one pixel, if there are any; and how many epochs they have."""
    snapshot = _snapshot(task.root, task.number)
    taken = Taken()
    if task.collection is None:
        curves, taken = curves_of(snapshot, task.pixel, task.rule, task.foreign)
    else:
        curves = imported_curves(snapshot, task.pixel, task.collection)
    if curves is None:
        return None, 0, taken
    path = pixel_path(task.catalogue, task.pixel)
    write_nested(path, curves, nested_schema(task.widths))
    cells = count_cells(curves.sources["_healpix_29"], task.pixel)
    file = PixelFile(task.pixel, len(curves.n), tuple(cells.tolist()))
    return file, int(curves.n.sum()), taken


def export_catalogues(
    snapshot: Snapshot,
    out: Path,
    *,
    overwrite: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Copy the HATS collection and all catalogues beside it, with one file a pixel and no links.

    Raises
    ------
    UnwritableOutputError : `out` is there, or cannot be written; nothing is left behind.
    NothingToExportError : the archive has no row.
    DamagedArchiveError : a file cannot be read.
    """
    begun = time.perf_counter()
    out = out.absolute()
    root = snapshot.layout.root
    tables = [name for name in SPATIAL_TABLES if snapshot.rows(name)]
    if not tables:
        raise NothingToExportError(root, "the archive is empty", "Ingest nights first.")
    # A collection has its primary catalogue, and the margin that it names, even without a row.
    tables = list(dict.fromkeys(["detections", *_margins(snapshot), *tables]))
    with whole_folder(out, overwrite=overwrite) as folder:
        tasks = [
            PlainTask(root, snapshot.number, folder / name, name, pixel)
            for name in tables
            for pixel in sorted(snapshot.pixels(name))
        ]
        files: dict[str, list[PixelFile]] = {name: [] for name in tables}
        with Executor(workers) as executor:
            for done, (position, file) in enumerate(executor.run(copy_pixel, tasks), 1):
                files[tasks[position].table].append(file)
                if progress:
                    progress(done, len(tasks), "pixels")
        for name in tables:
            said = read_properties(snapshot.catalogue(name) / PROPERTIES)
            counts = None if name == MARGIN else read_point_map(snapshot.catalogue(name))
            schema = STORED_TABLES[name].schema()
            of_name = said["obs_collection"]
            finish_catalogue(folder / name, of_name, schema, files[name], counts, said)
        shutil.copytree(snapshot.folder / INDEX, folder / INDEX)
        shutil.copyfile(snapshot.folder / OWN_PROPERTIES, folder / OWN_PROPERTIES)
    rows = sum(file.rows for name in tables for file in files[name])
    return ExportReport(rows, len(tasks), time.perf_counter() - begun, snapshot.number)


def _margins(snapshot: Snapshot) -> list[str]:
    named = read_properties(snapshot.folder / OWN_PROPERTIES).get("all_margins", "")
    return [MARGIN] if named else []


def copy_pixel(task: PlainTask) -> PixelFile:
    """Write the files of one pixel as one."""
    snapshot = _snapshot(task.root, task.number)
    paths = snapshot.files(task.table, [task.pixel])
    path = pixel_path(task.catalogue, task.pixel)
    rows = one_file(paths, path, STORED_TABLES[task.table])
    return PixelFile(task.pixel, rows, ())


def _foreign(
    snapshot: Snapshot, margin_arcsec: float, rule: Rule
) -> Mapping[HealpixPixel, pa.Table] | None:
    """Rows of other pixels that may be of a pixel's curves; None where the margins have them."""
    needed = rule.radius_arcsec + ROUNDING_ARCSEC
    return None if margin_arcsec >= needed else gather_foreign(snapshot, needed)


def _nothing(foreign: Mapping[HealpixPixel, pa.Table]) -> pa.Table:
    """No rows, where other pixels have some."""
    return next(iter(foreign.values())).slice(0, 0)


def _counts(files: Sequence[PixelFile]) -> np.ndarray:
    """Rows by cell of the sky."""
    return sum_cells(
        FileEntry("", "", "", f.rows, 0, "", f.pixel.order, f.pixel.npix, f.cells) for f in files
    )


@cache
def _snapshot(root: Path, number: int) -> Snapshot:
    return Snapshot(Layout(root), number)
