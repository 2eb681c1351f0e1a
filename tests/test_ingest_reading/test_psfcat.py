"""Catalogues as columns, against astropy's `Table.read` of the same files."""

from __future__ import annotations

import shutil
import tracemalloc
import warnings

import numpy as np
import pytest
import xxhash
from astropy.io import fits
from astropy.table import Table
from fitsfiles import FORMATS, HEADER, NAME, some_columns, write_catalogue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realdata import REAL, needs_real

from ingest.errors import (
    BadSourceIds,
    EmptyCatalogue,
    RefusedInput,
    TruncatedFile,
    UnreadableFile,
    WrongColumns,
)
from ingest.psfcat import COLUMNS, REQUIRED, coordinate_fault, read_header, read_psfcat

PSFCATS = sorted((REAL / "psfcat").glob("*psfcat.fits")) if REAL.is_dir() else []
reused_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def table_by_astropy(path) -> Table:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it knows no unit DN, and complains of damaged files
        return Table.read(path, hdu=1)


def assert_same_columns(catalogue, table) -> None:
    names = {name.lower(): name for name in table.colnames}
    for name, column in catalogue.columns.items():
        assert column.dtype == COLUMNS[name]
        assert column.flags.c_contiguous
        assert len(column) == catalogue.n_rows == len(table)
        if name in names:
            theirs = np.asarray(table[names[name]])
            native = theirs.astype(theirs.dtype.newbyteorder("="))
            assert column.tobytes() == native.astype(column.dtype).tobytes(), name


@needs_real
@pytest.mark.parametrize("path", PSFCATS, ids=lambda path: path.name)
def test_real_catalogues_equal_astropy_byte_for_byte(path):
    catalogue, table = read_psfcat(path), table_by_astropy(path)
    assert list(catalogue.columns) == table.colnames == list(COLUMNS)
    assert_same_columns(catalogue, table)
    assert catalogue.header["NSOURCES"] == catalogue.n_rows
    assert catalogue.checksum == xxhash.xxh3_128_hexdigest(path.read_bytes())
    assert catalogue.header == read_header(path)
    theirs = fits.getheader(path, 0)
    assert all(theirs[key] == value for key, value in catalogue.header.items())


@reused_folder
@given(data=st.data())
def test_any_column_order_and_any_subset_of_the_optional_ones_is_read(tmp_path, data):
    columns = some_columns(data.draw(st.sampled_from([1, 2, 49, 9000]), label="rows"))
    optional = sorted(set(columns) - set(REQUIRED))
    chosen = [*REQUIRED, *data.draw(st.lists(st.sampled_from(optional), unique=True))]
    order = data.draw(st.permutations(chosen), label="order")
    upper = data.draw(st.booleans(), label="upper case")
    written = {name.upper() if upper else name: columns[name] for name in order}
    keywords = data.draw(st.lists(st.sampled_from(sorted(HEADER)), unique=True), label="header")
    header = {key: HEADER[key] for key in keywords}
    path = write_catalogue(tmp_path / NAME, written, header)
    catalogue = read_psfcat(path)
    assert set(catalogue.columns) == {*chosen, "sourceid"}
    assert_same_columns(catalogue, table_by_astropy(path))
    for name in chosen:
        assert catalogue.columns[name].tobytes() == columns[name].tobytes()
    assert {key: catalogue.header[key] for key in keywords} == header
    assert catalogue.checksum == xxhash.xxh3_128_hexdigest(path.read_bytes())


def test_without_sourceid_the_row_number_serves(tmp_path):
    columns = some_columns(7)
    del columns["sourceid"]
    catalogue = read_psfcat(write_catalogue(tmp_path / NAME, columns))
    assert catalogue.columns["sourceid"].tolist() == list(range(7))


def test_columns_of_other_kinds_stand_between_and_are_left_alone(tmp_path):
    n_rows = 20_000  # several buffers
    columns = some_columns(n_rows)
    columns = {
        "name": np.array([f"s{i}" for i in range(n_rows)]),
        "image": np.arange(6.0 * n_rows).reshape(n_rows, 6),
        **columns,
        "bits": np.ones((n_rows, 11), bool),
        "good": np.ones(n_rows, bool),
    }
    formats = {"name": "7A", "image": "6D", "bits": "11X", "good": "L"}
    path = write_catalogue(tmp_path / NAME, columns, formats=formats)
    assert_same_columns(read_psfcat(path), table_by_astropy(path))


