"""The archive's tables as DuckDB reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from store.columns import Table
from store.layout import SPATIAL_TABLES
from store.snapshot import Snapshot

_SQL_TYPES = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint16": "USMALLINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "string": "VARCHAR",
    "date32": "DATE",
}


# Views over other tables, each of the query of its name, and the tables that it reads.
VIEWS = {"stale_images": ("images", "reference_images")}


def sql_type(dtype: str) -> str:
    """DuckDB's name of a contract type."""
    return _SQL_TYPES[dtype]


def select_table(table: Table, snapshot: Snapshot) -> str:
    """SELECT over all files of `table` in `snapshot`."""
    if snapshot.rows(table.name) == 0:
        return select_nothing(table)
    folder = snapshot.folder / table.name
    # Norder, Dir and Npix are links to folders: `**` would not follow them.
    below = "dataset/*/*/*/*.parquet" if table.name in SPATIAL_TABLES else "*.parquet"
    return _select(table, _quote(f"{_escape_glob(folder)}/{below}"))


def select_files(
    table: Table, files: Sequence[Path], cells: Sequence[tuple[int, int]] | None = None
) -> str:
    """SELECT over some files of `table`; no files, no rows.

    `cells` are ranges of `_healpix_29`, ends included, outside which rows are left out.
    """
    if not files or cells == []:
        return select_nothing(table)
    listed = ", ".join(_quote(_escape_glob(path)) for path in files)
    select = _select(table, f"[{listed}]")
    if cells is None:
        return select
    ranges = (f"_healpix_29 BETWEEN {first} AND {last}" for first, last in cells)
    return f"{select} WHERE {' OR '.join(ranges)}"


def select_nothing(table: Table) -> str:
    """SELECT of no rows, with the table's columns and types."""
    columns = ", ".join(f"NULL::{sql_type(c.dtype)} AS {c.name}" for c in table.columns)
    return f"SELECT {columns} WHERE false"


def _select(table: Table, source: str) -> str:
    columns = ", ".join(table.names)
    return f"SELECT {columns} FROM read_parquet({source}, hive_partitioning = false)"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escape_glob(path: Path) -> str:
    """`path` as a glob that means only itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
