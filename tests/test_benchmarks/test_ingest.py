"""The benchmark of the whole way, untimed at a tiny size: its answers are the paper's."""

import json
import subprocess
import sys
import time

import pytest

from benchmarks import ingest
from benchmarks.memory import PeakMemory, family_pss_mb


def test_the_published_rows_are_the_papers_and_all_peers_are_told(tmp_path, capsys):
    path = tmp_path / "result.json"
    # The rows of two images are compared with Table.read, the paper's dates, airmass and matches.
    ingest.main(["--rows", "4000", "--rounds", "1", "--workers", "1", "--json", str(path)])
    document = json.loads(path.read_text())
    assert document["subject"] == "ingest"
    assert document["rows"] > 1000
    assert document["peak_memory_mb"] > 50
    assert document["ratios"]["bytes a detection"]["value"] > 10
    assert len(document["ratios"]) + len(document["missing"]) == 9
    assert "rows a second" in document["figures"]
    assert "NOT MET" in capsys.readouterr().out


@pytest.fixture
def family():
    """A process that is next to nothing, and its child that holds 57 MB of its own.

    Not this one: of its pages others take a part whenever they begin, and give it back.
    """
    hold = "import sys; held = bytearray(60_000_000); print(flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        yield process


def test_memory_is_that_of_all_processes(family):
    assert family_pss_mb(family.pid) > 55


def test_peak_memory_outlives_what_it_watched(family):
    with PeakMemory(family.pid) as memory:
        while not memory.peak_mb:
            time.sleep(0.01)  # it looks at once, in a thread of its own
        family.communicate()
    assert memory.peak_mb > 55
