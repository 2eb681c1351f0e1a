"""All that a session defines, as SQL: views of the archive's tables, and functions of the sky."""

from __future__ import annotations

from queries.macros import macro, macro_names
from queries.named import query
from queries.views import VIEWS, select_table
from store.contract import TABLES
from store.snapshot import Snapshot


def definitions(snapshot: Snapshot) -> list[str]:
    """Statements that give any DuckDB the views and functions that questions may use.

    The views read the files of this publication, by their absolute paths, and nothing holds them.
    """
    statements = [
        f"-- {table.description}.\nCREATE VIEW {table.name} AS\n{select_table(table, snapshot)};\n"
        for table in TABLES.values()
    ]
    statements += [f"CREATE VIEW {name} AS\n{query(name).sql}" for name in VIEWS]
    return statements + [macro(name) for name in macro_names()]
