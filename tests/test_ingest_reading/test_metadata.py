"""Each value from the first source that has it, and refusal where identity is not certain."""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from astropy import wcs
from astropy.io import fits
from fitsfiles import HEADER, NAME, WCS
from hypothesis import given
from hypothesis import strategies as st
from realdata import REAL, needs_real

from ingest.cards import Header, parse_card_lines, parse_cards
from ingest.errors import (
    ContradictoryMetadata,
    ImpossibleDate,
    IncompleteMetadata,
    MetadataTableError,
    TruncatedFile,
    UnknownFilter,
)
from ingest.keywords import mjd_of_jd
from ingest.metadata import gather_image_facts, gather_reference_facts
from ingest.metadata_table import MetadataTable
from ingest.psfcat import read_header

ROW = {
    "expid": 136243177, "filefracday": 20200924431759, "field": 655, "ccdid": 13, "qid": 3,
    "rcid": 50, "fid": 2, "obsjd": 2459116.9317708, "exptime": 30.0, "airmass": 1.018,
    "infobits": 0, "crval1": 57.9974032715, "crval2": 35.74628707041, "crpix1": 1536.5,
    "crpix2": 1540.5, "cd11": -0.00028117, "cd12": -7.7e-06, "cd21": 7.7e-06,
    "cd22": -0.00028117,
}  # fmt: skip
COLUMN_OF = {
    "FIELDID": "field", "CCDID": "ccdid", "QID": "qid", "RCID": "rcid", "FILTERID": "fid",
    "EXPID": "expid", "PROGRMID": "programid", "OBSMJD": "obsmjd", "MAGLIM": "limitmag",
}  # fmt: skip


def header_of(values: dict[str, object]) -> Header:
    header = fits.Header()
    for key, value in values.items():
        header[key] = value
    return parse_cards(header.tostring().encode())


def with_nan(values: dict[str, object], key: str, word: str = "NaN") -> Header:
    rest = {k: v for k, v in values.items() if k != key}
    text = header_of(rest).cards + f"{key:8}= {word:>20}".ljust(80)
    return parse_cards(text.encode())


def hdr_file(path, values: dict[str, object]) -> None:
    text = header_of(values).cards
    path.write_text("\n".join(text[i : i + 80] for i in range(0, len(text), 80)))


@pytest.fixture
def path(tmp_path):
    return tmp_path / NAME


def test_a_complete_header_needs_no_one_else(path):
    facts = gather_image_facts(path, header_of(HEADER | WCS))
    for key, value in HEADER.items():
        assert getattr(facts, COLUMN_OF.get(key, key.lower())) == value
    assert (facts.crval1, facts.cd2_2) == (WCS["CRVAL1"], WCS["CD2_2"])
    assert facts.filefracday == 20200924431759
    assert facts.metadata_from == "header,filename"
    assert (facts.filtercode, facts.pid) == ("zr", 1362431775015)
    assert pickle.loads(pickle.dumps(facts)) == facts


@given(st.sets(st.sampled_from(sorted(HEADER))), st.booleans())
def test_any_subset_of_a_header_gives_what_it_says_and_no_guess(kept, in_table):
    values = {key: HEADER[key] for key in kept}
    table = MetadataTable.of(pl.DataFrame([ROW])) if in_table else None
    if "OBSMJD" not in kept and table is None:
        with pytest.raises(IncompleteMetadata, match="no value for obsmjd in"):
            gather_image_facts(NAME, header_of(values), table=table)
        return
    facts = gather_image_facts(NAME, header_of(values), table=table)
    always = {"FIELDID", "CCDID", "QID", "RCID", "FILTERID", "EXPID", "OBSMJD"}
    if table:
        always |= {"EXPTIME", "AIRMASS", "INFOBITS"}
    for key, value in HEADER.items():
        known = value if key in kept | always else None
        assert getattr(facts, COLUMN_OF.get(key, key.lower())) == known


def test_what_a_header_lacks_comes_from_the_science_header_beside_it(path):
    hdr_file(path.with_name(NAME.replace("psfcat.fits", "sciimg.hdr")), HEADER | WCS)
    facts = gather_image_facts(path, header_of({"OBSMJD": HEADER["OBSMJD"], "MAGZP": 26.0}))
    assert (facts.magzp, facts.seeing, facts.crpix1) == (26.0, 1.241, 1536.5)
    assert facts.metadata_from == "header,sciimg,filename"


