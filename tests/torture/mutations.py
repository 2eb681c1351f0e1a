"""Damage of every kind to FITS files, headers kept as text, and tables of metadata.

Each kind takes a source of chance, the bytes of a file and those of another, and gives the damaged
bytes; the same chance gives the same damage.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from random import Random
from typing import NamedTuple

CARD, BLOCK = 80, 2880
END = b"END".ljust(CARD)


class Damaged(NamedTuple):
    """A damaged file: its bytes, and its size, if zeros that take no room follow."""

    data: bytes
    size: int | None = None


Mutation = Callable[[Random, bytes, bytes], bytes | Damaged]

ABSURD = (
    "-1",
    "0",
    "1",
    "2",
    "3",
    "7",
    "57",
    "59",
    "999",
    "1000",
    "32768",
    "1000000",
    "2147483647",
    "2147483648",
    "4294967296",
    "4611686018427387904",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "99999999999999999999",
    "1" * 60,
    "1.5",
    "1E3",
    "1D2",
    "8.0",
    "T",
    "F",
    "'8'",
    "''",
    "'eight'",
    "NaN",
    "-inf",
    "1E999",
    "5E-324",
    "",
    "+8",
    "008",
    "0x10",
    "8 8",
    "- 8",
    "8 / 'x",
    "(1, 2)",
    "'unclosed",
    "1e",
    ".",
    "\u0663",
    "--8",
)
FORMS = (
    "'D'",
    "'E'",
    "'J'",
    "'I'",
    "'K'",
    "'B'",
    "'L'",
    "'X'",
    "'A'",
    "'0D'",
    "'2D'",
    "'1D'",
    "'1000000D'",
    "'999999999A'",
    "'999999999999D'",
    "'-1D'",
    "'P'",
    "'1PD(5)'",
    "'1QE(2147483647)'",
    "'Z'",
    "'d'",
    "' D'",
    "'D '",
    "'1 D'",
    "'8X'",
    "'C'",
    "'M'",
    "''",
    "'D10.5'",
    "'16A8'",
    "'D' trailing",
    "D",
    "4",
    "'E\t'",
)
SCALES = (
    "0",
    "1",
    "-1",
    "0.001",
    "1E308",
    "1E-320",
    "NaN",
    "inf",
    "'x'",
    "2147483648",
    "32768",
    "1.5",
    "T",
)
NAMES = (
    "'ra'",
    "'RA'",
    "'dec'",
    "'mag'",
    "''",
    "'   '",
    "'ra  dec'",
    "'../../etc/passwd'",
    "'flux''; drop table x'",
    "'\x1b[31mra\x1b[0m'",
    "'r\xe4'",
    "'\x00ra'",
    "7",
    "'a&'",
    "'" + "n" * 66 + "'",
)
KEYWORDS = (
    "EXPID",
    "FIELDID",
    "FILTERID",
    "FILTER",
    "CCDID",
    "QID",
    "RCID",
    "RFID",
    "OBSMJD",
    "OBSJD",
    "EXPTIME",
    "MAGZP",
    "INFOBITS",
    "PROGRMID",
    "PCOLOR",
    "CLRCOEFF",
    "SEEING",
    "CRVAL1",
    "CD1_1",
    "CTYPE1",
    "AIRMASS",
)


def headers_of(data: bytes) -> list[tuple[int, int]]:
    """Where each header of a file begins and where its END card stands; data are stepped over."""
    found = []
    start = 0
    while data[start : start + 9] in (b"SIMPLE  =", b"XTENSION="):
        end = next(
            (at for at in range(start, len(data), CARD) if data[at : at + CARD] == END), None
        )
        if end is None:
            break
        found.append((start, end))
        start = end - end % BLOCK + BLOCK
        following = data.find(b"XTENSION=", start)
        if following < 0 or following % BLOCK:
            break
        start = following
    return found or [(0, min(len(data), BLOCK) // CARD * CARD)]


def keywords_in(data: bytes, pattern: str) -> list[tuple[int, str]]:
    """Cards of all headers whose keyword is so spelled: where, and the keyword."""
    found = []
    for start, end in headers_of(data):
        for at in range(start, end, CARD):
            word = data[at : at + 8].decode("latin-1").rstrip()
            if re.fullmatch(pattern, word):
                found.append((at, word))
    return found


def card(keyword: str, value: str) -> bytes:
    """A card, cut at 80 bytes."""
    said = value if value.startswith("'") else value.rjust(20)
    return f"{keyword:<8}= {said}".encode("latin-1", "replace")[:CARD].ljust(CARD)


def _put(data: bytes, at: int, piece: bytes) -> bytes:
    return data[:at] + piece + data[at + len(piece) :]


def _insert_cards(rng: Random, data: bytes, pieces: list[bytes]) -> bytes:
    """New cards somewhere in a header, which stays in whole blocks."""
    start, end = rng.choice(headers_of(data))
    at = rng.randrange(start // CARD + 1, end // CARD + 1) * CARD
    header = data[start:at] + b"".join(pieces) + data[at : end + CARD]
    rest = data[end - end % BLOCK + BLOCK :]
    return data[:start] + header + b" " * (-len(header) % BLOCK) + rest


def _set(rng: Random, data: bytes, pattern: str, values: tuple[str, ...]) -> bytes:
    """Another value in one to three cards whose keyword is so spelled, if there are any."""
    for _ in range(rng.randint(1, 3)):
        there = keywords_in(data, pattern)
        if not there:
            return data
        at, keyword = rng.choice(there)
        data = _put(data, at, card(keyword, rng.choice(values)))
    return data


def nothing(rng: Random, data: bytes, other: bytes) -> bytes:
    """A file that is left as it is: the judge is to find nothing wrong."""
    return data


def flip_header_bits(rng: Random, data: bytes, other: bytes) -> bytes:
    """One to three bits of a header."""
    start, end = rng.choice(headers_of(data))
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        damaged[rng.randrange(start, min(end + CARD, len(data)))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def flip_any_bits(rng: Random, data: bytes, other: bytes) -> bytes:
    """Some bits anywhere."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 3, 30))):
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def overwrite_run(rng: Random, data: bytes, other: bytes) -> bytes:
    """A run of equal or random bytes."""
    at = rng.choice((rng.randrange(len(data)), rng.randrange(min(len(data), 4 * BLOCK))))
    size = rng.choice((1, 7, 80, 512, 2880, 5000))
    fill = rng.choice((b"\0", b"\xff", b" ", b"'", b"/", b"&", b"=", b"9", b"E", b""))
    piece = fill * size if fill else rng.randbytes(size)
    return data[:at] + piece[: len(data) - at] + data[at + size :]


