"""What a path is, and the catalogue that is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from products.crossmatch.columns import ColumnNames
from products.crossmatch.hats import HatsCatalogue, find_hats
from products.crossmatch.rows import Catalogue
from products.crossmatch.spool import spool
from products.crossmatch.tables import Table, open_csv, open_fits, open_parquet
from products.errors import UnknownCatalogueError, UnreadableCatalogueError
from store.errors import NightlakeError
from store.layout import Layout

PARQUET = (".parquet", ".parq", ".pq")
FITS = (".fits", ".fit", ".fits.gz", ".fit.gz")
TEXT = (".csv", ".tsv", ".txt", ".ecsv", ".csv.gz", ".tsv.gz")


def open_catalogue(
    path: Path,
    wanted: ColumnNames,
    side: str,
    scratch: Path,
    workers: int,
    progress: Callable[[int, int, str], None] | None = None,
) -> Catalogue:
    """The catalogue at `path`; one that is not partitioned is spooled below `scratch`.

    Parameters
    ----------
    side : left or right.

    Raises
    ------
    UnknownCatalogueError, UnreadableCatalogueError, MissingColumnError, BadColumnError
    """
    try:
        found = _open(path, wanted, side)
    except NightlakeError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise UnreadableCatalogueError(path, str(error)) from error
    if isinstance(found, Catalogue):
        return found

    def tell(done: int) -> None:
        if progress:
            progress(done, max(done, found.n_rows or 0), f"{side} rows")

    return spool(found, scratch / f"{side}.arrow", workers, tell)


def _open(path: Path, wanted: ColumnNames, side: str) -> Catalogue | Table:
    if path.is_dir():
        return _open_folder(path, wanted, side)
    if not path.exists():
        raise UnknownCatalogueError(path, "there is no such file or folder")
    name = path.name.lower()
    if name.endswith(PARQUET):
        return open_parquet([path], path, wanted, side)
    if name.endswith(FITS):
        return open_fits(path, wanted, side)
    if name.endswith(TEXT):
        return open_csv(path, wanted, side)
    raise UnknownCatalogueError(path, "the name tells no format")


def _open_folder(folder: Path, wanted: ColumnNames, side: str) -> Catalogue | Table:
    if Layout(folder).settings.is_file():
        where = folder / "reference_sources"
        raise UnknownCatalogueError(folder, "an archive holds several catalogues", f"Name {where}.")
    hats = find_hats(folder)
    if hats is not None:
        return HatsCatalogue(hats, wanted, side)
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.name.lower().endswith(PARQUET) and path.name[0] not in "._"
    )
    if not paths:
        raise UnknownCatalogueError(
            folder, "neither a HATS catalogue nor a folder of Parquet files"
        )
    return open_parquet(paths, folder, wanted, side)
