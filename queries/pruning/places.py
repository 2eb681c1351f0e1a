"""Where on the sky, and of which objects, the rows are for which a table's conditions can hold.

Each is a set of whole numbers: `_healpix_29`, or oid. Comparisons with constants are understood,
`cone(…)` and `separation(…) <= …` of the table's own place, `in_healpix(…)` and
`healpix_cell(…)` of its own index, and AND and OR of these. None of them holds for null.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from queries.errors import BadConeError
from queries.pruning.nights import FUNCTIONS
from queries.pruning.ranges import Ranges, common, merged
from queries.pruning.sources import Link, Source
from queries.pruning.trees import Evaluator, Tree, arguments, children
from queries.sky import Cone
from store.layout import HEALPIX_ORDER

_LEAST, _MOST = -(2**63), 2**63 - 1
_CONSTANT_FUNCTIONS = FUNCTIONS | {
    "cos", "degrees", "healpix_first", "healpix_last", "pi", "pow", "power", "radians", "sin",
    "sqrt",
}  # fmt: skip
_CONSTANTS = {
    "BETWEEN", "CASE", "CAST", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION", "OPERATOR",
    "PARAMETER", "TYPE",
}  # fmt: skip
_MIRRORED = {
    "COMPARE_EQUAL": "COMPARE_EQUAL",
    "COMPARE_LESSTHAN": "COMPARE_GREATERTHAN",
    "COMPARE_GREATERTHAN": "COMPARE_LESSTHAN",
    "COMPARE_LESSTHANOREQUALTO": "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
}
# Beyond it a whole number is not its double, and how DuckDB compares the two is its own affair.
_EXACT = 2.0**53


def ranges_of(
    column: str, sources: Sequence[Source], links: Sequence[Link], asked: Evaluator
) -> dict[Source, Ranges]:
    """The values of `column` (`_healpix_29` or oid) that rows of each source may have.

    All where the source is absent.
    """
    found = {}
    for source in sources:
        if column not in source.columns:
            continue
        reader = _Reader(source, column, asked)
        ranges = reader.both([*source.where, *source.on])
        if ranges is not None:
            found[source] = ranges
    changed = True
    while changed:
        changed = False
        for link in links:
            if link.column != column or link.origin not in found:
                continue
            before = found.get(link.target)
            origin = found[link.origin]
            after = origin if before is None else common(before, origin)
            if after != before:
                found[link.target] = after
                changed = True
    return found


@dataclass(frozen=True)
class _Reader:
    """Reads conditions on one column of one source."""

    source: Source
    column: str
    asked: Evaluator

    def both(self, conditions: Sequence[Tree]) -> Ranges | None:
        """What all conditions allow; None is everything."""
        found: Ranges | None = None
        for condition in conditions:
            ranges = self.read(condition)
            if ranges is not None:
                found = ranges if found is None else common(found, ranges)
        return found

    def read(self, condition: Tree) -> Ranges | None:
        """What one condition allows; None is everything."""
        kind = condition["type"]
        if kind == "CONJUNCTION_AND":
            return self.both(condition["children"])
        if kind == "CONJUNCTION_OR":
            parts = [self.read(child) for child in condition["children"]]
            known = [part for part in parts if part is not None]
            return merged(r for part in known for r in part) if len(known) == len(parts) else None
        if kind in _MIRRORED:
            return self._read_comparison(condition)
        if kind == "COMPARE_BETWEEN":
            return self._read_between(condition)
        if kind == "COMPARE_IN":
            return self._read_in(condition)
        if kind == "FUNCTION":
            return self._read_function(condition)
        if _is_constant(condition):
            values = self.asked.values([condition])
            return [] if values is not None and not values[0] else None
        return None

    def _read_comparison(self, condition: Tree) -> Ranges | None:
        for here, there, kind in (
            ("left", "right", condition["type"]),
            ("right", "left", _MIRRORED[condition["type"]]),
        ):
            subject, bound = condition[here], condition[there]
            shift = self._shift(subject)
            if shift is not None:
                (value,) = self._numbers([bound]) or (None,)
                if value is not None:
                    return _shifted(_compared(kind, value), shift)
            if kind.startswith("COMPARE_LESS") and self._names(subject, "separation", 4):
                return self._cone([*arguments(subject)[2:], bound])
        return None

    def _read_between(self, condition: Tree) -> Ranges | None:
        shift = self._shift(condition["input"])
        bounds = (
            self._numbers([condition["lower"], condition["upper"]]) if shift is not None else None
        )
        if shift is None or bounds is None:
            return None
        lower, upper = bounds
        return _shifted([(math.ceil(lower), math.floor(upper))], shift)

    def _read_in(self, condition: Tree) -> Ranges | None:
        subject, *listed = condition["children"]
        shift = self._shift(subject)
        values = self._numbers(listed) if shift is not None else None
        if shift is None or values is None:
            return None
        whole = merged((int(v), int(v)) for v in values if v == int(v))
        return _shifted(whole, shift)

    def _read_function(self, condition: Tree) -> Ranges | None:
        given = arguments(condition)
        if self._names(condition, "cone", 5):
            return self._cone(given[2:])
        named = condition["function_name"].lower()
        if named == "in_healpix" and len(given) == 3 and self._shift(given[0]) == 0:
            values = self._numbers(given[1:])
            if values is not None and _is_order(values[0]) and values[1] == int(values[1]):
                shift = 2 * (HEALPIX_ORDER - int(values[0]))
                return _shifted([(int(values[1]), int(values[1]))], shift)
        return None

    def _shift(self, subject: Tree) -> int | None:
        """By how many bits the column is shifted to the right in `subject`; None: it is another."""
        if self.source.column(subject) == self.column:
            return 0
        if subject["type"] != "FUNCTION" or self.column != "_healpix_29":
            return None
        name, given = subject["function_name"].lower(), arguments(subject)
        if name not in (">>", "healpix_cell") or len(given) != 2:
            return None
        if self.source.column(given[0]) != self.column:
            return None
        (value,) = self._numbers([given[1]]) or (None,)
        if value is None or value != int(value):
            return None
        bits = int(value) if name == ">>" else 2 * (HEALPIX_ORDER - int(value))
        return bits if 0 <= bits <= 2 * HEALPIX_ORDER else None

    def _names(self, function: Tree, name: str, n_arguments: int) -> bool:
        """Whether it is a function of the source's own place, first of all."""
        if function["type"] != "FUNCTION" or function["function_name"].lower() != name:
            return False
        given = arguments(function)
        place = tuple(map(self.source.column, given[:2]))
        return len(given) == n_arguments and place == self.source.table.position

    def _cone(self, constants: list[Tree]) -> Ranges | None:
        if self.column != "_healpix_29":
            return None
        values = self._numbers(constants)
        if values is None:
            return None
        try:
            ranges = Cone(*map(float, values)).ranges
        except (BadConeError, OverflowError):
            return None
        return [(int(first), int(past) - 1) for first, past in ranges]

    def _numbers(self, expressions: list[Tree]) -> list[Any] | None:
        """The values of constant expressions, if all are exact numbers."""
        if not all(map(_is_constant, expressions)):
            return None
        values = self.asked.values(expressions)
        if values is None or not all(map(_is_exact, values)):
            return None
        return list(values)


