"""Reading PSF catalogues: the product's reader and astropy's Table.read, in turn.

python -m benchmarks.fits [--rows N] [--json FILE]
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from astropy.table import Table

from benchmarks.harness import Ratio, Result, in_turn, own_peak_mb, played, times_faster
from ingest.psfcat import read_psfcat
from simulate import SurveyPlan, simulate_survey

ROWS_OF_A_SOURCE = 0.35  # of the sources of the simulator, how many rows an image has


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are those of one quadrant."""
    return played(arguments, __doc__, 20_000, run)


def run(rows: int, rounds: int) -> Result:
    """Product and peer on a simulated catalogue of about `rows` rows; bytes are compared first."""
    plan = SurveyPlan(
        nights=(date(2024, 1, 10),), fields=(655,), channels=(27,), filters=(2,),
        exposures_per_night=1, sources_per_quadrant=int(rows / ROWS_OF_A_SOURCE),
        references=False, truth_detections=False,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        simulate_survey(Path(folder), plan, workers=1)
        (path,) = Path(folder).rglob("*_psfcat.fits")
        ours, theirs = read_psfcat(path), _table(path)
        for name, column in ours.columns.items():
            expected = np.asarray(theirs[name])
            assert column.tobytes() == expected.astype(column.dtype).tobytes(), name
        seconds = in_turn(
            {"read_psfcat": lambda: read_psfcat(path), "Table.read": lambda: _table(path)}, rounds
        )
    result = Result("fits", ours.n_rows)
    for name, taken in seconds.items():
        result.figures[f"{name}, ns a row"] = float(np.median(taken)) / ours.n_rows * 1e9
    faster = times_faster(seconds, "read_psfcat", "Table.read")
    result.ratios = [Ratio("psfcat, against Table.read", faster, 8)]
    result.peak_memory_mb = own_peak_mb()
    return result


def _table(path: Path) -> Table:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that astropy does not know
        return Table.read(path, hdu=1)


if __name__ == "__main__":
    main()
