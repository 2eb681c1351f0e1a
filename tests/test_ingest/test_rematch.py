"""Published images matched anew: as if the references had been there before."""

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from catalogues import scatter, write_psfcat, write_refpsfcat
from publications import published_content

import ingest.gather as gather
import ingest.pipeline as pipeline
import ingest.rematch as rematch_module
import ingest.work as work
from ingest.compact import compact
from ingest.pipeline import ingest
from ingest.references import add_references
from ingest.rematch import rematch
from ingest.withdraw import withdraw
from queries.connection import connect
from queries.named import query
from store.errors import ArchiveBusyError, DamagedArchiveError, UnknownNightError
from store.locks import locked
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHT, SECOND = date(2024, 1, 10), date(2024, 1, 11)
# Field, filter, CCD, quadrant: two filters of one quadrant, i, another field.
CHANNELS = [(600, 2, 7, 4), (600, 1, 7, 4), (600, 3, 7, 4), (601, 2, 1, 1)]


def new_archive(path: Path) -> Path:
    # Pixels of 0.9 degrees and margins: an image lies in several.
    create_archive(path, ArchiveSettings(name="test", partition_order=6))
    return path


@pytest.fixture
def root(tmp_path):
    return new_archive(tmp_path / "archive")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Two nights of four channels, awkward rows among them, and two sets of references."""
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("raw")
    for number, (field, fid, ccdid, qid) in enumerate(CHANNELS):
        channel = {"field": field, "fid": fid, "ccdid": ccdid, "qid": qid}
        ra, dec = scatter(np.random.default_rng(field), 60, ra=150.0 + field - 600)
        off = rng.normal(0, 0.3 / 3600, (2, 60))
        mag = rng.uniform(-10, -6, 60)
        write_refpsfcat(folder / "old", ra, dec, mag=mag, **channel)
        # The new references lack sources, have others, and number them in another order.
        sourceid = rng.permutation(1000)[:50]
        write_refpsfcat(
            folder / "new", (ra + off[0])[:50], (dec + off[1])[:50], mag=mag[:50] + 0.1,
            sourceid=sourceid, **channel,
        )  # fmt: skip
        for visit in range(3):
            # Each source twice, at one and the same place: of equals the lowest sourceid is first.
            place = rng.normal(0, 0.2 / 3600, (2, 60))
            rows_ra, rows_dec = np.tile(ra + place[0], 2), np.tile(dec + place[1], 2)
            if visit == 1:
                rows_ra[7] = np.nan
            obsmjd = 60319.2 + number / 100 + visit / 20 + (visit == 2)
            write_psfcat(
                folder / "sci", rows_ra, rows_dec, obsmjd=obsmjd, sourceid=rng.permutation(120),
                drop=("flags",) if visit == 0 else (), **channel,
            )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def made(raw, tmp_path_factory):
    """Archives that tests take copies of: what was done to each is its name."""
    folder = tmp_path_factory.mktemp("made")
    ingested = new_archive(folder / "ingested")
    add_references(ingested, [raw / "old"])
    ingest(ingested, [raw / "sci"], workers=1)
    changed = copied(ingested, folder / "changed")
    add_references(changed, [raw / "new"])
    return folder


@pytest.fixture
def ingested(made, tmp_path):
    """Both nights, with the old references."""
    return copied(made / "ingested", tmp_path / "ingested")


@pytest.fixture
def changed(made, tmp_path):
    """The same, after the references were replaced by the new."""
    return copied(made / "changed", tmp_path / "changed")


def copied(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target, symlinks=True))


def stale(root):
    """Stale images by night, as SQL tells."""
    with connect(open_snapshot(root)) as session:
        return dict(session.sql(query("nights").sql)["night", "n_stale"].iter_rows())


@pytest.fixture(scope="module")
def wanted(raw, tmp_path_factory):
    """What is published if the new references were there before the nights."""
    root = new_archive(tmp_path_factory.mktemp("wanted") / "archive")
    add_references(root, [raw / "old"])
    add_references(root, [raw / "new"])
    ingest(root, [raw / "sci"], workers=1)
    return published_content(root)


def test_a_rematch_gives_the_bytes_of_an_ingest_with_the_new_references(changed, raw, wanted):
    before = published_content(changed)
    assert stale(changed) == {NIGHT: 8, SECOND: 4}
    report = rematch(changed, workers=1)
    assert [(group.name, group.outcome, group.images) for group in report.groups] == [
        ("2024-01-10", "published", 8), ("2024-01-11", "published", 4),
    ]  # fmt: skip
    assert report.rows == 12 * 120 - 4
    assert stale(changed) == {NIGHT: 0, SECOND: 0}
    assert published_content(changed) == wanted != before
    assert verify(changed) == []
    assert not list((changed / "staging").iterdir())

    again = ingest(changed, [raw / "sci"], workers=1)
    assert [group.outcome for group in again.groups] == ["unchanged", "unchanged"]
    assert published_content(changed) == wanted


def test_the_result_does_not_depend_on_order_batches_or_chunks(changed, wanted, monkeypatch):
    monkeypatch.setattr(work, "BATCH_ROWS", 1)
    monkeypatch.setattr(gather, "GATHERED_ROWS", 1)
    monkeypatch.setattr(gather, "ROW_GROUP_ROWS", 7)
    rematch(changed, [SECOND], workers=1)
    rematch(changed, [NIGHT], workers=1)
    assert published_content(changed) == wanted


def test_the_result_does_not_depend_on_workers(changed, wanted):
    rematch(changed, workers=2)
    assert published_content(changed) == wanted


def test_references_that_come_for_the_first_time_give_ids(root, raw, ingested):
    ingest(root, [raw / "sci"], workers=1, night=SECOND)
    assert stale(root) == {SECOND: 0}
    add_references(root, [raw / "old"])
    report = rematch(root, workers=1)
    assert sum(group.matched for group in report.groups) > 0
    night = "nights/20240111"
    assert open_snapshot(root).groups[night] == open_snapshot(ingested).groups[night]
    images = pl.read_parquet(open_snapshot(root).files("images"))
    assert (images["reference_state"] == "matched").all()
    assert (images["n_matched"] + images["n_unmatched"] == images["n_published"]).all()


def test_only_images_that_the_change_concerns_are_published_anew(ingested, raw):
    """A new reference of g gives new colours to r, and leaves i and the other field alone."""
    before = pl.read_parquet(open_snapshot(ingested).files("detections"))
    files = set(published_content(ingested))
    add_references(ingested, [raw / "new" / "ztf_000600_zg_c07_q4_refpsfcat.fits"])
    assert stale(ingested) == {NIGHT: 4, SECOND: 2}
    report = rematch(ingested, workers=1)
    assert [(group.images, group.unchanged) for group in report.groups] == [(4, 4), (2, 2)]
    after = pl.read_parquet(open_snapshot(ingested).files("detections"))
    key = ["expid", "rcid", "sourceid"]
    concerned = (pl.col("field") == 600) & (pl.col("fid") < 3)
    assert after.filter(~concerned).sort(key).equals(before.filter(~concerned).sort(key))
    r = (pl.col("field") == 600) & (pl.col("fid") == 2)
    assert after.filter(r)["oid"].sort().equals(before.filter(r)["oid"].sort())
    assert not after.filter(r).sort(key)["clrcorr"].equals(before.filter(r).sort(key)["clrcorr"])
    # The other field's pixels are a degree away: their files are the ones that were there.
    kept = files & set(published_content(ingested))
    assert any(path.startswith("data/detections/") for path in kept)


def test_a_night_that_is_not_stale_is_left_alone(ingested, raw):
    number = open_snapshot(ingested).number
    report = rematch(ingested, workers=1)
    assert [(group.outcome, group.unchanged) for group in report.groups] == [
        ("unchanged", 8), ("unchanged", 4),
    ]  # fmt: skip
    assert open_snapshot(ingested).number == report.publication == number
    add_references(ingested, [raw / "new"])
    with locked(open_snapshot(ingested).layout, "nights/20240111", wait=False):
        rematch(ingested, [NIGHT], workers=1)
    assert stale(ingested) == {NIGHT: 0, SECOND: 4}


def test_an_interrupted_rematch_goes_on_from_what_is_staged(changed, wanted, monkeypatch):
    before = published_content(changed)
    monkeypatch.setattr(work, "BATCH_ROWS", 1)
    done = []
    run_rematch = rematch_module.run_rematch

    def dies_at_the_fifth(task):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append(task.key)
        return run_rematch(task)

    monkeypatch.setattr(rematch_module, "run_rematch", dies_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        rematch(changed, workers=1)
    assert published_content(changed) == before
    assert verify(changed) == []

    matched = []
    match_rows = rematch_module.match_rows
    monkeypatch.setattr(
        rematch_module, "match_rows", lambda *args: matched.append(args[2]) or match_rows(*args)
    )
    monkeypatch.setattr(rematch_module, "run_rematch", run_rematch)
    gathered = []
    gather_some = gather._gathered
    monkeypatch.setattr(
        gather, "_gathered", lambda *args: gathered.append(args[0].key) or gather_some(*args)
    )
    rematch(changed, [NIGHT], workers=1)
    assert not gathered
    rematch(changed, [SECOND], workers=1)
    assert len(matched) == 12 - 5
    assert published_content(changed) == wanted


def test_a_night_that_another_process_writes_is_refused_and_the_others_are_done(changed):
    with (
        locked(open_snapshot(changed).layout, "nights/20240110", wait=False),
        pytest.raises(ArchiveBusyError, match="20240110"),
    ):
        rematch(changed, workers=1)
    assert stale(changed) == {NIGHT: 8, SECOND: 0}


def test_an_unknown_night_is_refused_before_anything_is_done(changed):
    with pytest.raises(UnknownNightError, match="2024-02-01"):
        rematch(changed, [NIGHT, date(2024, 2, 1)], workers=1)
    assert stale(changed) == {NIGHT: 8, SECOND: 4}


def test_damage_is_not_merged_on(changed):
    entry = next(
        e
        for e in open_snapshot(changed).manifest("nights/20240110").files
        if e.table == "detections"
    )
    path = changed / entry.path
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedArchiveError, match="--rebuild"):
        rematch(changed, workers=1)
    assert stale(changed) == {NIGHT: 8, SECOND: 0}


def test_a_night_withdrawn_meanwhile_is_not_brought_back(changed, monkeypatch):
    chosen = rematch_module._chosen

    def then_withdrawn(*args):
        nights = chosen(*args)
        withdraw(changed, [NIGHT])
        return nights

    monkeypatch.setattr(rematch_module, "_chosen", then_withdrawn)
    rematch(changed, workers=1)
    assert stale(changed) == {SECOND: 0}


def test_recipes_in_sql_are_those_of_an_ingest(tmp_path, raw):
    """Also for radii that are written in other ways."""
    for radius in (2, 0.7, 1e-05):
        root = tmp_path / str(radius)
        create_archive(root, ArchiveSettings(match_radius_arcsec=radius))
        add_references(root, [raw / "old" / "ztf_000600_zr_c07_q4_refpsfcat.fits"])
        ingest(root, [raw / "sci"], workers=1, night=SECOND)
        assert stale(root) == {SECOND: 0}
        images = pl.read_parquet(open_snapshot(root).files("images"))
        assert images["match_recipe"].n_unique() == 3


def test_an_interrupted_ingest_is_no_obstacle(changed, raw, wanted, monkeypatch):
    """Its staged batches lie in the same folder."""
    monkeypatch.setattr(pipeline, "publish_night", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ingest(changed, [raw / "sci"], workers=1)
    left = sorted((changed / "staging").rglob("*"))
    assert left
    rematch(changed, workers=1)
    assert published_content(changed) == wanted
    assert sorted((changed / "staging").rglob("*")) == left


def test_what_a_rematch_left_when_it_was_killed_late_is_taken_away(changed, wanted, monkeypatch):
    monkeypatch.setattr("ingest.pipeline.disk.discard", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rematch(changed, [SECOND], workers=1)
    monkeypatch.undo()
    assert stale(changed) == {NIGHT: 8, SECOND: 0}
    assert list((changed / "staging").iterdir())
    rematch(changed, [SECOND], workers=1)
    assert not list((changed / "staging").iterdir())
    rematch(changed, workers=1)
    assert published_content(changed) == wanted


def test_a_compacted_night_gets_new_ids_as_an_ingest_gives_them(ingested, raw, wanted, tmp_path):
    """Rows leave the files of the period, and come as files of their night."""
    compact(ingested, workers=1)
    add_references(ingested, [raw / "new"])
    other = copied(ingested, tmp_path / "other")
    partly = copied(ingested, tmp_path / "partly")
    rematch(ingested, workers=1)
    ingest(other, [raw / "sci"], workers=1)
    assert published_content(ingested) == published_content(other)
    assert verify(ingested, deep=True) == []
    # Of one night alone: the other's rows stay in the period.
    rematch(partly, [SECOND], workers=1)
    assert stale(partly) == {NIGHT: 8, SECOND: 0}
    assert any(group.startswith("periods/") for group in open_snapshot(partly).groups)
    assert verify(partly, deep=True) == []
    rematch(partly, workers=1)
    assert published_content(partly) == published_content(other)