def _compared(kind: str, value: Any) -> Ranges:
    """The whole numbers for which `number kind value` holds."""
    if kind == "COMPARE_EQUAL":
        return [(int(value), int(value))] if value == int(value) else []
    if kind == "COMPARE_LESSTHAN":
        return [(_LEAST, math.ceil(value) - 1)]
    if kind == "COMPARE_LESSTHANOREQUALTO":
        return [(_LEAST, math.floor(value))]
    if kind == "COMPARE_GREATERTHAN":
        return [(math.floor(value) + 1, _MOST)]
    return [(math.ceil(value), _MOST)]


def _shifted(ranges: Ranges, bits: int) -> Ranges:
    """The numbers that lie in `ranges` once they are shifted to the right."""
    return merged(
        (max(first << bits, _LEAST), min(((last + 1) << bits) - 1, _MOST)) for first, last in ranges
    )


def _is_order(value: Any) -> bool:
    return bool(value == int(value) and 0 <= value <= HEALPIX_ORDER)


def _is_exact(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, float):
        return math.isfinite(value) and abs(value) <= _EXACT
    return isinstance(value, int | Decimal)


def _is_constant(node: Any) -> bool:
    """Whether an expression has the same value for every row, at any time."""
    if isinstance(node, dict) and "class" in node:
        if node["class"] not in _CONSTANTS:
            return False
        if node["class"] == "FUNCTION":
            if node["function_name"].lower() not in _CONSTANT_FUNCTIONS or node["filter"]:
                return False
            return all(map(_is_constant, arguments(node)))
    return all(map(_is_constant, children(node)))