def shift(rng: Random, data: bytes, other: bytes) -> bytes:
    """Bytes that are left out, doubled or put in."""
    at = rng.randrange(min(len(data), rng.choice((4 * BLOCK, len(data)))))
    size = rng.choice((1, 3, 58, 80, 81, 2880, 5760))
    piece = rng.choice((b"", data[at : at + size] * 2, rng.randbytes(size), b" " * size))
    return data[:at] + piece + data[at + (0 if piece[:size] == b" " * size else size) :]


def truncate(rng: Random, data: bytes, other: bytes) -> bytes:
    """Cut off: anywhere, at blocks, cards and rows, just beside them, and at nothing."""
    blocks = rng.randrange(len(data) // BLOCK + 1) * BLOCK
    ends = [end for _, end in headers_of(data)]
    start = ends[-1] - ends[-1] % BLOCK + BLOCK
    places = (
        rng.randrange(len(data)),
        blocks,
        blocks + 1,
        max(blocks - 1, 0),
        rng.randrange(len(data) // CARD + 1) * CARD,
        rng.choice(ends),
        rng.choice(ends) + 3,
        rng.choice(ends) + CARD,
        start + 58 * rng.randrange(40),
        start + 58 * rng.randrange(40) + rng.randrange(58),
        0,
        1,
        9,
        79,
    )
    return data[: rng.choice(places)]


def splice(rng: Random, data: bytes, other: bytes) -> bytes:
    """One file's headers before another's, or before its rows."""
    (_, first), *_ = mine = headers_of(data)
    theirs = headers_of(other)
    cut, seam = first - first % BLOCK + BLOCK, theirs[0][1] - theirs[0][1] % BLOCK + BLOCK
    rows = [end - end % BLOCK + BLOCK for _, end in (mine[-1], theirs[-1])]
    middle = rng.randrange(min(len(data), len(other)) // BLOCK + 1) * BLOCK
    return rng.choice(
        (
            data[:cut] + other[seam:],
            data[: rows[0]] + other[rows[1] :],
            data[:middle] + other[middle:],
            data + other,
            data[:cut] + other[:seam] + data[cut:],
            data[: len(data) // 2] + other[len(other) // 2 :],
        )
    )


def absurd_sizes(rng: Random, data: bytes, other: bytes) -> bytes:
    """Sizes that cannot be."""
    return _set(rng, data, r"NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|BITPIX|THEAP|EXTEND", ABSURD)


def huge_claims(rng: Random, data: bytes, other: bytes) -> Damaged:
    """Sizes that could be, in a file that is as large as they say and holds nothing."""
    rows = [at for at, word in keywords_in(data, "NAXIS2")]
    widths = [at for at, word in keywords_in(data, "NAXIS1")]
    forms = [(at, word) for at, word in keywords_in(data, r"TFORM\d+")]
    if rows and rng.random() < 0.6:
        claimed = rng.choice((9_500_000, 50_000_000, 400_000_000, 2**33))
        return Damaged(_put(data, rows[-1], card("NAXIS2", str(claimed))), claimed * 60 + 2**20)
    if widths and forms:
        wide = rng.choice((10_000_000, 300_000_000, 999_999_000))
        at, word = rng.choice(forms)
        width = int(data[widths[-1] + 10 : widths[-1] + 30])
        before = {"J": 4, "E": 4, "D": 8, "I": 2}.get(chr(data[at + 11]), 1)
        data = _put(data, at, card(word, f"'{wide}A'"))
        data = _put(data, widths[-1], card("NAXIS1", str(width - before + wide)))
        return Damaged(data, 40 * (wide + width))
    return Damaged(data[: rng.randrange(CARD, BLOCK)].replace(b"END", b"   "), 3_000_000_000)


def wrong_fields(rng: Random, data: bytes, other: bytes) -> bytes:
    """Forms, names, scales and nulls of columns that are others, or none."""
    kind = rng.randrange(6)
    if kind == 0:
        return _set(rng, data, r"TFORM\d+", FORMS)
    if kind == 1:
        return _set(rng, data, r"TTYPE\d+", NAMES)
    if kind == 2:
        return _set(
            rng, data, r"TFORM\d+|TTYPE\d+|TUNIT\d+|EXTNAME|XTENSION|SIMPLE", ABSURD + NAMES
        )
    number = rng.randint(1, 14)
    word, values = rng.choice(
        (
            ("TSCAL", SCALES),
            ("TZERO", SCALES),
            ("TNULL", ABSURD),
            ("TDIM", ("'(1)'", "'(2,3)'", "'x'", "1")),
        )
    )
    return _insert_cards(rng, data, [card(f"{word}{number}", rng.choice(values))])


def swapped_fields(rng: Random, data: bytes, other: bytes) -> bytes:
    """Two fields of the table change their names, or their forms."""
    cards = keywords_in(data, rng.choice((r"TTYPE\d+", r"TFORM\d+")))
    if len(cards) < 2:
        return data
    (one, _), (two, _) = rng.sample(cards, 2)
    texts = data[one + 8 : one + CARD], data[two + 8 : two + CARD]
    return _put(_put(data, one + 8, texts[1]), two + 8, texts[0])


def facts_of_another(rng: Random, data: bytes, other: bytes) -> bytes:
    """Values of keywords that say which image it is, and what is known of it."""
    values = (
        ABSURD + NAMES + SCALES + ("-999", "-9999", "-999.0", "1", "2", "3", "600", "50000", "1E10")
    )
    if rng.random() < 0.7:
        return _set(rng, data, "|".join(KEYWORDS), values)
    return _insert_cards(rng, data, [card(rng.choice(KEYWORDS), rng.choice(values))])


def continued(rng: Random, data: bytes, other: bytes) -> bytes:
    """Chains of CONTINUE cards: long, without a beginning, without an end, within numbers."""
    word = rng.choice((*KEYWORDS, "EXTNAME", "TTYPE4", "LONGSTR"))
    count = rng.choice((1, 2, 5, 300, 5000))
    ends = rng.choice(("&'", "'", "&", "& '", "&' / &"))
    pieces = [f"CONTINUE  '{'x' * rng.randrange(60)}{ends}".encode()[:CARD].ljust(CARD)] * count
    first = [card(word, rng.choice(("'a&'", "'a'", "5", "'&'", "")))] if rng.random() < 0.8 else []
    return _insert_cards(rng, data, [*first, *pieces])


def not_ascii(rng: Random, data: bytes, other: bytes) -> bytes:
    """Bytes in cards that FITS has no room for: terminal escapes, NUL, Latin, UTF-8."""
    start, end = rng.choice(headers_of(data))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(start, max(end, start + 1))
        odd = rng.choice(
            (
                b"\0",
                b"\x1b[2J",
                b"\x9b31m",
                b"\xe4",
                "é".encode(),
                b"\n",
                b"\r\n",
                b"\t",
                b"\x7f",
                b"\x85",
            )
        )
        data = _put(data, at, odd)
    return data


def odd_end(rng: Random, data: bytes, other: bytes) -> bytes:
    """No END, another END, END too early or not quite."""
    start, end = rng.choice(headers_of(data))
    which = rng.choice(
        (
            b" " * CARD,
            b"end".ljust(CARD),
            b"END =".ljust(CARD),
            b"END".ljust(CARD - 1) + b"x",
            b"END\0".ljust(CARD),
        )
    )
    if rng.random() < 0.6:
        return _put(data, end, which)
    at = rng.randrange(start // CARD + 1, end // CARD + 1) * CARD
    return _put(data, at, END)


def misplaced_extensions(rng: Random, data: bytes, other: bytes) -> bytes:
    """Tables first, twice, behind images, behind other tables, without their HDU0."""
    heads = headers_of(data)
    theirs = headers_of(other)
    cut = heads[0][1] - heads[0][1] % BLOCK + BLOCK
    seam = theirs[0][1] - theirs[0][1] % BLOCK + BLOCK
    size = rng.randrange(1, 4)
    cards = [
        card("XTENSION", "'IMAGE'"),
        card("BITPIX", "8"),
        card("NAXIS", "1"),
        card("NAXIS1", str(size * BLOCK - 5)),
        card("PCOUNT", "0"),
        card("GCOUNT", "1"),
        END,
    ]
    image = b"".join(cards).ljust(BLOCK) + bytes(size * BLOCK)
    renamed = other[seam:].replace(b"PSF_CATALOG", b"PSF_CATALOC")
    return rng.choice(
        (
            data[cut:],
            data[cut:] + data[:cut],
            data[:cut] + image + data[cut:],
            data[:cut] + other[seam:] + data[cut:],
            data[:cut] + renamed + data[cut:],
            data[:cut] + data[cut:] + renamed,
            data[:cut] + data[cut:] * 3,
            data[:cut] + data[cut:].replace(b"PSF_CATALOG", b"SOMETHING_X") + other[seam:],
            data[:cut] + b"\0" * BLOCK + data[cut:],
            data[:cut],
        )
    )


def odd_numbers(rng: Random, data: bytes, other: bytes) -> bytes:
    """NaN with a payload, infinities, denormals, and ends of ranges among the rows."""
    ends = headers_of(data)[-1][1]
    start = ends - ends % BLOCK + BLOCK
    odd = (
        struct.pack(">d", float("nan")),
        b"\x7f\xf0\0\0\0\0\0\1",
        struct.pack(">d", float("-inf")),
        struct.pack(">d", 5e-324),
        struct.pack(">f", 1e-45),
        struct.pack(">f", float("inf")),
        b"\x7f\xa0\0\1",
        b"\xff" * 8,
        b"\x80" + b"\0" * 7,
        b"\x7f" + b"\xff" * 7,
        struct.pack(">d", 360.0000001),
    )
    for _ in range(rng.choice((1, 5, 200))):
        if start + 8 < len(data):
            data = _put(data, rng.randrange(start, len(data) - 8), rng.choice(odd))
    return data


FITS: tuple[Mutation, ...] = (
    flip_header_bits,
    flip_any_bits,
    overwrite_run,
    shift,
    truncate,
    splice,
    absurd_sizes,
    huge_claims,
    wrong_fields,
    swapped_fields,
    facts_of_another,
    continued,
    not_ascii,
    odd_end,
    misplaced_extensions,
    odd_numbers,
)
# Of a header without rows.
HEADERS: tuple[Mutation, ...] = (
    flip_header_bits,
    overwrite_run,
    shift,
    truncate,
    splice,
    absurd_sizes,
    facts_of_another,
    continued,
    not_ascii,
    odd_end,
)


def odd_lines(rng: Random, data: bytes, other: bytes) -> bytes:
    """Lines of a text that are long, doubled, cut, joined, or in another order."""
    lines = data.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    kind = rng.randrange(7)
    if kind == 0:
        lines[at] = lines[at].rstrip(b"\n")
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        lines[at] = lines[at][: rng.randrange(len(lines[at]))]
    elif kind == 3:
        lines[at] = b"x" * 100_000 + b"\n"
    elif kind == 4:
        rng.shuffle(lines)
    elif kind == 5:
        lines = [line.rstrip(b"\r\n") + b"\r\n" for line in lines]
    else:
        lines[at] = rng.choice(other.splitlines(keepends=True) or [b""])
    return b"".join(lines)


def odd_cells(rng: Random, data: bytes, other: bytes) -> bytes:
    """Cells of a table with commas that hold something else."""
    lines = data.split(b"\n")
    odd = (
        b"",
        b"NaN",
        b"inf",
        b"1e999",
        b"-1",
        b"9" * 30,
        b'"',
        b'""',
        b'"a,b"',
        b"'; DROP TABLE images; --",
        b"\0",
        b"\xff\xfe",
        b"\x1b[2J",
        "٣".encode(),
        b"0x10",
        b"1_000",
        b" 5 ",
        b"5.0",
        b"1.5",
        b"T",
        b"null",
    )
    for _ in range(rng.randint(1, 6)):
        row = rng.randrange(len(lines))
        cells = lines[row].split(b",")
        cells[rng.randrange(len(cells))] = rng.choice(odd)
        lines[row] = b",".join(cells)
    return b"\n".join(lines)


def odd_columns(rng: Random, data: bytes, other: bytes) -> bytes:
    """A first line that names other columns, too few, too many, or one twice."""
    first, _, rest = data.partition(b"\n")
    names = first.split(b",")
    kind = rng.randrange(4)
    if kind == 0:
        names[rng.randrange(len(names))] = rng.choice(names)
    elif kind == 1:
        names.pop(rng.randrange(len(names)))
    elif kind == 2:
        names.insert(rng.randrange(len(names)), b"more")
    else:
        rng.shuffle(names)
    return b",".join(names) + b"\n" + rest


TEXT: tuple[Mutation, ...] = (odd_lines, flip_any_bits, overwrite_run, shift)
CSV: tuple[Mutation, ...] = (*TEXT, odd_cells, odd_columns)
BINARY: tuple[Mutation, ...] = (flip_any_bits, overwrite_run, shift)
