"""Reference catalogues: one a channel, replaced when bytes or code change, told as they are."""

import shutil

import numpy as np
import polars as pl
import pytest
from catalogues import scatter, write_psfcat, write_refpsfcat

import ingest.references as references
from ingest.batch import shelf_of
from ingest.pipeline import ingest
from ingest.references import add_references
from store.errors import DamagedArchiveError
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify


@pytest.fixture
def root(tmp_path):
    create_archive(tmp_path / "archive", ArchiveSettings())
    return tmp_path / "archive"


def table(root, name):
    files = open_snapshot(root).files(name)
    return pl.read_parquet(files) if files else pl.DataFrame()


def reference(folder, n=20, bad=(), **how):
    ra, dec = scatter(np.random.default_rng(1), 20)
    ra[list(bad)] = np.nan
    return write_refpsfcat(folder, ra[:n], dec[:n], **how)


def codes(report):
    return [refusal.code for refusal in report.refusals]


def test_a_channel_given_twice_with_other_bytes_is_refused_whatever_its_id(root, tmp_path):
    one = reference(tmp_path / "a", header={"RFID": 600_120_227})
    other = reference(tmp_path / "b", n=10, header={"RFID": 600_121_227})
    report = add_references(root, [one, other])
    assert codes(report) == ["duplicate_image"] * 2
    assert "the reference of 000600_zr_c07_q4 was already given as" in str(report.refusals[0])
    assert table(root, "reference_images").is_empty()


def test_a_new_version_of_a_reference_replaces_the_old_one(root, tmp_path):
    add_references(root, [reference(tmp_path / "a", header={"RFID": 600_120_227})])
    ra, dec = scatter(np.random.default_rng(1), 20)
    write_psfcat(tmp_path / "raw", ra, dec)
    ingest(root, [tmp_path / "raw"])
    add_references(root, [reference(tmp_path / "b", n=10, header={"RFID": 600_119_227})])
    assert table(root, "reference_images")["rfid"].to_list() == [600_119_227]
    assert table(root, "reference_sources")["rfid"].to_list() == [600_119_227] * 10
    report = ingest(root, [tmp_path / "raw"])
    assert report.groups[0].images == 1
    assert table(root, "images").select("rfid", "n_matched").rows() == [(600_119_227, 10)]
    assert verify(root) == []


@pytest.mark.parametrize("rfid", [999, 10**20])
def test_an_id_of_no_channel_or_another_is_refused_and_the_rest_goes_on(root, tmp_path, rfid):
    reference(tmp_path / "ref", qid=1, header={"RFID": rfid})
    reference(tmp_path / "ref", qid=2)
    assert codes(add_references(root, [tmp_path / "ref"])) == ["contradictory_metadata"]
    assert table(root, "reference_images")["qid"].to_list() == [2]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([1, 2, 100_000_000], "100000000 has more than the 8 digits"),
        ([-5, 0, 1], "-5 is negative"),
        ([4, 4, 1], "4 stands twice"),
    ],
)
def test_bad_source_ids_refuse_a_reference_and_the_rest_goes_on(root, tmp_path, ids, said):
    reference(tmp_path / "ref", n=3, qid=1, sourceid=np.array(ids))
    reference(tmp_path / "ref", n=3, qid=2)
    report = add_references(root, [tmp_path / "ref"])
    assert codes(report) == ["bad_source_ids"]
    assert said in str(report.refusals[0])
    assert table(root, "reference_images")["qid"].to_list() == [2]


def test_a_reference_that_nobody_foresaw_is_refused_and_the_rest_goes_on(
    root, tmp_path, monkeypatch
):
    reference(tmp_path / "ref", qid=1)
    reference(tmp_path / "ref", qid=2)
    original = references.gather_reference_facts

    def odd(path, header):
        if "q1" in path.name:
            raise OverflowError("int too big to convert")
        return original(path, header)

    monkeypatch.setattr(references, "gather_reference_facts", odd)
    report = add_references(root, [tmp_path / "ref"])
    assert codes(report) == ["unusable"]
    assert "int too big to convert" in str(report.refusals[0])
    assert table(root, "reference_images")["qid"].to_list() == [2]


