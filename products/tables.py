"""Frames as text to be read: aligned columns, as many rows and columns as fit."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from store.columns import Column
from store.words import printable

MAX_ROWS = 40
_MAX_CELL = 60
_GAP = 2
_DECIMALS = {"deg": 7, "d": 6, "mag": 3, "arcsec": 2, "s": 1}


def print_table(
    frame: pl.DataFrame,
    columns: Mapping[str, Column] | None = None,
    *,
    first: Sequence[str] = (),
    max_rows: int | None = MAX_ROWS,
    last_rows: bool = False,
    more: str = "--format csv gives all",
) -> None:
    """Print `frame` to standard output.

    A terminal gets the first `max_rows` rows, or the last if `last_rows`, and the columns that
    fit, those named in `first` before the others, and a note of what is left out and of what
    gives `more`; a file or pipe gets everything.
    """
    known = columns or {}
    order = [c for c in first if c in frame.columns]
    order += [c for c in frame.columns if c not in order]
    terminal = sys.stdout.isatty()
    shown = frame
    if terminal and max_rows is not None:
        shown = frame.tail(max_rows) if last_rows else frame.head(max_rows)
    cells = {name: [printable(name), *_texts(shown[name], known.get(name))] for name in order}
    names = _fitting(cells, shutil.get_terminal_size().columns if terminal else None)
    right = {name for name in names if frame[name].dtype.is_numeric()}
    if terminal:
        _print_rich(names, cells, right)
    else:
        print("\n".join(_plain_lines(names, cells, right)))
    note = _left_out(frame, shown.height, len(names), more)
    if note:
        print(note)


def _left_out(frame: pl.DataFrame, rows: int, columns: int, more: str) -> str:
    parts = [
        f"{n:,} more {what}{'s' if n > 1 else ''}"
        for n, what in ((frame.height - rows, "row"), (frame.width - columns, "column"))
        if n > 0
    ]
    return f"… {' and '.join(parts)}: {more}" if parts else ""


def _plain_lines(names: list[str], cells: Mapping[str, list[str]], right: set[str]) -> list[str]:
    padded = []
    for name in names:
        width = max(map(len, cells[name]))
        padded.append([c.rjust(width) if name in right else c.ljust(width) for c in cells[name]])
    return [(" " * _GAP).join(row).rstrip() for row in zip(*padded, strict=True)]


def _print_rich(names: list[str], cells: Mapping[str, list[str]], right: set[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", no_wrap=True)
    for row in zip(*(cells[name][1:] for name in names), strict=True):
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def _fitting(cells: Mapping[str, list[str]], width: int | None) -> list[str]:
    """The names whose columns fit into `width` characters together; at least one."""
    names = list(cells)
    if width is None:
        return names
    used = 0
    for number, name in enumerate(names):
        used += max(map(len, cells[name])) + _GAP
        if used - _GAP > width:
            return names[: max(number, 1)]
    return names


def _texts(series: pl.Series, column: Column | None) -> list[str]:
    """The cells of one column."""
    decimals = _DECIMALS.get(column.unit) if column else None
    if series.dtype == pl.Float32 and decimals is None:
        # As text in its own precision: a Python float of 1.307 would be 1.30700004.
        series = series.cast(pl.String)
    return [_text(value, column) for value in series.to_list()]


def _text(value: Any, column: Column | None) -> str:
    """One cell; null is a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        decimals = _DECIMALS.get(column.unit) if column else None
        return f"{value:.{decimals}f}" if decimals is not None else f"{value:.9g}"
    if isinstance(value, date | int):
        return str(value)
    text = printable(" ".join(str(value).split()))
    return text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…"
