"""The whole of a crossmatch: open both sides, match pixel by pixel, write in order.

Neither side must fit in memory. What is held at once: for each worker and four more, one piece of
a million rows while a table is spooled, and one pixel of at most a million rows (and its pairs)
while it is matched; of a HATS catalogue the row groups read last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from products.crossmatch.catalogue import open_catalogue
from products.crossmatch.columns import ROW_NUMBER, ColumnNames
from products.crossmatch.match import Matcher, Want
from products.crossmatch.outputs import (
    POSITION,
    SEPARATION,
    HatsOutput,
    Output,
    file_output,
    id_column,
)
from products.crossmatch.partition import tasks
from products.crossmatch.rows import Catalogue
from products.crossmatch.threads import available_cores, ordered_map
from products.errors import MissingColumnError, UnwritableOutputError
from products.outputs import beside
from store.columns import Column, Table

# (done, total, of what)
Progress = Callable[[int, int, str], None]
RADIUS_ARCSEC = 1.5


@dataclass(frozen=True, slots=True)
class CrossmatchReport:
    """What a crossmatch did: rows written, left rows and how many of them have a match."""

    rows: int
    left_rows: int
    left_matched: int
    pixels: int
    seconds: float


def crossmatch(
    left: Path,
    right: Path,
    out: Path | None = None,
    *,
    hats: Path | None = None,
    radius_arcsec: float = RADIUS_ARCSEC,
    want: Want = "nearest",
    left_columns: ColumnNames = ColumnNames(),  # noqa: B008
    right_columns: ColumnNames = ColumnNames(),  # noqa: B008
    workers: int | None = None,
    progress: Progress | None = None,
) -> CrossmatchReport:
    """Match each row of the catalogue `left` to rows of `right` within a radius on the sky.

    Parameters
    ----------
    left, right : Parquet file, folder of Parquet files, HATS catalogue or collection, FITS table,
        CSV. Positions in degrees, ICRS.
    out : association table: Parquet or CSV, as its name says.
    hats : new folder for a HATS association catalogue. At least one of the two is given.
    radius_arcsec : greatest separation, itself included, 0 to 36000.
    want : `nearest` right row of each left row, `all` pairs, or `left_only`: the left rows that
        have no match.
    workers : threads; the cores by default. The output does not depend on them.

    Returns
    -------
    CrossmatchReport. Rows are written in the order of `_healpix_29` of the left row, then as the
    left catalogue has them; pairs of one left row by separation. Of right rows at one separation
    the first in that same order comes first. The same catalogue gives the same bytes from any
    format.

    Raises
    ------
    ProductError : a catalogue cannot be read or an output not be written; nothing is left behind.
    TransformError : the radius is out of range.
    """
    begun = time.perf_counter()
    workers = workers or available_cores()
    place = out or hats
    if place is None or (hats is not None and want == "left_only"):
        raise ValueError("an association needs a file or a HATS folder; left_only only a file")
    if hats is not None and hats.exists():
        raise UnwritableOutputError(hats, "it exists already")
    if out is not None and out.exists() and any(map(out.samefile, _existing(left, right))):
        raise UnwritableOutputError(out, "it is one of the inputs")
    with ExitStack() as stack:
        scratch = stack.enter_context(beside(place, "scratch"))
        scratch.mkdir()
        sides = [
            open_catalogue(path, columns, side, scratch, workers, progress)
            for side, path, columns in (
                ("left", left, left_columns),
                ("right", right, right_columns),
            )
        ]
        for catalogue in sides:
            stack.callback(catalogue.close)
        table = _table(sides[0], sides[1], radius_arcsec, want)
        outputs: list[tuple[Output, Path, Path]] = []
        if out is not None:
            partial = stack.enter_context(beside(out, "partial"))
            outputs.append((file_output(out, partial, table), partial, out))
        if hats is not None:
            partial = stack.enter_context(beside(hats, "partial"))
            said = _association(sides[0], sides[1], left, right, radius_arcsec)
            outputs.append((HatsOutput(partial, table, said), partial, hats))
        matcher = Matcher(sides[0], sides[1], radius_arcsec, want, keyed=hats is not None)
        counts = _match(matcher, [o for o, _, _ in outputs], workers, progress)
        for output, partial, target in outputs:
            output.finish()
            partial.replace(target)
    return CrossmatchReport(*counts, time.perf_counter() - begun)


def _existing(*paths: Path) -> list[Path]:
    return [path for path in paths if path.exists()]


def _match(
    matcher: Matcher, outputs: list[Output], workers: int, progress: Progress | None
) -> tuple[int, int, int, int]:
    todo = tasks(matcher.left, matcher.right)
    rows = left_rows = left_matched = 0
    results = ordered_map(matcher, todo, workers)
    for done, (task, result) in enumerate(zip(todo, results, strict=True), 1):
        for output in outputs:
            output.write(result.rows, task.home)
        rows += result.rows.num_rows
        left_rows += result.left_rows
        left_matched += result.left_matched
        if progress:
            progress(done, len(todo), "pixels")
    return rows, left_rows, left_matched, len(todo)


def _table(left: Catalogue, right: Catalogue, radius_arcsec: float, want: Want) -> Table:
    """The contract of the output."""
    left_id = id_column("left_id", left.id_type, _meaning(left))
    within = f"within {radius_arcsec:g} arcsec"
    if want == "left_only":
        columns: tuple[Column, ...] = (left_id, *POSITION)
        description = f"Rows of {left.name} that have none of {right.name} {within}"
    else:
        columns = (left_id, id_column("right_id", right.id_type, _meaning(right)), SEPARATION)
        which = "Nearest row" if want == "nearest" else "All rows"
        description = f"{which} of {right.name} {within} of each row of {left.name}"
    return Table(f"{left.name}_{right.name}", description, columns, ())


def _meaning(catalogue: Catalogue) -> str:
    named = f"column {catalogue.id_name}" if catalogue.id_name else f"{ROW_NUMBER}, from 0,"
    return f"Id: {named} of {catalogue.name}"


def _association(
    left: Catalogue, right: Catalogue, left_path: Path, right_path: Path, radius_arcsec: float
) -> dict[str, object]:
    """What hats.properties says of both sides.

    Raises
    ------
    MissingColumnError : an id is a row's number, which nobody could join by.
    """
    for side, catalogue, path in (("left", left, left_path), ("right", right, right_path)):
        if catalogue.id_name is None:
            raise MissingColumnError("id", path, [], f"--{side}-id")
    return {
        "hats_primary_table_url": left.name,
        "hats_col_assn_primary": left.id_name,
        "hats_col_assn_primary_assn": "left_id",
        "hats_assn_join_table_url": right.name,
        "hats_col_assn_join": right.id_name,
        "hats_col_assn_join_assn": "right_id",
        "hats_assn_max_separation": radius_arcsec,
        "hats_assn_leaf_files": "true",
    }
