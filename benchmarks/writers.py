"""Rows of light curves as VOTable, IPAC table, CSV and JSON: rows a second on one core.

    python -m benchmarks.writers [--rows N] [--json FILE]

Each format is written as the service writes it, in pieces of 10,000 rows with the 24 columns of
ZTF's light-curve API. astropy, the peer, writes a part of the same rows, and reads ours back: every
value must be what it was.
"""

from __future__ import annotations

import io
import json
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
from astropy.table import Table

from benchmarks.harness import (
    Contender,
    Ratio,
    Result,
    in_turn,
    own_peak_mb,
    played,
    times_faster,
)
from products.fields import Writer
from products.ipac import IpacTable
from products.json_rows import JsonRows
from products.separated import Separated
from products.votable import Binary2Table, TableData
from service.ztf.columns import COLUMNS, FIELDS, NAMES

# Rows of a piece as the service reads them, and of what astropy writes, which takes its time.
PIECE, PEER_ROWS = 10_000, 5_000
GOALS = {"VOTable TABLEDATA": 300_000, "VOTable BINARY2": 1_000_000, "IPAC table": 300_000}
WRITERS: dict[str, Callable[[], Writer]] = {
    "VOTable TABLEDATA": lambda: TableData(FIELDS),
    "VOTable BINARY2": lambda: Binary2Table(FIELDS),
    "IPAC table": lambda: IpacTable(FIELDS),
    "CSV": lambda: Separated(FIELDS),
    "JSON": lambda: JsonRows(FIELDS),
}
PEERS = tuple(GOALS)


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it."""
    return played(arguments, __doc__, 200_000, run)


def run(rows: int, rounds: int) -> Result:
    """All formats, one after the other."""
    result = Result("writers", rows)
    # The writers' own threads must not help them: this is about one core.
    pa.set_cpu_count(1)
    table = light_curves(rows)
    few = table.slice(0, min(rows, PEER_ROWS))
    peer = Table.read(io.BytesIO(written("VOTable BINARY2", few)), format="votable")
    for name in WRITERS:
        ours: dict[str, Contender] = {"ours": partial(written, name, table)}
        if name in PEERS:
            ours["ours, few"] = partial(written, name, few)
            ours["astropy, few"] = partial(by_astropy, name, peer)
        seconds = in_turn(ours, rounds)
        check(name, written(name, few), few)
        speed = rows / statistics.median(seconds["ours"])
        result.figures[f"{name}, rows a second"] = speed
        if name in GOALS:
            result.ratios.append(Ratio(f"{name}, rows a second", speed, GOALS[name]))
        if name in PEERS:
            faster = times_faster(seconds, "ours, few", "astropy, few")
            result.figures[f"{name}, times astropy's speed"] = faster
    result.peak_memory_mb = own_peak_mb()
    return result


def light_curves(rows: int) -> pa.Table:
    """Rows such as surveys have, some of their values missing."""
    rng = np.random.default_rng(1)
    columns = []
    for field in FIELDS:
        dtype = COLUMNS[field.name].field().type
        if field.is_text:
            columns.append(pa.array(np.array(["zg", "zr", "zi"])[rng.integers(0, 3, rows)]))
        elif field.name == "oid":
            oid = 633_207_400_000_000 + np.sort(rng.integers(0, max(rows // 900, 1), rows))
            columns.append(pa.array(oid))
        elif pa.types.is_floating(dtype):
            missing = rng.random(rows) < 0.02
            columns.append(pa.array(rng.normal(100, 50, rows), mask=missing).cast(dtype))
        else:
            columns.append(pa.array(rng.integers(0, 100, rows)).cast(dtype))
    return pa.table(columns, names=list(NAMES))


def written(name: str, table: pa.Table) -> bytes:
    """A whole document."""
    writer = WRITERS[name]()
    # BINARY2 is of frames, as the service's own API has them.
    parts = [table.slice(begin, PIECE) for begin in range(0, table.num_rows, PIECE)]
    rows = [writer.rows(part if name != "VOTable BINARY2" else frame(part)) for part in parts]
    return b"".join([writer.head(), *rows, writer.tail()])


def frame(table: pa.Table) -> pl.DataFrame:
    """The same as polars has it."""
    return pl.DataFrame(pl.from_arrow(table))


def by_astropy(name: str, table: Table) -> None:
    """The same, as astropy writes it."""
    if name == "IPAC table":
        table.write(io.StringIO(), format="ascii.ipac")
    else:
        form = "binary2" if "BINARY2" in name else "tabledata"
        table.write(io.BytesIO(), format="votable", tabledata_format=form)


def check(name: str, document: bytes, table: pa.Table) -> None:
    """Hold a document to the rows that it was made of.

    Raises
    ------
    AssertionError : a value is another.
    """
    found = read(name, document)
    assert found.columns == list(NAMES), found.columns
    for wanted in frame(table).iter_columns():
        column = found[wanted.name].cast(wanted.dtype)
        if wanted.dtype.is_float():
            column = column.fill_nan(None)
        assert column.equals(wanted), f"{name}: {wanted.name}"


def read(name: str, document: bytes) -> pl.DataFrame:
    """A document as somebody else reads it."""
    if name == "CSV":
        return pl.read_csv(document)
    if name == "JSON":
        return pl.DataFrame(json.loads(document)["rows"], infer_schema_length=None)
    source = document.decode() if name == "IPAC table" else io.BytesIO(document)
    form = "ascii.ipac" if name == "IPAC table" else "votable"
    table = Table.read(source, format=form)
    columns = {}
    for column in table.colnames:
        values = np.ma.asarray(table[column])
        missing = np.ma.getmaskarray(values).tolist()
        listed = np.ma.getdata(values).tolist()
        pairs = zip(listed, missing, strict=True)
        columns[column] = [None if gone else value for value, gone in pairs]
    return pl.DataFrame(columns, strict=False, infer_schema_length=None)


if __name__ == "__main__":
    main()
