"""From files to a published night: whole, idempotent, the same bytes whoever does it."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from catalogues import psfcat_name, scatter, write_psfcat, write_refpsfcat
from realdata import REAL, needs_real

import ingest.batch as batch
import ingest.pipeline as pipeline
import ingest.work as work
from ingest.errors import NothingToIngestError
from ingest.pipeline import estimate, ingest
from ingest.references import add_references
from store.errors import ArchiveBusyError, UnwritableArchiveError
from store.locks import locked
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHT = date(2024, 1, 10)
CHANNELS = [(600, 2, 7, 4), (600, 2, 7, 3), (600, 1, 7, 4), (601, 2, 1, 1)]


@pytest.fixture
def root(tmp_path):
    return new_archive(tmp_path / "archive")


def new_archive(path: Path) -> Path:
    create_archive(path, ArchiveSettings(name="test"))
    return path


def table(root, name):
    files = open_snapshot(root).files(name)
    return pl.read_parquet(files) if files else pl.DataFrame()


def published_bytes(root):
    snapshot = open_snapshot(root)
    return {
        entry.path: (root / entry.path).read_bytes()
        for group in snapshot.groups
        for entry in snapshot.manifest(group).files
    }


@pytest.fixture
def raw(tmp_path):
    """One night: two visits of four channels, and the references of three."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "raw"
    for number, (field, fid, ccdid, qid) in enumerate(CHANNELS):
        ra, dec = scatter(rng, 300, ra=150.0 + number / 4)
        if number < 3:
            write_refpsfcat(folder / "ref", ra, dec, field=field, fid=fid, ccdid=ccdid, qid=qid)
        for visit in range(2):
            off = rng.normal(0, 0.1 / 3600, (2, 300))
            obsmjd = 60319.2 + number / 100 + visit / 20
            channel = {"field": field, "fid": fid, "ccdid": ccdid, "qid": qid}
            write_psfcat(folder / "sci", ra + off[0], dec + off[1], obsmjd=obsmjd, **channel)
    return folder


def test_every_row_is_published_with_a_date_an_airmass_and_its_id(root, raw):
    add_references(root, [raw])
    report = ingest(root, [raw])
    assert not report.refusals
    assert report.rows == 8 * 300
    rows = table(root, "detections")
    assert len(rows) == 8 * 300
    assert rows["hmjd"].null_count() == rows["secz"].null_count() == 0
    with_reference = rows.filter(pl.col("field") == 600)
    assert with_reference["oid"].null_count() == 0
    powers = {"field": 10**12, "fid": 10**11, "ccdid": 10**9, "qid": 10**8, "sourceid": 1}
    expected = sum(with_reference[name].cast(pl.Int64) * power for name, power in powers.items())
    assert (with_reference["oid"] == expected).all()
    assert rows.filter(pl.col("field") == 601)["oid"].null_count() == 600
    images = table(root, "images")
    assert (
        images.filter(pl.col("field") == 601)["reference_state"].to_list() == ["no_reference"] * 2
    )
    assert images.filter(pl.col("field") == 600)["rfid"].null_count() == 0
    assert images["n_matched"].sum() == 6 * 300
    assert images["input_file"].n_unique() == 8
    nights = table(root, "nights")
    assert nights["n_exposures"].item() == 8
    assert nights["n_published"].item() == nights["n_read"].item() == 2400
    assert verify(root) == []


def test_the_bytes_do_not_depend_on_workers_order_or_batches(tmp_path, raw, monkeypatch):
    one, two, three = (new_archive(tmp_path / name) for name in "abc")
    for root in (one, two, three):
        add_references(root, [raw])
    ingest(one, [raw], workers=1)
    ingest(two, [raw], workers=2)
    # Late files join the night, file by file and last first, in batches of one image.
    monkeypatch.setattr(work, "BATCH_ROWS", 1)
    for path in sorted((raw / "sci").iterdir(), reverse=True):
        ingest(three, [path])
    assert published_bytes(one) == published_bytes(two) == published_bytes(three)
    assert verify(three) == []


def test_the_same_night_again_changes_nothing(root, raw):
    add_references(root, [raw])
    first = ingest(root, [raw])
    again = ingest(root, [raw])
    assert [group.outcome for group in again.groups] == ["unchanged"]
    assert again.publication == first.publication
    assert again.groups[0].unchanged == 8


