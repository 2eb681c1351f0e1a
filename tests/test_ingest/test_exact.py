"""Nights made exactly the files that are given, and images that are given under two nights."""

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from catalogues import scatter, write_psfcat
from publications import published_content

import ingest.pipeline as pipeline
from ingest.pipeline import ingest
from store.errors import ArchiveBusyError
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHT, SECOND = date(2024, 1, 10), date(2024, 1, 11)


def new_archive(path: Path) -> Path:
    create_archive(path, ArchiveSettings(name="test"))
    return path


@pytest.fixture
def root(tmp_path):
    return new_archive(tmp_path / "archive")


@pytest.fixture
def raw(tmp_path):
    """Two nights: a, b and c of the first, d of the second."""
    ra, dec = scatter(np.random.default_rng(1), 12)
    starts = {"a": 60319.2, "b": 60319.3, "c": 60319.4, "d": 60320.2}
    for name, obsmjd in starts.items():
        write_psfcat(tmp_path / "raw", ra, dec, obsmjd=obsmjd, name=f"{name}_psfcat.fits")
    return tmp_path / "raw"


def images(root):
    """The published images' files, by night."""
    frame = pl.read_parquet(open_snapshot(root).files("images")).sort("input_file")
    return {night: frame.filter(night=night)["input_file"].to_list() for night in frame["night"]}


def refused(root):
    files = open_snapshot(root).files("refusals")
    return sorted(pl.read_parquet(files)["input_file"]) if files else []


def test_images_that_are_not_given_are_removed_as_if_they_had_never_come(root, raw, tmp_path):
    bad = raw / "b_psfcat.fits"
    ra, dec = scatter(np.random.default_rng(1), 12)
    ra[3] = np.nan  # a refused row, which goes with its image
    write_psfcat(raw, ra, dec, obsmjd=60319.3, name=bad.name)
    (raw / "e_psfcat.fits").write_bytes(b"not FITS")
    ingest(root, [raw], workers=1)
    given = [raw / "a_psfcat.fits", raw / "c_psfcat.fits"]
    report = ingest(root, given, exact=True, workers=1)
    assert [(g.name, g.outcome, g.unchanged, g.removed, g.kept) for g in report.groups] == [
        ("2024-01-10", "published", 2, 1, 0)
    ]
    assert images(root) == {
        NIGHT: ["a_psfcat.fits", "c_psfcat.fits"], SECOND: ["d_psfcat.fits"],
    }  # fmt: skip
    assert refused(root) == ["e_psfcat.fits"]  # nobody knows which night it is of
    assert verify(root) == []
    other = new_archive(tmp_path / "other")
    ingest(other, [*given, raw / "d_psfcat.fits", raw / "e_psfcat.fits"], workers=1)
    assert published_content(root) == published_content(other)
    again = ingest(root, given, exact=True, workers=1)
    assert [group.outcome for group in again.groups] == ["unchanged"]
    assert again.publication == report.publication


def test_new_changed_and_missing_images_in_one_go(root, raw, tmp_path):
    ingest(root, [raw / "a_psfcat.fits", raw / "b_psfcat.fits"], workers=1)
    ra, dec = scatter(np.random.default_rng(2), 12)
    write_psfcat(raw, ra, dec, obsmjd=60319.3, name="b_psfcat.fits")
    given = [raw / "b_psfcat.fits", raw / "c_psfcat.fits"]
    report = ingest(root, given, exact=True, workers=1)
    assert [(g.images, g.unchanged, g.removed) for g in report.groups] == [(2, 0, 1)]
    other = new_archive(tmp_path / "other")
    ingest(other, given, workers=1)
    assert published_content(root) == published_content(other)


@pytest.mark.parametrize("damage", ["header", "table"])
def test_a_file_that_is_given_but_refused_keeps_its_image(root, raw, damage):
    ingest(root, [raw], workers=1)
    path = raw / "b_psfcat.fits"
    content = path.read_bytes()
    path.write_bytes(b"not FITS" if damage == "header" else content[: len(content) - 2880])
    report = ingest(root, [raw / "a_psfcat.fits", path], exact=True, workers=1)
    assert [(g.unchanged, g.removed, g.kept) for g in report.groups] == [(1, 1, 1)]
    assert [refusal.input_file for refusal in report.refusals] == ["b_psfcat.fits"]
    assert images(root)[NIGHT] == ["a_psfcat.fits", "b_psfcat.fits"]
    assert verify(root) == []


def test_a_night_of_which_not_one_file_can_be_used_stays(root, raw):
    ingest(root, [raw], workers=1)
    before = published_content(root)
    path = raw / "a_psfcat.fits"
    path.write_bytes(path.read_bytes()[:-2880])
    report = ingest(root, [path], exact=True, workers=1)
    assert [(g.outcome, g.removed) for g in report.groups] == [("refused", 0)]
    assert before.items() <= published_content(root).items()


