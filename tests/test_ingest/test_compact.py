"""Compaction: other files, the same rows, whatever is published before, meanwhile and after."""

import random
import shutil
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import hpgeom
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from archives import nightly
from catalogues import scatter, write_psfcat, write_refpsfcat
from skies import night_manifest

import ingest.compact as compact_module
import ingest.repack as repack
import ingest.runs as runs
from ingest.compact import compact
from ingest.pipeline import ingest
from ingest.references import add_references
from ingest.rematch import rematch
from ingest.standing import NOTHING, standing_run
from ingest.withdraw import withdraw
from nightlake import Archive
from store.contract import TABLES
from store.errors import (
    ArchiveBusyError,
    ChangedMeanwhileError,
    DamagedArchiveError,
    NothingToCompactError,
    PartitionChangedError,
)
from store.layout import MARGIN, HealpixPixel, Layout
from store.locks import PERIODS, locked
from store.manifest import night_group
from store.periods import Period, parts_about
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.standing import files_of_night
from store.vacuum import vacuum
from store.verify import verify

FIRST = date(2024, 1, 10)
START = 60319.2  # its obsmjd
ROWS = 30


def night(number: int) -> date:
    return FIRST + timedelta(days=number)


@pytest.fixture(scope="module")
def sky():
    """Places about a corner of four pixels of order 5, some within arcseconds of a border."""
    rng = np.random.default_rng(1)
    corner = [edge[0] for edge in hpgeom.boundaries(2**5, 1113)]
    ra, dec = scatter(rng, ROWS, *corner, width=1.0)
    for order in (5, 6, 7):
        pixels = np.unique(hpgeom.angle_to_pixel(2**order, ra, dec))
        edges = np.array(hpgeom.boundaries(2**order, pixels, step=8)).reshape(2, -1)
        near = edges[:, np.abs(edges - np.reshape(corner, (2, 1))).max(axis=0) < 0.3]
        ra, dec = (np.append(old, new[:10]) for old, new in ((ra, near[0]), (dec, near[1])))
    places = np.unique(np.round([ra, dec], 4), axis=1)  # no two within the match radius
    return np.round(places + rng.uniform(-2 / 3600, 2 / 3600, places.shape) / 2, 7)


def write_night(raw: Path, sky, number: int, *, visit: int = 0, mag: float = -8.0) -> Path:
    """One image: a night's folder holds its visits."""
    ra, dec = sky
    folder = raw / str(number)
    obsmjd = START + number + visit / 20
    return write_psfcat(folder, ra, dec, obsmjd=obsmjd, mag=np.full(len(ra), mag)).parent


@pytest.fixture(scope="module")
def stage(tmp_path_factory, sky):
    """Inputs of four nights of two visits, and an archive of them."""
    top = tmp_path_factory.mktemp("compact")
    write_refpsfcat(top / "ref", *sky)
    for number in range(4):
        for visit in range(2):
            write_night(top / "raw", sky, number, visit=visit)
    root = new_archive(top / "archive", top / "ref")
    ingest(root, [top / "raw"], workers=1)
    return top


def new_archive(root: Path, references: Path, **settings) -> Path:
    create_archive(root, ArchiveSettings(name="test", **settings))
    add_references(root, [references], workers=1)
    return root


@pytest.fixture
def root(stage, tmp_path):
    return copy(stage / "archive", tmp_path / "archive")


def copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, symlinks=True)
    return target


def tables(root: Path) -> dict[str, pl.DataFrame]:
    """All rows of every table, by SQL."""
    with Archive(root) as archive:
        return {name: archive.sql(f"SELECT * FROM {name} ORDER BY ALL") for name in TABLES}


def same(found: dict[str, pl.DataFrame], wanted: dict[str, pl.DataFrame]) -> bool:
    return all(found[name].equals(wanted[name], null_equal=True) for name in TABLES)


def files(root: Path, table: str = "detections") -> dict[HealpixPixel, list[str]]:
    """The parts of the files of each pixel."""
    snapshot = open_snapshot(root)
    found: dict[HealpixPixel, list[str]] = {}
    for group in snapshot.groups:
        for entry in snapshot.manifest(group).files:
            if entry.table == table and entry.pixel:
                found.setdefault(entry.pixel, []).append(entry.part)
    return found


def content(root: Path) -> dict[str, bytes]:
    return {
        entry.path: (root / entry.path).read_bytes()
        for group in open_snapshot(root).groups
        for entry in open_snapshot(root).manifest(group).files
    }


