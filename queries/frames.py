"""Answers as polars frames.

DuckDB's own `.pl()` imports pyarrow, 0.2 s; the Arrow stream that both speak needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import polars as pl


class ArrowStream(Protocol):
    """What can hand its rows over as an Arrow stream (the PyCapsule protocol)."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The stream."""


class _Stream:
    """A wrapper of this module's own, which holds no reference to duckdb.

    polars remembers the types it was given for ever; given DuckDB's, the interpreter ends with
    thirty lines of "nanobind: leaked" on stderr.
    """

    def __init__(self, source: ArrowStream) -> None:
        self.source = source

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The source's stream."""
        return self.source.__arrow_c_stream__(requested_schema)


def to_frame(source: ArrowStream) -> pl.DataFrame:
    """All rows of `source` as a polars frame."""
    import polars as pl

    return pl.DataFrame(_Stream(source))
