"""Grouping against a plain search through sets, on skies that are small, crowded, or at a pole."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.errors import TransformError
from transforms.grouping import UNGROUPED, Sources, inherit, link

RADIUS = 1.5
PLACES = {"plain": (209.4, 40.5), "RA 0": (0.0, -12.0), "pole": (17.0, 90.0), "south": (5.0, -90.0)}
NOWHERE = Sources([], [], [])


def offset(place, x_arcsec, y_arcsec):
    """Places so far east and north of one, by rotation: right at RA 0 and at the poles."""
    ra, dec = np.radians(place)
    x, y = (np.radians(np.asarray(one) / 3600) for one in (x_arcsec, y_arcsec))
    east = np.array([-np.sin(ra), np.cos(ra), 0])
    north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    up = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    v = up + np.outer(x, east) + np.outer(y, north)
    v /= np.linalg.norm(v, axis=1)[:, None]
    latitude = np.arctan2(v[:, 2], np.hypot(v[:, 0], v[:, 1]))
    return np.degrees(np.arctan2(v[:, 1], v[:, 0])) % 360, np.degrees(latitude)


def separations(one, other):
    """Arcseconds between all sources of two sets (Vincenty's formula)."""
    a, d = np.radians(one.ra)[:, None], np.radians(one.dec)[:, None]
    b, e = np.radians(other.ra), np.radians(other.dec)
    y = np.hypot(
        np.cos(e) * np.sin(b - a), np.cos(d) * np.sin(e) - np.sin(d) * np.cos(e) * np.cos(b - a)
    )
    x = np.sin(d) * np.sin(e) + np.cos(d) * np.cos(e) * np.cos(b - a)
    return np.degrees(np.arctan2(y, x)) * 3600


def by_sets(sources, group, anchors):
    """What `link` should give: the same rule on sets of rows."""
    apart, off = separations(sources, sources), separations(anchors, sources)
    n = len(sources)
    of_row = [g if g != UNGROUPED else len(anchors) + i for i, g in enumerate(group)]
    members = {g: {i for i in range(n) if of_row[i] == g} for g in set(of_row)}
    for _, i, j in sorted((apart[i, j], i, j) for i, j in itertools.combinations(range(n), 2)):
        a, b = sorted((of_row[i], of_row[j]))
        both = members[a] | members[b]
        if (
            a != b
            and b >= len(anchors)
            and len({sources.channel[k] for k in both}) == len(both)
            and all(apart[k, m] <= RADIUS for k in members[a] for m in members[b])
            and (a >= len(anchors) or all(off[a, k] <= RADIUS + 0.01 for k in members[b]))
        ):
            members[a] = both
            del members[b]
            for k in both:
                of_row[k] = a
    numbers = {}
    for g in of_row:
        if g >= len(anchors):
            numbers.setdefault(g, len(anchors) + len(numbers))
    return np.array([numbers.get(g, g) for g in of_row])


def a_sky(seed, place="plain", n=40, width_arcsec=12.0, n_channels=5):
    rng = np.random.default_rng(seed)
    at = rng.uniform(-width_arcsec / 2, width_arcsec / 2, (2, n))
    return Sources(*offset(PLACES[place], *at), rng.integers(0, n_channels, n))


def alone(sources):
    return np.full(len(sources), UNGROUPED)


def subset(sources, rows):
    return Sources(sources.ra[rows], sources.dec[rows], sources.channel[rows])


def founders(sources, group):
    """The places of the first sources of groups 0, 1, …"""
    return subset(sources, np.unique(group, return_index=True)[1])


def sets(group):
    return {frozenset(np.flatnonzero(group == g).tolist()) for g in np.unique(group)}


def is_right(sources, group):
    apart = separations(sources, sources)
    for g in np.unique(group):
        rows = np.flatnonzero(group == g)
        assert len(set(sources.channel[rows])) == rows.size
        assert apart[np.ix_(rows, rows)].max() <= RADIUS + 1e-6


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("width_arcsec", [3.0, 12.0, 40.0])
def test_groups_are_those_of_a_search_through_sets(place, width_arcsec):
    shared = 0
    for seed in range(8):
        sources = a_sky(seed, place, width_arcsec=width_arcsec)
        group = link(sources, alone(sources), NOWHERE, RADIUS)
        np.testing.assert_array_equal(group, by_sets(sources, alone(sources), NOWHERE))
        is_right(sources, group)
        shared += len(sources) - len(set(group))
    assert shared > 20


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(PLACES)))
@settings(max_examples=40)
def test_with_groups_of_before_too(seed, place):
    rng = np.random.default_rng(seed)
    sources = a_sky(seed, place)
    before = link(sources, alone(sources), NOWHERE, RADIUS)
    some = np.flatnonzero(rng.random(len(sources)) < 0.6)
    _, kept = np.unique(before[some], return_inverse=True)
    group = alone(sources)
    group[some] = kept
    # Founded by one of its members, or by one that is gone.
    anchors = founders(subset(sources, some), kept)
    found = link(sources, group, anchors, RADIUS)
    np.testing.assert_array_equal(found, by_sets(sources, group, anchors))
    np.testing.assert_array_equal(found[some], kept)
    is_right(sources, found)


