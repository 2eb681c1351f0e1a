"""The bytes of a FITS file, up to where they are needed, and the headers in them."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import xxhash

from ingest.cards import CARD_BYTES, END_CARD, Header, parse_cards
from ingest.errors import TruncatedFile, UnreadableFile

BLOCK_BYTES = 2880  # FITS standard 4.0, section 3.1
FIRST_READ_BYTES = 4 * BLOCK_BYTES  # HDU0 of a psfcat takes three blocks, its table's header two
MAX_HEADER_BYTES = 360 * BLOCK_BYTES  # 1 MB, 12,960 cards: what goes on for longer is no header
MAX_HEAD_BYTES = 4 * MAX_HEADER_BYTES
MAX_AXES = 999  # standard, section 4.4.1
ELEMENT_BITS = (8, 16, 32, 64, -32, -64)


class FitsBytes:
    """An open file: its beginning in memory, as far as was asked for, and the rest to come.

    However large the file is and wherever its headers lie, little of it is in memory.

    Attributes
    ----------
    size : bytes of the file when it was opened.
    head : the beginning, at most `MAX_HEAD_BYTES`.
    """

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path = path
        self.head = b""
        self.size = os.fstat(file.fileno()).st_size
        self._file = file

    def at(self, position: int, size: int) -> bytes:
        """The `size` bytes from `position` on, or all there are."""
        end = position + size
        if position > len(self.head) or end > MAX_HEAD_BYTES:
            return os.pread(self._file.fileno(), size, position)
        while (lacking := min(end, self.size) - len(self.head)) > 0:
            more = self._file.read(max(lacking, FIRST_READ_BYTES))
            if not more:
                break
            self.head += more
        return self.head[position:end]

    def starts_with(self, word: bytes, position: int) -> bool:
        """Whether `word` stands at `position`."""
        return self.at(position, len(word)) == word

    def header_at(self, position: int) -> tuple[Header, int]:
        """The header that begins there, and where its data begin.

        Raises
        ------
        TruncatedFile : the file does not begin as FITS does, or the header has no end within
            `MAX_HEADER_BYTES`.
        """
        if position == 0 and not self.starts_with(b"SIMPLE  =", 0):
            hint = "Unpack it." if self.starts_with(b"\x1f\x8b", 0) else "Fetch the file again."
            raise TruncatedFile(self.path, f"is no FITS file ({self.size} bytes)", hint)
        wanted = FIRST_READ_BYTES
        while True:
            cards = self.at(position, wanted)
            end = _find_card(cards, END_CARD)
            if end >= 0:
                header = parse_cards(cards[:end])
                if position == 0 and header.get("SIMPLE") is not True:
                    raise TruncatedFile(self.path, "does not say that it is FITS (SIMPLE)")
                if 0 <= _find_card(cards, b"XTENSION=", CARD_BYTES) < end:
                    raise TruncatedFile(self.path, "has headers that run into each other")
                return header, position + padded(end + CARD_BYTES)
            if len(cards) < wanted:
                what = f"ends after {self.size} bytes, within a header"
                raise TruncatedFile(self.path, what)
            if wanted == MAX_HEADER_BYTES:
                raise TruncatedFile(self.path, f"has a header of more than {wanted} bytes")
            wanted = min(4 * wanted, MAX_HEADER_BYTES)

    def blocks(
        self, start: int, size: int, buffer: bytearray, digest: xxhash.xxh3_128
    ) -> Iterator[int]:
        """Fill `buffer` again and again with the `size` bytes from `start` on.

        Each turn says how many bytes of it are good. `digest` is fed with every byte of the
        file, those before and after included.

        Raises
        ------
        TruncatedFile : the file has become shorter meanwhile.
        """
        digest.update(self.head)
        before = start - len(self.head)
        while before > 0 and (skipped := self._file.read(min(before, MAX_HEADER_BYTES))):
            digest.update(skipped)
            before -= len(skipped)
        in_head = memoryview(self.head)[start : start + size]
        view = memoryview(buffer)
        while size > 0:
            wanted = min(size, len(buffer))
            filled = min(wanted, len(in_head))
            view[:filled], in_head = in_head[:filled], in_head[filled:]
            while filled < wanted:
                count = self._file.readinto(view[filled:wanted])
                if not count:
                    raise TruncatedFile(self.path, "has become shorter while it was read")
                digest.update(view[filled : filled + count])
                filled += count
            yield filled
            size -= filled
        while rest := self._file.read(FIRST_READ_BYTES):
            digest.update(rest)


@contextmanager
def open_bytes(path: Path) -> Iterator[FitsBytes]:
    """Open a file for reading, whatever it holds.

    Raises
    ------
    UnreadableFile : the operating system refuses, or it is a folder, pipe or device.
    """
    try:
        # Opening a pipe would wait for a writer for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(path, "not a regular file")
        with FileIO(path) as file:
            yield FitsBytes(path, file)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or type(error).__name__) from error


def read_headers(path: Path) -> list[Header]:
    """Header of HDU0 and, if HDU0 has no data and one follows, of HDU1; no more is read.

    Raises
    ------
    TruncatedFile : no FITS, or a header has no end or makes no sense.
    UnreadableFile : as `open_bytes`.
    """
    with open_bytes(path) as file:
        header, end = file.header_at(0)
        headers = [header]
        if data_bytes(path, header) == 0 and file.starts_with(b"XTENSION", end):
            headers.append(file.header_at(end)[0])
            data_bytes(path, headers[1])
        return headers


def read_text(path: Path) -> bytes:
    """A header that is kept as a text file.

    Raises
    ------
    TruncatedFile : it is too large for a header.
    UnreadableFile : as `open_bytes`.
    """
    with open_bytes(path) as file:
        if file.size > MAX_HEADER_BYTES:
            raise TruncatedFile(path, f"has {file.size} bytes, too many for a header")
        return file.at(0, MAX_HEADER_BYTES)


def _find_card(cards: bytes, words: bytes, start: int = 0) -> int:
    """Where the first card stands that begins so; less than 0 if there is none."""
    at = cards.find(words, start)
    # A comment may hold the words too: only the start of a card counts.
    while at >= 0 and at % CARD_BYTES:
        at = cards.find(words, at + 1)
    return at


def padded(size: int) -> int:
    """Bytes that `size` bytes take in whole blocks."""
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES


def data_bytes(path: Path, header: Header) -> int:
    """Bytes of data that a header promises (standard, equation 2), without padding.

    Raises
    ------
    TruncatedFile : the header makes no sense.
    """
    axes = count_in(path, header, "NAXIS", MAX_AXES)
    bits = header.get("BITPIX")
    if bits not in ELEMENT_BITS:
        raise TruncatedFile(path, f"BITPIX is {bits}: a damaged header")
    if axes == 0:
        return 0
    elements = math.prod(count_in(path, header, f"NAXIS{i}") for i in range(1, axes + 1))
    groups = count_in(path, header, "GCOUNT", default=1)
    extra = count_in(path, header, "PCOUNT", default=0)
    return abs(int(bits)) // 8 * groups * (extra + elements)


def count_in(
    path: Path, header: Header, keyword: str, most: int = 2**62, default: int | None = None
) -> int:
    """A whole number from 0 to `most` that a header must have; TruncatedFile if it has not.

    With a `default`, the card need not be there; if it is, it must make sense.
    """
    value = header.get(keyword, None if keyword in header.unreadable else default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        said = "damaged" if keyword in header.unreadable else value
        raise TruncatedFile(path, f"{keyword} is {said}: a damaged header")
    return value
