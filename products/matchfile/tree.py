"""What stands in a matchfile, as a tree of its tables."""

from __future__ import annotations

from pathlib import Path

import tables

from store.matchfile import GROUP, MATCH_TABLES


def tree(path: Path) -> str:
    """The tables of a matchfile, each with its rows and columns, a line a table."""
    with tables.open_file(str(path), "r") as file:
        lines = [path.name, f"└── {GROUP}"]
        for name in MATCH_TABLES:
            table = file.get_node(f"/{GROUP}/{name}")
            branch = "└──" if name == list(MATCH_TABLES)[-1] else "├──"
            lines.append(
                f"    {branch} {name:<14}{table.nrows:>8,} rows of {len(table.colnames)} columns"
            )
    return "\n".join(lines)
