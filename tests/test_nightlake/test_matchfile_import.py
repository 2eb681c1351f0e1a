"""Matchfiles into an archive and out of it: nothing is lost, and nothing damaged comes in."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matchskies import sky
from realdata import REAL, needs_real

from ingest.imports.errors import UnknownImportError
from nightlake.archive import Archive
from nightlake.cli import run
from nightlake.errors import Exit
from products.errors import UnknownChannelError
from products.matchfile.build import build
from products.matchfile.columns import Making
from products.matchfile.writer import write_match
from store.matchfile import MATCH_TABLES, matchfile_name

REAL_FILE = REAL / "matchfile" / "ztf_000245_zr_c10_q1_match.pytable"
NAME = matchfile_name(633, 2, 7, 4)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("m") / NAME
    write_match(build(sky(stars=60, exposures=12), Making(all_references=True)), path)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Any:
    with Archive.create(tmp_path / "A") as archive:
        yield archive


def same(a: Path, b: Path) -> None:
    """Every table, column and attribute of two matchfiles."""
    with h5py.File(a) as one, h5py.File(b) as other:
        for name in MATCH_TABLES:
            left, right = one["matches"][name][:], other["matches"][name][:]
            assert left.dtype == right.dtype
            for column in left.dtype.names:
                np.testing.assert_array_equal(left[column], right[column], err_msg=column)
            for key in set(one["matches"][name].attrs) - {"deletedRows"}:
                assert str(one["matches"][name].attrs[key]) == str(
                    other["matches"][name].attrs[key]
                )
        assert dict(one["matches"].attrs) == dict(other["matches"].attrs)


def test_export_import_export_gives_equal_files(
    archive: Archive, ours: Path, tmp_path: Path
) -> None:
    report = archive.import_matchfiles(ours, collection="mine")
    assert (report.epochs > 700, report.refusals) == (True, ())
    assert archive.verify(deep=True) == []
    out = archive.matchfile(633, "zr", 7, 4, out=tmp_path, collection="mine").path
    same(ours, out)
    assert out.read_bytes() == ours.read_bytes()


@needs_real
def test_the_real_file_is_there_by_sql_and_comes_out_again(
    archive: Archive, tmp_path: Path
) -> None:
    archive.import_matchfiles(REAL_FILE.parent)
    assert archive.verify(deep=True) == []
    counts = archive.sql(
        "select n_exposures, n_sources, n_detections, error_a, datetime_matched from matchfiles"
    ).row(0)
    assert counts == (5, 10, 336, 0.02110917230233589, "2020-10-22 17:14:55.565146")
    assert archive.sql("select count(*) from matchfile_detections").item() == 336
    # Exposures that were trimmed away have nulls: 5 of 68 are there.
    joined = archive.sql(
        """
        select d.expid, e.limitmag, d.mjd - e.obsmjd as late
        from matchfile_detections d left join matchfile_exposures e using (rcid, expid)
        """
    )
    assert joined.height == 336
    assert joined["expid"].n_unique() == 68
    known = joined.drop_nulls()
    assert (known.height, known["expid"].n_unique()) == (28, 5)
    np.testing.assert_allclose(known["late"], 15 / 86400, atol=1e-9)
    curve = archive.sql(
        """
        select count(*) filter (catflags = 0) as good, round(avg(mag) filter (catflags = 0), 3)
        from matchfile_detections where matchid = 4
        """
    ).row(0)
    assert curve == (2, 21.296)
    made = archive.matchfile(245, "zr", 10, 1, out=tmp_path, collection="imported")
    same(REAL_FILE, made.path)
    assert made.path.name == REAL_FILE.name
    assert made.path.parent.name == "fr000201-000250"


def test_the_same_again_changes_nothing_and_another_takes_its_place(
    archive: Archive, ours: Path, tmp_path: Path
) -> None:
    archive.import_matchfiles(ours)
    before = archive.snapshot.number
    again = archive.import_matchfiles([ours])
    assert [file.outcome for file in again.files] == ["unchanged"]
    assert archive.snapshot.number == before
    newer = tmp_path / "new" / NAME
    write_match(build(sky(stars=30, exposures=4), Making()), newer)
    archive.import_matchfiles(newer)
    assert archive.sql("select n_exposures from matchfiles").item() == 4
    # Another file of the same quadrant is refused, but not in another collection.
    other = tmp_path / "copy.h5"
    shutil.copy(newer, other)
    [refusal] = archive.import_matchfiles(other).refusals
    assert "is of 000633_zr_c07_q4, as is " + NAME in refusal.what
    assert archive.import_matchfiles(other, collection="b").refusals == ()
    went = archive.remove_matchfiles(NAME)
    assert (went.files, archive.sql("select collection from matchfiles").item()) == (1, "b")
    with pytest.raises(UnknownImportError, match="no matchfile was imported"):
        archive.remove_matchfiles()
    with pytest.raises(
        UnknownChannelError, match=r"no matchfile of 000633_zg_c07_q4.*It has 000633_zr"
    ):
        archive.matchfile(633, "zg", 7, 4, out=tmp_path, collection="b")


def test_damaged_and_foreign_files_are_refused_with_what_is_wrong(
    archive: Archive, ours: Path, tmp_path: Path
) -> None:
    data = ours.read_bytes()
    bad = {
        "half_match.h5": (data[: len(data) // 2], "ends too soon"),
        "fits_match.h5": (b"SIMPLE  =                    T".ljust(2880), "is no HDF5 file"),
        "empty_match.h5": (b"", "is no HDF5 file"),
    }
    for name, (content, _) in bad.items():
        (tmp_path / name).write_bytes(content)
    with h5py.File(tmp_path / "foreign_match.h5", "w") as file:
        file["spectra"] = [1, 2]
    bad["foreign_match.h5"] = (b"", "table matches/exposures is missing (found: /spectra)")
    shutil.copy(ours, tmp_path / "column_match.h5")
    with h5py.File(tmp_path / "column_match.h5", "r+") as file:
        rows = file["matches/sourcedata"][:]
        kept = [name for name in rows.dtype.names if name != "hjd"]
        del file["matches/sourcedata"]
        file["matches/sourcedata"] = rows[kept]
        # PyTables knows its own tables by this.
        file["matches/sourcedata"].attrs["CLASS"] = np.bytes_(b"TABLE")
    bad["column_match.h5"] = (b"", "table sourcedata, column hjd is missing")
    other = tmp_path / matchfile_name(633, 1, 7, 4)
    shutil.copy(ours, other)
    bad[other.name] = (b"", "its attributes say (633, 2, 7, 4), its name (633, 1, 7, 4)")
    shutil.copy(ours, tmp_path / "open_match.h5")
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITING, str(tmp_path / "open_match.h5")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    bad["open_match.h5"] = (b"", "open for writing")
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        report = archive.import_matchfiles([tmp_path / name for name in bad])
    finally:
        writer.kill()
        writer.communicate()
    assert report.nothing_done
    said = {refusal.input_file: refusal.what for refusal in report.refusals}
    assert said.keys() == bad.keys()
    for name, (_, what) in bad.items():
        assert what in said[name], name
    assert archive.sql("select count(*) from matchfiles").item() == 0
    assert archive.refusals().height == len(bad)


WRITING = """
import h5py, sys, time
file = h5py.File(sys.argv[1], "r+")
print("open", flush=True)
sys.stdin.read()
"""


def test_whatever_bytes_are_damaged_the_import_goes_on(
    archive: Archive, ours: Path, tmp_path: Path
) -> None:
    rng = random.Random(7)
    data = ours.read_bytes()
    folder = tmp_path / "fuzz"
    folder.mkdir()
    for k in range(24):
        damaged = bytearray(data)
        for _ in range(40):
            # The first bytes tell of the groups and tables.
            damaged[rng.randrange(20_000)] = rng.randrange(256)
        (folder / f"{k:02d}_match.h5").write_bytes(damaged)
    shutil.copy(ours, folder / NAME)
    report = archive.import_matchfiles(folder)
    outcomes = {file.name: file.outcome for file in report.files}
    assert len(outcomes) == 25
    assert "refused" in outcomes.values()
    assert archive.verify() == []
    for refusal in report.refusals:
        assert refusal.what
        assert "\n" not in refusal.what


def test_the_verb_imports_and_exports_by_name(
    archive: Archive, ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(archive.root)
    assert run(["import", root, "matchfile", str(ours), "--collection", "z20"]) == 0
    assert "717 detections" in capsys.readouterr().out
    one = ["--field", "633", "--filter", "zr", "--ccd", "7", "--quadrant", "4"]
    assert run(["matchfile", root, *one, "--collection", "z20", "--out", str(tmp_path)]) == 0
    assert "60 sources" in capsys.readouterr().out
    assert run(["import", root, "matchfile"]) == Exit.USAGE
    assert "files or folders of matchfiles" in capsys.readouterr().err
    assert run(["import", root, "matchfile", "--remove", "--collection", "z20"]) == 0
