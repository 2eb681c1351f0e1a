"""What is said of the columns that answers add to the contract's."""

from __future__ import annotations

from collections.abc import Iterable

from queries.derived import DERIVED
from store.columns import Column
from store.contract import DETECTIONS, IMAGES, NIGHTS, TABLES


def describe(names: Iterable[str]) -> dict[str, Column]:
    """What is known of each named column: as of a detection first, then of its image.

    For answers of the library, whose columns mean what the contract says. Another statement may
    give a column any name: of that nothing is claimed.
    """
    tables = (DETECTIONS, IMAGES, NIGHTS, *TABLES.values())
    known = dict(DERIVED)
    for table in tables:
        for column in table.columns:
            known.setdefault(column.name, column)
    return {name: known[name] for name in names if name in known}