def test_a_table_of_another_name_behind_an_image_is_found(tmp_path):
    columns = some_columns(5)
    write_catalogue(tmp_path / "table.fits", columns, extname="SOURCES")
    with fits.open(tmp_path / "table.fits") as hdus:
        image = fits.ImageHDU(np.zeros((70, 30), "f4"), name="WEIGHT")
        small = fits.BinTableHDU(Table({"a": [1, 2]}), name="SMALL")
        fits.HDUList([hdus[0], image, small, hdus[1]]).writeto(tmp_path / NAME)
    catalogue = read_psfcat(tmp_path / NAME)
    assert catalogue.columns["ra"].tobytes() == columns["ra"].tobytes()
    assert catalogue.checksum == xxhash.xxh3_128_hexdigest((tmp_path / NAME).read_bytes())


def test_scaled_columns_and_null_values_are_applied(tmp_path):
    columns = some_columns(6)
    columns["mag"] = np.array([0, 10, -99, 7, 5, 3], "i2")
    columns["flags"] = np.array([0, 1, 2, 3, 2048, 32767], "u2")
    path = write_catalogue(
        tmp_path / NAME,
        columns,
        formats={"mag": "I"},
        null={"mag": -99},
        bzero={"flags": 32768},
    )
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus[1].header["TSCAL8"], hdus[1].header["TZERO8"] = 0.001, 15.0
    found = read_psfcat(path).columns
    expected = np.array([15, 15.01, np.nan, 15.007, 15.005, 15.003], "f4")
    np.testing.assert_array_equal(found["mag"], expected)
    assert found["flags"].tolist() == [0, 1, 2, 3, 2048, 32767]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"flags": np.array([0.5, 1, 2], "f4")}, "column 'flags' does not hold whole numbers"),
        ({"flags": np.array([0, 1, 40_000], "i4")}, "too large for int16"),
        ({"sourceid": np.array([0, 1, 2**40])}, "too large for int32"),
        ({"ra": np.zeros((3, 2))}, "column 'ra' is 2D, not one number a row"),
        ({"mag": np.array(["a", "b", "c"])}, "column 'mag' is 1A, not one number a row"),
        ({"RA": np.zeros(3), "ra": np.zeros(3)}, "column 'ra' stands twice"),
    ],
)
def test_columns_of_the_wrong_kind_are_refused(tmp_path, change, match):
    columns = some_columns(3) | change
    formats = {"f4": "E", "i4": "J", "i8": "K", "f8": "D"}
    formats = {n.lower(): formats.get(a.dtype.str[1:], "1A") for n, a in change.items()}
    if change.get("ra", np.zeros(3)).ndim == 2:
        formats["ra"] = "2D"
    path = write_catalogue(tmp_path / NAME, columns, formats=formats)
    with pytest.raises(WrongColumns, match=match):
        read_psfcat(path)


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_missing_column_is_named(tmp_path, missing):
    columns = some_columns(3)
    del columns[missing]
    path = write_catalogue(tmp_path / NAME, columns)
    with pytest.raises(WrongColumns, match=rf"{NAME}: column '{missing}' is missing \(found: so"):
        read_psfcat(path)


@pytest.mark.parametrize("ldac", [False, True])
def test_a_sexcat_is_recognised(tmp_path, ldac):
    path = tmp_path / NAME.replace("psfcat", "sexcat")
    sexcat = fits.BinTableHDU(
        Table({"NUMBER": [1], "XWIN_IMAGE": [1.0], "MAG_AUTO": [20.0], "ALPHAWIN_J2000": [1.0]}),
        name="LDAC_OBJECTS",
    )
    head = fits.BinTableHDU(Table({"Field Header Card": ["SIMPLE"]}), name="LDAC_IMHEAD")
    fits.HDUList([fits.PrimaryHDU(), *([head] if ldac else []), sexcat]).writeto(path)
    with pytest.raises(WrongColumns, match=r"are missing .* This is a SExtractor catalogue"):
        read_psfcat(path)


def test_an_empty_table_is_refused_as_empty(tmp_path):
    path = write_catalogue(tmp_path / NAME, some_columns(0))
    with pytest.raises(EmptyCatalogue, match="has no rows"):
        read_psfcat(path)


def test_a_file_without_a_table_is_refused(tmp_path):
    fits.PrimaryHDU(np.zeros((5, 5))).writeto(tmp_path / NAME)
    with pytest.raises(WrongColumns, match="has no binary table"):
        read_psfcat(tmp_path / NAME)


@pytest.mark.parametrize("junk", [b"", b"SIMPLE", b"no FITS at all" * 1000, b"\0" * 5760])
def test_junk_is_refused(tmp_path, junk):
    (tmp_path / NAME).write_bytes(junk)
    for read in (read_psfcat, read_header):
        with pytest.raises(TruncatedFile, match=rf"is no FITS file \({len(junk)} bytes\)"):
            read(tmp_path / NAME)


def test_a_header_without_end_is_refused(tmp_path):
    (tmp_path / NAME).write_bytes(b"SIMPLE  =                    T".ljust(80) * 5000)
    for read in (read_psfcat, read_header):
        with pytest.raises(TruncatedFile, match="within a header"):
            read(tmp_path / NAME)