@pytest.mark.parametrize("compressed", [False, True])
def test_a_science_image_in_fits_serves_as_well(path, compressed):
    header = fits.Header()
    header.update(HEADER | WCS)
    pixels, stem = np.zeros((40, 40), "f4"), NAME.replace("psfcat.fits", "sciimg.fits")
    if compressed:
        image = fits.CompImageHDU(pixels, header)
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(path.with_name(stem + ".fz"))
    else:
        fits.PrimaryHDU(pixels, header).writeto(path.with_name(stem))
    facts = gather_image_facts(path, Header())
    assert (facts.expid, facts.pcolor, facts.cd1_1) == (136243177, "g - R", -0.00028117)
    assert facts.metadata_from == "sciimg,filename"


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("sciimg.hdr", b"", "sciimg.hdr says nothing"),
        ("sciimg.hdr", b"junk\n" * 100, "sciimg.hdr says nothing"),
        ("sciimg.fits", b"SIMPLE  =                    T", "sciimg.fits ends after 30 bytes"),
    ],
)
def test_a_damaged_science_header_refuses_the_image(path, name, content, match):
    path.with_name(NAME.replace("psfcat.fits", name)).write_bytes(content)
    with pytest.raises(TruncatedFile, match=f"{NAME}: its science header .*{match}"):
        gather_image_facts(path, header_of(HEADER))


def test_two_world_coordinate_systems_are_never_mixed(path):
    hdr_file(path.with_name(NAME.replace("psfcat.fits", "sciimg.hdr")), HEADER | WCS)
    incomplete = {"CTYPE1": "RA---TAN", "CRVAL1": 1.0, "CRVAL2": 2.0}
    facts = gather_image_facts(path, header_of(HEADER | incomplete))
    assert (facts.crval1, facts.crpix1, facts.cd1_1) == (1.0, None, None)
    assert "TPV" not in facts.wcs_cards
    without_type = gather_image_facts(path, header_of(HEADER | {"CRVAL1": 1.0, "CRVAL2": 2.0}))
    assert without_type.crval1 == WCS["CRVAL1"]


def test_the_metadata_table_is_found_by_name_and_by_exposure(path):
    table = MetadataTable.of(pl.DataFrame([ROW]))
    by_name = gather_image_facts(path, Header(), table=table)
    assert by_name.obsmjd == 59116.4317708
    assert (by_name.expid, by_name.crval1, by_name.wcs_cards) == (136243177, 57.9974032715, None)
    assert (by_name.limitmag, by_name.magzp) == (None, None)
    assert by_name.metadata_from == "table"
    renamed = header_of({key: HEADER[key] for key in ("RCID", "EXPID")})
    by_exposure = gather_image_facts("renamed.fits", renamed, table=table)
    assert (by_exposure.field, by_exposure.fid, by_exposure.ccdid) == (655, 2, 13)
    assert by_exposure.filefracday == 20200924431759
    dated = header_of({key: HEADER[key] for key in ("RCID", "OBSMJD")})
    assert gather_image_facts("renamed.fits", dated, table=table).expid == 136243177


def test_marks_for_not_known_and_absurd_values_count_as_unknown(path):
    absurd = {
        "SEEING": -9999.0, "AIRMASS": -999, "MAGZP": "none", "MAGLIM": True, "EXPID": 1.5,
        "PROGRMID": 1000, "INFOBITS": -1, "PCOLOR": " ", "FIELDID": "655", "CCDID": 13.0,
        "EXPOSURE": 31.0, "EXPTIME": "x",
    }  # fmt: skip
    facts = gather_image_facts(path, header_of(HEADER | absurd))
    assert facts.seeing is facts.airmass is facts.magzp is facts.limitmag is None
    assert facts.programid is facts.infobits is facts.pcolor is None
    assert (facts.field, facts.ccdid, facts.exptime) == (655, 13, 31.0)
    assert facts.expid == 136243177  # from OBSMJD
    assert type(facts.ccdid) is int


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("FIELDID", 656, "field is 656 in its header, but 655 in its name"),
        ("FILTERID", 1, "fid is 1 in its header, but 2 in its name"),
        ("QID", 4, "rcid is 50 in its header, but 51 in its CCD and quadrant there"),
    ],
)
def test_header_and_name_that_contradict_each_other_are_refused(path, key, value, message):
    with pytest.raises(ContradictoryMetadata, match=message):
        gather_image_facts(path, header_of(HEADER | {key: value}))


