"""A FITS binary table straight from the file's bytes.

Why not astropy: `Table.read` takes 230–380 ns a row of a PSF catalogue, of which a night has
5e8 to 1e9; the columns are a stride and a byte swap away, which costs 15–30. The file is read
once, through a small buffer, for the columns and for its checksum.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from ingest.blocks import FitsBytes, count_in, data_bytes, open_bytes, padded
from ingest.cards import Header
from ingest.errors import TruncatedFile, WrongColumns

MAX_FIELDS = 999  # standard, section 7.3.1
MAX_NAME = 68  # characters that a card has room for
# A file may be as large as it says and hold nothing: what it says must be possible too.
MAX_ROWS = 3072 * 3080  # as many sources as a quadrant has pixels
MAX_ROW_BYTES = 1 << 20  # a psfcat's take 58
MAX_FILE_BYTES = 1 << 32  # all of it is read, for its checksum
BUFFER_BYTES = 480_000  # stays in the processor's cache: a row is fetched once, not once a column

# Code of TFORM: bytes an element takes (standard, table 18).
WIDTHS = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "A": 1, "E": 4, "D": 8, "C": 8, "M": 16}
WIDTHS |= {"P": 8, "Q": 16}
# Codes that are numbers, as numpy spells them.
NUMBERS = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_TFORM = re.compile(r" *([0-9]{0,9})([LXBIJKAEDCMPQ])")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a binary table: where its bytes are in a row and how they become values."""

    name: str
    code: str
    repeat: int
    offset: int
    scale: float = 1
    zero: float = 0
    null: int | None = None

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """How its numbers are stored; None if it does not hold one number a row."""
        number = self.repeat == 1 and self.code in NUMBERS
        return np.dtype(NUMBERS[self.code]) if number else None


