"""IRSA's own heliocentric dates, exposure ids and object ids, row by row."""

import csv
import math
from decimal import Decimal
from itertools import groupby

import numpy as np
import pytest
from realdata import REAL, needs_real

from transforms.ephemeris import observer_contexts
from transforms.hjd import light_travel_time
from transforms.identifiers import FILTERCODES, decode_oid, expid, oid
from transforms.image import heliocentric_mjd

LIGHT_CURVES = sorted((REAL / "lightcurve_api").glob("*.csv"))
SECONDS_PER_DAY = 86400

pytestmark = needs_real


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("path", LIGHT_CURVES, ids=lambda path: path.stem)
def test_every_hjd_is_ours_to_a_tenth_of_a_millisecond(path):
    rows = rows_of(path)
    ra, dec, mjd, exptime = (
        np.array([float(row[name]) for row in rows]) for name in ("ra", "dec", "mjd", "exptime")
    )
    earth = observer_contexts(mjd).earth_heliocentric_s
    ours = np.concatenate(
        [
            heliocentric_mjd(t, e, light_travel_time([a], [d], r))
            for t, e, a, d, r in zip(mjd, exptime, ra, dec, earth, strict=True)
        ]
        or [np.empty(0)]
    )
    # In decimals: a Julian date in float64 steps by 40 µs.
    theirs = [Decimal(row["hjd"]) - Decimal("2400000.5") for row in rows]
    worst = max(
        (abs(Decimal(a) - b) for a, b in zip(ours.tolist(), theirs, strict=True)), default=0
    )
    assert float(worst) * SECONDS_PER_DAY < 1e-4


@pytest.mark.parametrize("path", LIGHT_CURVES, ids=lambda path: path.stem)
def test_every_identifier_is_ours(path):
    for identifier, group in groupby(rows_of(path), key=lambda row: int(row["oid"])):
        parts = decode_oid(identifier)
        (again,) = oid(parts.field, parts.fid, parts.ccdid, parts.qid, [parts.sourceid])
        assert again == identifier
        for row in group:
            assert expid(float(row["mjd"])) == int(row["expid"])
            assert parts.field == int(row["field"])
            assert FILTERCODES[parts.fid] == row["filtercode"]
            assert (parts.ccdid, parts.qid) == (int(row["ccdid"], 16), int(row["qid"], 16))


def test_there_are_real_rows_to_compare_with():
    assert math.fsum(len(rows_of(path)) for path in LIGHT_CURVES) > 10_000
