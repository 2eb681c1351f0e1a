"""make rebuilds the nights that changed, and no more."""

import os
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from catalogues import scatter, write_psfcat, write_refpsfcat
from documents import REPO

from ingest.references import add_references
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

pytestmark = pytest.mark.skipif(
    not (REPO / ".venv" / "bin" / "nightlake").exists(), reason="needs the environment of make"
)


@pytest.fixture
def place(tmp_path):
    create_archive(tmp_path / "archive", ArchiveSettings())
    for day in range(3):
        one_night(tmp_path / "raw", day)
    return tmp_path


def one_night(raw: Path, day: int, n: int = 20) -> Path:
    ra, dec = scatter(np.random.default_rng(day), n)
    name = f"ztf_2024011{day}300000_000600_zr_c07_o_q4_psfcat.fits"
    return write_psfcat(raw, ra, dec, obsmjd=60319.3 + day, name=name)


def make(place, *targets, code=0, **variables):
    settings = {"RAW": place / "raw", "ARCHIVE": place / "archive"} | variables
    # The environment is as it is: these tests are about the nights.
    done = subprocess.run(
        [
            "make", "--no-print-directory", "-C", str(REPO),
            "-o", "setup", "-o", ".venv/setup.stamp", *targets,
            *(f"{name}={value}" for name, value in settings.items()),
        ],
        capture_output=True, text=True, timeout=900, check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
    )  # fmt: skip
    assert (done.returncode == 0) == (code == 0), (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def nights(place):
    return open_snapshot(place / "archive").rows("nights")


def rebuilt(output):
    return sorted(line[9:] for line in output.splitlines() if line.startswith("changed: "))


def test_every_night_is_built_once_two_at_a_time(place):
    output = make(place, "nights", "-j2")
    assert rebuilt(output) == ["20240110", "20240111", "20240112"]
    assert nights(place) == 3
    number = open_snapshot(place / "archive").number
    again = make(place, "nights", "-j2")
    assert rebuilt(again) == []
    assert "published" not in again
    assert open_snapshot(place / "archive").number == number
    assert verify(place / "archive") == []


def test_only_the_night_whose_input_changed_is_built_again(place):
    make(place, "nights")
    one_night(place / "raw", 1, n=25)
    done = place / "archive" / "make"
    before = {path.name: path.stat().st_mtime_ns for path in done.glob("*.done")}
    assert rebuilt(make(place, "nights")) == ["20240111"]
    after = {path.name: path.stat().st_mtime_ns for path in done.glob("*.done")}
    assert {name for name in after if after[name] != before[name]} == {"20240111.done"}
    assert open_snapshot(place / "archive").rows("detections") == 65


def test_one_night_is_built_alone(place):
    make(place, "night", NIGHT="2024-01-11")
    assert nights(place) == 1


def test_a_refused_file_is_recorded_and_not_tried_for_ever(place):
    (place / "raw" / "junk_psfcat.fits").write_text("junk")
    make(place, "nights")
    assert nights(place) == 3
    assert open_snapshot(place / "archive").rows("refusals") == 1
    assert rebuilt(make(place, "nights")) == []


def test_a_build_that_fails_leaves_no_stamp_and_is_done_the_next_time(place):
    make(place, "night", NIGHT="2024-01-10")
    settings = place / "archive" / "archive.json"
    kept = settings.read_text()
    inputs = place / "archive" / "make"
    one_night(place / "raw", 0, n=30)
    # The list of inputs is made, then the archive breaks before the night is built.
    from ingest.inputs import write_inputs

    write_inputs(place / "archive", [place / "raw"])
    settings.write_text("broken")
    stamp = (inputs / "20240110.done").stat().st_mtime_ns
    make(place, "stamped-nights", code=1)
    assert (inputs / "20240110.done").stat().st_mtime_ns == stamp
    assert not (inputs / "20240111.done").exists()
    settings.write_text(kept)
    make(place, "nights")
    assert nights(place) == 3
    assert open_snapshot(place / "archive").rows("detections") == 70


def test_what_is_missing_is_said(place):
    assert "NIGHT is not set" in make(place, "night", code=2)
    assert "RAW is not set" in make(place, "nights", code=2, RAW="")


def test_priors_that_are_given_or_change_rebuild_a_night(place):
    given = {"NIGHT": "2024-01-10", "PRIOR": place / "priors"}
    priors = place / "priors"
    priors.mkdir()
    linear = "CRPIX1  = 1536.5\nCRPIX2  = 1540.5\nCD1_1   = -2.8E-4\nCD2_2   = -2.8E-4\n"
    header = f"CTYPE1  = 'RA---TAN'\nCTYPE2  = 'DEC--TAN'\n{linear}"
    (priors / "c07_q4.head").write_text(header)
    assert rebuilt(make(place, "night", **given)) == ["20240110"]
    assert rebuilt(make(place, "night", **given)) == []
    (priors / "c07_q4.head").write_text(header + "LONPOLE = 180.0\n")
    assert rebuilt(make(place, "night", **given)) == ["20240110"]
    (priors / "c07_q4.head").unlink()
    assert "holds no header" in make(place, "night", code=2, **given)


def test_make_alone_lists_the_targets(place):
    output = make(place)
    for target in ("setup", "demo", "test", "check", "night", "nights"):
        assert f"make {target} " in output


def test_a_night_without_files_is_said_in_one_line(place):
    output = make(place, "night", NIGHT="2030-01-01")
    assert output.splitlines() == [f"2030-01-01: no catalogue of this night in {place / 'raw'}"]
    assert nights(place) == 0


def test_a_science_header_that_changed_rebuilds_its_night(place):
    ra, dec = scatter(np.random.default_rng(7), 20)
    path = write_psfcat(place / "raw", ra, dec, qid=1, header={"INFOBITS": None})
    beside = path.with_name(path.name.replace("_psfcat.fits", "_sciimg.hdr"))
    beside.write_text("INFOBITS= 0\nSATURATE= 50000.\n")
    make(place, "nights")
    beside.write_text("INFOBITS= 33554432\nSATURATE= 50000.\n")
    assert rebuilt(make(place, "nights")) == ["20240110"]
    images = pl.read_parquet(open_snapshot(place / "archive").files("images"))
    assert images.filter(pl.col("qid") == 1)["is_bad"].to_list() == [True]


def test_a_metadata_table_that_changed_rebuilds_the_nights(place):
    table = place / "table.csv"

    def write_table(infobits):
        rows = [
            f"{int((60319.3 + day - 57754) * 1e5)},27,{infobits if day == 1 else 0}"
            for day in range(3)
        ]
        table.write_text("\n".join(["expid,rcid,infobits", *rows]) + "\n")

    for day in range(3):
        ra, dec = scatter(np.random.default_rng(day), 20)
        name = one_night(place / "raw", day).name
        unknown = {"INFOBITS": None}
        write_psfcat(place / "raw", ra, dec, obsmjd=60319.3 + day, name=name, header=unknown)
    write_table(0)
    make(place, "nights", METADATA=table)
    write_table(33_554_432)
    assert len(rebuilt(make(place, "nights", METADATA=table))) == 3
    images = pl.read_parquet(open_snapshot(place / "archive").files("images")).sort("pid")
    assert images["is_bad"].to_list() == [False, True, False]


def test_references_that_were_added_rebuild_the_nights_of_their_field(place):
    ra, dec = scatter(np.random.default_rng(9), 20)
    other_field = "ztf_20240114300000_000601_zr_c07_o_q4_psfcat.fits"
    write_psfcat(place / "raw", ra, dec, obsmjd=60323.3, field=601, name=other_field)
    make(place, "nights")
    ra, dec = scatter(np.random.default_rng(0), 20)
    add_references(place / "archive", [write_refpsfcat(place / "ref", ra, dec)])
    assert rebuilt(make(place, "nights")) == ["20240110", "20240111", "20240112"]
    images = pl.read_parquet(open_snapshot(place / "archive").files("images")).sort("pid")
    assert images["n_matched"].to_list()[0] == 20


def test_matchfiles_are_written_once_and_again_when_their_nights_change(place):
    ra, dec = scatter(np.random.default_rng(0), 20)
    add_references(place / "archive", [write_refpsfcat(place / "ref", ra, dec)])
    make(place, "night", NIGHT="2024-01-10")
    make(place, "matchfiles", OUT=place / "out")
    [file] = (place / "out").rglob("ztf_*_match.pytable")
    first = file.stat().st_mtime_ns
    make(place, "matchfiles", OUT=place / "out")
    assert file.stat().st_mtime_ns == first
    make(place, "nights")
    make(place, "matchfiles", OUT=place / "out")
    assert file.stat().st_mtime_ns > first
