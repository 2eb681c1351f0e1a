"""Where the archive's tables stand in a statement, and the conditions that hold for each.

A condition counts for a table if every row of it that is part of the answer fulfils it. So of an
outer join's two sides only the one that keeps all its rows is bound by what is said behind WHERE
of any kind; of the other, conditions that null fulfils are left out (`queries.pruning.nights`),
because its rows may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from queries.pruning.trees import Tree, children, conjuncts
from store.columns import Table

# Columns that say which files are meant, and are the same on both sides of an equality.
LINKING = ("night", "oid", "_healpix_29")


@dataclass(eq=False)
class Source:
    """One place where a table stands: its alias there, and what holds for its rows.

    `where` are conditions of WHERE, `on` those of the joins it is in. If it is `optional`, its
    rows may be missing from the answer and null stand for them. `scope` are all sources of its
    FROM.
    """

    table: Table
    alias: str
    optional: bool = False
    where: list[Tree] = field(default_factory=list)
    on: list[Tree] = field(default_factory=list)
    scope: list[Source] = field(default_factory=list)

    @cached_property
    def columns(self) -> frozenset[str]:
        """The table's columns."""
        return frozenset(self.table.names)

    def column(self, reference: Tree) -> str | None:
        """The column of this source that `reference` names; None if it names another's."""
        if reference.get("type") != "COLUMN_REF":
            return None
        *qualifiers, name = (part.lower() for part in reference["column_names"])
        if name not in self.columns:
            return None
        if not qualifiers:
            # Where several have it, they are joined by it, and it is the first one's.
            first = next(source for source in self.scope if name in source.columns)
            return name if first is self else None
        return name if qualifiers == [self.alias] else None


@dataclass(frozen=True)
class Link:
    """`column` of `target` equals that of `origin` in every row of `target` that counts."""

    column: str
    origin: Source
    target: Source


@dataclass
class Occurrences:
    """Every place of a statement where one of the `known` tables stands.

    `free` are tables of which all rows may count, for all that is understood.
    """

    known: Mapping[str, Table]
    sources: list[Source] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    free: set[str] = field(default_factory=set)

    def read(self, node: Any) -> None:
        """Take in a part of a statement's tree."""
        if isinstance(node, dict):
            if node.get("type") == "SELECT_NODE":
                self._read_select(node)
                return
            if node.get("type") == "BASE_TABLE":
                self.free.add(node["table_name"].lower())
            self._read_names(node)
        for child in children(node):
            self.read(child)

    def _read_select(self, select: Tree) -> None:
        scope: list[Source] = []
        equalities: list[tuple[Tree, list[Source], list[Source]]] = []
        self._read_from(select["from_table"], scope, False, equalities)
        for source in scope:
            source.scope = scope
            source.where = conjuncts(select["where_clause"])
        equalities += [(part, scope, scope) for part in conjuncts(select["where_clause"])]
        for condition, origins, targets in equalities:
            self._link(condition, origins, targets)
        self.sources += scope
        for name, child in select.items():
            if name != "from_table":
                self.read(child)
        self._read_names(select)

    def _read_names(self, node: Tree) -> None:
        """Leave out the tables whose names a statement gives to something else."""
        names = [entry["key"] for entry in node.get("cte_map", {}).get("map", ())]
        self.free.update(name.lower() for name in [*names, node.get("cte_name", "")])

    def _read_from(
        self,
        node: Tree,
        scope: list[Source],
        optional: bool,
        equalities: list[tuple[Tree, list[Source], list[Source]]],
    ) -> bool:
        """Add the tables of a FROM to `scope`, and what joins them to `equalities`.

        True if all of it is tables of the archive.
        """
        if node["type"] == "BASE_TABLE" and self._is_plain(node):
            table = node["table_name"].lower()
            alias = (node["alias"] or table).lower()
            scope.append(Source(self.known[table], alias, optional))
            return True
        kind = (node.get("ref_type"), node.get("join_type"))
        if node["type"] != "JOIN" or kind not in (
            ("REGULAR", "INNER"),
            ("REGULAR", "LEFT"),
            ("CROSS", "INNER"),
        ):
            self.read(node)
            return False
        start = len(scope)
        whole = self._read_from(node["left"], scope, optional, equalities)
        left = scope[start:]
        is_left_join = node["join_type"] == "LEFT"
        middle = len(scope)
        whole &= self._read_from(node["right"], scope, optional or is_left_join, equalities)
        right = scope[middle:]
        bound = right if is_left_join else [*left, *right]
        for condition in conjuncts(node["condition"]):
            equalities.append((condition, [*left, *right], bound))
            for source in bound:
                source.on.append(condition)
        # With others on a side, the column may be theirs.
        for name in node["using_columns"] if whole else ():
            self._link_using(name.lower(), left, right, both=not is_left_join)
        self.read(node["condition"])
        return whole

    def _is_plain(self, node: Tree) -> bool:
        """Whether it is a table of the archive, by its bare name, whole and with its own names."""
        return (
            node["table_name"].lower() in self.known
            and not node["schema_name"]
            and not node["catalog_name"]
            and not node["column_name_alias"]
            and not node["sample"]
            and not node["at_clause"]
        )

    def _link(self, condition: Tree, origins: list[Source], targets: list[Source]) -> None:
        if condition["type"] != "COMPARE_EQUAL":
            return
        for origin in origins:
            for target in targets:
                if origin is target:
                    continue
                for here, there in (("left", "right"), ("right", "left")):
                    name = origin.column(condition[here])
                    if name in LINKING and target.column(condition[there]) == name:
                        self.links.append(Link(name, origin, target))

    def _link_using(
        self, name: str, left: list[Source], right: list[Source], *, both: bool
    ) -> None:
        # Of several on a side, the first is meant, as for a name without a table.
        ends = [next((s for s in side if name in s.columns), None) for side in (left, right)]
        if name not in LINKING or None in ends:
            return
        one, other = ends
        assert one is not None
        assert other is not None
        self.links.append(Link(name, one, other))
        if both:
            self.links.append(Link(name, other, one))