@dataclass(frozen=True, slots=True)
class BinaryTable:
    """A binary table of an open file, its rows not yet read.

    Attributes
    ----------
    header, table_header : of HDU0 and of the table.
    fields : in the file's order.
    start : of the first row in the file.
    """

    path: Path
    header: Header
    table_header: Header
    fields: tuple[Field, ...]
    n_rows: int
    row_bytes: int
    start: int
    file: FitsBytes

    @property
    def names(self) -> list[str]:
        """Field names as the file spells them."""
        return [field.name for field in self.fields]

    def find(self, name: str) -> Field | None:
        """The field of that name (lower case), whatever its case; None if there is none.

        Raises
        ------
        WrongColumns : the name stands twice, or the field does not hold one number a row.
        """
        found = [field for field in self.fields if field.name.lower() == name]
        if not found:
            return None
        field = found[0]
        if len(found) > 1:
            raise WrongColumns(self.path, f"column '{name}' stands twice", self.names)
        if field.dtype is None:
            what = f"column '{field.name}' is {field.repeat}{field.code}, not one number a row"
            raise WrongColumns(self.path, what, self.names)
        return field

    def read(
        self, wanted: Mapping[Field, np.dtype[Any]]
    ) -> tuple[dict[Field, npt.NDArray[Any]], str]:
        """Stored numbers of the `wanted` fields, cast to the given types; TSCAL is not applied.

        Returns
        -------
        contiguous native columns (n_rows,), and the xxh3-128 of all the file's bytes, hexadecimal.
        """
        block_rows = max(1, min(self.n_rows, BUFFER_BYTES // max(self.row_bytes, 1)))
        buffer = bytearray(block_rows * self.row_bytes)
        columns = {field: np.empty(self.n_rows, dtype) for field, dtype in wanted.items()}
        pairs = [
            (column, np.ndarray(block_rows, field.dtype, buffer, field.offset, (self.row_bytes,)))
            for field, column in columns.items()
        ]
        digest = xxhash.xxh3_128()
        row = 0
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is inf
            size = self.n_rows * self.row_bytes
            for filled in self.file.blocks(self.start, size, buffer, digest):
                count = filled // self.row_bytes
                for column, stored in pairs:
                    column[row : row + count] = stored[:count]
                row += count
        return columns, digest.hexdigest()


@contextmanager
def open_table(path: Path, extname: str = "PSF_CATALOG") -> Iterator[BinaryTable]:
    """The binary table named `extname`, else the widest one of the file.

    Raises
    ------
    TruncatedFile : no FITS, a header that makes no sense, or rows missing at the end.
    WrongColumns : no binary table, or its fields do not add up to its row.
    UnreadableFile : the operating system refuses, or it is a folder, pipe or device.
    """
    with open_bytes(path) as file:
        header, end = file.header_at(0)
        if file.size > MAX_FILE_BYTES:
            raise TruncatedFile(path, f"has {file.size} bytes, too many for a catalogue")
        position = end + padded(data_bytes(path, header))
        best: tuple[int, Header, int] | None = None
        while position < file.size and file.starts_with(b"XTENSION", position):
            extension, start = file.header_at(position)
            position = start + padded(data_bytes(path, extension))
            if extension.get("XTENSION") == "BINTABLE":
                if "EXTNAME" in extension.unreadable:
                    raise TruncatedFile(path, "EXTNAME is damaged: which table is which?")
                width = count_in(path, extension, "TFIELDS", MAX_FIELDS)
                named = str(extension.get("EXTNAME", "")).upper() == extname.upper()
                if named or best is None or width > best[0]:
                    best = (width, extension, start)
                if named:
                    break
        if best is None:
            if position > file.size:
                raise TruncatedFile(path, f"ends after {file.size} bytes, before its table")
            raise WrongColumns(path, "has no binary table", [])
        yield _table(file, header, best[1], best[2])


def _table(file: FitsBytes, header: Header, table: Header, start: int) -> BinaryTable:
    path = file.path
    if table.get("BITPIX") != 8 or table.get("NAXIS") != 2 or table.get("GCOUNT") != 1:
        raise TruncatedFile(path, "the table's BITPIX, NAXIS or GCOUNT is not 8, 2, 1")
    count_in(path, table, "PCOUNT")
    row_bytes = count_in(path, table, "NAXIS1", MAX_ROW_BYTES)
    n_rows = count_in(path, table, "NAXIS2", MAX_ROWS)
    fields = _fields(path, table, row_bytes)
    present = max(0, file.size - start) // max(row_bytes, 1)
    if n_rows > present:
        raise TruncatedFile(path, f"only {present} of {n_rows} rows are there")
    if start + data_bytes(path, table) > file.size:
        raise TruncatedFile(path, "the bytes behind its rows (PCOUNT) are not all there")
    return BinaryTable(path, header, table, fields, n_rows, row_bytes, start, file)


def _fields(path: Path, table: Header, row_bytes: int) -> tuple[Field, ...]:
    count = count_in(path, table, "TFIELDS", MAX_FIELDS)
    said = [table.get(f"TTYPE{i}", "") for i in range(1, count + 1)]
    names = [name if isinstance(name, str) else "" for name in said]
    for i, name in enumerate(names, 1):
        if not 0 < len(name) <= MAX_NAME:
            # A column whose name is lost must not pass for one that the file never had.
            raise WrongColumns(path, f"TTYPE{i} names no column", names)
    fields, offset = [], 0
    for i, name in enumerate(names, 1):
        match = _TFORM.match(str(table.get(f"TFORM{i}", "")))
        scale, zero = _number(table, f"TSCAL{i}", 1), _number(table, f"TZERO{i}", 0)
        null = table.get(f"TNULL{i}")
        if match is None or scale is None or zero is None or f"TNULL{i}" in table.unreadable:
            what = f"TFORM, TSCAL, TZERO or TNULL of column '{name}' makes no sense"
            raise WrongColumns(path, what, names)
        repeat, code = int(match[1] or 1), match[2]
        null = null if isinstance(null, int) and code in "BIJK" else None
        fields.append(Field(name, code, repeat, offset, scale, zero, null))
        offset += -(-repeat // 8) if code == "X" else repeat * WIDTHS[code]
    if offset != row_bytes:
        what = f"columns take {offset} bytes, a row has {row_bytes}"
        raise WrongColumns(path, what, names)
    return tuple(fields)


def _number(header: Header, keyword: str, default: float) -> float | None:
    value = header.get(keyword, None if keyword in header.unreadable else default)
    finite = isinstance(value, int | float) and math.isfinite(value)
    return value if finite and isinstance(value, int | float) else None