def test_a_compressed_file_is_refused_with_a_remedy(tmp_path):
    (tmp_path / NAME).write_bytes(b"\x1f\x8b\x08\0" + b"\0" * 4000)
    with pytest.raises(TruncatedFile, match=r"no FITS file .* Unpack it"):
        read_psfcat(tmp_path / NAME)


def test_what_is_no_file_is_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name, match in [
        (".", "not a regular file"),
        ("pipe", "not a regular file"),
        ("dangling", "No such file"),
    ]:
        for read in (read_psfcat, read_header):
            with pytest.raises(UnreadableFile, match=match):
                read(tmp_path / name)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write_catalogue(tmp_path / NAME, some_columns(3))
    monkeypatch.setattr("ingest.blocks.FileIO", refuse)
    with pytest.raises(UnreadableFile, match=r"cannot be read \(Permission denied\)"):
        read_psfcat(path)


def test_every_truncation_is_refused_unless_only_padding_is_lost(tmp_path):
    whole = write_catalogue(tmp_path / "whole.fits", some_columns(120)).read_bytes()
    end_of_rows = len(whole) - (-120 * 58) % 2880
    path = tmp_path / NAME
    for size in [*range(0, len(whole), 97), *range(end_of_rows - 60, len(whole), 13)]:
        path.write_bytes(whole[:size])
        if size >= end_of_rows:
            assert read_psfcat(path).n_rows == 120
        else:
            with pytest.raises(TruncatedFile):
                read_psfcat(path)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("NAXIS2", -5), ("NAXIS2", 10**15), ("NAXIS2", 10**30), ("NAXIS2", "three"),
        ("NAXIS1", -58), ("NAXIS1", 0), ("NAXIS1", 57), ("NAXIS1", 2**61), ("NAXIS", 999),
        ("NAXIS", 10**9), ("BITPIX", 16), ("BITPIX", 7), ("GCOUNT", 2), ("GCOUNT", -1),
        ("PCOUNT", -2880), ("TFIELDS", 10**6), ("TFIELDS", 12), ("TFORM4", "1000000D"),
        ("TFORM4", "Z"), ("TFORM4", 4), ("TSCAL4", "x"), ("XTENSION", "TABLE"),
    ],
)  # fmt: skip
def test_absurd_headers_are_refused_without_a_traceback(tmp_path, keyword, value):
    path = write_catalogue(tmp_path / NAME, some_columns(3))
    data = bytearray(path.read_bytes())
    at = data.find(f"{keyword:8}=".encode(), 2880)
    card = f"{keyword:8}= {value!r:>20}".encode().ljust(80)
    if at < 0:
        at = data.find(b"EXTNAME ", 2880)
    data[at : at + 80] = card
    path.write_bytes(data)
    with pytest.raises((TruncatedFile, WrongColumns)):
        read_psfcat(path)


@settings(reused_folder, max_examples=200)
@given(data=st.data())
def test_flipped_bits_end_in_refusal_or_in_the_rows_astropy_reads(tmp_path, data):
    path = tmp_path / NAME
    if not path.exists():
        write_catalogue(path, some_columns(30))
        shutil.copy(path, tmp_path / "whole.fits")
    damaged = bytearray((tmp_path / "whole.fits").read_bytes())
    # Mostly in the headers, where a bit has consequences.
    places = st.one_of(st.integers(0, 8 * 2880 * 3 - 1), st.integers(0, 8 * len(damaged) - 1))
    for bit in data.draw(st.lists(places, min_size=1, max_size=3)):
        damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    try:
        catalogue = read_psfcat(path)
    except RefusedInput:
        return
    try:
        table = table_by_astropy(path)
    except Exception:  # it may be stricter in what it does not need
        assert catalogue.n_rows == 30
        return
    assert_same_columns(catalogue, table)


def sparse(path, pieces, size):
    """A file of `size` bytes that takes no room: zeros but for pieces at their positions."""
    with path.open("wb") as file:
        for position, piece in pieces.items():
            file.seek(position)
            file.write(piece)
        file.truncate(size)


