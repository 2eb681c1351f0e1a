"""A matchfile that was imported, as it was: its tables, from those of the archive."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from products.errors import UnknownChannelError
from products.matchfile.build import Match
from products.matchfile.columns import Channel
from queries.connection import Session
from store.arrow import as_numpy
from store.channel import channel_part
from store.contract import MATCHFILE_DETECTIONS, MATCHFILE_EXPOSURES, MATCHFILE_SOURCES, MATCHFILES
from store.manifest import MATCHFILES as GROUPS
from store.manifest import Manifest
from store.matchfile import (
    EXPOSURES,
    GROUP_ATTRIBUTES,
    MATCH_TABLES,
    MODEL_ATTRIBUTES,
    SOURCES,
    MatchTable,
)
from store.matchfile_tables import ATTRIBUTES, CHANNEL, elements
from transforms.error_model import ErrorModel

Columns = dict[str, NDArray[Any]]


def imported_match(session: Session, channel: Channel, collection: str) -> Match:
    """The tables and attributes of an imported matchfile.

    Raises
    ------
    UnknownChannelError : the collection has no matchfile of that channel.
    """
    root = session.snapshot.layout.root
    manifest, row = _of_channel(session, channel, collection)
    data = {
        table.name: _read(root, manifest, table.name)
        for table in (MATCHFILE_EXPOSURES, MATCHFILE_SOURCES, MATCHFILE_DETECTIONS)
    }
    sources = data[MATCHFILE_SOURCES.name]
    detections = data[MATCHFILE_DETECTIONS.name]
    exposures = _records(EXPOSURES, data[MATCHFILE_EXPOSURES.name], channel)
    A, B, C, D = (_number(row[f"error_{letter.lower()}"]) for letter in MODEL_ATTRIBUTES)
    return Match(
        channel,
        _attributes(row, channel),
        ErrorModel(A, B, C, D, math.inf, 0.0, 0.0),
        exposures,
        _records(SOURCES, _part(sources, False), channel),
        _columns(MATCH_TABLES["sourcedata"], _part(detections, False), channel),
        _records(SOURCES, _part(sources, True), channel),
        _columns(MATCH_TABLES["transientdata"], _part(detections, True), channel),
        np.zeros(exposures.size),
    )


def _of_channel(
    session: Session, channel: Channel, collection: str
) -> tuple[Manifest, dict[str, Any]]:
    """The group of the file, and its row of `matchfiles`."""
    snapshot = session.snapshot
    there = []
    for group in snapshot.groups:
        if not group.startswith(f"{GROUPS}{collection}-"):
            continue
        manifest = snapshot.manifest(group)
        row = _read(snapshot.layout.root, manifest, MATCHFILES.name).to_pylist()[0]
        found = Channel(*(row[name] for name in Channel._fields))
        if found == channel:
            return manifest, row
        there.append(channel_part(*found))
    what = f"collection {collection} has no matchfile of {channel.part}"
    listed = ", ".join(sorted(there)[:12])
    hint = f"It has {listed}." if there else "No matchfile was imported into it."
    raise UnknownChannelError(snapshot.layout.root, what, hint)


def _read(root: Path, manifest: Manifest, table: str) -> pa.Table:
    """The rows of one table, in the file's order; none where there is no file."""
    tables = [pq.read_table(root / entry.path) for entry in manifest.files if entry.table == table]
    kept = next(t for t in _KEPT if t.name == table)
    return pa.concat_tables(tables) if tables else kept.empty()


_KEPT = (MATCHFILES, MATCHFILE_EXPOSURES, MATCHFILE_SOURCES, MATCHFILE_DETECTIONS)


def _part(rows: pa.Table, is_transient: bool) -> pa.Table:
    kept = rows["is_transient"]
    return rows.filter(kept if is_transient else pc.invert(kept))


def _columns(table: MatchTable, rows: pa.Table, channel: Channel) -> Columns:
    """The columns of the file's table; null is NaN again."""
    found: Columns = {}
    for ours, theirs, element in elements(table):
        dtype = table.dtype[theirs]
        column = rows[ours]
        if dtype.base.kind == "S":
            values = np.array([text.encode("ascii") for text in column.to_pylist()], dtype.base)
        else:
            values = as_numpy(column.cast(pa.float64()) if column.null_count else column)
        if element is None:
            found[theirs] = values
        else:
            wide = found.setdefault(theirs, np.zeros((rows.num_rows, *dtype.shape), dtype.base))
            wide[:, element] = values
    channel_values = {"field": channel.field, "fid": channel.fid, "rcid": channel.rcid}
    for theirs, ours in CHANNEL.items():
        if theirs in (table.dtype.names or ()):
            found[theirs] = np.full(rows.num_rows, channel_values[ours])
    return found


def _records(table: MatchTable, rows: pa.Table, channel: Channel) -> NDArray[np.void]:
    columns = _columns(table, rows, channel)
    records = np.zeros(rows.num_rows, dtype=table.dtype)
    for name, values in columns.items():
        records[name] = values
    return records


def _attributes(row: dict[str, Any], channel: Channel) -> dict[str, Any]:
    said = {theirs: row[ours] for theirs, ours in ATTRIBUTES.items()}
    of_channel = {
        "fieldID": channel.field,
        "filterID": channel.fid,
        "ccdID": channel.ccdid,
        "quadrantID": channel.qid,
        "rcID": channel.rcid,
    }
    missing: dict[type, Any] = {str: "", np.int64: 0}
    return {
        name: missing.get(kind, math.nan) if value is None else value
        for name, kind in GROUP_ATTRIBUTES.items()
        for value in [(said | of_channel)[name]]
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value
