"""A statement's own tree, as DuckDB parses it: JSON objects, each of a `type`."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import duckdb

Tree = dict[str, Any]
# In a string too: one value too many is an error, and then nothing is restricted.
_PARAMETER = re.compile(r"\$(\w+)")


def children(node: Any) -> Iterator[Any]:
    """What a node holds directly, objects and lists."""
    if isinstance(node, dict):
        yield from node.values()
    elif isinstance(node, list):
        yield from node


def conjuncts(condition: Tree | None) -> list[Tree]:
    """The conditions that must all hold for `condition` to hold."""
    if condition is None:
        return []
    if condition["type"] != "CONJUNCTION_AND":
        return [condition]
    return [part for child in condition["children"] for part in conjuncts(child)]


def arguments(function: Tree) -> list[Tree]:
    """The arguments of a function, in order; named ones count too."""
    return [argument["expression"] for argument in function["arguments"]]


def renamed(expression: Tree, name: Callable[[Tree], str]) -> Tree:
    """A copy in which every column is called as `name` says."""
    copied = copy.deepcopy(expression)
    _rename(copied, name)
    return copied


def _rename(node: Any, name: Callable[[Tree], str]) -> None:
    if isinstance(node, dict) and node.get("type") == "COLUMN_REF":
        node["column_names"] = [name(node)]
        return
    for child in children(node):
        _rename(child, name)


class Evaluator:
    """Answers expressions by DuckDB, with a statement's own parameters.

    Parameters
    ----------
    cursor : where they are evaluated.
    statement : the whole statement as parsed; its list of parameters counts.
    params : their values.
    """

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, statement: Tree, params: Mapping[str, Any]
    ) -> None:
        self._cursor = cursor
        self._named = statement["named_param_map"]
        self._params = params

    def rows(self, template: str, expressions: list[Tree], **own: Any) -> list[tuple[Any, ...]]:
        """The answer to `template` with `expressions` behind the columns that it selects.

        `own` are the values of the template's own parameters.

        Raises
        ------
        duckdb.Error : an expression cannot be evaluated.
        """
        statement = parse(self._cursor, template)
        inner = statement["statements"][0]
        inner["node"]["select_list"] += expressions
        names = [*(key["key"] for key in self._named), *own]
        inner["named_param_map"] = [{"key": name, "value": i} for i, name in enumerate(names, 1)]
        (row,) = self._cursor.execute(
            "SELECT json_deserialize_sql($tree::JSON)", {"tree": json.dumps(statement)}
        ).fetchall()
        text = row[0]
        known = {**self._params, **own}
        # DuckDB refuses values that a statement does not take.
        used = {name: known[name] for name in _PARAMETER.findall(text) if name in known}
        return self._cursor.execute(text, used or None).fetchall()

    def values(self, expressions: list[Tree]) -> tuple[Any, ...] | None:
        """The values of constant expressions; None if one cannot be evaluated."""
        try:
            ((_, *values),) = self.rows("SELECT 1", expressions)
        except duckdb.Error:
            return None
        return tuple(values)


def parse(cursor: duckdb.DuckDBPyConnection, text: str) -> Tree:
    """The tree of a statement; its member `error` says whether DuckDB gives none of it."""
    (row,) = cursor.execute("SELECT json_serialize_sql($text)", {"text": text}).fetchall()
    tree: Tree = json.loads(row[0])
    return tree
