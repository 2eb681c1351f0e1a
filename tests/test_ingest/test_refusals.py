"""Bad input: named, recorded where SQL sees it, and never in the way of the rest."""

import importlib
from datetime import date

import numpy as np
import polars as pl
import pytest
from catalogues import scatter, write_psfcat, write_refpsfcat

import ingest.duplicates as duplicates
import ingest.plan as plan
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


def test_an_image_without_a_row_on_the_sky_is_refused_and_a_better_one_stays(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(5), 4)
    write_psfcat(tmp_path / "raw", ra, dec)
    ingest(root, [tmp_path / "raw"])
    write_psfcat(tmp_path / "raw", np.full(4, np.nan), dec)
    report = ingest(root, [tmp_path / "raw"])
    assert [refusal.code for refusal in report.refusals] == ["no_rows_left"]
    assert n_rows(root) == 4
    assert verify(root) == []


def test_a_file_that_was_good_damaged_and_good_again_is_no_longer_refused(root, raw):
    ingest(root, [raw])
    path = next(raw.iterdir())
    kept = path.read_bytes()
    path.write_bytes(kept[:-3000])
    ingest(root, [raw])
    assert refusals(root)["code"].to_list() == ["truncated"]
    path.write_bytes(kept)
    report = ingest(root, [raw])
    assert report.groups[0].outcome == "unchanged"
    assert refusals(root).is_empty()


def test_refused_rows_stand_as_long_as_their_image(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(5), 10)
    ra[3] = np.nan
    path = write_psfcat(tmp_path / "raw", ra, dec)
    ingest(root, [path])
    kept = path.read_bytes()
    path.write_bytes(kept[:-3000])
    ingest(root, [path])
    assert refusals(root)["code"].to_list() == ["bad_coordinates", "truncated"]
    path.write_bytes(kept)
    ingest(root, [path])
    assert refusals(root)["code"].to_list() == ["bad_coordinates"]
    ra[3] = 150.0
    write_psfcat(tmp_path / "raw", ra, dec)
    ingest(root, [path])
    assert refusals(root).is_empty()


def test_a_file_that_turns_out_to_be_of_another_night_is_no_longer_refused(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(5), 10)
    path = write_psfcat(tmp_path, ra, dec, obsmjd=60319.3, name="a_psfcat.fits")
    path.write_bytes(path.read_bytes()[:-3000])
    ingest(root, [path])
    assert refusals(root)["night"].to_list() == [NIGHT]
    write_psfcat(tmp_path, ra, dec, obsmjd=60320.3, name="a_psfcat.fits")
    ingest(root, [path])
    assert refusals(root).is_empty()


def test_files_of_one_name_in_two_folders_are_told_apart_by_their_images(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(5), 10)
    good = write_psfcat(tmp_path / "x", ra, dec, name="s_psfcat.fits")
    bad = write_psfcat(tmp_path / "y", ra, dec, obsmjd=60319.5, name="s_psfcat.fits")
    whole = bad.read_bytes()
    bad.write_bytes(whole[:-3000])
    ingest(root, [tmp_path / "x", tmp_path / "y"])
    assert len(refusals(root)) == 1
    ingest(root, [good])
    good.write_bytes(good.read_bytes() + bytes(2880))
    ingest(root, [good])
    assert refusals(root)["code"].to_list() == ["truncated"]
    bad.write_bytes(whole)
    ingest(root, [bad])
    assert refusals(root).is_empty()


def test_the_same_refusals_come_from_the_same_files_elsewhere_and_one_by_one(root, tmp_path):
    folders = []
    for name in ("here", "there"):
        ra, dec = scatter(np.random.default_rng(5), 10)
        folder = tmp_path / name
        spoilt = good(folder, 2)
        spoilt.write_bytes(spoilt.read_bytes()[:-3000])
        (folder / "junk_psfcat.fits").write_text("junk")
        write_psfcat(folder, np.where(ra > 150, np.nan, ra), dec, qid=3)
        folders.append(folder)
    other = tmp_path / "other"
    create_archive(other, ArchiveSettings())
    ingest(root, [folders[0]])
    for path in sorted(folders[1].iterdir(), reverse=True):
        ingest(other, [path])
    names = [sorted(p.name for p in open_snapshot(one).files("refusals")) for one in (root, other)]
    assert names[0] == names[1]
    assert len(refusals(root)) == 3


@pytest.mark.parametrize("error", [ValueError("odd"), OverflowError("too big"), TypeError("str")])
@pytest.mark.parametrize("where", ["ingest.plan.gather_image_facts", "ingest.batch.image_rows"])
def test_what_nobody_foresaw_refuses_one_file_and_the_rest_goes_on(
    root, raw, monkeypatch, where, error
):
    module, _, name = where.rpartition(".")
    original = getattr(importlib.import_module(module), name)

    def odd(first, *rest, **more):
        path = getattr(first, "path", first)
        if "q2" in path.name:
            raise error
        return original(first, *rest, **more)

    good(raw, 2)
    monkeypatch.setattr(where, odd)
    report = ingest(root, [raw], workers=1)
    assert [refusal.code for refusal in report.refusals] == ["unusable"]
    assert f"({type(error).__name__}: {error})" in str(report.refusals[0])
    assert n_rows(root) == 20


def test_a_science_header_with_a_filter_of_its_own_refuses_one_file(root, raw):
    path = good(raw, 2, header={"INFOBITS": None})
    beside = path.with_name(path.name.replace("_psfcat.fits", "_sciimg.hdr"))
    beside.write_text("FILTER  = 'ZTF_u'\nSATURATE= 50000.\n")
    report = ingest(root, [raw])
    assert [refusal.code for refusal in report.refusals] == ["contradictory_metadata"]
    assert n_rows(root) == 20


def test_a_copy_that_cannot_be_read_is_refused_and_the_rest_goes_on(
    root, raw, tmp_path, monkeypatch
):
    one = next(raw.iterdir())
    copy = tmp_path / "copy" / one.name
    copy.parent.mkdir()
    copy.write_bytes(one.read_bytes())
    original = duplicates.checksum_of

    def checksum_of(path):
        if path == copy:
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(duplicates, "checksum_of", checksum_of)
    report = ingest(root, [raw, copy])
    assert [refusal.code for refusal in report.refusals] == ["unreadable"]
    assert n_rows(root) == 20


def test_a_file_that_vanishes_while_it_is_looked_at_is_refused(root, raw, monkeypatch):
    good(raw, 2)
    original = plan.gather_image_facts

    def vanishes(path, *rest, **more):
        facts = original(path, *rest, **more)
        if "q2" in path.name:
            path.unlink()
        return facts

    monkeypatch.setattr(plan, "gather_image_facts", vanishes)
    report = ingest(root, [raw], workers=1)
    assert [refusal.code for refusal in report.refusals] == ["unreadable"]
    assert n_rows(root) == 20


@pytest.mark.parametrize("ids", [[-7, 0, 1], [5, 1, 5]])
def test_an_image_with_bad_source_ids_is_refused(root, raw, ids):
    good(raw, 2, n=3, sourceid=np.array(ids))
    report = ingest(root, [raw])
    assert [refusal.code for refusal in report.refusals] == ["bad_source_ids"]
    assert n_rows(root) == 20


def test_an_exposure_id_that_is_not_of_the_date_is_refused(root, raw):
    good(raw, 2, header={"EXPID": 5})
    report = ingest(root, [raw])
    assert [refusal.code for refusal in report.refusals] == ["contradictory_metadata"]
    assert n_rows(root) == 20
