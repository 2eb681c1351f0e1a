"""Nothing is lost silently: what `verify --deep` counts again, and each fault that it names."""

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from catalogues import scatter, write_psfcat, write_refpsfcat

from ingest.compact import compact
from ingest.pipeline import ingest
from ingest.references import add_references
from store.contract import STORED_TABLES
from store.files import write_table
from store.manifest import Manifest
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

NIGHT = "nights/20240110"
COUNTS = ["n_read", "n_published", "n_refused", "n_matched", "n_unmatched"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Two nights of two images, one with a row that is refused, and their references."""
    folder = tmp_path_factory.mktemp("raw")
    for ccdid, ra in ((7, 150.0), (8, 152.5)):
        ra, dec = scatter(np.random.default_rng(ccdid), 12, ra=ra)
        ref_ra = ra.copy()
        ref_ra[2] = np.nan
        write_refpsfcat(folder / "ref", ref_ra, dec, ccdid=ccdid)
        for obsmjd in (60319.3, 60320.4):
            place = ra.copy()
            if ccdid == 7:
                place[3] = np.nan
            write_psfcat(folder / "sci", place, dec, ccdid=ccdid, obsmjd=obsmjd)
    return folder


@pytest.fixture(scope="module")
def sound(raw, tmp_path_factory):
    root = tmp_path_factory.mktemp("sound") / "archive"
    # No margin: what is done to detections would be told of margins too.
    create_archive(root, ArchiveSettings(margin_arcsec=0))
    add_references(root, [raw / "ref"])
    ingest(root, [raw / "sci"], workers=1)
    return root


@pytest.fixture
def root(sound, tmp_path):
    return Path(shutil.copytree(sound, tmp_path / "archive", symlinks=True))


def change(root, group, table, alter):
    """Publish a group with one file of a table altered, as if a program had made it so."""
    snapshot = open_snapshot(root)
    files = list(snapshot.manifest(group).files)
    number = next(i for i, entry in enumerate(files) if entry.table == table)
    entry = files.pop(number)
    frame = alter(pl.read_parquet(root / entry.path))
    contract = STORED_TABLES[table]
    if len(frame):
        rows = frame.sort(contract.sort).to_arrow().cast(contract.schema())
        files.append(write_table(snapshot.layout, contract, rows, entry.part, entry.pixel))
    publish(root, {group: Manifest.of(group, files)}, "a fault")


def test_a_sound_archive_conserves_its_rows(root):
    assert verify(root, deep=True) == []
    compact(root, workers=1)
    assert verify(root, deep=True) == []


def one(name, value):
    """The first row's value of a column, altered."""
    number = pl.int_range(pl.len())
    return lambda frame: frame.with_columns(
        pl.when(number == 0).then(value).otherwise(pl.col(name)).alias(name).cast(frame[name].dtype)
    )


FAULTS = {
    "a row is lost": (NIGHT, "detections", lambda f: f[1:], {"image_rows"}),
    "a row is doubled": (NIGHT, "detections", lambda f: pl.concat([f, f[:1]]), {"image_rows"}),
    "an id is lost": (NIGHT, "detections", one("oid", None), {"image_rows"}),
    "an image is not listed": (NIGHT, "images", lambda f: f[1:],
                               {"orphans", "exposure_rows", "night_rows", "refused_rows"}),
    "an image says more": (NIGHT, "images", one("n_published", pl.col("n_published") + 1),
                           {"image_rows", "exposure_rows", "night_rows"}),
    "an image read more": (NIGHT, "images", one("n_read", pl.col("n_read") + 1),
                           {"image_rows", "night_rows"}),
    "a refusal is lost": (NIGHT, "refusals", lambda f: f[:0], {"refused_rows"}),
    "a refusal is of another file": (NIGHT, "refusals", one("input_file", pl.lit("x.fits")),
                                     {"refused_rows"}),
    "an exposure is lost": (NIGHT, "exposures", lambda f: f[:0], {"exposure_rows"}),
    "an exposure says less": (NIGHT, "exposures", one("n_matched", pl.lit(0)), {"exposure_rows"}),
    "a night is lost": (NIGHT, "nights", lambda f: f[:0], {"night_rows"}),
    **{
        f"a night's {name} is wrong": (NIGHT, "nights", one(name, pl.lit(99)), {"night_rows"})
        for name in (*COUNTS, "n_exposures", "n_images", "n_bad_images")
    },
    "a reference source is lost": ("references/000600", "reference_sources", lambda f: f[1:],
                                   {"reference_rows"}),
    "a reference says more": ("references/000600", "reference_images",
                              one("n_refused", pl.lit(7)), {"reference_rows", "refused_rows"}),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(root, raw, fault):
    group, table, alter, codes = FAULTS[fault]
    change(root, group, table, alter)
    assert not {finding.code for finding in verify(root)} & codes
    findings = verify(root, deep=True)
    assert codes <= {finding.code for finding in findings}
    assert all(finding.remedy for finding in findings)


@pytest.mark.parametrize("fault", ["a row is lost", "an image is not listed", "a night is lost"])
def test_the_remedy_mends_it(root, raw, fault):
    group, table, alter, _ = FAULTS[fault]
    change(root, group, table, alter)
    assert "--rebuild" in verify(root, deep=True)[0].remedy
    ingest(root, [raw / "sci"], rebuild=True, workers=1, night=date(2024, 1, 10))
    assert verify(root, deep=True) == []


def test_rows_of_periods_are_counted_night_by_night(root):
    compact(root, workers=1)
    period = next(group for group in open_snapshot(root).groups if group.startswith("periods/"))
    change(root, period, "detections", lambda frame: frame[1:])
    findings = [finding for finding in verify(root, deep=True) if finding.code == "image_rows"]
    assert findings
    assert "12 rows" not in str(findings)
    assert all("night 2024011" in finding.where for finding in findings)


def test_a_damaged_file_is_told_once(root):
    entry = next(e for e in open_snapshot(root).manifest(NIGHT).files if e.table == "detections")
    (root / entry.path).chmod(0o644)
    (root / entry.path).write_bytes(b"")
    assert {finding.code for finding in verify(root, deep=True)} == {"checksum"}


def test_many_faults_of_a_kind_are_summed_up(tmp_path):
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings(margin_arcsec=0))
    ra, dec = scatter(np.random.default_rng(1), 3)
    for visit in range(24):
        write_psfcat(tmp_path / "raw", ra, dec, obsmjd=60319.2 + visit / 100)
    ingest(root, [tmp_path / "raw"], workers=1)
    snapshot = open_snapshot(root)
    files = [e for e in snapshot.manifest(NIGHT).files if e.table != "detections"]
    publish(root, {NIGHT: Manifest.of(NIGHT, files)}, "a fault")
    findings = verify(root, deep=True)
    assert len(findings) == 21
    assert findings[-1].what.startswith("28 more of the kind")
