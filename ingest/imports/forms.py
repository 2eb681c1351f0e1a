"""Which form a file of light curves is of, told by its content, never by its name."""

from __future__ import annotations

from pathlib import Path

from ingest.imports.api_csv import ApiCsv
from ingest.imports.curves import Reader
from ingest.imports.dr_parquet import DrParquet
from ingest.imports.errors import UnknownImport
from store.atomic import open_regular

_PARQUET = b"PAR1"
_HEAD_BYTES = 4096


def open_lightcurves(path: Path) -> Reader:
    """The reader of a file of light curves.

    Raises
    ------
    ingest.imports.errors.RefusedImport : it is of no form that is known.
    OSError : it cannot be read.
    """
    with open_regular(path) as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(_PARQUET):
        return DrParquet(path)
    if not head:
        raise UnknownImport(path, "is empty", "Fetch the file again.")
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff").lstrip()
    line = text.split("\n", 1)[0].strip()
    if "oid" in line.split(","):
        return ApiCsv(path)
    if text.startswith("<"):
        kind = "HTML" if "<html" in text.lower() else "XML or VOTable"
        raise UnknownImport(path, f"is {kind}, not a light curve as CSV or Parquet")
    if text.startswith(("\\", "|")):
        raise UnknownImport(path, "is an IPAC table, not a light curve as CSV or Parquet")
    if "," in line and line.isprintable():
        raise UnknownImport(path, f"is CSV of something else (it begins: {line[:60]})")
    raise UnknownImport(path, "is neither Parquet nor CSV")
