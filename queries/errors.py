"""What can go wrong when the archive is asked.

store.errors.NightlakeError
└── QueryError                    base: a statement that DuckDB refuses, in its own words
    ├── StatementRefusedError     a statement that is no question: the archive is read-only
    ├── OutOfMemoryError          more memory than there is, and nowhere to spill
    ├── UnknownQueryError         no file queries/sql/NAME.sql
    ├── UnknownParameterError     a value that the named query does not take
    ├── MissingParameterError     no value for a parameter that has no default
    ├── BadParameterError         a value that is not of the parameter's type
    ├── NotBuiltError             a product that is asked for and was never built
    ├── BadConeError              a place or radius that is not on the sky
    ├── BadRegionError            a polygon or a coverage map that is none
    ├── BadSelectionError         a number that narrows a question, and is out of its range
    ├── UnknownFilterError        a filter the survey does not have
    ├── UnknownObjectError        an object id that no reference source has, and no detection
    ├── UnknownImportedError      an object id that no imported curve has
    └── UnknownCollectionError    a name that nothing was imported by
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from store.channel import FILTER_IDS
from store.errors import NightlakeError


class QueryError(NightlakeError, ValueError):
    """A statement that cannot be answered."""

    code = "query"


class StatementRefusedError(QueryError):
    """A statement that would change something, or that is not one statement."""

    code = "statement_refused"

    def __init__(self, what: str) -> None:
        super().__init__(
            what,
            hint="Ask one SELECT, WITH, FROM, VALUES, PIVOT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN.",
        )


class OutOfMemoryError(QueryError):
    """More memory is needed than there is, and nothing can be spilled to disk."""

    code = "out_of_memory"

    def __init__(self, scratch: Path, spills: bool) -> None:
        hint = (
            f"Free space in {scratch}, or ask for less at once."
            if spills
            else f"{scratch} cannot be written, so nothing is spilled to disk: "
            "make it writable, or ask for less at once."
        )
        super().__init__("the question needs more memory than there is", hint=hint)


class UnknownQueryError(QueryError):
    """No such named query."""

    code = "unknown_query"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no query is named {name}", hint=f"There are: {', '.join(known)}.")


class UnknownParameterError(QueryError):
    """A value that the named query does not take."""

    code = "unknown_parameter"

    def __init__(self, query: str, name: str, known: Sequence[str]) -> None:
        takes = f"It takes {', '.join(known)}." if known else "It takes none."
        super().__init__(f"query {query} has no parameter {name}", hint=takes)


class MissingParameterError(QueryError):
    """No value for a parameter that has no default."""

    code = "missing_parameter"

    def __init__(self, query: str, name: str, form: str) -> None:
        super().__init__(
            f"query {query} needs a value for {name}",
            hint=f"Give {form}: {name}=value, on the command line behind -p.",
        )


class BadParameterError(QueryError):
    """A value that is not of the parameter's type."""

    code = "bad_parameter"

    def __init__(self, name: str, value: object, form: str) -> None:
        super().__init__(f"parameter {name} cannot be {value!r}", hint=f"Give {form}.")


class NotBuiltError(QueryError):
    """A product that is asked for and was never built."""

    code = "not_built"

    def __init__(self, table: str, root: Path) -> None:
        super().__init__(
            f"{table} was never built",
            where=root,
            hint=f"Build it with: nightlake build {root} lightcurves.",
        )


class BadConeError(QueryError):
    """A place or radius that is not on the sky."""

    code = "bad_cone"

    def __init__(self, what: str) -> None:
        super().__init__(
            what, hint="Give RA and DEC in degrees (ICRS) and the radius in arcseconds."
        )


class BadRegionError(QueryError):
    """A polygon or a coverage map that is none, or holds nothing."""

    code = "bad_region"

    def __init__(self, what: str) -> None:
        super().__init__(
            what,
            hint="Give corners as RA and DEC in degrees (ICRS), or a coverage map as 5/1-3 6/12.",
        )


class BadSelectionError(QueryError):
    """A number that narrows a question, and is out of its range."""

    code = "bad_selection"

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint=hint)


class UnknownFilterError(QueryError):
    """A filter the survey does not have."""

    code = "unknown_filter"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"filter {name!r} is not known", hint=f"Choose among {', '.join(FILTER_IDS)}."
        )


class UnknownObjectError(QueryError, LookupError):
    """An object id that no reference source of the archive has, and no detection."""

    code = "unknown_object"

    def __init__(self, oid: int, root: Path, found: str) -> None:
        super().__init__(
            f"object {oid} is not in the archive ({found})",
            where=root,
            hint="Look around a place with --cone RA DEC RADIUS, or add its field's references.",
        )


class UnknownImportedError(QueryError, LookupError):
    """An object id that no curve of a collection has."""

    code = "unknown_object"

    def __init__(self, oid: int, collection: str, root: Path) -> None:
        super().__init__(
            f"object {oid} is not in collection {collection}",
            where=root,
            hint="Look around a place with --cone RA DEC RADIUS.",
        )


class UnknownCollectionError(QueryError, LookupError):
    """A name that nothing was imported by."""

    code = "unknown_collection"

    def __init__(self, name: str, root: Path, known: Sequence[str]) -> None:
        there = ", ".join(known)
        hint = f"There are: {there}." if there else "Nothing was imported."
        super().__init__(f"no collection {name!r} was imported", where=root, hint=hint)