# --- what becomes of a period -----------------------------------------------------------------


def test_a_period_is_one_file_a_pixel_and_the_same_rows(root):
    before, parts = tables(root), files(root)
    assert max(map(len, parts.values())) == 4
    report = compact(root, workers=1)
    assert same(tables(root), before)
    assert verify(root) == []
    name = "20240110-20240113"
    assert files(root) == {pixel: [name] for pixel in parts}
    assert (report.first, report.last) == (FIRST, night(3))
    assert (report.files_before, report.files_after) == (4 * len(parts), len(parts))
    margins = files(root, MARGIN)
    assert margins
    assert set(map(tuple, margins.values())) == {(name,)}
    snapshot = open_snapshot(root)
    assert snapshot.record["reason"] == "compaction of 2024-01-10 to 2024-01-13"
    own = {e.table for e in snapshot.manifest(night_group(FIRST)).files}
    assert own == {"images", "exposures", "nights"}
    assert not any((root / "staging").iterdir())


def test_what_is_compact_is_left_as_it_is(root):
    number = compact(root, workers=1).publication
    again = compact(root, workers=1)
    assert again.publication == number
    assert again.nothing_done
    with pytest.raises(NothingToCompactError, match="no night is published from 2025-01-01"):
        compact(root, first=date(2025, 1, 1))
    assert open_snapshot(root).number == number


@pytest.mark.filterwarnings("ignore")  # of the judge's own making
def test_lsdb_finds_the_same_before_and_after_and_after_a_split(root, sky):
    lsdb = pytest.importorskip("lsdb")

    def found():
        catalogue = lsdb.open_catalog(root / "detections")
        cone = catalogue.cone_search(ra=sky[0][0], dec=sky[1][0], radius_arcsec=1000).compute()
        columns = ["expid", "sourceid", "mag", "ra"]
        return (
            len(catalogue),
            len(catalogue.compute()),
            sorted(map(tuple, cone[columns].to_numpy().tolist())),
        )

    before = found()
    assert len(before[2]) > 30
    compact(root, workers=1)
    assert found() == before
    compact(root, workers=1, max_rows=100)
    assert open_snapshot(root).partition.split
    assert found() == before


def test_the_bytes_depend_neither_on_workers_nor_on_what_fits_in_memory(
    root, tmp_path, monkeypatch
):
    other = copy(root, tmp_path / "other")
    compact(root, workers=1, max_rows=150)
    compact(other, workers=2, max_rows=150)
    assert content(root) == content(other)
    # One row group a part: other bytes, the same rows in the same order.
    third = copy(tmp_path / "other", tmp_path / "third")
    monkeypatch.setattr(runs, "MERGE_ROWS", 10)
    write_again = [night(0), night(1)]
    withdraw(third, write_again[:1], workers=1)
    withdraw(other, write_again[:1], workers=1)
    assert same(tables(third), tables(other))
    assert verify(third) == []


def test_older_periods_are_taken_in(root):
    compact(root, first=night(0), last=night(1), workers=1)
    assert set(map(tuple, files(root).values())) == {
        ("20240112", "20240113", "20240110-20240111"),
    }
    before = tables(root)
    compact(root, first=night(1), last=night(2), workers=1)
    assert set(map(tuple, files(root).values())) == {("20240113", "20240110-20240112")}
    compact(root, workers=1)
    assert set(map(tuple, files(root).values())) == {("20240110-20240113",)}
    groups = [group for group in open_snapshot(root).groups if group.startswith("periods/")]
    assert groups == ["periods/20240110-20240113"]
    assert same(tables(root), before)
    assert verify(root) == []


def test_a_pixel_never_holds_more_than_one_file_after_all_nights_are_compacted(tmp_path, sky):
    root = tmp_path / "archive"
    nightly(root, *sky, n_nights=34)
    assert max(map(len, files(root).values())) == 34
    before = tables(root)
    compact(root, last=date(2024, 1, 20), workers=1)
    compact(root, workers=1)
    assert set(map(len, files(root).values())) == {1}
    assert same(tables(root), before)


# --- pixels that hold too much ----------------------------------------------------------------


