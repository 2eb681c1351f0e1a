"""An answer to the user: a table to read, or a file in a format that holds everything."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from products.outputs import write_output

if TYPE_CHECKING:
    import polars as pl

    from store.columns import Column


def give(
    frame: pl.DataFrame,
    file_format: str | None,
    out: Path | None,
    *,
    columns: Mapping[str, Column] | None = None,
    description: str = "",
    first: Sequence[str] = (),
    last_rows: bool = False,
    more: str = "--format csv gives all",
) -> None:
    """Give `frame` as `file_format`; None is what the name of `out` tells, else a table.

    See `products.tables.print_table` for what a terminal gets of it.
    """
    from products.exports import export, format_of
    from products.tables import print_table

    chosen = file_format or (format_of(out) if out else "table")
    if chosen != "table":
        if chosen == "parquet" and out is None and sys.stdout.isatty():
            raise click.UsageError("Parquet is no text: name a file with --out.")
        export(frame, chosen, out, columns=columns, description=description)
    elif out is None:
        print_table(frame, columns, first=first, last_rows=last_rows, more=more)
    else:
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            print_table(frame, columns, first=first)
        write_output(text.getvalue().encode(), out)
