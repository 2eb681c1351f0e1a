"""Small catalogues that astropy writes, for tests of reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

FORMATS = {
    "sourceid": "J", "xpos": "E", "ypos": "E", "ra": "D", "dec": "D", "flux": "E", "sigflux": "E",
    "mag": "E", "sigmag": "E", "snr": "E", "chi": "E", "sharp": "E", "flags": "I",
}  # fmt: skip
NAME = "ztf_20200924431759_000655_zr_c13_o_q3_psfcat.fits"
HEADER = {
    "FIELDID": 655, "CCDID": 13, "QID": 3, "RCID": 50, "FILTERID": 2, "EXPID": 136243177,
    "PROGRMID": 1, "OBSMJD": 59116.4317708, "EXPTIME": 30.0, "AIRMASS": 1.018,
    "MAGZP": 26.285139, "MAGZPUNC": 3.9755e-06, "MAGZPRMS": 0.024661, "CLRCOEFF": 0.079197,
    "CLRCOUNC": 8.5202e-06, "PCOLOR": "g - R", "SATURATE": 58647.152, "SEEING": 1.241,
    "MAGLIM": 21.73, "INFOBITS": 0,
}  # fmt: skip
WCS = {
    "CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "CRPIX1": 1536.5, "CRPIX2": 1540.5,
    "CRVAL1": 57.9974032715, "CRVAL2": 35.74628707041, "CD1_1": -0.00028117, "CD1_2": -7.7e-06,
    "CD2_1": 7.7e-06, "CD2_2": -0.00028117, "PV1_1": 1.000036677143,
}  # fmt: skip


def some_columns(n_rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = {
        name: rng.standard_normal(n_rows).astype({"E": "f4", "D": "f8"}.get(code, "f8"))
        for name, code in FORMATS.items()
    }
    columns["sourceid"] = np.arange(n_rows, dtype="i4")
    columns["flags"] = rng.integers(-1, 4096, n_rows).astype("i2")
    columns["ra"] = rng.uniform(0, 360, n_rows)
    columns["dec"] = rng.uniform(-90, 90, n_rows)
    return columns


def write_catalogue(
    path: Path,
    columns: dict[str, np.ndarray],
    header: dict[str, Any] | None = None,
    *,
    extname: str = "PSF_CATALOG",
    formats: dict[str, str] | None = None,
    **of_column: dict[str, Any],
) -> Path:
    """Write `columns` in their order; `formats` and e.g. `bzero={"flags": 3}` override columns."""
    formats = FORMATS | (formats or {})
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(
                name=name,
                format=formats[name.lower()],
                array=array,
                **{key: by[name] for key, by in of_column.items() if name in by},
            )
            for name, array in columns.items()
        ],
        name=extname,
    )
    primary = fits.PrimaryHDU()
    for key, value in (HEADER if header is None else header).items():
        primary.header[key] = value
    fits.HDUList([primary, table]).writeto(path, overwrite=True)
    return path
