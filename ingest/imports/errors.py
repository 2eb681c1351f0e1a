"""Why a file is not imported, each with what is wrong, where, and what to do.

ingest.errors.RefusedInput
└── RefusedImport             the whole file; the other files go on
    ├── UnknownImport         neither form of light curves
    ├── ForeignColumns        columns that are missing or of another kind
    ├── DamagedImport         it ends too soon, or cannot be decoded
    ├── EmptyImport           it holds no light curve
    ├── BadValues             a value is missing, not finite, or out of range
    ├── UnequalLists          a curve's lists are not of one length
    ├── RepeatedCurves        a curve is there already, or twice
    └── RepeatedChannel       a matchfile of the same quadrant is there already

ingest.errors.IngestError
├── UnknownImportError        what is to be removed is not there
└── BadCollectionError        a name that no collection can have
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ingest.errors import IngestError, RefusedInput

_MOST_NAMES = 8
FETCH_AGAIN = "Fetch the file again."


class RefusedImport(RefusedInput):
    """A file of light curves is refused as a whole."""

    code = "import"


class UnknownImport(RefusedImport):
    """Neither of the forms that are known."""

    code = "not_light_curves"

    def __init__(self, path: Path, what: str, hint: str = "") -> None:
        known = (
            "Give light curves of a public data release (Parquet), or the light-curve "
            "API's answer as CSV (FORMAT=CSV)."
        )
        super().__init__(what, where=path.name, hint=hint or known)


class ForeignColumns(RefusedImport):
    """Columns are missing, or hold another kind of thing."""

    code = "foreign_columns"

    def __init__(self, path: Path, form: str, what: str, found: Iterable[str] = ()) -> None:
        names = list(found)
        listed = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
        super().__init__(
            f"read as {form}: {what}" + (f" (found: {listed})" if names else ""),
            where=path.name,
            hint=f"Give the file as it was published: {form}.",
        )


class DamagedImport(RefusedImport):
    """The file ends too soon, or cannot be decoded."""

    code = "damaged_import"

    def __init__(self, path: Path, form: str, what: str) -> None:
        said = " ".join(what.split()).rstrip(".")
        super().__init__(f"read as {form}: {said}", where=path.name, hint=FETCH_AGAIN)


class EmptyImport(RefusedImport):
    """The file holds no light curve."""

    code = "no_light_curves"

    def __init__(self, path: Path, form: str) -> None:
        super().__init__(
            f"{form} without a row",
            where=path.name,
            hint="Nothing is lost by leaving it out: whoever asked found no object.",
        )


class BadValues(RefusedImport):
    """A value is missing, not finite, or out of range."""

    code = "bad_values"

    def __init__(self, path: Path, column: str, what: str, place: str, n: int) -> None:
        more = f", and {n - 1} more" if n > 1 else ""
        super().__init__(
            f"column {column}: {what} in {place}{more}",
            where=path.name,
            hint="Fetch the file again, or take the row out of a copy of it.",
        )


class UnequalLists(RefusedImport):
    """The lists of one curve are not of one length."""

    code = "unequal_lists"

    def __init__(self, path: Path, column: str, found: int, wanted: int, row: int) -> None:
        super().__init__(
            f"column {column}: {found} epochs in row {row}, where there should be {wanted}",
            where=path.name,
            hint=FETCH_AGAIN,
        )


class RepeatedCurves(RefusedImport):
    """A curve is in the collection already, from another file, or twice in one file."""

    code = "repeated_curves"

    def __init__(self, path: Path, n: int, oid: int, other: str, collection: str) -> None:
        super().__init__(
            f"{n} of its curves {'are' if n > 1 else 'is'} in {other} too, object {oid} first",
            where=path.name,
            hint=f"Import it as another collection (--collection), or take {other} out of "
            f"{collection} first (--remove).",
        )


class RepeatedChannel(RefusedImport):
    """Another matchfile of the collection is of the same field, filter, CCD and quadrant."""

    code = "repeated_channel"

    def __init__(self, path: Path, part: str, other: str, collection: str) -> None:
        super().__init__(
            f"is of {part}, as is {other}",
            where=path.name,
            hint=f"Import it as another collection (--collection), or take {other} out of "
            f"{collection} first (--remove).",
        )


class UnknownImportError(IngestError, LookupError):
    """What is to be removed is not there."""

    code = "unknown_import"

    def __init__(self, root: Path, what: str) -> None:
        super().__init__(
            what,
            where=root,
            hint=f'List what is there with: nightlake sql {root} "select * from imports"',
        )


class BadCollectionError(IngestError, ValueError):
    """A name that no collection can have."""

    code = "bad_collection"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is no name of a collection",
            hint="Write a lower-case letter, then letters, digits and _; at most 64, as dr19.",
        )