def test_no_two_groups_are_left_that_could_be_one():
    sources = a_sky(3, n=200, width_arcsec=20.0)
    group = link(sources, alone(sources), NOWHERE, RADIUS)
    apart = separations(sources, sources)
    for a, b in itertools.combinations(np.unique(group), 2):
        one, other = np.flatnonzero(group == a), np.flatnonzero(group == b)
        shares = set(sources.channel[one]) & set(sources.channel[other])
        assert shares or apart[np.ix_(one, other)].max() > RADIUS


def test_the_order_of_sources_changes_no_group():
    sources = a_sky(5, n=300, width_arcsec=25.0)
    expected = sets(link(sources, alone(sources), NOWHERE, RADIUS))
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(300)
        group = link(subset(sources, order), alone(sources), NOWHERE, RADIUS)
        back = np.empty(300, dtype=int)
        back[order] = group
        assert sets(back) == expected


def test_a_sky_that_is_cut_with_a_margin_has_the_groups_of_the_whole():
    rng = np.random.default_rng(8)
    n, width = 3000, 400.0
    at = rng.uniform(-width / 2, width / 2, (2, n))
    sources = Sources(*offset(PLACES["plain"], *at), rng.integers(0, 6, n))
    whole = sets(link(sources, alone(sources), NOWHERE, RADIUS))
    rows = np.flatnonzero(at[0] < 15.0)
    part = link(subset(sources, rows), alone(rows), NOWHERE, RADIUS)
    inner = {one for one in whole if all(at[0, k] < 0 for k in one)}
    assert len(inner) > 300
    assert inner <= {frozenset(rows[list(one)].tolist()) for one in sets(part)}


def test_the_radius_itself_is_within_it():
    ra, dec = offset((30.0, 0.0), [0.0, RADIUS, 3 * RADIUS, 4 * RADIUS + 1e-6], [0.0] * 4)
    group = link(Sources(ra, dec, [1, 2, 3, 4]), [UNGROUPED] * 4, NOWHERE, RADIUS)
    assert group.tolist() == [0, 0, 1, 2]


def test_of_one_channel_the_nearer_is_taken_and_the_other_founds_a_group():
    ra, dec = offset((30.0, 40.0), [0.0, 0.4, 0.3], [0.0] * 3)
    assert link(Sources(ra, dec, [1, 2, 2]), alone(ra), NOWHERE, RADIUS).tolist() == [0, 1, 0]


def test_unchanged_sources_inherit_their_groups_and_link_adds_none():
    sources = a_sky(6, n=400, width_arcsec=40.0)
    group = link(sources, alone(sources), NOWHERE, RADIUS)
    anchors = founders(sources, group)
    again = inherit(sources, alone(sources), sources, group, anchors, RADIUS)
    np.testing.assert_array_equal(again, group)
    np.testing.assert_array_equal(link(sources, again, anchors, RADIUS), group)


