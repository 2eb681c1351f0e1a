"""The named queries and the functions of the sky as a page: `docs/library.md`.

python -m nightlake.queries_page > docs/library.md
"""

from __future__ import annotations

from queries.macros import macro_names, meaning, signature
from queries.named import NamedQuery, offered, query_names

INTRODUCTION = """# The library of queries

Made by `python -m nightlake.queries_page` from the files in `queries/sql`.
[Asking in SQL](queries.md) tells how they are asked.

## Functions of the sky

For every statement of `nightlake sql`, `nightlake shell`, `nightlake query` and `archive.sql`.
"""


def queries_page() -> str:
    """The page, Markdown."""
    functions = [f"- `{signature(name)}`: {meaning(name)}" for name in macro_names()]
    queries = [_section(offered(name)) for name in query_names()]
    return "\n".join([INTRODUCTION, *functions, "", "## The queries", "", *queries])


def _section(named: NamedQuery) -> str:
    lines = [f"### {named.name}", "", named.meaning, ""]
    if named.parameters:
        lines += ["| parameter | type | default | meaning |", "|---|---|---|---|"]
        for p in named.parameters:
            default = "" if p.default is None else p.default
            lines.append(f"| `{p.name}` | {p.type} | {default} | {p.meaning} |")
        lines.append("")
    columns = (f"`{name}` {unit}".rstrip() for name, unit in named.columns.items())
    return "\n".join([*lines, f"Gives {', '.join(columns)}.", ""])


if __name__ == "__main__":
    print(queries_page(), end="")
