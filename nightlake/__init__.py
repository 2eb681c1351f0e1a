"""Nightlake: nights of PSF photometry as light curves and SQL.

from nightlake import Archive

with Archive("/data/archive") as archive:
    curve = archive.lightcurve(oid=633207400012345)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightlake.archive import Archive
    from store.errors import NightlakeError

__all__ = ["Archive", "NightlakeError"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `nightlake --help` needs no DuckDB."""
    if name == "Archive":
        from nightlake.archive import Archive

        return Archive
    if name == "NightlakeError":
        from store.errors import NightlakeError

        return NightlakeError
    raise AttributeError(f"module 'nightlake' has no attribute {name!r}")
