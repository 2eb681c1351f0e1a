"""How the Earth was turned: UT1, polar motion and leap seconds from the installed tables.

Read straight from the files of the installed `astropy-iers-data`. astropy's own reader would ask a
network whether a newer table exists, and refuse the same night a month later by wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transforms.sphere import Floats

# `ReadMe.finals2000A`, counted from 0: (start, end) of Bulletin B's value (final) and of A's.
MJD = (7, 15)
POLE_X_ARCSEC = ((134, 144), (18, 27))
POLE_Y_ARCSEC = ((144, 154), (37, 46))
UT1_UTC_S = ((154, 165), (58, 68))


@dataclass(frozen=True, slots=True, eq=False)
class EarthOrientation:
    """Daily table of the Earth's orientation, final values where they exist, else rapid ones.

    Attributes
    ----------
    mjd : float64 (m,), UTC at 0 h.
    ut1_tai_s : float64 (m,), UT1 − TAI in seconds: unlike UT1 − UTC it never jumps.
    pole_x_arcsec, pole_y_arcsec : float64 (m,), polar motion.
    leap_mjd, leap_tai_utc_s : TAI − UTC in seconds and the date each value is good from.
    version : the tables' versions.
    """

    mjd: Floats
    ut1_tai_s: Floats
    pole_x_arcsec: Floats
    pole_y_arcsec: Floats
    leap_mjd: Floats
    leap_tai_utc_s: Floats
    version: str

    def covers(self, mjd: Floats) -> NDArray[np.bool_]:
        """Whether the table reaches each date. Its last year is the IERS's own prediction."""
        covered: NDArray[np.bool_] = (mjd >= self.mjd[0]) & (mjd <= self.mjd[-1])
        return covered

    def tai_utc(self, mjd: Floats) -> Floats:
        """TAI − UTC in seconds at dates in UTC; the nearest value outside the table."""
        step = np.searchsorted(self.leap_mjd, mjd, side="right") - 1
        return self.leap_tai_utc_s[np.maximum(step, 0)]

    def at(self, mjd: Floats) -> tuple[Floats, Floats, Floats]:
        """UT1 − TAI (s) and polar motion x, y (arcsec) at dates in UTC.

        Linear between days; the nearest value outside the table.
        """
        return (
            np.interp(mjd, self.mjd, self.ut1_tai_s),
            np.interp(mjd, self.mjd, self.pole_x_arcsec),
            np.interp(mjd, self.mjd, self.pole_y_arcsec),
        )


@cache
def installed_tables() -> EarthOrientation:
    """Read the tables of the installed `astropy-iers-data`, once a process (10 ms)."""
    import astropy_iers_data as data

    leap = np.loadtxt(data.IERS_LEAP_SECOND_FILE, comments="#", usecols=(0, 4))
    leap_mjd, leap_tai_utc_s = np.ascontiguousarray(leap.T)
    lines = Path(data.IERS_A_FILE).read_bytes().splitlines()
    table = np.array(lines).view("S1").reshape(len(lines), -1)
    mjd = _numbers(table, MJD)
    pole_x, pole_y, ut1_utc = (
        np.where(np.isnan(final := _numbers(table, b)), _numbers(table, a), final)
        for b, a in (POLE_X_ARCSEC, POLE_Y_ARCSEC, UT1_UTC_S)
    )
    known = np.isfinite(pole_x + pole_y + ut1_utc)
    mjd = mjd[known]
    tai_utc = leap_tai_utc_s[np.maximum(np.searchsorted(leap_mjd, mjd, side="right") - 1, 0)]
    return EarthOrientation(
        mjd,
        ut1_utc[known] - tai_utc,
        pole_x[known],
        pole_y[known],
        leap_mjd,
        leap_tai_utc_s,
        f"astropy-iers-data {data.__version__}, TAI-UTC {leap_tai_utc_s[-1]:.0f} s "
        f"since MJD {leap_mjd[-1]:.0f}",
    )


def earth_orientation_version() -> str:
    """Versions of the earth-orientation table and of the leap seconds, for a night's record."""
    return installed_tables().version


def _numbers(
    table: np.ndarray[tuple[int, int], np.dtype[np.bytes_]], span: tuple[int, int]
) -> Floats:
    start, end = span
    field = np.ascontiguousarray(table[:, start:end]).view(f"S{end - start}").ravel()
    blank = np.char.strip(field) == b""
    return np.where(blank, b"nan", field).astype(np.float64)
