"""Bad input: named, recorded where SQL sees it, and never in the way of the rest."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from catalogues import scatter, write_psfcat, write_refpsfcat

from ingest.pipeline import ingest
from ingest.references import add_references
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHT = date(2024, 1, 10)


@pytest.fixture
def root(tmp_path):
    create_archive(tmp_path / "archive", ArchiveSettings())
    return tmp_path / "archive"


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    good(folder, 1)
    return folder


def good(folder, qid, n=20, **how):
    ra, dec = scatter(np.random.default_rng(qid), n)
    return write_psfcat(folder, ra, dec, qid=qid, **how)


def refusals(root):
    files = open_snapshot(root).files("refusals")
    return pl.read_parquet(files) if files else pl.DataFrame(schema={"code": pl.String})


def n_rows(root):
    return open_snapshot(root).rows("detections")


def truncated(folder):
    path = good(folder, 2)
    path.write_bytes(path.read_bytes()[:6500])


def not_fits(folder):
    good(folder, 2).write_text("not FITS at all")


def empty_table(folder):
    good(folder, 2, n=0)


def empty_file(folder):
    good(folder, 2).write_bytes(b"")


def no_flux(folder):
    good(folder, 2, drop=("flux",))


def sexcat(folder):
    from astropy.io import fits

    path = good(folder, 2)
    columns = [fits.Column(name, "D", array=np.ones(3)) for name in ("XWIN_IMAGE", "MAG_AUTO")]
    table = fits.BinTableHDU.from_columns(columns, name="SOURCE_CATALOG")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, overwrite=True)


def strange_filter(folder):
    good(folder, 2, header={"FILTERID": 7})


def no_date(folder):
    good(folder, 2, header={"OBSMJD": None})


def date_of_columbus(folder):
    good(folder, 2, header={"OBSMJD": -133000.0})


def no_field(folder):
    good(folder, 2, name="photometry_psfcat.fits", header={"FIELDID": None})


def dangling_link(folder):
    (folder / "gone_psfcat.fits").symlink_to(folder / "nowhere")


@pytest.mark.parametrize(
    ("spoil", "code", "knows_night"),
    [
        (truncated, "truncated", True),
        (not_fits, "truncated", False),
        (empty_table, "empty", True),
        (empty_file, "truncated", False),
        (no_flux, "wrong_columns", True),
        (strange_filter, "unknown_filter", False),
        (no_date, "incomplete_metadata", False),
        (date_of_columbus, "impossible_date", False),
        (no_field, "incomplete_metadata", False),
        (dangling_link, "unreadable", False),
    ],
)
def test_a_bad_file_is_refused_by_name_and_the_rest_goes_on(root, raw, spoil, code, knows_night):
    spoil(raw)
    report = ingest(root, [raw])
    assert n_rows(root) == 20
    (refusal,) = report.refusals
    assert refusal.code == code
    recorded = refusals(root).row(0, named=True)
    assert recorded["code"] == code
    assert recorded["input_file"].endswith("_psfcat.fits")
    assert recorded["what"]
    assert recorded["hint"]
    assert recorded["night"] == (NIGHT if knows_night else None)
    assert verify(root) == []
    # Asked again, it says the same and records it once.
    again = ingest(root, [raw])
    assert [r.code for r in again.refusals] == [code]
    assert again.publication == report.publication
    assert len(refusals(root)) == 1


def test_a_sexcat_is_told_from_a_psfcat(root, raw):
    sexcat(raw)
    report = ingest(root, [raw])
    assert n_rows(root) == 20
    assert len(report.refusals) == 1
    assert len(refusals(root)) == 1


def test_a_file_that_was_mended_is_no_longer_refused(root, raw):
    for spoil in (truncated, no_date):
        spoil(raw)
        ingest(root, [raw])
        assert len(refusals(root)) == 1
        good(raw, 2)
        report = ingest(root, [raw])
        assert not report.refusals
        assert refusals(root).is_empty()
    assert n_rows(root) == 40


def test_rows_without_a_place_on_the_sky_are_refused_and_the_others_published(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(5), 10)
    ra[3], dec[7] = np.nan, 91.0
    write_psfcat(tmp_path / "raw", ra, dec)
    report = ingest(root, [tmp_path / "raw"])
    (refusal,) = report.refusals
    assert (refusal.code, refusal.n_rows, refusal.first_row) == ("bad_coordinates", 2, 3)
    assert n_rows(root) == 8
    recorded = refusals(root).row(0, named=True)
    assert (recorded["n_rows"], recorded["first_row"], recorded["night"]) == (2, 3, NIGHT)
    image = pl.read_parquet(open_snapshot(root).files("images")).row(0, named=True)
    assert (image["n_read"], image["n_published"], image["n_refused"]) == (10, 8, 2)
    assert not ingest(root, [tmp_path / "raw"]).nothing_done
    assert len(refusals(root)) == 1


def test_one_image_given_twice_with_other_bytes_is_refused_by_both_names(root, raw):
    good(raw, 3, n=5, name="ztf_20240110300000_000600_zr_c07_o_q3_psfcat.fits")
    good(raw, 3, n=6, name="ztf_20240110300001_000600_zr_c07_o_q3_psfcat.fits")
    report = ingest(root, [raw])
    assert [refusal.code for refusal in report.refusals] == ["duplicate_image"] * 2
    assert "20240110300001" in str(report.refusals[0])
    assert n_rows(root) == 20
    assert len(refusals(root)) == 2


def test_one_image_given_twice_with_the_same_bytes_is_taken_once(root, raw, tmp_path):
    copy = tmp_path / "copy" / next(raw.iterdir()).name
    copy.parent.mkdir()
    copy.write_bytes(next(raw.iterdir()).read_bytes())
    report = ingest(root, [raw, copy.parent])
    assert not report.refusals
    assert n_rows(root) == 20


def test_a_night_of_bad_files_only_does_nothing_but_record_them(root, tmp_path):
    truncated(tmp_path / "raw")
    (tmp_path / "raw" / "x_psfcat.fits").write_text("junk")
    report = ingest(root, [tmp_path / "raw"])
    assert report.nothing_done
    assert n_rows(root) == 0
    assert len(refusals(root)) == 2


def test_a_bad_reference_is_refused_and_recorded(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(5), 10)
    write_refpsfcat(tmp_path / "ref", ra, dec, qid=1)
    bad = write_refpsfcat(tmp_path / "ref", ra, dec, qid=2)
    bad.write_bytes(bad.read_bytes()[:5900])
    report = add_references(root, [tmp_path / "ref"])
    assert [refusal.code for refusal in report.refusals] == ["truncated"]
    assert open_snapshot(root).rows("reference_sources") == 10
    assert refusals(root)["input_file"].to_list() == [bad.name]


def test_an_older_image_stays_when_its_replacement_is_refused(root, raw):
    ingest(root, [raw])
    path = next(raw.iterdir())
    path.write_bytes(path.read_bytes()[:6500])
    report = ingest(root, [raw])
    assert [refusal.code for refusal in report.refusals] == ["truncated"]
    assert n_rows(root) == 20


def test_an_image_whose_rows_are_all_refused_is_published_without_rows(root, tmp_path):
    write_psfcat(tmp_path / "raw", np.full(4, np.nan), np.zeros(4))
    report = ingest(root, [tmp_path / "raw"])
    assert [refusal.code for refusal in report.refusals] == ["bad_coordinates"]
    image = pl.read_parquet(open_snapshot(root).files("images")).row(0, named=True)
    assert (image["n_read"], image["n_published"], image["n_refused"]) == (4, 0, 4)
    assert image["ra"] is None
    assert verify(root) == []
