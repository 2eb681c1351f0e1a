"""The files of one pixel as one: rows in the same order, a few at a time in memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from store.arrow import as_numpy
from store.columns import PERIOD_CODEC_LEVEL, ROW_GROUP_ROWS, Table
from store.errors import DamagedArchiveError

# Rows that are read of each file at once.
_BATCH_ROWS = 16_384


def one_file(paths: Sequence[Path], out: Path, table: Table) -> int:
    """Write all rows of some files, each sorted as `table` says, as one; returns how many.

    A single file is copied as it is.

    Raises
    ------
    DamagedArchiveError : a file cannot be read.
    """
    try:
        if len(paths) == 1:
            shutil.copyfile(paths[0], out)
            return int(pq.read_metadata(paths[0]).num_rows)
        rows = 0
        held: list[pa.Table] = []
        with table.writer(out, PERIOD_CODEC_LEVEL) as writer:
            for piece in _merged(paths, table):
                held.append(piece)
                if sum(part.num_rows for part in held) >= ROW_GROUP_ROWS:
                    rows += _write(writer, pa.concat_tables(held))
                    held = []
            if held:
                rows += _write(writer, pa.concat_tables(held))
        return rows
    except pa.ArrowException as error:
        what = f"files of {table.name} cannot be read ({' '.join(str(error).split())})"
        hint = "See what is damaged: nightlake verify ARCHIVE."
        raise DamagedArchiveError(what, where=paths[0].parent, hint=hint) from error


def _write(writer: pq.ParquetWriter, rows: pa.Table) -> int:
    writer.write_table(rows, row_group_size=max(1, rows.num_rows))
    return int(rows.num_rows)


def _merged(paths: Sequence[Path], table: Table) -> Iterator[pa.Table]:
    """All rows in order: of each file those up to where the file that has come least far is."""
    key, schema = table.sort[0], table.schema()
    files = [pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) for path in paths]
    sources = [file.iter_batches(_BATCH_ROWS) for file in files]
    # Not `empty_table`: that imports pandas, where it is installed.
    held = [pa.Table.from_batches([], schema) for _ in sources]
    more = [True] * len(sources)
    while True:
        for i, source in enumerate(sources):
            while more[i] and not held[i].num_rows:
                batch = next(source, None)
                more[i] = batch is not None
                if batch is not None:
                    held[i] = pa.Table.from_batches([batch]).cast(schema)
        if not any(more):
            break
        # Rows of this index may still come; those before it are all here.
        least = min(int(rows[key][-1].as_py()) for i, rows in enumerate(held) if more[i])
        parts = []
        for i, rows in enumerate(held):
            n = int(np.searchsorted(as_numpy(rows[key]), least, side="left"))
            parts.append(rows.slice(0, n))
            held[i] = rows.slice(n)
        if sum(part.num_rows for part in parts):
            yield _sorted(parts, table)
        else:
            _grow(sources, held, more, least, key, schema)
    if sum(rows.num_rows for rows in held):
        yield _sorted(held, table)
    for file in files:
        file.close()


def _grow(
    sources: Sequence[Iterator[pa.RecordBatch]],
    held: list[pa.Table],
    more: list[bool],
    least: int,
    key: str,
    schema: pa.Schema,
) -> None:
    """Read on in the files that end with the index `least`: all their rows are of it alone."""
    for i, source in enumerate(sources):
        if more[i] and held[i].num_rows and held[i][key][-1].as_py() == least:
            batch = next(source, None)
            more[i] = batch is not None
            if batch is not None:
                added = pa.Table.from_batches([batch]).cast(schema)
                held[i] = pa.concat_tables([held[i], added])


def _sorted(parts: Sequence[pa.Table], table: Table) -> pa.Table:
    """Rows of several files in the order of the contract, null last."""
    rows = pa.concat_tables(parts)
    return rows.sort_by([(name, "ascending") for name in table.sort])
