"""Identifiers on real facts."""

import csv
import math
import re
import subprocess
import sys
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import REAL, needs_real

from transforms.errors import TransformError
from transforms.identifiers import (
    ObjectId,
    channel,
    decode_oid,
    expid,
    nid,
    night,
    oid,
    pid,
    rcid,
    rfid,
)

HEADERS = sorted((REAL / "headers").glob("*.hdr"))


def test_identifiers_of_a_real_image():
    mjd = 60821.265706
    assert expid(mjd) == 306726570
    assert nid(mjd) == 3067
    assert rcid(15, 4) == 59
    assert pid(expid(mjd), 59) == 3067265705915
    assert night(mjd) == date(2025, 5, 26)


def test_identifiers_of_a_real_reference_image():
    assert rfid(633, 2, rcid(7, 4)) == 633120227


def test_identifier_of_a_real_object():
    assert oid(605, 1, 9, 4, [1826, -1, 0]).tolist() == [605109400001826, -1, 605109400000000]
    assert decode_oid(605109400001826) == ObjectId(605, 1, 9, 4, 1826)
    assert oid(605, 1, 9, 4, np.empty(0, dtype=np.int32)).dtype == np.int64


def test_numbers_from_narrow_columns_do_not_overflow():
    field, fid, ccdid, qid = np.int16(1998), np.int8(3), np.int8(16), np.int8(4)
    channel_id = np.int8(rcid(ccdid, qid))
    assert channel_id == 63
    assert rfid(field, fid, channel_id) == 1998120363
    assert pid(np.int32(306726570), channel_id) == 3067265706315
    assert oid(field, fid, ccdid, qid, np.array([7], dtype=np.int32)).tolist() == [1998316400000007]


@needs_real
@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.stem)
def test_identifiers_of_every_real_header(path):
    header = dict(re.findall(r"^(\w+) *= *'?([^/']*?)'? */?(?: .*)?$", path.read_text(), re.M))
    mjd = float(header["OBSMJD"])
    channel_id = rcid(int(header["CCDID"]), int(header["QID"]))
    assert expid(mjd) == int(header["EXPID"])
    assert channel_id == int(header["RCID"])
    assert pid(expid(mjd), channel_id) == int(header["DBPID"])
    assert nid(mjd) == int(header["DBNID"])


@needs_real
def test_identifiers_of_every_row_of_the_real_metadata_table():
    with (REAL / "headers" / "ztf_sci_metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        channel_id = rcid(int(row["ccdid"]), int(row["qid"]))
        assert channel_id == int(row["rcid"])
        assert pid(int(row["expid"]), channel_id) == int(row["pid"])
        mjd = float(row["obsjd"]) - 2400000.5
        assert nid(mjd) == int(row["nid"])
        # obsjd is rounded to 1e-7 d.
        assert abs((mjd - 57754) * 1e5 - int(row["expid"]) - 0.5) < 0.52


@given(st.integers(1, 2000), st.integers(1, 3), st.integers(0, 63), st.integers(0, 99_999_999))
def test_object_id_comes_apart_as_it_was_made(field, fid, channel_id, sourceid):
    ccdid, qid = channel(channel_id)
    assert rcid(ccdid, qid) == channel_id
    (identifier,) = oid(field, fid, ccdid, qid, [sourceid])
    assert decode_oid(identifier) == ObjectId(field, fid, ccdid, qid, sourceid)


@pytest.mark.parametrize("bad", [0, -1, 605409400001826, 605117400001826, 605109500001826])
def test_object_id_of_no_channel_is_refused(bad):
    with pytest.raises(TransformError, match="oid"):
        decode_oid(bad)


def test_source_id_of_nine_digits_is_refused():
    with pytest.raises(TransformError, match="more than 8 digits"):
        oid(605, 1, 9, 4, [100_000_000])


@pytest.mark.parametrize(("ccdid", "qid"), [(0, 1), (17, 1), (1, 0), (1, 5)])
def test_quadrant_that_is_none_is_refused(ccdid, qid):
    with pytest.raises(TransformError, match="1–16"):
        rcid(ccdid, qid)
    with pytest.raises(TransformError, match="0–63"):
        channel(64)


def test_night_follows_the_sites_noon():
    assert night(59116.99) == date(2020, 9, 24)
    assert night(59116.99, noon_offset_hours=12) == date(2020, 9, 25)
    assert night(59116.01, noon_offset_hours=-12) == date(2020, 9, 23)


@pytest.mark.parametrize("mjd", [math.nan, math.inf, 1e9, -1e9])
def test_impossible_date_is_no_night(mjd):
    with pytest.raises(TransformError, match="obsmjd"):
        night(mjd)


def test_identifiers_import_nothing_heavy():
    code = "import sys, transforms.identifiers; print(*sorted(sys.modules))"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"numba", "astropy", "erfa", "scipy", "pyarrow", "polars"} & set(modules)
