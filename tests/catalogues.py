"""Small psfcat and refpsfcat files, written by astropy: no code of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

FILTERS = {1: "zg", 2: "zr", 3: "zi"}
COLUMNS = {
    "sourceid": "J", "xpos": "E", "ypos": "E", "ra": "D", "dec": "D", "flux": "E",
    "sigflux": "E", "mag": "E", "sigmag": "E", "snr": "E", "chi": "E", "sharp": "E", "flags": "I",
}  # fmt: skip


def scatter(rng, n, ra=150.0, dec=20.0, width=0.8):
    """Positions evenly over a square about ra, dec."""
    decs = dec + rng.uniform(-width / 2, width / 2, n)
    ras = (ra + rng.uniform(-width / 2, width / 2, n) / np.cos(np.radians(dec))) % 360
    return np.round(ras, 7), np.round(decs, 7)


def table_of(ra, dec, mag=None, flags=None, drop=(), sourceid=None):
    """The table PSF_CATALOG."""
    n = len(ra)
    mag = np.full(n, -8.0) if mag is None else np.asarray(mag)
    flux = 10 ** (-0.4 * mag)
    values = {
        "sourceid": np.arange(n) if sourceid is None else sourceid,
        "xpos": np.linspace(1, 3072, n), "ypos": np.linspace(1, 3080, n),
        "ra": ra, "dec": dec, "flux": flux, "sigflux": flux / 50, "mag": mag,
        "sigmag": np.full(n, 1.0857 / 50), "snr": np.full(n, 50.0), "chi": np.ones(n),
        "sharp": np.zeros(n), "flags": np.zeros(n) if flags is None else flags,
    }  # fmt: skip
    columns = [
        fits.Column(name, code, array=values[name])
        for name, code in COLUMNS.items()
        if name not in drop
    ]
    table = fits.BinTableHDU.from_columns(columns)
    table.name = "PSF_CATALOG"
    return table


def psfcat_name(field, fid, ccdid, qid, filefracday=20240110300000, kind="psfcat"):
    return f"ztf_{filefracday}_{field:06d}_{FILTERS[fid]}_c{ccdid:02d}_o_q{qid}_{kind}.fits"


def write_psfcat(
    folder: Path, ra, dec, *, obsmjd=60319.3, field=600, fid=2, ccdid=7, qid=4, name=None,
    mag=None, flags=None, drop=(), header=None, sourceid=None,
) -> Path:  # fmt: skip
    """A psfcat; `header` adds or (with None) removes keywords of HDU0."""
    folder.mkdir(parents=True, exist_ok=True)
    primary = fits.PrimaryHDU()
    rcid = 4 * (ccdid - 1) + qid - 1
    keywords = {
        "FIELDID": field, "CCDID": ccdid, "QID": qid, "RCID": rcid, "FILTERID": fid,
        "EXPID": int(np.floor((obsmjd - 57754) * 1e5)), "OBSMJD": obsmjd, "EXPTIME": 30.0,
        "MAGZP": 26.2, "INFOBITS": 0, "PROGRMID": 1, "CLRCOEFF": 0.08, "PCOLOR": "g - R",
        "AIRMASS": 1.2, "SEEING": 2.0, "MAGLIM": 20.7,
    }  # fmt: skip
    for key, value in (keywords | (header or {})).items():
        if value is not None:
            primary.header[key] = value
    fraction = 20240110000000 + int((obsmjd % 1) * 1e6)
    path = folder / (name or psfcat_name(field, fid, ccdid, qid, fraction))
    hdus = fits.HDUList([primary, table_of(ra, dec, mag, flags, drop, sourceid)])
    hdus.writeto(path, overwrite=True)
    return path


def write_refpsfcat(
    folder: Path, ra, dec, *, field=600, fid=2, ccdid=7, qid=4, mag=None, header=None, sourceid=None
) -> Path:
    """A reference catalogue; `header` adds or (with None) removes keywords of HDU0."""
    folder.mkdir(parents=True, exist_ok=True)
    primary = fits.PrimaryHDU()
    rcid = 4 * (ccdid - 1) + qid - 1
    keywords = {
        "FIELDID": field, "CCDID": ccdid, "QID": qid, "RCID": rcid, "FILTERID": fid,
        "RFID": field * 1_000_000 + 120_000 + fid * 100 + rcid, "MAGZP": 26.2, "INFOBITS": 0,
        "NSOURCES": len(ra), "CLRCOEFF": {1: -0.05, 2: 0.08, 3: 0.04}[fid],
        "PCOLOR": "R-i" if fid == 3 else "g-R",
    }  # fmt: skip
    for key, value in (keywords | (header or {})).items():
        if value is not None:
            primary.header[key] = value
    path = folder / f"ztf_{field:06d}_{FILTERS[fid]}_c{ccdid:02d}_q{qid}_refpsfcat.fits"
    table = table_of(ra, dec, mag, sourceid=sourceid)
    fits.HDUList([primary, table]).writeto(path, overwrite=True)
    return path
