"""A FITS binary table straight from the file's bytes.

Why not astropy: `Table.read` takes 300 ns a row of a PSF catalogue and `astropy.io.fits` 210,
of which a night has 5e8 to 1e9; the columns are a stride and a byte swap away, which costs 30.
The file is read once, for the columns and for its checksum.
"""

from __future__ import annotations

import math
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from ingest.cards import CARD_BYTES, END_CARD, Header, parse_card_lines, parse_cards
from ingest.errors import TruncatedFile, UnreadableFile, WrongColumns

__all__ = [
    "BinaryTable",
    "Field",
    "Header",
    "parse_card_lines",
    "parse_cards",
    "read_bytes",
    "read_first_headers",
    "read_primary_and_table",
]

BLOCK_BYTES = 2880  # FITS standard 4.0, section 3.1
FIRST_READ_BYTES = 4 * BLOCK_BYTES  # a psfcat's HDU0 takes three blocks
MAX_AXES = 999  # standard, section 4.4.1; also the most fields of a table
ELEMENT_BITS = (8, 16, 32, 64, -32, -64)

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


@dataclass(frozen=True, slots=True)
class BinaryTable:
    """A binary table in memory, its columns not yet taken out.

    Attributes
    ----------
    header, table_header : of HDU0 and of the table.
    fields : in the file's order.
    checksum : xxh3-128 of all the file's bytes, hexadecimal.
    """

    path: Path
    header: Header
    table_header: Header
    fields: tuple[Field, ...]
    n_rows: int
    row_bytes: int
    start: int
    data: bytes
    checksum: str

    @property
    def names(self) -> list[str]:
        """Field names as the file spells them."""
        return [field.name for field in self.fields]

    def find(self, name: str) -> Field | None:
        """The field of that name, whatever its case; None if there is none.

        Raises
        ------
        WrongColumns : the name stands twice.
        """
        found = [field for field in self.fields if field.name.lower() == name]
        if len(found) > 1:
            raise WrongColumns(self.path, f"column '{name}' stands twice", self.names)
        return found[0] if found else None

    def column(self, field: Field) -> npt.NDArray[np.generic]:
        """The field's stored numbers (n_rows,): big-endian, strided, without scale and zero.

        Raises
        ------
        WrongColumns : the field does not hold one number a row.
        """
        if field.repeat != 1 or field.code not in NUMBERS:
            what = f"column '{field.name}' is {field.repeat}{field.code}, not one number a row"
            raise WrongColumns(self.path, what, self.names)
        return np.ndarray(
            (self.n_rows,),
            NUMBERS[field.code],
            buffer=self.data,
            offset=self.start + field.offset,
            strides=(self.row_bytes,),
        )


def read_bytes(path: Path, limit: int = -1) -> bytes:
    """All bytes of a file, or the first `limit`.

    Raises
    ------
    UnreadableFile : the operating system refuses, or it is a folder, pipe or device.
    """
    try:
        # Opening a pipe would wait for a writer for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(path, "not a regular file")
        with path.open("rb", buffering=0) as file:
            return file.read(limit)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or type(error).__name__) from error


def read_first_headers(path: Path) -> list[Header]:
    """Header of HDU0 and, if HDU0 has no data and one follows, of HDU1; no more is read.

    Raises
    ------
    TruncatedFile : no FITS, or HDU0's header has no end.
    UnreadableFile : as `read_bytes`.
    """
    size = FIRST_READ_BYTES
    while True:
        data = read_bytes(path, size)
        complete = len(data) < size
        try:
            header, end = _header_at(path, data, 0)
        except TruncatedFile:
            if complete or not data.startswith(b"SIMPLE"):
                raise
        else:
            if complete or header.get("NAXIS") != 0 or data.startswith(b"XTENSION", end):
                break
        size *= 4
    headers = [header]
    if header.get("NAXIS") == 0 and data.startswith(b"XTENSION", end):
        stop = _end_card(data, end)
        while stop < 0 and len(data) == size:
            size *= 4
            data = read_bytes(path, size)
            stop = _end_card(data, end)
        if stop >= 0:
            headers.append(parse_cards(data[end:stop]))
    return headers