def test_other_nights_are_left_alone(root, raw):
    ingest(root, [raw], workers=1)
    ingest(
        root, [raw / "a_psfcat.fits", raw / "d_psfcat.fits"], exact=True, night=SECOND, workers=1
    )
    assert len(images(root)[NIGHT]) == 3


# --- the same image twice --------------------------------------------------------------------
def moved(raw, seconds, name="m_psfcat.fits"):
    """An image whose start is so long after midnight (before, if negative), always of one EXPID."""
    ra, dec = scatter(np.random.default_rng(3), 12)
    obsmjd = 60320.0 + seconds / 86400
    header = {"EXPID": 256600000}
    return write_psfcat(raw, ra, dec, obsmjd=obsmjd, name=name, header=header)


def test_an_image_that_is_published_in_the_night_before_is_refused_by_name(root, raw):
    ingest(root, [moved(raw, -0.3)], workers=1)
    assert list(images(root)) == [NIGHT]
    before = published_content(root)
    late = [moved(raw, 0.3), raw / "d_psfcat.fits"]
    report = ingest(root, late, workers=1)
    assert [(r.code, r.input_file) for r in report.refusals] == [("other_night", "m_psfcat.fits")]
    assert "is published in night 2024-01-10, but here it is of 2024-01-11" in str(report.refusals)
    assert images(root) == {NIGHT: ["m_psfcat.fits"], SECOND: ["d_psfcat.fits"]}
    assert before.items() <= published_content(root).items()
    assert verify(root) == []


def test_an_image_that_is_published_in_the_night_after_is_refused_by_name(root, raw):
    ingest(root, [moved(raw, 0.3)], workers=1)
    report = ingest(root, [moved(raw, -0.3)], workers=1)
    assert [r.code for r in report.refusals] == ["other_night"]
    assert images(root) == {SECOND: ["m_psfcat.fits"]}
    # Once that night does not hold it any more, it may come.
    ingest(root, [raw / "d_psfcat.fits"], exact=True, workers=1)
    ingest(root, [moved(raw, -0.3)], workers=1)
    assert images(root) == {NIGHT: ["m_psfcat.fits"], SECOND: ["d_psfcat.fits"]}
    assert refused(root) == []


def test_one_image_under_two_nights_in_one_ingest_is_refused_twice(root, raw):
    report = ingest(root, [moved(raw, -0.3), moved(raw, 0.3, "n_psfcat.fits")], workers=1)
    assert [(r.code, r.input_file) for r in report.refusals] == [
        ("duplicate_image", "m_psfcat.fits"), ("duplicate_image", "n_psfcat.fits"),
    ]  # fmt: skip
    assert open_snapshot(root).rows("detections") == 0


def test_one_image_twice_in_one_ingest_is_taken_once_or_not_at_all(root, raw):
    again = raw / "again"
    again.mkdir()
    shutil.copy(raw / "a_psfcat.fits", again / "z_psfcat.fits")
    ingest(root, [raw / "a_psfcat.fits", again], workers=1)
    assert images(root) == {NIGHT: ["a_psfcat.fits"]}
    ra, dec = scatter(np.random.default_rng(4), 12)
    write_psfcat(again, ra, dec, obsmjd=60319.2, name="z_psfcat.fits")
    before = published_content(root)
    report = ingest(root, [raw / "a_psfcat.fits", again], workers=1)
    assert sorted(r.input_file for r in report.refusals) == ["a_psfcat.fits", "z_psfcat.fits"]
    assert {r.code for r in report.refusals} == {"duplicate_image"}
    assert before.items() <= published_content(root).items()


def test_two_nights_that_take_an_image_at_once_do_not_both_publish_it(root, raw, monkeypatch):
    """The neighbour publishes it after this ingest has looked, and before it publishes."""
    stage = pipeline._stage

    def then_the_neighbour(one, *args):
        monkeypatch.setattr(pipeline, "_stage", stage)
        ingest(root, [moved(raw, -0.3, "n_psfcat.fits")], workers=1)
        return stage(one, *args)

    path = moved(raw, 0.3)
    monkeypatch.setattr(pipeline, "_stage", then_the_neighbour)
    with pytest.raises(ArchiveBusyError, match=r"image 2566000002715.* neighbouring night"):
        ingest(root, [path], workers=1)
    assert images(root) == {NIGHT: ["n_psfcat.fits"]}
    report = ingest(root, [path], workers=1)
    assert [r.code for r in report.refusals] == ["other_night"]
    assert verify(root) == []