def test_an_unchanged_reference_keeps_what_was_refused_of_it(root, tmp_path):
    path = reference(tmp_path / "ref", bad=[3])
    assert codes(add_references(root, [path])) == ["bad_coordinates"]
    again = add_references(root, [path])
    assert (again.groups[0].outcome, again.groups[0].unchanged) == ("unchanged", 1)
    assert table(root, "refusals").select("code", "n_rows").rows() == [("bad_coordinates", 1)]
    # So it does when the file is damaged afterwards: the published sources are the same.
    kept = path.read_bytes()
    path.write_bytes(kept[:-3000])
    assert codes(add_references(root, [path])) == ["truncated"]
    assert table(root, "refusals")["code"].to_list() == ["bad_coordinates", "truncated"]
    path.write_bytes(kept)
    add_references(root, [path])
    assert table(root, "refusals")["code"].to_list() == ["bad_coordinates"]
    reference(tmp_path / "ref")
    add_references(root, [path])
    assert table(root, "refusals").is_empty()


def test_what_became_of_each_reference_is_counted(root, tmp_path):
    reference(tmp_path / "ref", qid=1, bad=[2])
    damaged = reference(tmp_path / "ref", qid=2)
    damaged.write_bytes(damaged.read_bytes()[:-3000])
    (group,) = add_references(root, [tmp_path / "ref"]).groups
    assert (group.outcome, group.images, group.unchanged, group.rows) == ("published", 1, 0, 19)
    (group,) = add_references(root, [tmp_path / "ref"]).groups
    assert (group.outcome, group.images, group.unchanged) == ("unchanged", 0, 1)
    (group,) = add_references(root, [damaged]).groups
    assert (group.outcome, group.images, group.unchanged) == ("refused", 0, 0)


def test_a_reference_made_by_other_code_is_made_again(root, tmp_path, monkeypatch):
    path = reference(tmp_path / "ref")
    add_references(root, [path], workers=1)
    before = table(root, "reference_images")["recipe"].item()
    monkeypatch.setattr(references, "code_version", lambda: "another")
    (group,) = add_references(root, [path], workers=1).groups
    assert (group.images, group.unchanged) == (1, 0)
    images = table(root, "reference_images")
    assert images["recipe"].item() != before
    assert len(table(root, "reference_sources")) == 20


def test_a_copy_that_cannot_be_read_is_refused_and_the_other_taken(root, tmp_path, monkeypatch):
    one, copy = reference(tmp_path / "a"), reference(tmp_path / "b")
    refuse_to_read(monkeypatch, copy)
    assert codes(add_references(root, [one, copy])) == ["unreadable"]
    assert len(table(root, "reference_sources")) == 20


def refuse_to_read(monkeypatch, path):
    import ingest.duplicates as duplicates

    original = duplicates.checksum_of

    def checksum_of(asked):
        if asked == path:
            raise PermissionError(13, "Permission denied")
        return original(asked)

    monkeypatch.setattr(duplicates, "checksum_of", checksum_of)


def test_a_damaged_reference_is_the_archives_fault_and_refuses_no_image(root, tmp_path):
    ra, dec = scatter(np.random.default_rng(1), 20)
    add_references(root, [reference(tmp_path / "ref")])
    write_psfcat(tmp_path / "raw", ra, dec)
    for path in open_snapshot(root).files("reference_sources"):
        path.resolve().write_bytes(b"PAR1")
    with pytest.raises(DamagedArchiveError, match="a reference cannot be read"):
        ingest(root, [tmp_path / "raw"], workers=1)


def test_an_archive_made_anew_at_the_same_path_is_matched_to_its_own_references(tmp_path):
    sizes = []
    for n in (30, 50):
        shutil.rmtree(tmp_path / "archive", ignore_errors=True)
        ra, dec = scatter(np.random.default_rng(n), n)
        path = write_refpsfcat(tmp_path / "raw", ra, dec)
        create_archive(tmp_path / "archive", ArchiveSettings())
        add_references(tmp_path / "archive", [path], workers=1)
        number = open_snapshot(tmp_path / "archive").number
        reference = shelf_of(tmp_path / "archive", number, 1.5).get(600, 2, 7, 4)
        sizes.append(None if reference is None else len(reference.ra))
    assert sizes == [30, 50]