def read_primary_and_table(path: Path, extname: str = "PSF_CATALOG") -> BinaryTable:
    """HDU0's header and one binary table: the one named `extname`, else the widest one.

    Raises
    ------
    TruncatedFile : no FITS, a header that makes no sense, or rows missing at the end.
    WrongColumns : no binary table, or its fields do not add up to its row.
    UnreadableFile : as `read_bytes`.
    """
    data = read_bytes(path)
    header, end = _header_at(path, data, 0)
    position = end + _padded(_data_bytes(path, header))
    best: tuple[int, Header, int] | None = None
    while data.startswith(b"XTENSION", position):
        extension, start = _header_at(path, data, position)
        size = _data_bytes(path, extension)
        if extension.get("XTENSION") == "BINTABLE":
            width = _count(path, extension, "TFIELDS", MAX_AXES)
            if str(extension.get("EXTNAME", "")).upper() == extname.upper():
                best = (width, extension, start)
                break
            if best is None or width > best[0]:
                best = (width, extension, start)
        position = start + _padded(size)
    if best is None:
        if position > len(data):
            raise TruncatedFile(path, f"ends after {len(data)} bytes, before its table")
        raise WrongColumns(path, "has no binary table", [])
    return _table(path, data, header, best[1], best[2])


def _table(path: Path, data: bytes, header: Header, table: Header, start: int) -> BinaryTable:
    if table.get("BITPIX") != 8 or table.get("NAXIS") != 2 or table.get("GCOUNT", 1) != 1:
        raise TruncatedFile(path, "the table's BITPIX, NAXIS or GCOUNT is not 8, 2, 1")
    row_bytes, n_rows = _count(path, table, "NAXIS1"), _count(path, table, "NAXIS2")
    present = (len(data) - start) // row_bytes if row_bytes else 0
    if n_rows > present:
        raise TruncatedFile(path, f"only {max(present, 0)} of {n_rows} rows are there")
    fields = _fields(path, table, row_bytes)
    checksum = xxhash.xxh3_128_hexdigest(data)
    return BinaryTable(path, header, table, fields, n_rows, row_bytes, start, data, checksum)


def _fields(path: Path, table: Header, row_bytes: int) -> tuple[Field, ...]:
    count = _count(path, table, "TFIELDS", MAX_AXES)
    names = [str(table.get(f"TTYPE{i}", "")) for i in range(1, count + 1)]
    fields, offset = [], 0
    for i, name in enumerate(names, 1):
        match = _TFORM.match(str(table.get(f"TFORM{i}", "")))
        scale, zero = table.get(f"TSCAL{i}", 1), table.get(f"TZERO{i}", 0)
        if match is None or not (_finite(scale) and _finite(zero)):
            what = f"TFORM, TSCAL or TZERO of column '{name}' makes no sense"
            raise WrongColumns(path, what, names)
        repeat, code = int(match[1] or 1), match[2]
        null = table.get(f"TNULL{i}")
        fields.append(
            Field(
                name, code, repeat, offset,
                scale if isinstance(scale, int | float) else 1,
                zero if isinstance(zero, int | float) else 0,
                null if isinstance(null, int) and code in "BIJK" else None,
            )
        )  # fmt: skip
        offset += -(-repeat // 8) if code == "X" else repeat * WIDTHS[code]
    if offset != row_bytes:
        what = f"columns take {offset} bytes, a row has {row_bytes}"
        raise WrongColumns(path, what, names)
    return tuple(fields)


def _finite(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(float(str(value)))


def _header_at(path: Path, data: bytes, position: int) -> tuple[Header, int]:
    if position == 0 and not data.startswith(b"SIMPLE  ="):
        raise TruncatedFile(path, f"is no FITS file ({len(data)} bytes)")
    end = _end_card(data, position)
    if end < 0:
        raise TruncatedFile(path, f"ends after {len(data)} bytes, within a header")
    return parse_cards(data[position:end]), position + _padded(end + CARD_BYTES - position)


def _end_card(data: bytes, position: int) -> int:
    end = data.find(END_CARD, position)
    # A comment may hold the word too: only the start of a card counts.
    while end >= 0 and (end - position) % CARD_BYTES:
        end = data.find(END_CARD, end + 1)
    return end


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def _data_bytes(path: Path, header: Header) -> int:
    axes = _count(path, header, "NAXIS", MAX_AXES)
    bits = header.get("BITPIX")
    if bits not in ELEMENT_BITS:
        raise TruncatedFile(path, f"BITPIX is {bits}: a damaged header")
    if axes == 0:
        return 0
    elements = math.prod(_count(path, header, f"NAXIS{i}") for i in range(1, axes + 1))
    groups, extra = header.get("GCOUNT", 1), header.get("PCOUNT", 0)
    if not (isinstance(groups, int) and isinstance(extra, int) and groups >= 0 and extra >= 0):
        raise TruncatedFile(path, f"PCOUNT is {extra}, GCOUNT {groups}: a damaged header")
    return abs(int(bits)) // 8 * groups * (extra + elements)


def _count(path: Path, header: Header, keyword: str, most: int | None = None) -> int:
    value = header.get(keyword)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or int(value or 0) < 0 or (most is not None and int(value or 0) > most):
        raise TruncatedFile(path, f"{keyword} is {value}: a damaged header")
    return int(value or 0)
