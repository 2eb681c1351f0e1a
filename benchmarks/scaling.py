"""The whole way of one large night: speed, memory, disk, beside a tenth of it.

    python -m benchmarks.scaling [--rows N] [--json FILE]

Memory is the peak PSS summed over all processes of the ingest.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Ratio, Result, options, tell
from benchmarks.ingest import ROWS_AN_IMAGE
from benchmarks.night import Run, ingest_night, published_files, simulate_night
from store.verify import verify

MEBIBYTE_LIMIT = 2048
SMALLEST = 1_000_000  # below it the start of the workers is most of the time


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are those of the night."""
    parser = options(__doc__, 20_000_000)
    chosen = parser.parse_args(arguments)
    result = run(chosen.rows)
    tell(result, chosen.json)
    return result


def run(rows: int) -> Result:
    """Ingest a tenth of the night, then the night; every published row is verified."""
    with tempfile.TemporaryDirectory() as name:
        tenth, few = _ingested(Path(name) / "tenth", max(rows // 10, min(rows, SMALLEST)))
        whole, many = _ingested(Path(name) / "whole", rows)
        size = sum(path.stat().st_size for path in published_files(whole.archive))
    result = Result("scaling", many)
    result.figures = {
        "rows a second": many / whole.seconds,
        "seconds": whole.seconds,
        "bytes a detection": size / many,
    }
    result.ratios = [
        Ratio("peak memory of all processes, MiB", whole.peak_mb, MEBIBYTE_LIMIT, at_most=True),
        Ratio("bytes a detection", size / many, 62, at_most=True),
        Ratio(
            f"time a row, over that of {few:,} rows",
            (whole.seconds / many) / (tenth.seconds / few),
            1.1,
            at_most=True,
        ),
    ]
    result.peak_memory_mb = whole.peak_mb
    return result


def _ingested(folder: Path, rows: int) -> tuple[Run, int]:
    night = simulate_night(folder, rows, min(rows, ROWS_AN_IMAGE))
    done = ingest_night(night, None)
    shutil.rmtree(night.raw)  # its disk is wanted
    assert verify(done.archive) == []
    return done, night.rows


if __name__ == "__main__":
    main()
