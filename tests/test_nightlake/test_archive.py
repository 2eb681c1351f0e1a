import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from archives import Channel, cluster, night_files, nightly
from catalogues import write_psfcat, write_refpsfcat

from nightlake import Archive
from queries.errors import UnknownObjectError
from store.errors import ArchiveExistsError, NotAnArchiveError
from store.layout import Layout
from store.manifest import Manifest, night_group
from store.publication import publish


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a") / "A"
    nightly(path, *cluster(10, 45), channels=[Channel(), Channel(fid=1)])
    return path


def test_archive_answers_sql_with_values(root: Path) -> None:
    with Archive(root) as archive:
        frame = archive.sql(
            "SELECT count(*) AS n FROM images WHERE night = $n", n=date(2024, 1, 10)
        )
        assert frame["n"].to_list() == [2]
        assert archive.sql("SELECT 1 AS a")["a"].to_list() == [1]


def test_archive_gives_light_curves(root: Path) -> None:
    oid = int(Channel().oids(3)[2])
    with Archive(root) as archive:
        curve = archive.lightcurve(oid)
        assert curve.height == 2
        assert archive.lightcurve(oid=oid, filters=["zg"]).is_empty()
        assert archive.lightcurve(oid=oid, filters=["zr"]).equals(curve)
        assert archive.lightcurve(cone=(10, 45, 300)).height == 48
        assert archive.lightcurve(cone=(10, 45, 300), filters=["zg"]).height == 24
        with pytest.raises(UnknownObjectError):
            archive.lightcurve(5)
        with pytest.raises(ValueError, match="either oid or cone"):
            archive.lightcurve()


def test_eight_threads_ask_one_archive_and_each_gets_its_own_answer(tmp_path: Path) -> None:
    # Two places far apart: what one question opens holds half of the rows.
    here, there = cluster(10, 45, 40), cluster(200, -30, 40)
    snapshot = nightly(tmp_path / "A", *map(np.concatenate, zip(here, there, strict=True)))
    rows = snapshot.rows("detections")
    oids = Channel().oids(80).tolist()

    def ask(number: int) -> bool:
        if number % 3 == 0:
            return archive.lightcurve(oids[number % 80]).height == 2
        if number % 3 == 1:
            return archive.lightcurve(cone=(200, -30, 100)).height == rows // 2
        return archive.sql("SELECT count(*) AS n FROM detections")["n"].item() == rows

    with Archive(tmp_path / "A") as archive, ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(240)))


def test_questions_go_on_while_the_archive_is_refreshed(tmp_path: Path) -> None:
    places = cluster(10, 45)
    nightly(tmp_path / "A", *places, n_nights=1)
    layout = Layout(tmp_path / "A")

    def ask(_: int) -> int:
        return archive.lightcurve(cone=(10, 45, 100)).height

    with Archive(tmp_path / "A") as archive, ThreadPoolExecutor(4) as threads:
        answers = threads.map(ask, range(60))
        for day in (1, 2, 3):
            night = date(2024, 3, day)
            files = night_files(layout, night, [Channel()], *places, 5)
            publish(layout.root, {night_group(night): Manifest.of(night_group(night), files)}, "")
            archive.refresh()
        assert {height % 12 for height in answers} == {0}
        assert ask(0) == 48
    assert list(layout.scratch.iterdir()) == []


def test_objects_of_a_replaced_reference_are_found_until_their_night_is_ingested_again(
    tmp_path: Path,
) -> None:
    ra, dec = np.array([150.0, 150.1, 150.2]), np.array([20.0, 20.1, 20.2])
    with Archive.create(tmp_path / "A") as archive:
        write_refpsfcat(tmp_path / "ref", ra, dec)
        archive.add_references(tmp_path / "ref", workers=1)
        write_psfcat(tmp_path / "raw", ra, dec)
        archive.ingest(tmp_path / "raw", workers=1)
        write_refpsfcat(tmp_path / "ref", ra[:0:-1], dec[:0:-1])
        archive.add_references(tmp_path / "ref", workers=1)
        oids = archive.sql("select oid from detections order by sourceid")["oid"].to_list()
        assert [archive.lightcurve(oid)["ra"].to_list() for oid in oids] == [[x] for x in ra]
        archive.ingest(tmp_path / "raw", workers=1)
        assert archive.lightcurve(oids[0])["ra"].to_list() == [ra[2]]
        with pytest.raises(UnknownObjectError, match="and no detection"):
            archive.lightcurve(oids[2])


def test_archive_tells_nights_refusals_and_faults(root: Path) -> None:
    with Archive(root) as archive:
        assert archive.nights()["night"].to_list() == [date(2024, 1, 10), date(2024, 1, 11)]
        assert archive.refusals()["code"].to_list() == ["truncated"]
        assert archive.verify() == []


def test_created_archive_is_empty_and_asked_at_once(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "A", name="mine", partition_order=4) as archive:
        assert archive.nights().is_empty()
        assert archive.lightcurve(cone=(1, 2, 3)).is_empty()
        assert archive.snapshot.partition_order == 4
    with pytest.raises(ArchiveExistsError, match="is a Nightlake archive already"):
        Archive.create(tmp_path / "A")
    with pytest.raises(ValueError, match="partition order must be"):
        Archive.create(tmp_path / "B", partition_order=99)


def test_folder_without_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAnArchiveError, match="nightlake init"):
        Archive(tmp_path)


def test_archive_outlives_a_change_of_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    archive = Archive("A")
    monkeypatch.chdir("/")
    assert archive.nights().height == 2
    archive.close()


HEAVY = "astropy healpy numba matplotlib pandas"
ASK = """
import sys
from nightlake.cli import run
code = run(sys.argv[1:])
found = [name for name in {heavy!r}.split() if name in sys.modules]
sys.exit(f"imported {{found}}" if found else code)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["sql", "{root}", "select count(*) from detections"],
        ["lightcurve", "{root}", "--oid", "633207400000002"],
        ["lightcurve", "{root}", "--oid", "633207400000002", "--format", "csv"],
        ["lightcurve", "{root}", "--cone", "10", "45", "5", "--format", "csv"],
        ["nights", "{root}"],
        ["refusals", "{root}"],
    ],
)
def test_questions_import_nothing_heavy(root: Path, words: list[str]) -> None:
    # Light curves are read with pyarrow, a fifth of a second; what SQL answers needs none of it.
    heavy = f"{HEAVY} duckdb" if words[0] == "lightcurve" else f"{HEAVY} pyarrow"
    done = _python(ASK.format(heavy=heavy), *(word.format(root=root) for word in words))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words", [["--help"], ["lightcurve", "--help"], ["ingest", "--help"]])
def test_help_imports_next_to_nothing(words: list[str]) -> None:
    done = _python(ASK.format(heavy=f"{HEAVY} duckdb polars numpy rich"), *words)
    assert (done.returncode, done.stderr) == (0, "")


def _python(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)
