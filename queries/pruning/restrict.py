"""What a statement needs of each table: all conditions together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from queries.curves.cache import ByteCache
from queries.pruning.files import (
    NIGHTLY_TABLES,
    Piece,
    cells_of,
    files_of,
    published_nights,
)
from queries.pruning.nights import nights_of
from queries.pruning.places import ranges_of
from queries.pruning.ranges import Ranges, coarse
from queries.pruning.sources import Occurrences
from queries.pruning.trees import Evaluator, Tree
from store.channel import channel_of_oid, channel_part
from store.columns import Table
from store.layout import SPATIAL_TABLES
from store.snapshot import Snapshot

# More of them to tell row groups apart by would cost more than they spare.
_MOST_RANGES = 8
# To look each up costs a millisecond and more.
_MOST_OBJECTS = 20


@dataclass(frozen=True)
class Needed:
    """What a statement needs of one table: these files, and of them rows in these ranges.

    `cells` are ranges of `_healpix_29`, ends included; None is all rows.
    """

    files: list[Path]
    cells: Ranges | None


def restrict(
    snapshot: Snapshot,
    tables: Iterable[Table],
    cursor: duckdb.DuckDBPyConnection,
    tree: Tree,
    params: Mapping[str, Any],
    cache: ByteCache,
) -> dict[str, Needed]:
    """What the statement of a `tree` needs of those of `tables` that its conditions restrict.

    `params` are the statement's values; `cache` keeps what objects are looked up in. Views and
    macros that it calls must be there.
    """
    prunable = {
        table.name: table for table in tables if table.name in (*SPATIAL_TABLES, *NIGHTLY_TABLES)
    }
    occurrences = Occurrences(prunable)
    occurrences.read(tree)
    if not any(source.where or source.on for source in occurrences.sources):
        return {}
    asked = Evaluator(cursor, tree, params)
    nights = nights_of(occurrences.sources, occurrences.links, published_nights(snapshot), asked)
    cells = ranges_of("_healpix_29", occurrences.sources, occurrences.links, asked)
    oids = ranges_of("oid", occurrences.sources, occurrences.links, asked)

    needed = {}
    for name in prunable.keys() - occurrences.free:
        pieces = []
        for source in occurrences.sources:
            if source.table.name == name:
                piece = Piece(_frozen(nights.get(source)), _frozen_ranges(cells.get(source)))
                pieces += _with_objects(snapshot, name, piece, oids.get(source), cache)
        is_named = any(source.table.name == name for source in occurrences.sources)
        if is_named and Piece() not in pieces:
            files = {path for piece in pieces for path in files_of(snapshot, name, piece)}
            found = cells_of(pieces)
            needed[name] = Needed(
                sorted(files, key=str), None if found is None else coarse(found, _MOST_RANGES)
            )
    return needed


def _with_objects(
    snapshot: Snapshot, table: str, piece: Piece, oids: Ranges | None, cache: ByteCache
) -> list[Piece]:
    """What of `piece` may carry one of some object ids."""
    if oids is None or sum(last - first + 1 for first, last in oids) > _MOST_OBJECTS:
        return [piece]
    listed = [oid for first, last in oids for oid in range(first, last + 1)]
    if table == "reference_sources":
        parts = frozenset(channel_part(*channel_of_oid(oid)) for oid in listed)
        return [piece.within(Piece(parts=parts))]
    if table == "detections":
        from queries.pruning.objects import pieces_of

        return [piece.within(other) for other in pieces_of(snapshot, listed, cache)]
    return [piece]


def _frozen(nights: set[date] | None) -> frozenset[date] | None:
    return None if nights is None else frozenset(nights)


def _frozen_ranges(ranges: Ranges | None) -> tuple[tuple[int, int], ...] | None:
    return None if ranges is None else tuple(ranges)
