"""A channel's columns, simulated: stars that a few dozen exposures saw, and what they did not."""

from __future__ import annotations

from typing import Any

import numpy as np

from products.matchfile.columns import Channel, Inputs

CHANNEL = Channel(633, 2, 7, 4)
RA, DEC, HALF = 150.0, 20.0, 0.4
MAGZP = 26.2


def sky(
    stars: int = 400,
    exposures: int = 30,
    *,
    seed: int = 1,
    clouds: Any = 0.0,
    strays: int = 200,
    transients: int = 3,
    variables: int = 0,
) -> Inputs:
    """Stars of 14 to 20.5 mag, each in most exposures, and rows that match no reference source.

    Parameters
    ----------
    clouds : (exposures,), mag by which all of an exposure is fainter than its zero point says.
    strays : rows at random places; `transients` are seen at one place in every exposure.
    variables : so many of the first stars vary by 0.3 mag.
    """
    rng = np.random.default_rng(seed)
    level = rng.uniform(14.0, 20.5, stars)
    ra, dec = RA + rng.uniform(-HALF, HALF, stars), DEC + rng.uniform(-HALF, HALF, stars)
    obsmjd = np.sort(58500 + rng.choice(700, exposures, replace=False) + 0.3)
    star, exposure = np.repeat(np.arange(stars), exposures), np.tile(np.arange(exposures), stars)
    seen = rng.random(star.size) < 0.95
    star, exposure = star[seen], exposure[seen]
    error = formal_error(level)[star]
    mag = level[star] + error * rng.standard_normal(star.size)
    mag += np.broadcast_to(clouds, exposures)[exposure]
    mag += np.where(star < variables, 0.3 * rng.standard_normal(star.size), 0.0)
    at = [np.full(exposures, k) for k in range(transients)]
    place = np.concatenate([np.arange(strays), strays + np.concatenate([[], *at]).astype(int)])
    others = np.concatenate(
        [rng.integers(0, exposures, strays), *[np.arange(exposures)] * transients]
    )
    ra_0 = RA + rng.uniform(-HALF, HALF, strays + transients)
    dec_0 = DEC + rng.uniform(-HALF, HALF, strays + transients)
    n = star.size + place.size
    arcsec = 1 / 3600
    columns = {
        "source": np.concatenate([star, np.full(place.size, -1)]).astype(np.int32),
        "is_unmatched": np.arange(n) >= star.size,
        "exposure": np.concatenate([exposure, others]).astype(int),
        "ra": np.concatenate([ra[star], ra_0[place]]) + rng.normal(0, 0.05 * arcsec, n),
        "dec": np.concatenate([dec[star], dec_0[place]]) + rng.normal(0, 0.05 * arcsec, n),
        "mag": np.concatenate([mag, rng.uniform(19, 20.5, place.size)]).astype(np.float32),
        "xpos": rng.uniform(1, 3072, n).astype(np.float32),
        "ypos": rng.uniform(1, 3080, n).astype(np.float32),
        "chi": rng.uniform(0.5, 1.5, n).astype(np.float32),
        "sharp": rng.normal(0, 0.1, n).astype(np.float32),
        "catflags": rng.choice([0, 0, 0, 0, 0, 0, 0, 0, 128, 65535], n).astype(np.uint16),
    }
    rows = rng.permutation(n)
    columns = {name: values[rows] for name, values in columns.items()}
    number = columns["exposure"] = columns["exposure"].astype(np.int32)
    expid = np.floor((obsmjd - 57754) * 1e5).astype(np.int64)
    magerr = np.concatenate([error, np.full(place.size, 0.1)]).astype(np.float32)[rows]
    # As an image has them: the number of a row in its catalogue.
    sourceid = np.zeros(n, dtype=np.int32)
    for k in range(exposures):
        sourceid[number == k] = np.arange((number == k).sum())
    flux = (10 ** (-0.4 * (columns["mag"].astype(float) - MAGZP))).astype(np.float32)
    columns |= {
        "expid": expid[number],
        "sourceid": sourceid,
        "hmjd": obsmjd[number] + 15 / 86400 + 0.004,
        "magerr": magerr,
        "flux": flux,
        "fluxerr": (flux * magerr / 1.0857).astype(np.float32),
    }
    references = {
        "sourceid": np.arange(stars, dtype=np.int32), "ra": ra, "dec": dec,
        "mag": level.astype(np.float32), "magerr": np.full(stars, 0.01, np.float32),
        "flux": (10 ** (-0.4 * (level - MAGZP))).astype(np.float32),
        "fluxerr": np.ones(stars, np.float32), "chi": np.ones(stars, np.float32),
        "sharp": np.zeros(stars, np.float32),
    }  # fmt: skip
    return Inputs(CHANNEL, columns, references, images(obsmjd, expid), MAGZP, 1e-5,
                  "2024-01-10 00:00:00.000000")  # fmt: skip


def formal_error(mag: Any) -> Any:
    """The noise of a star: 1 % and the sky's."""
    return np.hypot(0.01, 0.12 * 10 ** (0.4 * (np.asarray(mag) - 20.0)))


def images(obsmjd: np.ndarray, expid: np.ndarray) -> dict[str, np.ndarray]:
    """The images' columns that a matchfile needs."""
    n = obsmjd.size
    floats = {
        "exptime": 30.0, "airmass": 1.2, "clrcoeff": 0.1, "clrcounc": 1e-5, "limitmag": 20.8,
        "magzp": MAGZP, "magzprms": 0.02, "magzpunc": 1e-5, "seeing": 2.0, "light_travel_s": 345.6,
    }  # fmt: skip
    return {name: np.full(n, value) for name, value in floats.items()} | {
        "expid": expid, "obsmjd": obsmjd, "programid": np.ones(n, np.int8),
        "filefracday": np.full(n, 20200101300000), "infobits": np.zeros(n, np.int64),
        "pcolor": np.full(n, b"g - R"),
    }  # fmt: skip
