"""The column contract as a page: `docs/columns.md`.

python -m products.columns_page > docs/columns.md
"""

from __future__ import annotations

from store.columns import Table
from store.contract import STORED_TABLES, TABLES
from store.layout import SPATIAL_TABLES

INTRODUCTION = """# Tables and columns

Every table of an archive, as SQL, Parquet, Python and every export know it. This page is made
from the column contract (`store/contract.py`) by `python -m products.columns_page`; the same
contract gives each Parquet file its schema, units, UCDs and encodings.

*Null* says what a missing value means; *kept* how precisely a value is kept, and by which
encoding on disk.
"""

COLLECTION = """# What makes a HATS collection of them

These lie beside the tables for LSDB; SQL, Python and exports do not know them.
"""


def columns_page() -> str:
    """The page, Markdown."""
    asked = [_section(table) for table in TABLES.values()]
    others = [_section(table) for name, table in STORED_TABLES.items() if name not in TABLES]
    return "\n".join([INTRODUCTION, *asked, COLLECTION, *others])


def _section(table: Table) -> str:
    same = [t.name for t in TABLES.values() if t is not table and t.columns == table.columns]
    if same:
        return f"## {table.name}\n\n{table.description}. The columns of `{same[0]}`.\n"
    kind = "A HATS catalogue, cut by HEALPix pixel. " if table.name in SPATIAL_TABLES else ""
    lines = [
        f"## {table.name}",
        "",
        f"{table.description}. {kind}Sorted by {', '.join(f'`{name}`' for name in table.sort)}.",
        "",
        "| column | type | unit | meaning | null | kept | UCD |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{c.name}` | {c.dtype} | {c.unit or '–'} | {c.description} | {c.null} "
        f"| {c.precision}; {c.encoding} | {c.ucd} |"
        for c in table.columns
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(columns_page(), end="")