def test_a_pixel_that_holds_too_much_is_split_for_nights_of_the_period_and_others(root):
    before = tables(root)
    largest = max(before["detections"].group_by(pl.col("_healpix_29") // 4**24).len()["len"])
    report = compact(root, first=night(0), last=night(1), max_rows=largest - 1, workers=1)
    assert report.split >= 1
    snapshot = open_snapshot(root)
    assert snapshot.partition.version == 1
    assert all(snapshot.partition.is_leaf(pixel) for pixel in files(root))
    leaves = [pixel for pixel in files(root) if pixel.order > 5]
    assert {part for leaf in leaves for part in files(root)[leaf]} == {
        "20240110-20240111", "20240112", "20240113",
    }  # fmt: skip
    assert same(tables(root), before)
    assert verify(root) == []  # margins among it
    assert snapshot.record["reason"].endswith(f"{report.split} pixels split")


def test_a_split_goes_on_below_the_cells_of_the_point_map_and_ends_at_the_smallest(root):
    before = tables(root)
    compact(root, max_rows=1, workers=1)
    partition = open_snapshot(root).partition
    assert partition.deepest == 12
    assert same(tables(root), before)
    assert verify(root) == []
    # Eight images of each place: no pixel can hold just one row of them.
    assert compact(root, max_rows=1, workers=1).nothing_done


def test_an_archive_that_was_split_is_that_which_was_split_from_the_start(root, stage, tmp_path):
    """Margins and all: an ingest under the new pixels makes the same bytes."""
    compact(root, max_rows=100, workers=1)
    partition = open_snapshot(root).partition
    other = new_archive(tmp_path / "other", stage / "ref")
    publish(other, {}, "split", seen=open_snapshot(other), partition=partition)
    ingest(other, [stage / "raw"], workers=1)
    compact(other, workers=1)
    spatial = [name for name in content(root) if "-" in Path(name).parent.name]
    assert any("margin" in name for name in spatial)
    wanted = content(other)
    assert {name: content(root)[name] for name in spatial} == {
        name: data for name, data in wanted.items() if "-" in Path(name).parent.name
    }


def test_without_margins_a_split_makes_none(stage, tmp_path):
    root = new_archive(tmp_path / "archive", stage / "ref", margin_arcsec=0)
    ingest(root, [stage / "raw"], workers=1)
    compact(root, max_rows=100, workers=1)
    assert not files(root, MARGIN)
    assert verify(root) == []


# --- what comes meanwhile ---------------------------------------------------------------------


def test_files_for_other_pixels_are_not_published(root):
    seen = open_snapshot(root)
    compact(root, max_rows=100, workers=1)
    with pytest.raises(PartitionChangedError, match="cut in other pixels meanwhile"):
        publish(root, {}, "late", seen=seen)


def test_an_ingest_that_a_compaction_overtakes_publishes_in_the_pixels_of_then(
    root, stage, sky, tmp_path, monkeypatch
):
    raw = tmp_path / "raw"
    write_night(raw, sky, 3, visit=5)  # a late image
    write_night(raw, sky, 3, visit=0, mag=-9.0)  # a changed one
    write_night(raw, sky, 9)  # a new night
    plain = copy(root, tmp_path / "plain")
    ingest(plain, [raw], workers=1)
    overtaken = []

    def publish_overtaken(*given, **named):
        if given[2] not in overtaken:  # once a night
            overtaken.append(given[2])
            compact(root, max_rows=100 // len(overtaken), workers=1)
        return publish(*given, **named)

    monkeypatch.setattr(repack, "publish", publish_overtaken)
    ingest(root, [raw], workers=1)
    assert len(overtaken) == 2
    assert open_snapshot(root).partition.version == 2
    assert same(tables(root), tables(plain))
    assert verify(root) == []


@pytest.mark.parametrize("most", [10**6, 50], ids=["whole", "split"])
@pytest.mark.parametrize("how", ["replaced", "late", "withdrawn", "new"])
def test_a_compaction_makes_again_what_changed_meanwhile(
    root, sky, tmp_path, monkeypatch, how, most
):
    raw = tmp_path / "raw"
    number = 9 if how == "new" else 1
    write_night(raw, sky, number, visit=7 if how == "late" else 0, mag=-9.0)
    plain = copy(root, tmp_path / "plain")
    done: list[list[HealpixPixel]] = []

    def change(root: Path) -> None:
        if how == "withdrawn":
            withdraw(root, [night(1)], workers=1)
        else:
            ingest(root, [raw], workers=1)

    def run_disturbed(tasks, *given):
        made = run_repacks(tasks, *given)
        if not done:
            change(root)
        done.append([task.pixel for task in tasks])
        return made

    run_repacks = compact_module.run_repacks
    monkeypatch.setattr(compact_module, "run_repacks", run_disturbed)
    compact(root, first=night(0), last=night(3), max_rows=most, workers=1)
    change(plain)
    assert same(tables(root), tables(plain))
    assert verify(root) == []
    # A night outside the period is none of its business, unless its pixels are split.
    assert len(done) == (1 if how == "new" and most > 50 else 2)


def test_a_night_that_changes_again_and_again_ends_a_compaction(root, sky, tmp_path, monkeypatch):
    monkeypatch.setattr(compact_module, "TRIES", 2)
    run_repacks = compact_module.run_repacks
    tries = []

    def run_disturbed(tasks, *given):
        tries.append(len(tries))
        folder = write_night(tmp_path / "raw", sky, 1, mag=-9.0 - len(tries))
        ingest(root, [folder], workers=1)
        return run_repacks(tasks, *given)

    monkeypatch.setattr(compact_module, "run_repacks", run_disturbed)
    with pytest.raises(ChangedMeanwhileError, match="nights/20240111 changed meanwhile"):
        compact(root, workers=1)
    assert len(tries) == 2
    assert verify(root) == []
    assert not any("periods" in group for group in open_snapshot(root).groups)


def test_two_compactions_at_once_are_refused(root):
    with (
        locked(Layout(root), PERIODS, wait=False),
        pytest.raises(ArchiveBusyError, match="another process is writing periods"),
    ):
        compact(root, workers=1)


def test_who_reads_keeps_what_was_there_until_it_is_vacuumed(root):
    with Archive(root) as archive:
        before = archive.sql("SELECT count(*), sum(mag) FROM detections")
        compact(root, workers=1)
        vacuum(root, older_than_days=0)
        assert archive.sql("SELECT count(*), sum(mag) FROM detections").equals(before)
    report = vacuum(root, older_than_days=0)
    assert report.data_files >= 4 * len(files(root))
    assert {path.parent.name for path in (root / "data" / "detections").rglob("*.parquet")} == {
        "20240110-20240113"
    }
    assert verify(root) == []


# --- what comes after -------------------------------------------------------------------------


def test_a_night_that_was_compacted_is_still_known(root, stage):
    number = compact(root, workers=1).publication
    report = ingest(root, [stage / "raw"], workers=1)
    assert [group.outcome for group in report.groups] == ["unchanged"] * 4
    assert open_snapshot(root).number == number


def test_a_replaced_image_leaves_its_period_and_comes_as_a_night_file(root, sky, tmp_path):
    write_night(tmp_path / "raw", sky, 2, mag=-9.0)
    plain = copy(root, tmp_path / "plain")
    compact(root, workers=1)
    for one in (root, plain):
        ingest(one, [tmp_path / "raw"], workers=1)
    assert same(tables(root), tables(plain))
    assert verify(root) == []
    assert set(map(tuple, files(root).values())) == {("20240112", "20240110-20240113")}
    rows = [e.rows for e in files_of_night(open_snapshot(root), night(2)) if e.table == "images"]
    assert rows == [2]
    # And into the period again.
    compact(root, workers=1)
    assert same(tables(root), tables(plain))
    assert set(map(tuple, files(root).values())) == {("20240110-20240113",)}


def test_the_last_row_of_a_night_leaves_and_its_name_with_it(root):
    compact(root, workers=1)
    withdraw(root, [night(0), night(3)], workers=1)
    snapshot = open_snapshot(root)
    entries = snapshot.manifest("periods/20240110-20240113").files
    assert {entry.nights for entry in entries} == {("20240111", "20240112")}
    assert files_of_night(snapshot, night(0)) == []
    withdraw(root, [night(1), night(2)], workers=1)
    assert [group for group in open_snapshot(root).groups if "references" not in group] == []
    assert verify(root) == []


def test_a_damaged_period_is_refused_until_all_its_nights_are_withdrawn_and_given_again(
    root, stage, sky, tmp_path
):
    before = tables(root)
    compact(root, workers=1)
    path = next((root / "data" / "detections" / "20240110-20240113").iterdir())
    damaged = bytearray(path.read_bytes())
    damaged[100] ^= 1
    path.write_bytes(damaged)
    (finding,) = verify(root)
    remedy = "withdraw all nights of the period at once and give them again"
    assert remedy in finding.remedy
    number = open_snapshot(root).number
    write_night(tmp_path / "raw", sky, 1, mag=-9.0)
    for change in (
        lambda: withdraw(root, [night(1)], workers=1),
        lambda: ingest(root, [tmp_path / "raw"], workers=1),
    ):
        with pytest.raises(DamagedArchiveError, match=remedy):
            change()
        assert open_snapshot(root).number == number
    withdraw(root, [night(number) for number in range(4)], workers=1)
    ingest(root, [stage / "raw"], workers=1)
    assert verify(root) == []
    assert same(tables(root), before)


def test_a_night_whose_small_tables_are_damaged_is_rebuilt_out_of_its_period(root, stage):
    before = tables(root)
    compact(root, workers=1)
    (path,) = (root / "data" / "images").glob("20240111-*")
    path.write_bytes(b"no Parquet")
    with pytest.raises(DamagedArchiveError):
        ingest(root, [stage / "raw" / "1"], workers=1)
    ingest(root, [stage / "raw" / "1"], workers=1, rebuild=True)
    assert verify(root) == []
    assert same(tables(root), before)


def test_what_is_compacted_is_rematched_like_anything_else(root, stage, sky, tmp_path):
    ra, dec = sky
    write_refpsfcat(tmp_path / "better", ra[:20], dec[:20])
    plain = copy(root, tmp_path / "plain")
    compact(root, max_rows=100, workers=1)
    for one in (root, plain):
        add_references(one, [tmp_path / "better"], workers=1)
        rematch(one, [night(1)], workers=1)
        rematch(one, workers=1)
    assert tables(root)["detections"]["oid"].null_count() > 0
    assert same(tables(root), tables(plain))
    assert verify(root, deep=True) == []
    assert ingest(root, [stage / "raw"], workers=1).rows == 0


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_done_a_compacted_archive_holds_what_another_does(stage, sky, tmp_path, seed):
    rng = random.Random(seed)
    compacted = new_archive(tmp_path / "compacted", stage / "ref")
    plain = new_archive(tmp_path / "plain", stage / "ref")
    there: set[int] = set()
    for step in range(5):
        number, deed = rng.randrange(4), rng.random()
        if deed < 0.25 and there:
            gone = rng.sample(sorted(there), rng.randint(1, min(2, len(there))))
            for root in (compacted, plain):
                withdraw(root, [night(one) for one in gone], workers=1)
            there -= set(gone)
        else:
            folder = tmp_path / f"raw{step}"
            write_night(folder, sky, number, visit=rng.randrange(2), mag=-8.0 - rng.randrange(3))
            for root in (compacted, plain):
                ingest(root, [folder], workers=1, rebuild=rng.random() < 0.2)
            there.add(number)
        if there and rng.random() < 0.6:
            first, last = sorted(rng.choices(sorted(there), k=2))
            most = rng.choice([10**6, 60, 25])
            compact(compacted, first=night(first), last=night(last), max_rows=most, workers=1)
        assert verify(compacted, deep=True) == []
        assert same(tables(compacted), tables(plain))


# --- what periods are called ------------------------------------------------------------------


def test_a_part_says_which_nights_its_files_may_hold():
    period = Period(FIRST, night(3))
    assert Period.named(period.part) == Period.named(period.group) == period
    assert [Period.named(name) for name in ("20240110", "000633_zr_c07_q4", "refusals")] == [
        None
    ] * 3
    parts = ["20240110", "20240111", period.part, "20240112-20240120", "000633_zr_c07_q4"]
    assert parts_about([night(1)], parts) == {"20240111", period.part}
    assert parts_about([night(2), night(9)], parts) == {period.part, "20240112-20240120"}


def test_files_that_wait_to_be_merged_take_no_memory(tmp_path):
    create_archive(tmp_path / "archive", ArchiveSettings())
    layout = Layout(tmp_path / "archive")
    manifest = night_manifest(layout, FIRST, [HealpixPixel(5, npix) for npix in range(4)], n=20_000)
    rows = [entry for entry in manifest.files if entry.table == "detections"]
    before = pa.total_allocated_bytes()
    with ExitStack() as held:
        for entry in rows:
            (run,) = held.enter_context(standing_run(layout.root / entry.path, NOTHING, tmp_path))
            assert run.rows == 20_000
        assert pa.total_allocated_bytes() - before < 100_000