def test_a_science_header_of_another_exposure_is_refused(path):
    hdr_file(path.with_name(NAME.replace("psfcat.fits", "sciimg.hdr")), HEADER | {"EXPID": 7})
    with pytest.raises(ContradictoryMetadata, match="expid is 136243177 in its header, but 7 in"):
        gather_image_facts(path, header_of(HEADER))
    other = HEADER | {"OBSMJD": 59116.44}
    hdr_file(path.with_name(NAME.replace("psfcat.fits", "sciimg.hdr")), other)
    with pytest.raises(ContradictoryMetadata, match=r"obsmjd is 59116\.4317708 .* 59116\.44 in"):
        gather_image_facts(path, header_of(HEADER))


@pytest.mark.parametrize(
    "change", [{"CCDID": 17, "RCID": 66}, {"RCID": 64, "CCDID": 17, "QID": 1}, {"FIELDID": 40_000}]
)
def test_numbers_outside_the_survey_are_refused(change):
    with pytest.raises(ContradictoryMetadata, match="in its survey's numbering"):
        gather_image_facts("renamed.fits", header_of(HEADER | change))


def test_a_channel_is_known_by_either_of_its_numbers():
    for dropped in [("RCID",), ("CCDID", "QID")]:
        values = {key: value for key, value in HEADER.items() if key not in dropped}
        facts = gather_image_facts("renamed.fits", header_of(values))
        assert (facts.ccdid, facts.qid, facts.rcid) == (13, 3, 50)
        assert facts.filefracday is None


def test_all_that_is_missing_is_named():
    with pytest.raises(IncompleteMetadata, match="field, ccdid, qid, rcid, fid, obsmjd in header"):
        gather_image_facts("renamed.fits", Header())


@pytest.mark.parametrize(("value", "said"), [(4, 4), (0, 0)])
def test_an_unknown_filter_is_refused(path, value, said):
    with pytest.raises(UnknownFilter, match=f"filter {said} is not 1"):
        gather_image_facts(path, header_of(HEADER | {"FILTERID": value}))


def test_a_filter_is_known_by_its_name_too():
    values = {key: value for key, value in HEADER.items() if key != "FILTERID"}
    facts = gather_image_facts("renamed.fits", header_of(values | {"FILTER": "ZTF_i   "}))
    assert facts.fid == 3
    with pytest.raises(UnknownFilter, match="filter ZTF_u is not"):
        gather_image_facts("renamed.fits", header_of(values | {"FILTER": "ZTF_u"}))


@pytest.mark.parametrize("value", ["NaN", "-1.0", "0", "49999.9", "80000.1", "1E300", "INF"])
def test_an_impossible_date_is_refused_unless_another_source_knows_better(path, value):
    header = with_nan(HEADER, "OBSMJD", value)
    with pytest.raises(ImpossibleDate, match=re.escape(f"OBSMJD is {float(value)}, no")):
        gather_image_facts(path, header)
    table = MetadataTable.of(pl.DataFrame([ROW]))
    assert gather_image_facts(path, header, table=table).obsmjd == 59116.4317708


@pytest.mark.parametrize("header", ["fid as a number", "fid by name"])
def test_a_filter_that_contradicts_in_another_form_is_refused(path, header):
    values = HEADER if header == "fid as a number" else HEADER | {"FILTERID": None, "FILTER": "zr"}
    values = {key: value for key, value in values.items() if value is not None}
    beside = {"FILTER": "ZTF_u", "SATURATE": 50_000.0}
    hdr_file(path.with_name(NAME.replace("psfcat.fits", "sciimg.hdr")), beside)
    with pytest.raises(ContradictoryMetadata, match="fid is 2 in its header, but ZTF_u in its sci"):
        gather_image_facts(path, header_of(values))


@pytest.mark.parametrize("off", [-2, 0, 2])
def test_an_exposure_id_may_be_rounded(path, off):
    header = header_of(HEADER | {"EXPID": HEADER["EXPID"] + off})
    assert gather_image_facts(path, header).expid == HEADER["EXPID"] + off


@pytest.mark.parametrize("expid", [5, HEADER["EXPID"] + 3, HEADER["EXPID"] - 3])
def test_an_exposure_id_that_is_not_of_the_date_is_refused(path, expid):
    message = f"expid is {expid} in its header, but 136243177 in its OBSMJD"
    with pytest.raises(ContradictoryMetadata, match=message):
        gather_image_facts(path, header_of(HEADER | {"EXPID": expid}))


