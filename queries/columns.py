"""What is said of the columns that answers add to the contract's."""

from __future__ import annotations

from collections.abc import Iterable

from store.columns import Column
from store.contract import DETECTIONS, IMAGES, NIGHTS, TABLES

DERIVED: dict[str, Column] = {
    column.name: column
    for column in (
        Column(
            "hjd",
            "float64",
            "d",
            "time.epoch;obs",
            "Heliocentric Julian date (UTC) of mid-exposure: hmjd + 2400000.5",
            null="hmjd is null",
            precision="float64, steps of 40 µs: use hmjd for timing",
        ),
        Column(
            "matched_fraction",
            "float64",
            "",
            "stat.fraction",
            "Fraction of the rows in detections that have an oid",
            null="there are no rows",
        ),
        Column(
            "detections_per_image",
            "float64",
            "",
            "meta.number",
            "Rows in detections, mean over the images",
        ),
        Column(
            "axis2_angle",
            "float64",
            "deg",
            "pos.posAng",
            "Position angle of the second pixel axis, north through east",
            null="the image has no WCS",
        ),
        Column(
            "is_current",
            "bool",
            "",
            "meta.code",
            "Whether the reference catalogue that was used is the one that stands",
        ),
        Column(
            "n_stale",
            "int64",
            "",
            "meta.number",
            "Images whose ids are not those of the references that stand: rematch makes them anew",
        ),
        Column(
            "current_recipe",
            "string",
            "",
            "meta.code",
            "What match_recipe would be by the references that stand",
        ),
        Column("table_name", "string", "", "meta.id", "Name of the table"),
        Column("n_rows", "int64", "", "meta.number", "Rows"),
    )
}


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
