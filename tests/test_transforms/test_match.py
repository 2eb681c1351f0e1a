"""Matching against brute force, astropy and scipy at the awkward places of the sky."""

import math

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from transforms.errors import TransformError
from transforms.match import SkyGrid, ids_of, match_rank, matched
from transforms.sphere import unit_vectors

ARCSEC = 1 / 3600
PLACES = {
    "RA 0": (0.0, 0.0),
    "RA 0 in the north": (359.999, 62.0),
    "north pole": (0.0, 90.0),
    "beside the north pole": (123.0, 89.99),
    "south pole": (45.0, -90.0),
    "RA 180": (180.0, -20.0),
    "galactic plane": (290.0, 20.0),
}


def vectors(ra, dec):
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def nearest_brute_force(ref_ra, ref_dec, ra, dec, radius_arcsec):
    """Every distance to every source; the first of the nearest."""
    index, separation = np.full(len(ra), -1), np.full(len(ra), np.nan)
    refs = vectors(ref_ra, ref_dec)
    usable = np.isfinite(refs).all(axis=1)
    if not usable.any():
        return index, separation
    for i, point in enumerate(vectors(ra, dec)):
        chord = np.where(usable, np.linalg.norm(refs - point, axis=1), np.inf)
        best = int(np.argmin(chord))
        angle = math.degrees(2 * math.asin(min(chord[best] / 2, 1))) / ARCSEC
        if math.isfinite(angle) and angle <= radius_arcsec + 1e-9:
            index[i], separation[i] = best, angle
    return index, separation


def around(place, n, half_width_deg, seed):
    """Points scattered about a place, whatever its RA and dec, on a tangent plane."""
    rng = np.random.default_rng(seed)
    x, y = np.radians(rng.uniform(-half_width_deg, half_width_deg, (2, n)))
    offset = SkyCoord(*place, unit="deg").skyoffset_frame()
    points = SkyCoord(np.degrees(x), np.degrees(y), unit="deg", frame=offset).icrs
    return points.ra.deg, points.dec.deg


def jittered(ra, dec, sigma_arcsec, seed):
    rng = np.random.default_rng(seed)
    points = vectors(ra, dec) + rng.normal(0, math.radians(sigma_arcsec * ARCSEC), (len(ra), 3))
    x, y, z = points.T
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def check(ref, points, radius_arcsec):
    index, separation = SkyGrid(*ref, radius_arcsec).nearest(*points, radius_arcsec)
    expected_index, expected = nearest_brute_force(*ref, *points, radius_arcsec)
    np.testing.assert_array_equal(index, expected_index)
    np.testing.assert_allclose(separation, expected, rtol=0, atol=1e-6)
    return index


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("half_width_deg", [0.45, 3 * ARCSEC], ids=["quadrant", "crowd"])
def test_every_id_is_that_of_brute_force(place, half_width_deg):
    ref = around(place, 600, half_width_deg, seed=1)
    found = jittered(*ref, 0.5, seed=2)
    other = around(place, 400, half_width_deg, seed=3)
    points = tuple(np.concatenate(pair) for pair in zip(found, other, strict=True))
    index = check(ref, points, 1.5)
    assert (index >= 0).sum() > 500


@pytest.fixture(scope="module")
def quadrant():
    ref = around((359.9, 33.0), 30_000, 0.45, seed=4)
    rng = np.random.default_rng(5)
    found = jittered(*(column[rng.permutation(30_000)[:15_000]] for column in ref), 0.3, seed=6)
    other = around((359.9, 33.0), 5_000, 0.45, seed=7)
    return ref, tuple(np.concatenate(pair) for pair in zip(found, other, strict=True))


def test_a_full_quadrant_has_the_ids_of_ckdtree(quadrant):
    ref, points = quadrant
    index, separation = SkyGrid(*ref).nearest(*points, 1.5)
    chord, tree = cKDTree(vectors(*ref)).query(vectors(*points))
    angle = np.degrees(2 * np.arcsin(chord / 2)) / ARCSEC
    np.testing.assert_array_equal(index, np.where(angle <= 1.5, tree, -1))
    np.testing.assert_allclose(separation[index >= 0], angle[index >= 0], rtol=0, atol=1e-6)


def test_a_full_quadrant_has_the_ids_of_astropy(quadrant):
    ref, points = quadrant
    index, separation = SkyGrid(*ref).nearest(*points, 1.5)
    theirs, angle, _ = SkyCoord(*points, unit="deg").match_to_catalog_sky(
        SkyCoord(*ref, unit="deg")
    )
    np.testing.assert_array_equal(index, np.where(angle.arcsec <= 1.5, theirs, -1))
    np.testing.assert_allclose(separation[index >= 0], angle.arcsec[index >= 0], rtol=0, atol=1e-6)