def test_a_negative_exposure_time_counts_as_unknown(path):
    assert gather_image_facts(path, header_of(HEADER | {"EXPTIME": -30.0})).exptime is None


def test_a_text_file_too_large_for_a_header_is_refused(path):
    beside = path.with_name(NAME.replace("psfcat.fits", "sciimg.hdr"))
    beside.write_bytes(b"X" * 1_100_000)
    with pytest.raises(TruncatedFile, match=r"sciimg\.hdr has 1100000 bytes, too many"):
        gather_image_facts(path, header_of({"OBSMJD": HEADER["OBSMJD"]}))


def test_a_date_never_comes_from_the_name(path):
    values = {key: value for key, value in HEADER.items() if key != "OBSMJD"}
    with pytest.raises(IncompleteMetadata, match="no value for obsmjd in"):
        gather_image_facts(path, header_of(values))
    facts = gather_image_facts(path, header_of(values | {"OBSJD": 2459116.9317708}))
    assert facts.obsmjd == 59116.4317708


@given(st.integers(55_000 * 10**7, 75_000 * 10**7))
def test_a_seven_decimal_jd_gives_the_mjd_to_the_last_bit(ticks):
    mjd = ticks / 10**7
    whole, rest = divmod(ticks, 10**7)
    half = rest + 5 * 10**6
    jd = float(f"{2_400_000 + whole + half // 10**7}.{half % 10**7:07}")
    assert mjd_of_jd(jd) == mjd


def test_a_jd_of_more_decimals_keeps_them():
    jd = np.nextafter(2459116.9317708, 3e6)
    assert mjd_of_jd(jd) == jd - 2_400_000.5
    assert math.isnan(mjd_of_jd(math.nan))


REFERENCE = {
    "FIELDID": 633, "CCDID": 7, "QID": 4, "RCID": 27, "FILTERID": 2, "RFID": 633120227,
    "MAGZP": 26.275, "INFOBITS": 0, "PCOLOR": "g-R",
}  # fmt: skip


@given(st.sets(st.sampled_from(sorted(REFERENCE))))
def test_a_reference_is_known_by_header_or_name(kept):
    header = header_of({key: REFERENCE[key] for key in kept})
    facts = gather_reference_facts("ztf_000633_zr_c07_q4_refpsfcat.fits", header)
    assert (facts.field, facts.fid, facts.ccdid, facts.qid, facts.rcid) == (633, 2, 7, 4, 27)
    assert facts.rfid == 633120227
    assert facts.magzp == (26.275 if "MAGZP" in kept else None)
    assert facts.pcolor == ("g-R" if "PCOLOR" in kept else None)


@pytest.mark.parametrize("rfid", [633120227, 633121227])
def test_a_reference_of_another_version_is_of_the_same_channel(rfid):
    header = header_of(REFERENCE | {"RFID": rfid})
    assert gather_reference_facts("renamed.fits", header).rfid == rfid


@pytest.mark.parametrize("rfid", [999, 633120127, 634120227, 633120228, 10**20, -633120227])
def test_a_reference_id_of_another_channel_is_refused(rfid):
    with pytest.raises(ContradictoryMetadata, match=f"rfid is {rfid} in its header, but 633120227"):
        gather_reference_facts("renamed.fits", header_of(REFERENCE | {"RFID": rfid}))


def test_a_reference_without_identity_is_refused():
    with pytest.raises(IncompleteMetadata, match="field, ccdid, qid, rcid, fid in header"):
        gather_reference_facts("renamed.fits", Header())
    with pytest.raises(ContradictoryMetadata, match="field is 633 in its header, but 634 in its"):
        gather_reference_facts("ztf_000634_zr_c07_q4_refpsfcat.fits", header_of({"FIELDID": 633}))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_metadata_table_is_read_from_csv_and_parquet(tmp_path, suffix):
    frame = pl.DataFrame([ROW, ROW | {"rcid": 51, "qid": 4, "airmass": None}])
    path = tmp_path / f"table{suffix}"
    (frame.write_csv if suffix == ".csv" else frame.write_parquet)(path)
    table = MetadataTable.read(path)
    row = table.find(51, filefracday=ROW["filefracday"], expid=None)
    assert row["obsjd"] == ROW["obsjd"]
    assert "airmass" not in row
    assert table.find(50, filefracday=None, expid=ROW["expid"])["airmass"] == 1.018
    assert table.find(50, filefracday=1, expid=2) is None


