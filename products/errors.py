"""What can go wrong when an answer is written or drawn, or catalogues are matched.

store.errors.NightlakeError
└── ProductError                  base
    ├── UnwritableOutputError     the output file cannot be written
    ├── UnknownFormatError        no such format, or none that the file's name tells
    ├── NoTimesError              rows without a time are no time series
    ├── NothingToDrawError        no point has both coordinates
    ├── NoPeriodError             too few points, or too many periods, to look for one
    ├── UnknownChannelError       a field, filter, CCD and quadrant that the archive has not
    ├── StaleChannelError         its images were matched to a reference that was replaced
    ├── EmptyArchiveError         no night to report on
    ├── UnknownReportNightError   no such night to report on
    ├── NothingToExportError      there is no row
    └── CatalogueError            a catalogue to be matched
        ├── UnknownCatalogueError     no such file, or no format that is known
        ├── UnreadableCatalogueError  it cannot be read
        ├── MissingColumnError        a column is not there
        └── BadColumnError            a column holds something else
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from store.errors import NightlakeError

_MOST_NAMES = 12


class ProductError(NightlakeError):
    """Something is wrong with an output."""

    code = "product"


class UnwritableOutputError(ProductError, PermissionError):
    """The output file cannot be written."""

    code = "unwritable_output"

    def __init__(
        self, path: Path, reason: str, hint: str = "Choose a file in a folder of your own."
    ) -> None:
        super().__init__(f"cannot write ({reason})", where=path, hint=hint)


class UnknownFormatError(ProductError, ValueError):
    """No such format, or none that the file's name tells."""

    code = "unknown_format"

    def __init__(self, what: str, where: str | Path, known: Iterable[str]) -> None:
        super().__init__(what, where=where, hint=f"Choose among {', '.join(known)}.")


class NoTimesError(ProductError, ValueError):
    """Rows without a time are no time series."""

    code = "no_times"

    def __init__(self, what: str) -> None:
        super().__init__(what, hint="Drop rows without hmjd: frame.drop_nulls('hmjd').")


class NothingToDrawError(ProductError, ValueError):
    """There is nothing that could be drawn."""

    code = "nothing_to_draw"

    def __init__(self, what: str) -> None:
        super().__init__(f"no picture is drawn: {what}", hint="Ask for another place or night.")


class NoPeriodError(ProductError, ValueError):
    """No period can be looked for."""

    code = "no_period"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"no period is looked for: {what}", hint="Take more points, or other periods."
        )


class NothingToExportError(ProductError, LookupError):
    """There is no row that would be exported."""

    code = "nothing_to_export"

    def __init__(self, root: Path, what: str, hint: str) -> None:
        super().__init__(f"nothing is exported: {what}", where=root, hint=hint)


class EmptyArchiveError(ProductError, LookupError):
    """The archive holds no night to report on."""

    code = "empty_archive"

    def __init__(self, root: Path) -> None:
        super().__init__(
            "the archive holds no night yet",
            where=root,
            hint="Publish one with: nightlake ingest ARCHIVE FOLDER",
        )


class UnknownReportNightError(ProductError, LookupError):
    """A night of which nothing was published, and nothing refused."""

    code = "unknown_night"

    def __init__(self, root: Path, night: date, known: Sequence[date]) -> None:
        # The nights nearest to it, in order: there may be thousands.
        near = sorted(sorted(known, key=lambda one: abs((one - night).days))[:_MOST_NAMES])
        listed = ", ".join(map(str, near)) + (" …" if len(known) > len(near) else "")
        super().__init__(
            f"night {night} is not in the archive", where=root, hint=f"There are {listed}."
        )


class CatalogueError(ProductError):
    """Something is wrong with a catalogue that is to be matched."""

    code = "catalogue"


class UnknownCatalogueError(CatalogueError, FileNotFoundError):
    """No such file, or no format that is known."""

    code = "unknown_catalogue"

    def __init__(self, path: Path, what: str, hint: str = "") -> None:
        known = "Give .parquet, .fits, .csv, a folder of Parquet files, or a HATS catalogue."
        super().__init__(what, where=path, hint=hint or known)


class UnreadableCatalogueError(CatalogueError, OSError):
    """The catalogue cannot be read."""

    code = "unreadable_catalogue"

    def __init__(self, path: Path, reason: str, hint: str = "") -> None:
        what = " ".join(reason.split()).rstrip(".")
        super().__init__(what, where=path, hint=hint or "Check that the file is whole.")


class MissingColumnError(CatalogueError, KeyError):
    """A column is not there."""

    code = "missing_column"

    def __init__(self, name: str, where: Path, found: Iterable[str], option: str) -> None:
        there = list(found)
        listed = ", ".join(there[:_MOST_NAMES]) + (" …" if len(there) > _MOST_NAMES else "")
        super().__init__(
            f"column {name!r} is missing" + (f" (found: {listed})" if there else ""),
            where=where,
            hint=f"Name the column with {option}.",
        )


class BadColumnError(CatalogueError, ValueError):
    """A column holds something else than it should."""

    code = "bad_column"

    def __init__(self, what: str, where: Path, hint: str) -> None:
        super().__init__(what, where=where, hint=hint)


class UnknownChannelError(ProductError, LookupError):
    """A field, filter, CCD and quadrant that the archive has not."""

    code = "unknown_channel"

    def __init__(self, root: Path, what: str, hint: str) -> None:
        super().__init__(what, where=root, hint=hint)


class StaleChannelError(ProductError, ValueError):
    """Images whose ids are of another reference catalogue than the one that stands."""

    code = "stale_channel"

    def __init__(self, root: Path, part: str, images: int) -> None:
        super().__init__(
            f"{images} images of {part} were matched to another reference catalogue, or to none",
            where=root,
            hint=f"Match them first: nightlake rematch {root}",
        )
