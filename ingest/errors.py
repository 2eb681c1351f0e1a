"""Why an input is refused, each with what is wrong, where, and what to do.

store.errors.NightlakeError
└── IngestError                   base; `code` is what `refusals.code` shows
    ├── NothingToIngestError      no catalogue where one was looked for
    ├── ClusterError              a Dask cluster cannot be used
    ├── MetadataTableError        the metadata table that was given cannot be used
    ├── PriorError                the priors that were given cannot be used
    └── RefusedInput              one file (or some of its rows) is refused, the rest goes on
        ├── TruncatedFile         fewer bytes than its header promises, or no FITS at all
        ├── WrongColumns          not a PSF catalogue: columns missing or of the wrong kind
        ├── EmptyCatalogue        a catalogue without rows
        ├── BadCoordinates        rows whose ra or dec is NaN or out of range
        ├── NoRowsLeft            not one row has a place on the sky
        ├── ImpossibleDate        obsmjd missing or outside the survey's age
        ├── UnknownFilter         filter not g, r or i
        ├── IncompleteMetadata    no one knows a value that must be known
        ├── ContradictoryMetadata two sources say different things of what must be certain
        ├── DuplicateImage        the image stands twice in one ingest, with other bytes
        ├── InOtherNight          the image is published in another night
        ├── BadSourceIds          sourceids that are negative, repeated, or too long for an oid
        ├── UnreadableFile        the operating system refuses to read it
        └── UnusableInput         anything else that goes wrong with one file
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import ClassVar

from store.errors import NightlakeError


class IngestError(NightlakeError):
    """Something went wrong on the way from files to the store."""

    code = "ingest"


class NothingToIngestError(IngestError, FileNotFoundError):
    """No catalogue was found where one was looked for."""

    code = "no_catalogues"

    def __init__(self, where: str | Path, wanted: str, what: str | None = None) -> None:
        super().__init__(
            what or f"no {wanted} here",
            where=where,
            hint=f"Give folders or files that hold ZTF catalogues named ztf_*_{wanted}.fits.",
        )


class MetadataTableError(IngestError, ValueError):
    """The metadata table that was given cannot be used."""

    code = "metadata_table"

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            what,
            where=path,
            hint="Give the archive's metadata of science images as CSV or Parquet, with columns "
            "expid or filefracday, and rcid or ccdid and qid.",
        )


class PriorError(IngestError, ValueError):
    """Priors of the scale check that were given cannot be used."""

    code = "prior"

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            what,
            where=path,
            hint="Give a folder of headers (.hdr, .head, .fits) of good solutions, each of a "
            "whole quadrant that its keywords or its name tell, as zr_c07_q4.head.",
        )


class ClusterError(IngestError, ConnectionError):
    """A Dask cluster cannot be used."""

    code = "cluster"

    def __init__(self, what: str, address: str, hint: str) -> None:
        super().__init__(what, where=address, hint=hint)


class RefusedInput(IngestError, ValueError):  # noqa: N818 - a verdict about an input, not a failure
    """One input, or some of its rows, is refused; the rest of the night goes on.

    Facts for the record: `n_rows` refused and the `first_row` of them (None: the whole file).
    """

    code: ClassVar[str] = "refused"
    n_rows: int | None = None
    first_row: int | None = None


class TruncatedFile(RefusedInput):
    """Fewer bytes than the header promises, or no FITS at all."""

    code = "truncated"

    def __init__(self, path: Path, what: str, hint: str = "Fetch the file again.") -> None:
        super().__init__(what, where=path.name, hint=hint)


class WrongColumns(RefusedInput):
    """Not a PSF catalogue: columns are missing or of the wrong kind."""

    code = "wrong_columns"

    def __init__(self, path: Path, what: str, found: list[str]) -> None:
        hint = (
            "This is a SExtractor catalogue: give the psfcat of the same image."
            if any(name.upper() in {"ALPHAWIN_J2000", "XWIN_IMAGE", "MAG_AUTO"} for name in found)
            else "Give a psfcat (HDU 1 is the table PSF_CATALOG)."
        )
        listed = ", ".join(found[:8]) + (", …" if len(found) > 8 else "")
        super().__init__(f"{what} (found: {listed or 'none'})", where=path.name, hint=hint)


class EmptyCatalogue(RefusedInput):
    """A catalogue without rows."""

    code = "empty"

    def __init__(self, path: Path) -> None:
        super().__init__(
            "table PSF_CATALOG has no rows",
            where=path.name,
            hint="Nothing is lost by leaving it out; if the image had sources, fetch it again.",
        )


class BadCoordinates(RefusedInput):
    """Rows whose ra or dec is NaN or out of range: they have no place on the sky."""

    code = "bad_coordinates"

    def __init__(self, path: Path, n_rows: int, first_row: int, n_total: int) -> None:
        super().__init__(
            f"columns ra, dec: {n_rows} of {n_total} rows are NaN or out of range, "
            f"the first is row {first_row}",
            where=path.name,
            hint="The other rows are published; measure the image again to have these.",
        )
        self.n_rows, self.first_row = n_rows, first_row


class NoRowsLeft(RefusedInput):
    """Not one row has a place on the sky: what may be published of the image is kept."""

    code = "no_rows_left"

    def __init__(self, path: Path, n_rows: int) -> None:
        super().__init__(
            f"columns ra, dec: all {n_rows} rows are NaN or out of range",
            where=path.name,
            hint="Fetch the file again, or measure the image again.",
        )


class ImpossibleDate(RefusedInput):
    """The exposure's date is missing or cannot be true."""

    code = "impossible_date"

    def __init__(self, path: Path, value: object) -> None:
        super().__init__(
            f"OBSMJD is {value}, no date this survey can have",
            where=path.name,
            hint="Correct the header, or give the image's row in a metadata table (--metadata).",
        )


