"""The benchmark of the whole way, untimed at a tiny size: its answers are the paper's."""

import json

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


def test_memory_is_that_of_all_processes():
    import os
    import subprocess
    import sys

    hold = "import sys; held = bytearray(60_000_000); print(flush=True); sys.stdin.read()"
    alone = family_pss_mb(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        assert family_pss_mb(os.getpid()) > alone + 55
        child.stdin.close()


def test_peak_memory_outlives_what_it_watched():
    import os
    import time

    with PeakMemory(os.getpid()) as memory:
        time.sleep(0.5)
    assert memory.peak_mb == pytest.approx(family_pss_mb(os.getpid()), rel=0.3)
