"""Small files of light curves in the public forms, by pyarrow and by hand: no code of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

LISTS = ("hmjd", "mag", "magerr", "clrcoeff", "catflags")
API_COLUMNS = (
    "oid", "expid", "hjd", "mjd", "mag", "magerr", "catflags", "filtercode", "ra", "dec", "chi",
    "sharp", "filefracday", "field", "ccdid", "qid", "limitmag", "magzp", "magzprms", "clrcoeff",
    "clrcounc", "exptime", "airmass", "programid",
)  # fmt: skip


def dr_columns(
    n: int = 5,
    *,
    first: int = 633_207_400_000_000,
    ra: float = 150.0,
    dec: float = 20.0,
    seed: int = 1,
) -> dict[str, Any]:
    """`n` curves of field 633, zr, ccd 7, quadrant 4, of 1 to 9 epochs each, all over a square."""
    rng = np.random.default_rng(seed)
    epochs = rng.integers(1, 10, n)
    flags = [0, 0, 0, 32768, 65535]
    return {
        "objectid": first + rng.permutation(n),
        "filterid": np.full(n, 2, np.int8),
        "fieldid": np.full(n, 633, np.int16),
        "rcid": np.full(n, 27, np.int8),
        "objra": (ra + rng.uniform(0, 3, n)).astype(np.float32),
        "objdec": (dec + rng.uniform(0, 3, n)).astype(np.float32),
        "nepochs": epochs.astype(np.int64),
        "hmjd": [np.sort(rng.uniform(58_000, 60_000, k)) for k in epochs],
        "mag": [rng.uniform(12, 22, k).astype(np.float32) for k in epochs],
        "magerr": [rng.uniform(0.01, 0.3, k).astype(np.float32) for k in epochs],
        "clrcoeff": [rng.uniform(-0.1, 0.1, k).astype(np.float32) for k in epochs],
        "catflags": [rng.choice(flags, k).astype(np.int32) for k in epochs],
    }


def dr_table(columns: dict[str, Any]) -> pa.Table:
    """The columns as a table of the data release's types, or of those that arrays have."""
    arrays = {}
    for name, values in columns.items():
        if isinstance(values, list):
            kind = values[0].dtype if values and isinstance(values[0], np.ndarray) else None
            arrays[name] = pa.array(values, pa.list_(pa.from_numpy_dtype(kind)) if kind else None)
        else:
            arrays[name] = pa.array(values)
    return pa.table(arrays)


def write_dr(path: Path, columns: dict[str, Any] | None = None, **how: Any) -> Path:
    """A file of the bulk download."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(dr_table(dr_columns() if columns is None else columns), path, **how)
    return path


def api_rows(n: int = 4, oid: int = 605_109_400_001_826) -> list[dict[str, str]]:
    """`n` rows of one object, as the API writes them."""
    return [
        {
            "oid": f"{oid}", "expid": f"{54747616 + i}", "hjd": f"{2458301.9728228194 + i:.17g}",
            "mjd": f"{58301.476169000001 + i:.17g}", "mag": f"{17.1654587 + 0.01 * i:.9g}",
            "magerr": "0.019316975", "catflags": "0", "filtercode": "zg",
            "ra": f"{42.206441099999999 + 1e-6 * i:.17g}", "dec": "26.725607100000001",
            "chi": "1.74199998", "sharp": "0.0670000017", "filefracday": "20180702476157",
            "field": "605", "ccdid": "0x9", "qid": "0x4", "limitmag": "19.9699993",
            "magzp": "26.09795", "magzprms": "0.0501397438", "clrcoeff": "-0.0494986027",
            "clrcounc": "9.49291643e-05", "exptime": "30", "airmass": "1.74600005",
            "programid": "1",
        }
        for i in range(n)
    ]  # fmt: skip


def write_api(path: Path, rows: list[dict[str, str]] | None = None) -> Path:
    """An answer of the light-curve API."""
    path.parent.mkdir(parents=True, exist_ok=True)
    given = api_rows() if rows is None else rows
    lines = [",".join(API_COLUMNS)]
    lines += [",".join(row[name] for name in API_COLUMNS) for row in given]
    path.write_text("\n".join(lines) + "\n")
    return path