class UnknownFilter(RefusedInput):
    """The filter is none of g, r, i."""

    code = "unknown_filter"

    def __init__(self, path: Path, value: object) -> None:
        super().__init__(
            f"filter {value} is not 1 (zg), 2 (zr) or 3 (zi)",
            where=path.name,
            hint="Correct FILTERID in the header.",
        )


class IncompleteMetadata(RefusedInput):
    """No one knows a value without which the image cannot be identified."""

    code = "incomplete_metadata"

    def __init__(self, path: Path, missing: list[str]) -> None:
        super().__init__(
            f"no value for {', '.join(missing)} in header, science header, metadata table or name",
            where=path.name,
            hint="Keep the archive's file name, put the science-image header beside it, "
            "or give --metadata FILE.",
        )


class ContradictoryMetadata(RefusedInput):
    """Two sources disagree on a value that says which image this is."""

    code = "contradictory_metadata"

    def __init__(self, path: Path, name: str, said: list[tuple[object, str]]) -> None:
        super().__init__(
            f"{name} is " + ", but ".join(f"{value} in its {source}" for value, source in said),
            where=path.name,
            hint="Correct or remove the wrong one, or fetch the files again.",
        )


class DuplicateImage(RefusedInput):
    """The same image, or reference image, twice in one ingest, with different bytes."""

    code = "duplicate_image"

    def __init__(self, path: Path, image: str, first: str) -> None:
        super().__init__(
            f"{image} was already given as {first}, with other bytes",
            where=path.name,
            hint="Give each image once; none of the two was taken.",
        )


class InOtherNight(RefusedInput):
    """The image is published in another night: its start was moved across midnight."""

    code = "other_night"

    def __init__(self, path: Path, pid: int, published: date, night: date) -> None:
        super().__init__(
            f"image {pid} is published in night {published}, but here it is of {night}",
            where=path.name,
            hint=f"Correct OBSMJD; or take it out of {published} first, by withdraw or by "
            "ingest --exact.",
        )


class UnreadableFile(RefusedInput):
    """The operating system refuses to read the file."""

    code = "unreadable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"cannot be read ({reason})", where=path.name, hint="Check its permissions."
        )


class BadSourceIds(RefusedInput):
    """Sourceids that do not tell the rows apart, or that no object id has room for."""

    code = "bad_source_ids"

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"column sourceid: {what}",
            where=path.name,
            hint="Number the sources from 0, or leave the column out: rows are numbered then.",
        )


class UnusableInput(RefusedInput):
    """Something that nobody foresaw went wrong with one input."""

    code = "unusable"

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(
            f"cannot be used ({type(error).__name__}: {error})",
            where=path.name,
            hint="Fetch the file again; if that does not help, report this with the file.",
        )


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Read and compute with one input: whatever is wrong with it refuses it, and ends no more.

    Nothing may be written in here: a full disk is not the input's fault.

    Raises
    ------
    UnreadableFile : in place of the operating system's errors.
    UnusableInput : in place of errors that values cause. Nightlake's own errors pass.
    """
    try:
        yield
    except NightlakeError:
        raise
    except OSError as error:
        raise UnreadableFile(path, error.strerror or type(error).__name__) from error
    except (ValueError, ArithmeticError, LookupError, TypeError) as error:
        raise UnusableInput(path, error) from error
