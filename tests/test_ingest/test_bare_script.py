"""A plain script without a main guard, or standard input, ingests with several processes."""

import subprocess
import sys

import numpy as np
import pytest
from catalogues import scatter, write_psfcat

from store.publication import create_archive
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot

SCRIPT = """
import sys
from pathlib import Path
from ingest.pipeline import ingest
print("once", flush=True)
ingest(Path(sys.argv[-2]), [Path(sys.argv[-1])], workers=2)
"""


@pytest.mark.parametrize("how", ["file", "stdin"])
def test_the_script_itself_runs_once(tmp_path, how):
    for number in range(4):
        ra, dec = scatter(np.random.default_rng(number), 50)
        write_psfcat(tmp_path / "raw", ra, dec, obsmjd=60319.3 + number / 100)
    create_archive(tmp_path / "archive", ArchiveSettings())
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    program = str(script) if how == "file" else "-"
    done = subprocess.run(
        [sys.executable, program, tmp_path / "archive", tmp_path / "raw"],
        input=None if how == "file" else SCRIPT,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, ["once"]), done.stderr
    assert open_snapshot(tmp_path / "archive").rows("detections") == 200
