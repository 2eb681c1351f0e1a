"""Answers of the library: a named query, its values checked, and what it needs is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from queries.connection import Session
from queries.errors import NotBuiltError
from queries.interrupt import Stop
from queries.named import offered
from queries.statements import names_of
from store.layout import LIGHTCURVE_TABLES
from store.manifest import LIGHTCURVES
from store.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl


def answer(
    session: Session, name: str, params: Mapping[str, Any], stop: Stop | None = None
) -> pl.DataFrame:
    """The answer to the query of that name; `params` are values for its parameters.

    `stop` ends it before its time: see `Session.sql`.

    Raises
    ------
    UnknownQueryError : there is none of that name.
    UnknownParameterError, MissingParameterError, BadParameterError, UnknownFilterError : `params`
        are not what it takes.
    NotBuiltError : it asks for a product that was never built.
    """
    named = offered(name)
    values = named.bind(params)
    statement = re.sub(r"--[^\n]*", "", named.sql)
    for table in names_of(statement, list(LIGHTCURVE_TABLES)):
        check_built(session.snapshot, table)
    return session.sql(named.sql, values, stop=stop)


def check_built(snapshot: Snapshot, table: str) -> None:
    """Refuse what would be answered by no rows for want of a product.

    Raises
    ------
    NotBuiltError
    """
    if not any(group.startswith(LIGHTCURVES) for group in snapshot.groups):
        raise NotBuiltError(table, snapshot.layout.root)
