"""Header cards against astropy's own reading of the same text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from realdata import REAL, needs_real

from ingest.cards import parse_card_lines, parse_cards

HDR = sorted((REAL / "headers").glob("*.hdr")) if REAL.is_dir() else []


def values_by_astropy(header: fits.Header) -> dict[str, object]:
    """First value of every keyword that has one."""
    return {
        key: header[key]
        for key in header
        if key not in {"COMMENT", "HISTORY", ""}
        and not isinstance(header[key], fits.card.Undefined)
    }


def exactly(values: dict[str, object]) -> dict[str, tuple[type, object]]:
    return {key: (type(value), value) for key, value in values.items()}


@needs_real
@pytest.mark.parametrize("path", HDR, ids=lambda path: path.name)
def test_real_science_headers_read_as_astropy_reads_them(path):
    theirs = values_by_astropy(fits.Header.fromtextfile(path))
    assert len(theirs) > 200
    assert exactly(parse_card_lines(path.read_bytes())) == exactly(theirs)


@needs_real
@pytest.mark.parametrize("path", HDR[:2], ids=lambda path: path.name)
def test_a_header_without_line_ends_reads_the_same(path):
    block = b"".join(line.ljust(80) for line in path.read_bytes().splitlines())
    assert parse_card_lines(block) == parse_card_lines(path.read_bytes())
    stripped = b"\r\n".join(line.rstrip() for line in path.read_bytes().splitlines())
    assert parse_card_lines(stripped) == parse_card_lines(path.read_bytes())


KEYWORDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=1, max_size=8).filter(
    lambda word: word not in {"END", "COMMENT", "HISTORY", "CONTINUE", "HIERARCH"}
)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)
VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    PRINTABLE,
)


@given(st.dictionaries(KEYWORDS, VALUES, max_size=12))
def test_what_astropy_writes_is_read_back_as_astropy_reads_it(values):
    header = fits.Header()
    for key, value in values.items():
        header[key] = value
    text = header.tostring()
    expected = values_by_astropy(fits.Header.fromstring(text)) | {
        # astropy writes '/ as FITS says, but takes its slash for a comment when reading.
        key.upper(): value.rstrip()
        for key, value in values.items()
        if isinstance(value, str) and "'/" in value
    }
    assert exactly(parse_cards(text.encode("ascii"))) == exactly(expected)


@given(st.binary(max_size=800))
def test_junk_is_no_trouble(block):
    header = parse_cards(block)
    assert len(header.cards) <= len(block)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("=                 1.5D3 / Fortran's exponent", 1500.0),
        ("=                   30.", 30.0),
        ("= -.5E-1", -0.05),
        ("= T", True),
        ("= 'it''s / no comment  ' / a comment", "it's / no comment"),
        ("= ''", ""),
        ("=                        / undefined", None),
        ("= 1_000", None),
        ("= 12abc", None),
        ("= 'no end", None),
        ("=5", None),
    ],
)
def test_a_value_is_read_as_the_standard_says(text, value):
    header = parse_cards(f"KEY     {text}".ljust(80).encode())
    assert header.get("KEY") == value
    assert type(header.get("KEY")) is type(value)


def test_a_date_that_is_nan_is_read_as_nan():
    assert math.isnan(parse_cards(b"OBSMJD  =                  NaN".ljust(80))["OBSMJD"])


def test_the_first_of_a_repeated_keyword_counts():
    block = b"A       = 1".ljust(80) + b"A       = 2".ljust(80)
    assert parse_cards(block) == {"A": 1}
    assert fits.Header.fromstring(block.decode())["A"] == 1


def test_nothing_is_read_past_the_end_card():
    block = b"A       = 1".ljust(80) + b"END".ljust(80) + b"B       = 2".ljust(80)
    header = parse_cards(block)
    assert header == {"A": 1}
    assert header.cards == block[:80].decode()


def test_numbers_keep_every_bit():
    rng = np.random.default_rng(1)
    for number in rng.standard_normal(200) * 10.0 ** rng.integers(-12, 12, 200):
        card = fits.Card("X", float(number)).image.encode()
        assert parse_cards(card)["X"] == fits.Card.fromstring(card).value
