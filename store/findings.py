"""What `verify` finds: a fault, where it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from store.files import GIVE_PERIOD_AGAIN
from store.layout import LIGHTCURVE_TABLES
from store.periods import Period
from store.words import printable

REPAIR = "Make the links anew with: nightlake repair ARCHIVE."
AGAIN = "Give its whole night again: nightlake ingest ARCHIVE PATH --rebuild."
IMPORT = "Give its file again: nightlake import ARCHIVE lightcurves FILE."
MATCHFILE = "Give its file again: nightlake import ARCHIVE matchfile FILE."
BUILD = "Build them again: nightlake build ARCHIVE lightcurves --rebuild."
BACKUP = "Restore the file from a backup."


def remedy_of(table: str, part: str) -> str:
    """What to do about a damaged file."""
    if table in LIGHTCURVE_TABLES:
        return BUILD
    if table.startswith("reference"):
        return BACKUP
    if table.startswith("import"):
        return IMPORT
    if table.startswith("matchfile"):
        return MATCHFILE
    return AGAIN if Period.named(part) is None else GIVE_PERIOD_AGAIN


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: what is wrong, where, and the remedy. `code` is stable, for programs."""

    code: str
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.what}. {self.remedy}")