def test_a_changed_input_replaces_its_image_and_nothing_else(root, raw, tmp_path):
    ingest(root, [raw])
    before = table(root, "detections")
    facts = table(root, "images").row(0, named=True)
    ra, dec = scatter(np.random.default_rng(9), 10, ra=150.0)
    write_psfcat(
        raw / "sci", ra, dec, obsmjd=facts["obsmjd"], name=facts["input_file"],
        **{name: facts[name] for name in ("field", "fid", "ccdid", "qid")},
    )  # fmt: skip
    report = ingest(root, [raw])
    assert (report.groups[0].images, report.groups[0].unchanged) == (1, 7)
    after = table(root, "detections")
    replaced = (pl.col("expid") == facts["expid"]) & (pl.col("rcid") == facts["rcid"])
    assert len(after.filter(replaced)) == 10
    assert after.filter(~replaced).equals(before.filter(~replaced))
    assert verify(root) == []


def test_a_reference_that_came_late_is_matched_to_when_the_night_is_given_again(root, raw):
    ingest(root, [raw])
    assert table(root, "images")["n_matched"].sum() == 0
    add_references(root, [raw])
    report = ingest(root, [raw])
    assert report.groups[0].images == 6
    assert report.groups[0].unchanged == 2  # of the channel that has no reference still
    assert table(root, "images")["n_matched"].sum() == 6 * 300


def test_an_interrupted_ingest_goes_on_from_what_is_staged(root, raw, monkeypatch):
    monkeypatch.setattr(work, "BATCH_ROWS", 1)
    calls = []
    run_batch = pipeline.run_batch

    def dies_at_the_fifth(task):
        calls.append(task.key)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return run_batch(task)

    monkeypatch.setattr(pipeline, "run_batch", dies_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        ingest(root, [raw])
    assert table(root, "detections").is_empty()
    assert verify(root) == []

    read = []
    original = batch.read_psfcat
    monkeypatch.setattr(batch, "read_psfcat", lambda path: read.append(path) or original(path))
    monkeypatch.setattr(pipeline, "run_batch", run_batch)
    ingest(root, [raw])
    assert len(read) == 4
    assert len(table(root, "detections")) == 2400
    assert not list((root / "staging").iterdir())


def test_several_nights_in_one_go_are_published_one_by_one(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(2), 50)
    for day in range(3):
        write_psfcat(tmp_path / "raw", ra, dec, obsmjd=60319.3 + day, name=f"{day}_psfcat.fits")
    report = ingest(root, [tmp_path / "raw"])
    assert [group.name for group in report.groups] == ["2024-01-10", "2024-01-11", "2024-01-12"]
    assert open_snapshot(root).number == 3
    assert sorted(table(root, "detections")["night"].unique()) == [
        date(2024, 1, day) for day in (10, 11, 12)
    ]


def test_only_the_night_that_is_asked_for_is_taken(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(2), 50)
    for day in range(3):
        write_psfcat(tmp_path / "raw", ra, dec, obsmjd=60319.3 + day, name=f"{day}_psfcat.fits")
    ingest(root, [tmp_path / "raw"], night=date(2024, 1, 11))
    assert table(root, "nights")["night"].to_list() == [date(2024, 1, 11)]


def test_the_night_comes_from_obsmjd_and_never_from_the_name(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(2), 50)
    lying = psfcat_name(600, 2, 7, 4, 20200924431759)
    write_psfcat(tmp_path / "raw", ra, dec, obsmjd=60319.3, name=lying)
    ingest(root, [tmp_path / "raw"])
    assert table(root, "nights")["night"].item() == NIGHT
    assert table(root, "images")["filefracday"].item() == 20200924431759


def test_a_site_east_of_greenwich_sets_its_own_noon(tmp_path):
    ra, dec = scatter(np.random.default_rng(2), 50)
    # 03:00 UTC on the 11th at a site where that is the morning of the night of the 10th.
    write_psfcat(tmp_path / "raw", ra, dec, obsmjd=60320.125)
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings(night_offset_hours=-12.0))
    ingest(root, [tmp_path / "raw"])
    assert table(root, "nights")["night"].item() == NIGHT