def test_renumbered_and_moved_sources_take_the_places_of_their_channel():
    rng = np.random.default_rng(11)
    # Stars 6 arcsec apart, each seen by three channels within 0.2 arcsec.
    x, y = np.repeat(np.mgrid[0:20, 0:20].reshape(2, -1) * 6.0, 3, axis=1)
    channel = np.tile([1, 2, 3], 400)
    jitter = rng.uniform(-0.1, 0.1, (2, 1200))
    former = Sources(*offset(PLACES["RA 0"], x + jitter[0], y + jitter[1]), channel)
    group = link(former, alone(former), NOWHERE, RADIUS)
    assert np.unique(group, return_counts=True)[1].tolist() == [3] * 400
    anchors = founders(former, group)
    # Channel 2 anew: other positions, other order, one star in ten lost, one new one.
    moved = jitter + np.where(channel == 2, rng.uniform(-0.3, 0.3, (2, 1200)), 0.0)
    kept = (channel != 2) | (rng.random(1200) > 0.1)
    order = rng.permutation(np.flatnonzero(kept))
    now = Sources(
        *offset(PLACES["RA 0"], (x + moved[0])[order], (y + moved[1])[order]), channel[order]
    )
    of_now = inherit(now, alone(now), former, group, anchors, RADIUS)
    np.testing.assert_array_equal(of_now, group[order])
    np.testing.assert_array_equal(link(now, of_now, anchors, RADIUS), group[order])


def test_who_moved_too_far_leaves_its_group_and_those_that_stayed_keep_it():
    place = (30.0, 40.0)
    former = Sources(*offset(place, [0.0, 1.0], [0.0, 0.0]), [1, 2])
    anchors = Sources(*offset(place, [0.0], [0.0]), [0])
    now = Sources(*offset(place, [0.0, 1.8], [0.0, 0.0]), [1, 2])
    group = inherit(now, alone(now), former, [0, 0], anchors, RADIUS)
    assert group.tolist() == [0, UNGROUPED]
    assert link(now, group, anchors, RADIUS).tolist() == [0, 1]


def test_a_group_does_not_wander_from_where_it_was_founded():
    place = (30.0, 40.0)
    anchors = Sources(*offset(place, [0.0], [0.0]), [0])
    former = Sources(*offset(place, [1.4], [0.0]), [1])
    now = Sources(*offset(place, [2.0], [0.0]), [1])
    assert inherit(now, [UNGROUPED], former, [0], anchors, RADIUS).tolist() == [UNGROUPED]
    # Nor by those who join: 1.2 arcsec from its member, 2.6 from its anchor.
    both = Sources(*offset(place, [1.4, 2.6], [0.0, 0.0]), [1, 2])
    assert link(both, [0, UNGROUPED], anchors, RADIUS).tolist() == [0, 1]


def test_a_place_is_taken_once():
    place = (30.0, 40.0)
    former = Sources(*offset(place, [0.0], [0.0]), [1])
    now = Sources(*offset(place, [0.5, 0.2, 0.1], [0.0] * 3), [1, 1, 2])
    # Of another channel is no successor, though it is nearest.
    taken = inherit(now, alone(now), former, [0], former, RADIUS)
    assert taken.tolist() == [UNGROUPED, 0, UNGROUPED]
    assert inherit(now, [0, UNGROUPED, UNGROUPED], former, [0], former, RADIUS).tolist() == [
        0, UNGROUPED, UNGROUPED,
    ]  # fmt: skip


def test_sources_of_no_place_are_alone_and_nothing_is_nothing():
    sources = Sources([10.0, np.nan, np.nan], [0.0, 0.0, np.nan], [1, 2, 3])
    assert link(sources, alone(sources), NOWHERE, RADIUS).tolist() == [0, 1, 2]
    assert link(NOWHERE, [], NOWHERE, RADIUS).size == 0
    with pytest.raises(TransformError, match="2 channels"):
        Sources([1.0], [1.0], [1, 2])
    with pytest.raises(TransformError, match="as many as there are anchors"):
        link(sources, [0, 1, 2], sources_of_two(), RADIUS)


def sources_of_two():
    return Sources([1.0, 2.0], [1.0, 2.0], [0, 0])