def test_odd_cells_of_a_csv_count_as_unknown(tmp_path):
    text = "filefracday,ccdid,qid,exptime,obsjd\n20200924431759.0,13,3,thirty,2459116.9317708\n,,,,"
    (tmp_path / "table.csv").write_text(text)
    row = MetadataTable.read(tmp_path / "table.csv").find(
        50, filefracday=20200924431759, expid=None
    )
    assert row["obsjd"] == 2459116.9317708
    assert "exptime" not in row


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"rcid,obsjd\n1,2\n", b"\xff\xfe\0"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_that_says_not_which_image_it_means_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"table{suffix}"
    path.write_bytes(content)
    with pytest.raises(MetadataTableError, match=r"table\.(csv|parquet): .*expid or filefracday"):
        MetadataTable.read(path)


def test_a_table_that_is_not_there_is_refused(tmp_path):
    for name in ("x.csv", "x.parquet", "."):
        with pytest.raises(MetadataTableError, match="cannot be read"):
            MetadataTable.read(tmp_path / name)


@needs_real
def test_the_real_table_and_the_real_headers_agree():
    table = MetadataTable.read(REAL / "headers" / "ztf_sci_metadata.csv")
    n_compared = 0
    for hdr in sorted((REAL / "headers").glob("*.hdr")):
        name = hdr.name.replace("sciimg.hdr", "psfcat.fits")
        beside = gather_image_facts(hdr.with_name(name), Header())
        header = parse_card_lines(hdr.read_bytes())
        assert beside.expid == header["EXPID"] == math.floor((beside.obsmjd - 57754) * 1e5)
        assert beside.pid == header["DBPID"]
        assert (beside.magzp, beside.seeing) == (header["MAGZP"], header["SEEING"])
        if table.find(beside.rcid, filefracday=beside.filefracday, expid=None):
            alone = gather_image_facts(name, Header(), table=table)
            for key in ("expid", "obsmjd", "field", "fid", "rcid", "infobits", "airmass", "cd1_2"):
                assert getattr(alone, key) == getattr(beside, key)
            assert (beside.metadata_from, alone.metadata_from) == ("sciimg,filename", "table")
            n_compared += 1
    assert n_compared == 16


@needs_real
def test_the_kept_wcs_cards_give_astropy_the_same_positions():
    for hdr in sorted((REAL / "headers").glob("*.hdr")):
        name = hdr.name.replace("sciimg.hdr", "psfcat.fits")
        cards = gather_image_facts(hdr.with_name(name), Header()).wcs_cards
        assert len(cards) % 80 == 0
        corners = np.array([[1.0, 1.0], [3072.0, 1.0], [1.0, 3080.0], [3072.0, 3080.0]])
        ours = wcs.WCS(fits.Header.fromstring(cards)).all_pix2world(corners, 1)
        theirs = wcs.WCS(fits.Header.fromtextfile(hdr)).all_pix2world(corners, 1)
        np.testing.assert_array_equal(ours, theirs)


@needs_real
def test_the_real_catalogues_are_identified():
    path = REAL / "psfcat" / NAME
    image = gather_image_facts(path, read_header(path))
    assert (image.expid, image.pid, image.obsmjd) == (136243177, 1362431775015, 59116.4317708)
    path = REAL / "psfcat" / "ztf_000633_zr_c07_q4_refpsfcat.fits"
    assert gather_reference_facts(path, read_header(path)).rfid == 633120227


@pytest.mark.parametrize("value", ["x0", "'a' b", "1.5.2", "\x1b"])
def test_a_damaged_card_that_counts_is_no_card_that_is_not_there(value):
    cards = [f"INFOBITS= {value:>20} / flags".ljust(80), f"COMMENT = {value}".ljust(80)]
    header = parse_cards("".join(cards).encode())
    with pytest.raises(TruncatedFile, match="no value that can be read in its card INFOBITS"):
        gather_image_facts(Path(NAME), header)


def test_numbers_of_a_metadata_table_are_whole_or_not_known():
    frame = pl.DataFrame({"expid": ["5.0", "6.5", "7"], "rcid": ["1", "1", "-30.45"]})
    found = MetadataTable.of(frame).frame
    assert found["expid"].to_list() == [5, None, 7]
    assert found["rcid"].to_list() == [1, 1, None]
