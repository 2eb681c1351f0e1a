import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.clustering import cluster
from transforms.errors import TransformError

ARCSEC = 1 / 3600


def by_hand(ra, dec, epoch, radius, least):
    """The rule as it is written, row by row, with every leader looked at."""
    ra, dec = np.radians(ra), np.radians(dec)
    at = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    chord = 2 * np.sin(np.radians(radius * ARCSEC) / 2) * (1 + 1e-9)
    leaders, member = [], np.full(len(ra), -1)
    for e in np.unique(epoch):
        rows = np.flatnonzero(epoch == e)
        nearest = {}
        before = len(leaders)
        for row in rows:
            far = [np.linalg.norm(at[row] - at[k]) for k in leaders[:before]]
            if far and min(far) <= chord:
                nearest.setdefault(int(np.argmin(far)), []).append((min(far), row))
            else:
                member[row] = len(leaders)
                leaders.append(row)
        for leader, found in nearest.items():
            member[min(found)[1]] = leader
    number, seen = {}, {}
    for leader in member[member >= 0]:
        seen[leader] = seen.get(leader, 0) + 1
        if seen[leader] == least:
            number[leader] = len(number)
    return [number.get(leader, -1) if leader >= 0 else -1 for leader in member]


@given(seed=st.integers(0, 10**6), dec=st.sampled_from([0.0, 45.0, 89.995, -89.998]),
       ra=st.sampled_from([0.0, 359.99999, 120.0]), least=st.integers(1, 3))  # fmt: skip
@settings(max_examples=40)
def test_groups_follow_the_rule(seed, dec, ra, least):
    rng = np.random.default_rng(seed)
    n = 60
    decs = dec + rng.uniform(-5, 5, n) * ARCSEC
    ras = (ra + rng.uniform(-5, 5, n) * ARCSEC / max(np.cos(np.radians(dec)), 1e-5)) % 360
    epoch = np.sort(rng.integers(0, 8, n))
    assert cluster(ras, decs, epoch, least=least).tolist() == by_hand(ras, decs, epoch, 1.5, least)


def test_one_detection_is_no_group_and_two_of_one_epoch_are_none_either():
    assert cluster([10.0], [0.0], [0]).tolist() == [-1]
    assert cluster([10.0, 10.0], [0.0, 0.0], [3, 3]).tolist() == [-1, -1]
    assert cluster([10.0, 10.0], [0.0, 0.0], [3, 4]).tolist() == [0, 0]


def test_of_two_at_one_leader_the_nearer_joins():
    found = cluster([10.0, 10.0, 10.0], [0.0, 1.0 * ARCSEC, 0.5 * ARCSEC], [0, 1, 1])
    assert found.tolist() == [0, -1, 0]


def test_later_epochs_change_nothing():
    rng = np.random.default_rng(3)
    ra, dec = 50 + rng.uniform(0, 20, 500) * ARCSEC, 10 + rng.uniform(0, 20, 500) * ARCSEC
    epoch = np.sort(rng.integers(0, 50, 500))
    for count in (100, 250, 400):
        early, late = cluster(ra[:count], dec[:count], epoch[:count]), cluster(ra, dec, epoch)
        told = early >= 0
        # What was in a group is in it still; groups that grew later have numbers behind it.
        full = late[:count][told]
        assert (full == early[told]).all() or epoch[count - 1] == epoch[count]


def test_the_radius_itself_is_within():
    assert cluster([10.0, 10.0], [0.0, 1.5 * ARCSEC], [0, 1]).tolist() == [0, 0]
    assert cluster([10.0, 10.0], [0.0, 1.5001 * ARCSEC], [0, 1]).tolist() == [-1, -1]


def test_places_that_are_none_belong_to_no_group():
    assert cluster([10.0, np.nan, 10.0], [0.0, 0.0, np.inf], [0, 1, 2]).tolist() == [-1] * 3
    assert cluster([], [], []).tolist() == []


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([1.0], [1.0], [0, 1]), "an epoch for each position"),
        (([1.0, 1.0], [1.0, 1.0], [1, 0]), "do not ascend"),
    ],
)
def test_bad_input_is_told(arguments, match):
    with pytest.raises(TransformError, match=match):
        cluster(*arguments)
    with pytest.raises(TransformError, match="radius"):
        cluster([1.0], [1.0], [0], radius_arcsec=0)
