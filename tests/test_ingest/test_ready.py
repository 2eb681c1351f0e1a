"""What a worker of an ingest loads before its first task: little."""

import subprocess
import sys

ASK = """
import ingest.ready, sys  # once, so that kernels are compiled
HEAVY = "polars duckdb astropy matplotlib scipy numba.np.arraymath"
print([name for name in HEAVY.split() if sys.modules.get(name)])
"""


def test_a_worker_loads_nothing_that_it_does_not_need():
    # The last is what numba compiles with: kernels that are stored are loaded without it.
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", ASK], capture_output=True, text=True, check=True
        )
    assert done.stdout == "[]\n"