def test_sources_all_over_the_sky_are_matched():
    rng = np.random.default_rng(8)
    ref = rng.uniform(0, 360, 2000), np.degrees(np.arcsin(rng.uniform(-1, 1, 2000)))
    index = check(ref, jittered(*ref, 3.0, seed=9), 10.0)
    assert (index == np.arange(2000)).mean() > 0.9
    # Degrees apart, the nearest may lie in any of the patches.
    check(ref, (ref[1][:300] * 2 + 180, ref[1][300:600]), 36000.0)


@pytest.mark.parametrize("ring_dec", [0.0, 40.0, -89.0])
@pytest.mark.parametrize("n", [2, 3, 4, 1000])
def test_a_ring_round_the_sky_is_matched(ring_dec, n):
    ref = np.linspace(0, 360, n, endpoint=False), np.full(n, ring_dec)
    check(ref, jittered(*ref, 1.0, seed=10), 1.5)


def test_strays_among_the_reference_sources_cost_nothing_but_themselves():
    ref = around((200.0, 40.0), 500, 0.45, seed=11)
    strays = [0.0, 20.0, math.nan, 200.0, 203.0], [0.0, -40.0, 10.0, math.nan, 40.0]
    ref = tuple(np.concatenate(pair) for pair in zip(strays, ref, strict=True))
    index = check(ref, jittered(*ref, 0.3, seed=12), 1.5)
    assert index[[0, 1, 4]].tolist() == [0, 1, 4]
    assert index[[2, 3]].tolist() == [-1, -1]


def test_of_equal_distances_the_lowest_index_wins():
    ref_ra = [10.0 + 1 * ARCSEC, 10.0, 10.0, 10.0, 10.0]
    ref_dec = [0.0, 1 * ARCSEC, 1 * ARCSEC, -1 * ARCSEC, 1 * ARCSEC]
    index, separation = SkyGrid(ref_ra[1:], ref_dec[1:]).nearest([10.0], [0.0], 1.5)
    assert index.tolist() == [0]
    assert separation == pytest.approx([1.0])
    # Duplicates on both sides of every border of cells and patches.
    rng = np.random.default_rng(13)
    ref = rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))
    doubled = np.concatenate([ref[0], ref[0]]), np.concatenate([ref[1], ref[1]])
    index, _ = SkyGrid(*doubled).nearest(*ref, 1.5)
    assert index.tolist() == list(range(300))


@pytest.mark.parametrize("dec", [0.0, 0.25, -60.0, 89.0])
def test_the_radius_itself_is_within(dec):
    grid = SkyGrid([180.0], [dec])
    index, separation = grid.nearest([180.0] * 2, [dec + 1.5 * ARCSEC, dec + 1.50001 * ARCSEC], 1.5)
    assert index.tolist() == [0, -1]
    assert separation[0] == pytest.approx(1.5, abs=1e-8)
    assert math.isnan(separation[1])


@pytest.mark.parametrize("radius", [0.0, 0.1, 1.5, 60.0, 3600.0])
def test_any_radius_is_right_whatever_the_grid_was_made_for(radius):
    ref = around((0.0, 60.0), 200, 0.45, seed=14)
    points = around((0.0, 60.0), 200, 0.9, seed=15)
    grid = SkyGrid(*ref, radius_arcsec=1.5)
    index, _ = grid.nearest(*points, radius)
    np.testing.assert_array_equal(index, nearest_brute_force(*ref, *points, radius)[0])


def test_nothing_matches_nothing():
    for ref in ([], []), ([1.0], [1.0]):
        index, separation = SkyGrid(*ref).nearest([], [], 1.5)
        assert (index.size, separation.size) == (0, 0)
    index, separation = SkyGrid([], []).nearest([1.0, 2.0], [3.0, 4.0], 1.5)
    assert index.tolist() == [-1, -1]
    assert np.isnan(separation).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_a_coordinate_that_is_none_matches_nothing(bad):
    grid = SkyGrid([10.0, bad, 10.0, bad], [20.0, 20.0, bad, bad])
    index, _ = grid.nearest([10.0, bad, 10.0, bad], [20.0, 20.0, bad, bad], 1.5)
    assert index.tolist() == [0, -1, -1, -1]


