"""What can go wrong, said so that a user can act on it.

NightlakeError                      base of every error a user may see
├── StoreError                      the archive itself
│   ├── NotAnArchiveError           the folder holds no archive.json
│   ├── ArchiveExistsError          `init` on a folder that is one already
│   ├── ArchiveVersionError         written by an older Nightlake, or a newer one
│   ├── UnwritableArchiveError      the folder cannot be written
│   ├── UnsettledPublicationError   published, but the disk does not say that it lasts
│   ├── ArchiveBusyError            another process ingests the same night
│   ├── ChangedMeanwhileError       another process published what this one started from
│   │   └── PartitionChangedError   … and cut the sky in other pixels
│   ├── WorkerDiedError             a worker process was killed
│   ├── UnknownNightError           nights that are not in the archive
│   ├── NothingToCompactError       no night in a period that is to be compacted
│   ├── UnknownPublicationError     a publication that is not there, or no longer
│   └── DamagedArchiveError         a published file is missing or altered
└── (ingest.errors, queries.errors, products.errors, simulate.errors add their own)

An error states what happened, where, and what to do; `str(error)` is one line. `code` is stable:
the command line and the service map codes, never words.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import ClassVar

from store.words import printable


class NightlakeError(Exception):
    """Base of every error a user may see.

    Parameters
    ----------
    what : what happened, without a full stop at its end.
    where : the file, folder, column or row it concerns.
    hint : what to do about it.
    """

    code: ClassVar[str] = "error"

    def __init__(self, what: str, *, where: str | Path = "", hint: str = "") -> None:
        # Names and values from outside may hold what a terminal would obey.
        self.what = printable(what)
        self.where = printable(str(where))
        self.hint = printable(hint)
        # One argument: an OSError among the bases would take three for errno, text and file.
        super().__init__(self.what)

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}. {self.hint}" if self.hint else line

    def __reduce__(self) -> tuple[object, ...]:
        # Subclasses build their message from facts: without this they could not cross a process.
        return (_rebuild, (type(self), self.what, self.where, self.hint))


def _rebuild(kind: type[NightlakeError], what: str, where: str, hint: str) -> NightlakeError:
    error = kind.__new__(kind)
    NightlakeError.__init__(error, what, where=where, hint=hint)
    return error


class StoreError(NightlakeError):
    """Something is wrong with the archive itself."""

    code = "store"


class NotAnArchiveError(StoreError, FileNotFoundError):
    """The folder holds no archive."""

    code = "not_an_archive"

    def __init__(self, path: Path) -> None:
        near = _archive_near(path)
        if near is not None:
            hint = f"There is one at {near}."
        elif path.exists() and any(path.iterdir() if path.is_dir() else [path]):
            hint = "The archive's folder comes first: nightlake VERB ARCHIVE …"
        else:
            hint = f"Create one with: nightlake init {path}"
        what = "not a Nightlake archive (no archive.json)" if path.exists() else "no such folder"
        super().__init__(what, where=path, hint=hint)


def _archive_near(path: Path) -> Path | None:
    """An archive that holds `path`, or lies in it."""
    folders = [*path.parents, *(path.iterdir() if path.is_dir() else ())]
    return next((folder for folder in folders if (folder / "archive.json").is_file()), None)


class ArchiveExistsError(StoreError, FileExistsError):
    """The folder is an archive already, or holds something else."""

    code = "archive_exists"

    def __init__(self, path: Path, what: str = "is a Nightlake archive already") -> None:
        super().__init__(what, where=path, hint="Choose a new or empty folder.")


class ArchiveVersionError(StoreError, ValueError):
    """The archive was written by another format version."""

    code = "archive_version"

    def __init__(self, path: Path, found: object, known: int) -> None:
        older = isinstance(found, int) and found < known
        hint = f"Run: nightlake migrate {path}" if older else "Use the Nightlake that wrote it."
        what = f"archive format {found} is not that of this Nightlake ({known})"
        super().__init__(what, where=path, hint=hint)


class UnwritableArchiveError(StoreError, PermissionError):
    """The archive's folder cannot be written."""

    code = "unwritable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"cannot write ({reason})",
            where=path,
            hint="Check its permissions, free space and mount.",
        )


class UnsettledPublicationError(StoreError, OSError):
    """A publication is current, but the disk did not say that it outlives a loss of power."""

    code = "unsettled"

    def __init__(self, path: Path, number: int, reason: str) -> None:
        super().__init__(
            f"publication {number} is current, but may not outlive a loss of power ({reason})",
            where=path,
            hint="Check the disk, then run the command again: it settles what is published.",
        )


class ArchiveBusyError(StoreError, BlockingIOError):
    """Another process holds what this one needs."""

    code = "busy"

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"another process is writing {what}",
            where=path,
            hint="Wait for it to end and run the command again.",
        )


class ChangedMeanwhileError(StoreError, BlockingIOError):
    """Another process has published a change of what this one started from."""

    code = "changed_meanwhile"

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{what} meanwhile, by another process",
            where=path,
            hint="Run the command again: nothing was published.",
        )


class PartitionChangedError(ChangedMeanwhileError):
    """Another process has cut the sky in other pixels: these files would lie in none."""

    code = "partition_changed"


class WorkerDiedError(StoreError, ChildProcessError):
    """A worker process ended without an answer."""

    code = "worker_died"

    def __init__(self) -> None:
        super().__init__(
            "a worker process was killed (out of memory?); nothing of this was published",
            hint="Run the command again; --workers 1 needs less memory.",
        )


class UnknownNightError(StoreError, LookupError):
    """Nights that the archive does not hold."""

    code = "unknown_night"

    def __init__(self, path: Path, *nights: str) -> None:
        which, verb = ("nights", "are") if len(nights) > 1 else ("night", "is")
        super().__init__(
            f"{which} {', '.join(nights)} {verb} not in the archive",
            where=path,
            hint=f"List what is there with: nightlake nights {path}",
        )


class NothingToCompactError(StoreError, LookupError):
    """No night lies between the two that are named."""

    code = "nothing_to_compact"

    def __init__(self, path: Path, first: date | None, last: date | None) -> None:
        bounds = [f"from {first}"] * (first is not None) + [f"to {last}"] * (last is not None)
        super().__init__(
            " ".join(["no night is published", *bounds]),
            where=path,
            hint=f"List what is there with: nightlake nights {path}",
        )


class UnknownPublicationError(StoreError, LookupError):
    """A publication that is not there: not made yet, or vacuumed."""

    code = "unknown_publication"


class DamagedArchiveError(StoreError, OSError):
    """A published file is missing or is not what was published."""

    code = "damaged"
