"""No socket is opened and no file written outside the archive and what was asked for.

The kernel sees to it (tests/sandbox.py): HOME and the installation cannot be written, and a
process that opens a socket dies.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sandbox

SANDBOX = Path(sandbox.__file__)
NIGHTLAKE = Path(sys.executable).with_name("nightlake")
pytestmark = pytest.mark.skipif(
    not sandbox.available(), reason="needs Linux with Landlock (5.19 or newer)"
)
# Sorts 8 million rows of 16 bytes within 150 MB: it must spill.
SPILLS = "select max(i), count(*) from (select i, random() r from range(8000000) t(i) order by r)"


def run(folders, *command, cwd="/", **more_env):
    writable = [word for folder in folders for word in ("--write", str(folder))]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "TMPDIR": "/nonexistent",
        "LANG": "C.UTF-8",
        **more_env,
    }
    return subprocess.run(
        [sys.executable, str(SANDBOX), *writable, "--", *map(str, command)],
        env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900,
        check=False,
    )  # fmt: skip


def nightlake(folders, *arguments, **more_env):
    done = run(folders, NIGHTLAKE, *arguments, **more_env)
    assert done.returncode == 0, (arguments, done.returncode, done.stdout, done.stderr)
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def without_pandas(tmp_path_factory):
    """An environment in which a process that imports pandas, or a worker of it, dies at once."""
    folder = tmp_path_factory.mktemp("deadly")
    (folder / "pandas").mkdir()
    dies = "import os, traceback\ntraceback.print_stack()\nos._exit(77)\n"
    (folder / "pandas/__init__.py").write_text(dies)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[2]}"}


@pytest.fixture(scope="module")
def night(tmp_path_factory, without_pandas):
    """An archive made from simulated files, every step of it in the sandbox and without pandas."""
    base = tmp_path_factory.mktemp("hermetic")
    raw, archive = base / "raw", base / "archive"
    raw.mkdir()
    archive.mkdir()
    nightlake(
        [raw], "simulate", raw, "--night", "20240110", "--field", "633", "--channel", "27",
        "--channel", "0", "--sources", "1500", "--exposures", "3",
    )  # fmt: skip
    nightlake([archive], "init", archive, **without_pandas)
    for verb in ("add-references", "ingest"):
        nightlake([archive], verb, archive, raw, "--workers", "2", **without_pandas)
    return archive


def test_the_sandbox_stops_writes_and_sockets(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    write = "import sys; open(sys.argv[1] + '/x', 'w')"
    assert run([inside], sys.executable, "-c", write, inside).returncode == 0
    refused = run([inside], sys.executable, "-c", write, outside)
    assert refused.returncode == 1
    assert "PermissionError" in refused.stderr
    opened = run([inside], sys.executable, "-c", "import socket; socket.socket()")
    assert opened.returncode < 0


def test_pandas_is_imported_by_no_step_of_an_archive(night, without_pandas, tmp_path):
    """It would cost each process, and each worker of it, 0.3 s and 60 MB."""
    archive = tmp_path / "archive"
    shutil.copytree(night, archive, symlinks=True)
    died = run([], sys.executable, "-c", "import pandas", **without_pandas)
    assert died.returncode == 77
    for verb, *more in (["build", "lightcurves"], ["compact"], ["verify"]):
        nightlake([archive], verb, archive, *more, **without_pandas)


def test_a_whole_night_is_ingested_and_verified(night):
    assert "no fault found" in nightlake([night], "verify", night)


def test_light_curves_and_pictures_are_written_only_where_asked(night, tmp_path):
    oid = nightlake(
        [night], "sql", night, "--format", "csv",
        "select oid from detections where oid is not null group by oid having count(*) > 2 limit 1",
    ).split()[1]  # fmt: skip
    for folder in ([night, tmp_path], [tmp_path]):  # also where the archive cannot be written
        target = tmp_path / f"{len(folder)}.png"
        nightlake(folder, "lightcurve", night, "--oid", oid, "--plot", target)
        assert target.stat().st_size > 10_000
        target = tmp_path / f"{len(folder)}.vot"
        nightlake(folder, "lightcurve", night, "--oid", oid, "--format", "votable", "--out", target)
        assert target.exists()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".png", ".png", ".vot", ".vot"]


def test_named_queries_and_the_prompt_write_nothing(night):
    assert "zr" in nightlake([], "query", night, "night_summary", "-p", "night=20240110")
    # Nothing is typed: the prompt ends at once.
    assert nightlake([], "shell", night) == ""
    assert "CREATE MACRO cone" in nightlake([], "shell", night, "--print-init")


def test_a_query_that_spills_does_so_inside_the_archive(night, tmp_path):
    question = ("sql", night, "--memory-limit", "150MB", SPILLS)
    out = nightlake([night], *question)
    assert "8000000" in out
    assert not list((night / "scratch").glob("*"))
    # Where it may not write there either, it fails: so it did spill.
    refused = run([tmp_path], NIGHTLAKE, *question)
    assert refused.returncode == 1
    assert "scratch" in refused.stderr


def test_sixteen_processes_at_once_do_not_disturb_each_other(night, tmp_path):
    def one(number):
        if number % 2:
            return nightlake([night], "sql", night, "--memory-limit", "150MB", SPILLS)
        target = tmp_path / f"{number}.png"
        nightlake(
            [night, tmp_path], "lightcurve", night, "--cone", "247.8", "24.8", "60",
            "--plot", target,
        )  # fmt: skip
        return target.read_bytes()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(16)))
    assert len(set(answers[0::2])) == len(set(answers[1::2])) == 1
    assert not list((night / "scratch").glob("*"))


def test_kernels_compile_where_the_installation_cannot_be_written(tmp_path):
    """The same, from an installation without compiled kernels."""
    code = (
        "import numpy as np, sys; sys.dont_write_bytecode = True\n"
        "from transforms.match import SkyGrid\n"
        "g = SkyGrid(np.array([10.0]), np.array([0.0]))\n"
        "print(g.nearest(np.array([10.0]), np.array([0.0001]), 1.5)[0][0])"
    )
    done = run([tmp_path], sys.executable, "-c", code, NUMBA_CACHE_DIR="/nonexistent/cache")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0"]