def test_all_sources_in_one_place_are_one_cell():
    ref = np.full(1000, 10.0), np.full(1000, 20.0)
    index, separation = SkyGrid(*ref).nearest(*ref, 1.5)
    assert (index == 0).all()
    assert (separation == 0).all()


@pytest.mark.parametrize("radius", [-1.0, math.nan, 36001.0])
def test_an_impossible_radius_is_refused(radius):
    with pytest.raises(TransformError, match="match radius"):
        SkyGrid([1.0], [1.0], radius)
    with pytest.raises(TransformError, match="match radius"):
        SkyGrid([1.0], [1.0]).nearest([1.0], [1.0], radius)


@pytest.mark.parametrize("far", [0.0, 0.5, 1.0])
def test_the_nearest_is_found_however_far_within_the_radius_it_lies(far):
    ref = around((359.9, 33.0), 20_000, 0.06, seed=50)  # a source within the radius by chance, too
    rng = np.random.default_rng(51)
    ra, dec = jittered(*ref, 0.1, seed=52)
    # Half of them in turns of some tiles, so that what is near is looked for, not, and again.
    moved = (np.arange(ra.size) // 3000 % 2 == 1) | (rng.random(ra.size) < 0.1)
    dec = dec + np.where(moved, far * ARCSEC, 0.0)
    index, separation = SkyGrid(*ref).nearest(ra, dec, 1.5)
    chord, tree = cKDTree(vectors(*ref)).query(vectors(ra, dec))
    angle = np.degrees(2 * np.arcsin(chord / 2)) / ARCSEC
    np.testing.assert_array_equal(index, np.where(angle <= 1.5, tree, -1))
    np.testing.assert_allclose(separation[index >= 0], angle[index >= 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_in_any_order_and_on_any_thread_have_the_same_answer(workers, monkeypatch):
    monkeypatch.setattr("transforms.match.CHUNK", 70_000)
    rng = np.random.default_rng(31)
    ref = rng.uniform(0, 360, 20_000), np.degrees(np.arcsin(rng.uniform(-1, 1, 20_000)))
    chosen = np.concatenate([np.sort(rng.integers(0, 20_000, 70_000)), rng.permutation(20_000)])
    chosen = np.concatenate([chosen, rng.integers(0, 20_000, 60_000)])
    ra, dec = jittered(*(column[chosen] for column in ref), 0.2, seed=32)
    ra[5::1000], dec[7::1000] = math.nan, math.inf
    index, separation = SkyGrid(*ref).nearest(ra, dec, 1.5, workers=workers)
    good = np.isfinite(ra) & np.isfinite(dec)
    chord, tree = cKDTree(vectors(*ref)).query(vectors(ra[good], dec[good]))
    angle = np.degrees(2 * np.arcsin(chord / 2)) / ARCSEC
    np.testing.assert_array_equal(index[good], np.where(angle <= 1.5, tree, -1))
    near = angle <= 1.5
    np.testing.assert_allclose(separation[good][near], angle[near], rtol=0, atol=1e-6)
    assert (index[~good] == -1).all()
    assert np.isnan(separation[~good]).all()


def pairs_brute_force(ref_ra, ref_dec, ra, dec, radius_arcsec):
    """Every pair within the radius: the nearest of each row first, then the lowest index."""
    refs, pairs = vectors(ref_ra, ref_dec), []
    for i, point in enumerate(vectors(ra, dec)):
        half = np.clip(np.linalg.norm(refs - point, axis=1) / 2, 0, 1)
        angle = np.degrees(2 * np.arcsin(half)) / ARCSEC
        near = np.flatnonzero(angle <= radius_arcsec + 1e-9)
        pairs += [(i, j, angle[j]) for j in near[np.argsort(angle[near], kind="stable")]]
    return tuple(np.array(column) for column in (zip(*pairs, strict=True) if pairs else [[]] * 3))


def check_pairs(ref, points, radius_arcsec):
    row, index, separation = SkyGrid(*ref).within(*points, radius_arcsec)
    expected_row, expected_index, expected = pairs_brute_force(*ref, *points, radius_arcsec)
    np.testing.assert_array_equal(row, expected_row)
    np.testing.assert_array_equal(index, expected_index)
    np.testing.assert_allclose(separation, expected, rtol=0, atol=1e-6)
    return row.size


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("half_width_deg", [0.45, 3 * ARCSEC], ids=["quadrant", "crowd"])
def test_all_pairs_are_those_of_brute_force(place, half_width_deg):
    ref = around(place, 300, half_width_deg, seed=21)
    points = jittered(*ref, 0.5, seed=22)
    n_pairs = check_pairs(ref, points, 1.5)
    assert n_pairs > (10_000 if half_width_deg < 0.1 else 280)


def test_all_pairs_over_the_whole_sky_and_at_any_radius():
    rng = np.random.default_rng(23)
    ref = rng.uniform(0, 360, 700), np.degrees(np.arcsin(rng.uniform(-1, 1, 700)))
    for radius in (0.0, 10.0, 20_000.0):
        check_pairs(ref, jittered(*ref, 3.0, seed=24), radius)


def test_of_all_pairs_at_equal_distances_the_lowest_index_comes_first():
    ref = np.full(200, 10.0), np.full(200, 20.0)
    for n in (5, 200):  # few are sorted otherwise than many
        row, index, separation = SkyGrid(ref[0][:n], ref[1][:n]).within(ref[0][:3], ref[1][:3])
        assert row.tolist() == [i for i in range(3) for _ in range(n)]
        assert index.tolist() == list(range(n)) * 3
        assert (separation == 0).all()


def test_no_pairs_of_nothing():
    for ref in ([], []), ([1.0, math.nan], [1.0, 1.0]):
        for points in ([], []), ([math.nan, 5.0], [1.0, math.inf]):
            row, index, separation = SkyGrid(*ref).within(*points, 1.5)
            assert (row.size, index.size, separation.size) == (0, 0, 0)
            assert (row.dtype, index.dtype) == (np.int64, np.int32)


def test_directions_are_the_same_however_often_their_angles_go_round():
    ref = around((0.0, 89.9), 200, 0.3, seed=33)
    points = jittered(*ref, 0.3, seed=34)
    expected, _ = SkyGrid(*ref).nearest(*points)
    assert (expected >= 0).mean() > 0.9
    turned = (points[0] - 720.0, points[1]), (points[0] + 3.6e8, points[1])
    over = (points[0] + 180.0, 180.0 - points[1]), (points[0], points[1] - 360.0)
    for ra, dec in (*turned, *over):
        for grid, found in (((ref), (ra, dec)), ((ra, dec), ref)):
            index, _ = SkyGrid(*grid).nearest(*found, 1.5)
            same = nearest_brute_force(*grid, *found, 1.5)[0]
            # Large angles have fewer digits: what is at the radius may be on either side of it.
            assert (index == same).mean() > 0.99
    ra, dec = np.array([3.6e8 + 1e-7, 1e9 - 1.0]), np.array([10.0, -10.0])
    index, separation = SkyGrid(np.fmod(ra, 360.0), dec).nearest(ra, dec, 0.01)
    assert index.tolist() == [0, 1]
    assert separation.max() < 1e-6


def test_fields_far_apart_are_matched_each_as_it_is():
    fields = [around(place, 3000, 0.3, seed) for seed, place in enumerate(PLACES.values(), 40)]
    ref = tuple(np.concatenate(column) for column in zip(*fields, strict=True))
    points = jittered(*ref, 0.3, seed=35)
    index, _ = SkyGrid(*ref).nearest(*points, 1.5)
    chord, tree = cKDTree(vectors(*ref)).query(vectors(*points))
    angle = np.degrees(2 * np.arcsin(chord / 2)) / ARCSEC
    np.testing.assert_array_equal(index, np.where(angle <= 1.5, tree, -1))


@pytest.mark.parametrize("dec", [0.0, 60.0, 89.9, 90.0, -89.9999])
@pytest.mark.parametrize("radius", [5.0, 3600.0, 36000.0])
def test_no_pair_is_found_twice_where_right_ascension_begins(dec, radius):
    rng = np.random.default_rng(36)
    for n in (1, 2, 30):
        ra = rng.uniform(-3 * ARCSEC, 3 * ARCSEC, n) % 360
        ref = ra, np.clip(dec + rng.uniform(-3 * ARCSEC, 3 * ARCSEC, n), -90, 90)
        points = np.array([0.0, 359.9999, 1e-5, 180.0]), np.full(4, dec)
        row, index, _ = SkyGrid(*ref).within(*points, radius)
        expected_row, expected_index, _ = pairs_brute_force(*ref, *points, radius)
        # As a set: at the pole all distances are equal but for rounding.
        expected = sorted(zip(expected_row, expected_index, strict=True))
        assert sorted(zip(row, index, strict=True)) == expected


@given(place=st.sampled_from(sorted(PLACES.values())), seed=st.integers(0, 999))
@settings(max_examples=30)
def test_the_first_of_all_pairs_is_the_nearest(place, seed):
    grid = SkyGrid(*around(place, 80, 20 * ARCSEC, seed))
    points = around(place, 80, 20 * ARCSEC, seed + 1000)
    index, separation = grid.nearest(*points, 3.0)
    row, among, distance = grid.within(*points, 3.0)
    matched, first = np.unique(row, return_index=True)
    np.testing.assert_array_equal(np.flatnonzero(index >= 0), matched)
    np.testing.assert_array_equal(index[matched], among[first])
    np.testing.assert_array_equal(separation[matched], distance[first])


angles = st.floats(-4, 4).map(lambda x: round(x, 3))
points = st.lists(st.tuples(angles, angles), min_size=0, max_size=25)


@given(place=st.sampled_from(sorted(PLACES.values())), ref=points, found=points)
@settings(max_examples=80)
def test_the_match_is_a_nearest_source_within_the_radius(place, ref, found):
    offset = SkyCoord(*place, unit="deg").skyoffset_frame()

    def sky(rows):
        lon, lat = (np.array(rows).reshape(-1, 2) * ARCSEC).T
        icrs = SkyCoord(lon, lat, unit="deg", frame=offset).icrs
        return icrs.ra.deg, icrs.dec.deg

    ref, found = sky(ref), sky(found)
    index, separation = SkyGrid(*ref).nearest(*found, 1.5)
    _, expected = nearest_brute_force(*ref, *found, 1.5)
    # On a lattice distances tie but for rounding: the distance decides, not the index.
    near_edge = np.abs(np.nan_to_num(separation, nan=1.5) - 1.5) < 1e-6
    np.testing.assert_allclose(separation[~near_edge], expected[~near_edge], rtol=0, atol=1e-6)
    matched = index >= 0
    between = np.linalg.norm(
        unit_vectors(*found).T[matched] - unit_vectors(*ref).T[index[matched]], axis=1
    )
    np.testing.assert_allclose(np.degrees(between) / ARCSEC, separation[matched], atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_the_rows_that_have_a_source_are_kept_in_order(n):
    rng = np.random.default_rng(37)
    index = rng.integers(-1, 2, n).astype(np.int32)
    separation = np.where(index < 0, math.nan, rng.random(n))
    rows, found, kept = matched(index.copy(), separation.copy())
    assert rows.tolist() == [i for i in range(n) if index[i] >= 0]
    assert found.tolist() == index[rows].tolist()
    assert kept.tolist() == separation[rows].tolist()


def test_the_nearest_detection_of_a_source_has_rank_one():
    index = [3, -1, 3, 5, 3, 7, 7]
    separation = [0.5, math.nan, 0.1, 0.4, 0.5, 0.2, 0.2]
    assert match_rank(index, separation).tolist() == [2, 0, 1, 1, 3, 1, 2]
    assert match_rank([], []).tolist() == []
    assert match_rank([-1, -1], [math.nan, math.nan]).tolist() == [0, 0]
    assert match_rank(index, separation).dtype == np.int16


@given(st.lists(st.tuples(st.integers(-1, 6), st.sampled_from([0.0, 0.25, 0.5, 1.5])), max_size=40))
def test_ranks_count_the_nearer_detections(rows):
    index, separation = [row[0] for row in rows], [row[1] for row in rows]
    rank = match_rank(index, separation)
    for i, (reference, distance) in enumerate(rows):
        nearer = sum(
            other == reference and (d, j) < (distance, i) for j, (other, d) in enumerate(rows)
        )
        assert rank[i] == (0 if reference < 0 else nearer + 1)


def test_ranks_end_at_the_largest_int16():
    rank = match_rank(np.zeros(40_000, dtype=np.int32), np.arange(40_000.0))
    assert rank[32_766] == rank[-1] == 32_767


def test_only_the_nearest_detection_of_a_source_gets_its_id() -> None:
    ids = np.array([700, 800, 900])
    index, separation = np.array([2, -1, 2, 0]), np.array([0.5, math.nan, 0.1, 0.3])
    rank = match_rank(index, separation)
    assert ids_of(index, rank, ids).tolist() == [-1, -1, 900, 700]
    assert ids_of([], [], ids).tolist() == []


def test_an_index_of_no_source_is_refused() -> None:
    with pytest.raises(TransformError, match="3 sources"):
        ids_of([3], [1], np.arange(3))
    with pytest.raises(TransformError, match="2 ranks of 1 rows"):
        ids_of([0], [1, 1], np.arange(3))
