"""PSF catalogues as FITS files: the survey's 13 columns, 58 bytes a row, big-endian."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from simulate.cards import BLOCK_BYTES, Card, block, cards
from simulate.errors import UnwritableTargetError

# name, FITS format, numpy format, unit
COLUMNS = (
    ("sourceid", "1J", ">i4", ""),
    ("xpos", "1E", ">f4", "pix"),
    ("ypos", "1E", ">f4", "pix"),
    ("ra", "1D", ">f8", "deg"),
    ("dec", "1D", ">f8", "deg"),
    ("flux", "1E", ">f4", "DN"),
    ("sigflux", "1E", ">f4", "DN"),
    ("mag", "1E", ">f4", "mag"),
    ("sigmag", "1E", ">f4", "mag"),
    ("snr", "1E", ">f4", ""),
    ("chi", "1E", ">f4", ""),
    ("sharp", "1E", ">f4", ""),
    ("flags", "1I", ">i2", ""),
)
ROW = np.dtype([(name, dtype) for name, _, dtype, _ in COLUMNS])


def write_catalogue(
    path: Path, primary: list[str], rows: npt.NDArray[np.void], *, flags: bool = True
) -> None:
    """Write a PSF catalogue.

    Parameters
    ----------
    path : of the new file; an older one of that name is replaced.
    primary : cards of HDU 0 after the four structural ones.
    rows : structured array (n,) of dtype ROW.
    flags : keep the column `flags`.
    """
    columns = COLUMNS if flags else COLUMNS[:-1]
    if not flags:
        shorter = np.empty(len(rows), [(name, dtype) for name, _, dtype, _ in columns])
        for name, *_ in columns:
            shorter[name] = rows[name]
        rows = shorter
    raw = rows.tobytes()
    structure = cards(
        [
            ("SIMPLE", True, "file does conform to FITS standard"),
            ("BITPIX", 16, "number of bits per data pixel"),
            ("NAXIS", 0, "number of data axes"),
            ("EXTEND", True, "FITS dataset may contain extensions"),
        ]
    )
    table = [
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "8-bit bytes"),
        ("NAXIS", 2, "2-dimensional binary table"),
        ("NAXIS1", rows.dtype.itemsize, "width of table in bytes"),
        ("NAXIS2", len(rows), "number of rows in table"),
        ("PCOUNT", 0, "size of special data area"),
        ("GCOUNT", 1, "one data group (required keyword)"),
        ("TFIELDS", len(columns), "number of fields in each row"),
        *_column_cards(columns),
        ("EXTNAME", "PSF_CATALOG", "name of this binary table extension"),
    ]
    write_bytes(
        path,
        block(structure + primary), block(cards(table)), raw, b"\0" * (-len(raw) % BLOCK_BYTES),
    )  # fmt: skip


def _column_cards(columns: tuple[tuple[str, str, str, str], ...]) -> list[Card]:
    rows: list[Card] = []
    for number, (name, form, _, unit) in enumerate(columns, 1):
        rows.append((f"TTYPE{number}", name, f"label for field {number:>3}"))
        rows.append((f"TFORM{number}", form, "data format of field"))
        if unit:
            rows.append((f"TUNIT{number}", unit, "physical unit of field"))
    return rows


def write_bytes(path: Path, *parts: bytes) -> None:
    """Write a file under a hidden name, then give it its own: no half file is ever seen.

    Raises
    ------
    UnwritableTargetError : the folder cannot be written.
    """
    hidden = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with hidden.open("wb") as file:
            file.writelines(parts)
        hidden.replace(path)
    except OSError as error:
        raise UnwritableTargetError(path, error.strerror or type(error).__name__) from error