def test_several_detections_of_one_source_are_ranked_and_the_nearest_has_the_id(root, tmp_path):
    arcsec = 1 / 3600
    write_refpsfcat(tmp_path / "ref", np.array([150.0, 150.1]), np.array([20.0, 20.0]))
    dec = 20.0 + np.array([0.9, 0.2, 0.5, 2.0]) * arcsec
    write_psfcat(tmp_path / "raw", np.full(4, 150.0), dec)
    add_references(root, [tmp_path / "ref"])
    ingest(root, [tmp_path / "raw"])
    rows = table(root, "detections").sort("sourceid")
    assert rows["match_rank"].to_list() == [3, 1, 2, None]
    assert rows["oid"].to_list() == [None, 600207400000000, None, None]
    np.testing.assert_allclose(rows["match_arcsec"].to_list()[:3], [0.9, 0.2, 0.5], atol=1e-6)


def test_the_colour_term_needs_references_of_both_filters(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(3), 20)
    write_refpsfcat(tmp_path / "ref", ra, dec, fid=2, mag=np.full(20, -8.0))
    write_psfcat(tmp_path / "raw", ra, dec, fid=2)
    add_references(root, [tmp_path / "ref"])
    ingest(root, [tmp_path / "raw"])
    assert table(root, "detections")["clrcorr"].null_count() == 20
    write_refpsfcat(tmp_path / "ref", ra[:5], dec[:5], fid=1, mag=np.full(5, -7.4))
    add_references(root, [tmp_path / "ref"])
    ingest(root, [tmp_path / "raw"])
    rows = table(root, "detections").sort("sourceid")
    # CLRCOEFF 0.08; g' − r' is 0.6 without the references' own terms of −0.05 and 0.08.
    expected = 0.08 * 0.6 / (1 + 0.05 + 0.08)
    np.testing.assert_allclose(rows["clrcorr"].to_numpy()[:5], expected, atol=1e-6)
    assert rows["clrcorr"][5:].null_count() == 15


@pytest.mark.parametrize("header", [{"CLRCOEFF": None}, {"PCOLOR": "R-i"}, {"PCOLOR": None}])
def test_without_the_colour_coefficient_of_a_reference_no_colour_is_known(root, tmp_path, header):
    ra, dec = scatter(np.random.default_rng(3), 20)
    write_refpsfcat(tmp_path / "ref", ra, dec, fid=2)
    write_refpsfcat(tmp_path / "ref", ra, dec, fid=1, header=header)
    write_psfcat(tmp_path / "raw", ra, dec, fid=2)
    add_references(root, [tmp_path / "ref"])
    ingest(root, [tmp_path / "raw"])
    assert table(root, "detections")["clrcorr"].null_count() == 20


def test_what_one_image_of_an_exposure_does_not_know_another_does(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(3), 4)
    unknown = {"EXPTIME": None, "AIRMASS": None}
    write_psfcat(tmp_path / "raw", ra, dec, qid=1, header=unknown)
    write_psfcat(tmp_path / "raw", ra, dec, qid=2)
    ingest(root, [tmp_path / "raw"])
    exposure = table(root, "exposures").row(0, named=True)
    assert (exposure["exptime"], exposure["airmass"], exposure["n_images"]) == (30.0, 1.2, 2)


def test_infinite_fluxes_are_kept_and_infinite_magnitudes_are_null(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(3), 3)
    with np.errstate(all="ignore"):
        write_psfcat(tmp_path / "raw", ra, dec, mag=[-8.0, -np.inf, np.inf])
    ingest(root, [tmp_path / "raw"])
    rows = table(root, "detections").sort("sourceid")
    assert rows["flux"].to_list()[1:] == [np.inf, 0.0]
    assert rows["mag"].is_null().to_list() == [False, True, True]


def test_an_image_judged_bad_says_why_and_flags_every_row(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(3), 4)
    write_psfcat(tmp_path / "raw", ra, dec, flags=[0, -1, 256, 2], header={"INFOBITS": 33554432})
    ingest(root, [tmp_path / "raw"])
    rows = table(root, "detections").sort("sourceid")
    assert rows["catflags"].to_list() == [32768, 65535, 33024, 32770]
    image = table(root, "images").row(0, named=True)
    assert image["is_bad"]
    assert "33554432" in image["bad_reason"]


