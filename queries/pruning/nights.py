"""The nights for which a table's conditions can hold.

DuckDB itself is asked, night by night: so whatever it understands of nights restricts them, and
means what it means in the statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb

from queries.pruning.sources import Link, Source
from queries.pruning.trees import Evaluator, Tree, arguments, children, renamed

# What an expression of a night may consist of: it has one value for a night, always the same.
_CLASSES = {
    "BETWEEN",
    "CASE",
    "CAST",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "OPERATOR",
    "PARAMETER",
    "TYPE",
}
FUNCTIONS = {
    "+", "-", "*", "/", "//", "%", "||", "~~", "!~~", "abs", "array_contains", "ceil", "concat",
    "contains", "date_add", "date_diff", "date_part", "date_sub", "date_trunc", "datediff",
    "datepart", "datesub", "datetrunc", "day", "dayname", "dayofmonth", "dayofweek",
    "dayofyear", "epoch", "floor", "greatest", "isodow", "isoyear", "julian", "last_day",
    "least", "left", "list_contains", "list_value", "make_date", "month", "monthname",
    "quarter", "right", "round", "starts_with", "strftime", "strptime", "substr", "substring",
    "to_days", "to_months", "to_weeks", "to_years", "trunc", "week", "weekday", "weekofyear",
    "year", "yearweek",
}  # fmt: skip
_TEMPLATE = "SELECT night FROM (SELECT unnest($nightlake_nights::DATE[]) AS night)"


def nights_of(
    sources: Sequence[Source], links: Sequence[Link], nights: Sequence[date], asked: Evaluator
) -> dict[Source, set[date]]:
    """Those of the archive's `nights` that rows of each source may be of; all where it is absent.

    A source whose table has no night is absent.
    """
    found = {}
    for source in sources:
        if "night" in source.columns:
            kept = _fulfilling(source, nights, asked)
            if kept is not None:
                found[source] = kept
    changed = True
    while changed:
        changed = False
        for link in links:
            if link.column != "night" or link.origin not in found:
                continue
            before = found.get(link.target, set(nights))
            after = before & found[link.origin]
            if link.target not in found or after != before:
                found[link.target] = after
                changed = True
    return found


def _fulfilling(source: Source, nights: Sequence[date], asked: Evaluator) -> set[date] | None:
    """The nights for which the conditions of one source hold; None if none is of nights."""
    where = [w for w in (_weakened(c, source) for c in source.where) if w is not None]
    on = [w for w in (_weakened(c, source) for c in source.on) if w is not None]
    if not where and not on:
        return None
    try:
        rows = asked.rows(_TEMPLATE, [*where, *on], nightlake_nights=[*nights, None])
    except duckdb.Error:
        return None
    answers = {night: values for night, *values in rows}
    of_null = answers.pop(None)
    # Null stands in the answer where an optional source's rows are missing: to leave rows out must
    # not bring such forth.
    counted = [
        i for i in range(len(of_null)) if i >= len(where) or not (source.optional and of_null[i])
    ]
    kept = {night for night, values in answers.items() if all(values[i] for i in counted)}
    return kept if len(kept) < len(nights) else None


def _weakened(condition: Tree, source: Source) -> Tree | None:
    """What `condition` says of the night of `source` alone; None if it says nothing.

    Whenever the condition holds, this holds.
    """
    if condition["type"] in ("CONJUNCTION_AND", "CONJUNCTION_OR"):
        parts = [_weakened(child, source) for child in condition["children"]]
        known = [part for part in parts if part is not None]
        if not known or (condition["type"] == "CONJUNCTION_OR" and len(known) < len(parts)):
            return None
        return condition | {"children": known}
    if not _is_of_night(condition, source):
        return None
    return renamed(condition, lambda _: "night")


def _is_of_night(node: object, source: Source) -> bool:
    """Whether nothing but the night of `source` and constants stands in an expression."""
    if isinstance(node, dict) and "class" in node:
        if node["class"] not in _CLASSES:
            return False
        if node["class"] == "COLUMN_REF":
            return source.column(node) == "night"
        if node["class"] == "FUNCTION":
            if node["function_name"].lower() not in FUNCTIONS or node["schema"] or node["filter"]:
                return False
            return all(_is_of_night(argument, source) for argument in arguments(node))
    return all(_is_of_night(child, source) for child in children(node))
