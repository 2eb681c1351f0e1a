"""Nightlake: nights of PSF photometry as light curves and SQL.

from nightlake import Archive

with Archive("/data/archive") as archive:
    curve = archive.lightcurve(oid=633207400012345)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightlake.archive import Archive
    from nightlake.forms import as_arrow, as_pandas, as_qtable, as_table, as_timeseries
    from store.errors import NightlakeError

__all__ = [
    "Archive",
    "NightlakeError",
    "as_arrow",
    "as_pandas",
    "as_qtable",
    "as_table",
    "as_timeseries",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `nightlake --help` needs no DuckDB."""
    if name == "Archive":
        from nightlake.archive import Archive

        return Archive
    if name == "NightlakeError":
        from store.errors import NightlakeError

        return NightlakeError
    if name in __all__:
        from nightlake import forms

        return getattr(forms, name)
    raise AttributeError(f"module 'nightlake' has no attribute {name!r}")