def test_flags_that_are_absent_are_null(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(3), 4)
    write_psfcat(tmp_path / "raw", ra, dec, drop=("flags",))
    ingest(root, [tmp_path / "raw"])
    assert table(root, "detections")["catflags"].null_count() == 4


def test_what_nobody_knows_is_null(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(3), 4)
    nobody = dict.fromkeys(
        ("EXPTIME", "MAGZP", "INFOBITS", "PROGRMID", "AIRMASS", "SEEING", "MAGLIM", "CLRCOEFF")
    )
    write_psfcat(tmp_path / "raw", ra, dec, header=nobody)
    ingest(root, [tmp_path / "raw"])
    rows = table(root, "detections")
    assert rows["mag"].null_count() == rows["hmjd"].null_count() == 4
    assert rows["secz"].null_count() == 0
    image = table(root, "images").row(0, named=True)
    for name in ("exptime", "magzp", "infobits", "programid", "airmass", "seeing", "limitmag"):
        assert image[name] is None, name


def test_the_fit_and_the_exact_date_agree_and_the_method_is_recorded(tmp_path):
    ra, dec = scatter(np.random.default_rng(4), 500)
    write_psfcat(tmp_path / "raw", ra, dec)
    hmjd = {}
    for method in ("fit", "exact"):
        root = new_archive(tmp_path / method)
        ingest(root, [tmp_path / "raw"], hjd_method=method)
        hmjd[method] = table(root, "detections")["hmjd"].to_numpy()
        image = table(root, "images").row(0, named=True)
        assert image["hjd_method"] == method
        assert (image["hjd_c0"] is None) == (method == "exact")
    assert np.abs(hmjd["fit"] - hmjd["exact"]).max() * 86400e6 <= 1.3  # one step is 0.6 µs
    assert np.abs(hmjd["fit"] - hmjd["exact"]).max() > 0


def test_another_ingest_of_the_same_night_is_refused_clearly(root, raw):
    layout = open_snapshot(root).layout
    ready, done = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        with locked(layout, "nights/20240110", wait=False):
            os.write(ready[1], b"x")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    try:
        with pytest.raises(ArchiveBusyError, match="20240110"):
            ingest(root, [raw])
    finally:
        os.write(done[1], b"x")
        os.waitpid(pid, 0)


def test_an_estimate_writes_nothing_and_is_close(root, raw):
    before = sorted(root.rglob("*"))
    plan = estimate(root, [raw])
    images, rows = plan.nights[NIGHT]
    assert images == 8
    assert 1800 < rows < 3000
    assert plan.disk_bytes > 0
    assert sorted(root.rglob("*")) == before


def test_a_folder_without_catalogues_is_said_to_have_none(root, tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(NothingToIngestError, match="psfcat"):
        ingest(root, [tmp_path / "nothing"])


def test_an_archive_that_cannot_be_written_is_left_as_it_was(root, raw, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device", "somewhere")

    ingest(root, [raw], night=NIGHT)
    before = published_bytes(root)
    ra, dec = scatter(np.random.default_rng(9), 10, ra=150.0)
    write_psfcat(raw / "sci", ra, dec, obsmjd=60319.9, name="late_psfcat.fits")
    monkeypatch.setattr("store.files.write_whole", full)
    with pytest.raises(UnwritableArchiveError, match="No space left"):
        ingest(root, [raw])
    assert published_bytes(root) == before
    assert verify(root) == []


@needs_real
def test_the_real_catalogue_is_kept_whole_with_a_date_and_an_airmass_for_every_row(root):
    report = add_references(root, [REAL / "psfcat"])
    assert report.rows == 38_261
    report = ingest(root, [REAL / "psfcat"])
    assert report.rows == 18_677
    rows = table(root, "detections")
    assert len(rows) == 18_677
    assert rows["hmjd"].null_count() == rows["secz"].null_count() == 0
    assert rows["oid"].null_count() == 18_677  # field 655; the reference is of field 633
    image = table(root, "images").row(0, named=True)
    assert image["night"] == date(2020, 9, 24)
    assert image["expid"] == 136243177
    assert image["reference_state"] == "no_reference"
    assert image["hjd_residual_us"] < 1
    assert verify(root) == []