def peak_memory(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_huge_file_without_an_end_of_header_is_refused_at_once(tmp_path):
    path = tmp_path / NAME
    sparse(path, {0: b"SIMPLE  =                    T".ljust(80)}, 1_500_000_000)

    def read():
        with pytest.raises(TruncatedFile, match="has a header of more than 1036800 bytes"):
            read_header(path)

    assert peak_memory(read) < 10e6


def test_a_table_far_behind_is_found_without_having_what_lies_before_it(tmp_path):
    columns = some_columns(5)
    write_catalogue(tmp_path / "table.fits", columns)
    whole = (tmp_path / "table.fits").read_bytes()
    with fits.open(tmp_path / "table.fits") as hdus:
        at = hdus[1].fileinfo()["hdrLoc"]
    image = fits.Header({"XTENSION": "IMAGE", "BITPIX": 8, "NAXIS": 1, "NAXIS1": 50_000 * 2880})
    cards = image.tostring().encode()
    before = at + len(cards) + 50_000 * 2880
    path = tmp_path / NAME
    pieces = {0: whole[:at], at: cards, before: whole[at:]}
    sparse(path, pieces, before + len(whole) - at)
    found = []
    assert peak_memory(lambda: found.append(read_psfcat(path))) < 20e6
    assert found[0].columns["ra"].tobytes() == columns["ra"].tobytes()
    digest = xxhash.xxh3_128()
    digest.update(path.read_bytes())
    assert found[0].checksum == digest.hexdigest()


@pytest.mark.parametrize(
    ("ids", "match"),
    [
        ([0, -7, 2], "-7 is negative"),
        ([-(2**31)] * 3, "-2147483648 is negative"),
        ([4, 4, 1], "4 stands twice"),
        ([1, 2, 1], "1 stands twice"),
    ],
)
def test_ids_that_do_not_tell_the_rows_apart_are_refused(tmp_path, ids, match):
    columns = some_columns(3) | {"sourceid": np.array(ids, "i4")}
    with pytest.raises(BadSourceIds, match=f"column sourceid: {match}"):
        read_psfcat(write_catalogue(tmp_path / NAME, columns))


def test_ids_may_stand_in_any_order_and_be_large(tmp_path):
    columns = some_columns(3) | {"sourceid": np.array([2**31 - 1, 100_000_000, 7], "i4")}
    found = read_psfcat(write_catalogue(tmp_path / NAME, columns))
    assert found.columns["sourceid"].tolist() == [2**31 - 1, 100_000_000, 7]


def test_rows_without_a_place_on_the_sky_are_told_apart(tmp_path):
    path = tmp_path / NAME
    ra = np.array([0.0, 360.0, 180.0, np.nan, 10.0, -1e-9, 360.0001, 1.0, np.inf])
    dec = np.array([-90.0, 90.0, 0.0, 0.0, np.nan, 0.0, 0.0, 90.1, 0.0])
    good, fault = coordinate_fault(path, ra, dec)
    assert good is not None
    assert fault is not None
    assert good.tolist() == [True] * 3 + [False] * 6
    assert (fault.n_rows, fault.first_row) == (6, 3)
    assert "6 of 9 rows are NaN or out of range, the first is row 3" in str(fault)
    assert coordinate_fault(path, ra[:3], dec[:3]) == (None, None)
    assert coordinate_fault(path, ra[:0], dec[:0]) == (None, None)


def test_the_formats_of_the_test_files_are_those_of_the_real_ones():
    assert list(FORMATS) == list(COLUMNS)


@pytest.mark.parametrize(
    ("pieces", "match"),
    [
        ({b"NAXIS2  =": b"50000000"}, "NAXIS2 is 50000000: a damaged header"),
        ({b"NAXIS1  =": b"9999989", b"TFORM4  =": b"'9999939A'"}, "NAXIS1 is 9999989"),
    ],
)
def test_a_file_as_large_as_it_says_that_holds_nothing_takes_no_memory(tmp_path, pieces, match):
    data = write_catalogue(tmp_path / NAME, some_columns(3)).read_bytes()
    for keyword, value in pieces.items():
        at = data.index(keyword, 2880)
        data = data[:at] + (keyword + b" " + value.rjust(20)).ljust(80) + data[at + 80 :]
    sparse(tmp_path / NAME, {0: data}, 3_000_000_000)

    def read():
        with pytest.raises(TruncatedFile, match=match):
            read_psfcat(tmp_path / NAME)

    assert peak_memory(read) < 10e6


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b"END".ljust(80), b"".ljust(80), "headers that run into each other"),
        (b"TTYPE11 =", b"TTYPE1A =", "TTYPE11 names no column"),
        (b"= 'chi     '", b"= 'c\x00i     '", "TTYPE11 names no column"),
        (b"TFORM11 = 'E       ' ", b"TFORM11 = 'E       'x", "column 'chi' makes no sense"),
        (b"PCOUNT  =                    0", b"PCOUNT  =                 9999", r"\(PCOUNT\)"),
        (b"SIMPLE  =                    T", b"SIMPLE  =                    F", "not say that"),
    ],
)
def test_what_is_lost_in_a_header_does_not_pass_for_what_was_never_there(tmp_path, old, new, match):
    path = write_catalogue(tmp_path / NAME, some_columns(3))
    assert path.read_bytes().count(old) >= 1
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises((TruncatedFile, WrongColumns), match=match):
        read_psfcat(path)
