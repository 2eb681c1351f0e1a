"""What names say, and which files of a folder are catalogues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import REAL, needs_real

from ingest.errors import NothingToIngestError
from ingest.filenames import NameFacts, find_catalogues, parse_name

PSFCAT = "ztf_20200924431759_000655_zr_c13_o_q3_psfcat.fits"
REFPSFCAT = "ztf_000633_zr_c07_q4_refpsfcat.fits"


def test_a_psfcat_name_says_all_but_the_time():
    facts = parse_name(PSFCAT)
    assert facts == NameFacts("psfcat", 655, "zr", 13, 3, 20200924431759)
    assert (facts.fid, facts.rcid) == (2, 50)


def test_a_refpsfcat_name_has_no_date():
    facts = parse_name(REFPSFCAT)
    assert facts == NameFacts("refpsfcat", 633, "zr", 7, 4)
    assert (facts.fid, facts.rcid, facts.filefracday) == (2, 27, None)


@given(
    st.integers(0, 999_999), st.sampled_from(["zg", "zr", "zi"]), st.integers(1, 16),
    st.integers(1, 4), st.integers(10**13, 10**14 - 1),
)  # fmt: skip
def test_names_are_read_back(field, filtercode, ccdid, qid, fraction):
    name = f"ztf_{fraction}_{field:06}_{filtercode}_c{ccdid:02}_o_q{qid}_psfcat.fits"
    assert parse_name(name) == NameFacts("psfcat", field, filtercode, ccdid, qid, fraction)
    assert parse_name(name).rcid in range(64)


@pytest.mark.parametrize(
    "name",
    [
        "", "psfcat.fits", PSFCAT + ".gz", "x" + PSFCAT, PSFCAT.replace("_zr_", "_zu_"),
        PSFCAT.replace("_c13_", "_c17_"), PSFCAT.replace("_c13_", "_c00_"),
        PSFCAT.replace("_q3_", "_q5_"), PSFCAT.replace("psfcat", "sexcat"), PSFCAT + "\n",
        PSFCAT.replace("000655", "00065٥"),
    ],
)  # fmt: skip
def test_other_names_say_nothing(name):
    assert parse_name(name) is None


def test_folders_are_searched_to_the_bottom_in_order(tmp_path):
    for name in ["b/2_psfcat.fits", "a/c/3_psfcat.fits", "1_psfcat.fits", "a/x_refpsfcat.fits"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in [".4_psfcat.fits", "a/5_sexcat.fits", "a/6_psfcat.fits.partial"]:
        (tmp_path / name).touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/7_psfcat.fits").touch()
    (tmp_path / "a/round").symlink_to(tmp_path)
    (tmp_path / "zz_psfcat.fits").symlink_to("nowhere")
    expected = ["1_psfcat.fits", "a/c/3_psfcat.fits", "b/2_psfcat.fits", "zz_psfcat.fits"]
    found = [str(path.relative_to(tmp_path)) for path in find_catalogues([tmp_path])]
    assert found == expected
    overlapping = [tmp_path, tmp_path / "a", tmp_path / "b/2_psfcat.fits"]
    assert find_catalogues(overlapping) == find_catalogues([tmp_path])
    assert [path.name for path in find_catalogues([tmp_path], "refpsfcat")] == ["x_refpsfcat.fits"]


def test_a_file_given_outright_is_taken_whatever_its_name(tmp_path):
    (tmp_path / "anything").touch()
    assert find_catalogues([tmp_path / "anything"]) == [tmp_path / "anything"]


def test_a_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(NothingToIngestError, match=r"nowhere: no such file or folder\. Give"):
        find_catalogues([tmp_path / "nowhere"])


@pytest.mark.parametrize("kind", ["psfcat", "refpsfcat"])
def test_a_folder_without_catalogues_is_told(tmp_path, kind):
    with pytest.raises(NothingToIngestError, match=f"no {kind} here.*_{kind}"):
        find_catalogues([tmp_path], kind)


def test_no_path_at_all_is_told():
    with pytest.raises(NothingToIngestError, match=r"\(no path\): no psfcat here"):
        find_catalogues([])


@needs_real
def test_the_real_files_are_found():
    assert [path.name for path in find_catalogues([REAL])] == [PSFCAT]
    assert [path.name for path in find_catalogues([REAL], "refpsfcat")] == [REFPSFCAT]
