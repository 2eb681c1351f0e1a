"""Rows near other pixels, judged by filling discs with points that healpy places."""

import healpy
import numpy as np
import pytest

from store.borders import WIDER, border_rows, nearby
from store.layout import HealpixPixel
from store.partition import Partition

RADIUS = 5.0
SPLIT = Partition(
    5,
    1,
    frozenset(
        {HealpixPixel(5, 1023), HealpixPixel(6, 4095), HealpixPixel(5, 4100), HealpixPixel(5, 341)}
    ),
)
DEEP = Partition(12)


def at(ra, dec):
    return healpy.ang2pix(2**29, ra, dec, nest=True, lonlat=True)


def moved(ra, dec, bearing, arcsec):
    """Places that far away, by healpy's rotations: right at the poles."""
    direction = healpy.ang2vec(ra, dec, lonlat=True)
    pole = np.where(np.abs(direction[..., 2:]) < 0.9, [[0, 0, 1.0]], [[1.0, 0, 0]])
    a = np.cross(pole, direction)
    a /= np.linalg.norm(a, axis=-1, keepdims=True)
    b = np.cross(direction, a)
    r = np.radians(np.asarray(arcsec) / 3600)[..., None]
    theta = np.asarray(bearing)[..., None]
    return healpy.vec2ang(
        np.cos(r) * direction + np.sin(r) * (np.cos(theta) * a + np.sin(theta) * b), lonlat=True
    )


def places_about(partition, rng):
    """Places about corners and edges of leaves: poles, base pixels' borders, where z is 2/3."""
    corners = [(rng.uniform(0, 360), sign * 90.0) for sign in (1, -1)]
    for lon in (0.0, 45.0, 90.0, 123.75):
        corners += [(lon, sign * np.degrees(np.arcsin(2 / 3))) for sign in (1, -1)]
        corners.append((lon, 0.0))
    leaves = [HealpixPixel(partition.order, int(k)) for k in rng.integers(0, 12 * 4**5, 8)]
    leaves += [leaf for pixel in sorted(partition.split) for leaf in partition.leaves(pixel)]
    for leaf in leaves:
        vectors = healpy.boundaries(2**leaf.order, leaf.npix, step=3, nest=True).T
        corners += list(zip(*healpy.vec2ang(vectors, lonlat=True), strict=True))
    ra, dec = np.repeat(np.array(corners), 4, axis=0).T
    return moved(ra, dec, rng.uniform(0, 2 * np.pi, ra.size), rng.uniform(0, 2 * RADIUS, ra.size))


def pairs_of(found):
    return set(zip(*(column.tolist() for column in found), strict=True))


def leaves_in_disc(ra, dec, index, radius, partition, rings=1):
    """Every leaf of a dense disc, but the row's own; more than one ring where leaves are small."""
    bearing = np.tile(np.arange(720) * np.pi / 360, rings)
    distance = radius * np.repeat(np.arange(1, rings + 1) / rings, 720)
    shape = len(ra), len(bearing)
    places = moved(
        np.repeat(ra, shape[1]),
        np.repeat(dec, shape[1]),
        np.tile(bearing, shape[0]),
        np.tile(distance, shape[0]),
    )
    cells = at(*places) >> 34
    rows = np.repeat(np.arange(shape[0]), shape[1])
    rows, cells = np.unique(np.stack([rows, cells]), axis=1)
    order, npix = partition.locate(cells << 34)
    own = pairs_of((np.arange(shape[0]), *partition.locate(index)))
    return pairs_of((rows, order, npix)) - own


@pytest.mark.parametrize("partition", [Partition(5), SPLIT, DEEP], ids=["plain", "split", "deep"])
def test_every_leaf_that_the_disc_touches_is_found_and_none_far_off(partition):
    rng = np.random.default_rng(7)
    ra, dec = places_about(partition, rng)
    index = at(ra, dec)
    found = pairs_of(nearby(index, ra, dec, partition, RADIUS))
    near = leaves_in_disc(ra, dec, index, RADIUS, partition)
    assert len(near) > 200
    assert near <= found
    assert found <= leaves_in_disc(ra, dec, index, WIDER * RADIUS * (1 + 1e-9), partition)


def test_few_rows_are_looked_at_and_none_is_missed():
    rng = np.random.default_rng(1)
    low, past = HealpixPixel(5, 1023).index_range
    index = np.sort(rng.integers(low, past, 200_000))
    ra, dec = healpy.pix2ang(2**29, index, nest=True, lonlat=True)
    looked_at = border_rows(index, 5, RADIUS)
    found = nearby(index, ra, dec, Partition(5), RADIUS)
    assert len(found.row) > 250
    assert set(found.row.tolist()) <= set(looked_at.tolist())
    assert len(looked_at) < 0.01 * len(index)
    # A pixel of 6597 arcsec has 4·5/6597 of its rows within 5 arcsec of an edge, as its circles
    # are 1.16 times wider, and skewed pixels have longer edges, up to 1.5 times as many.
    share = len(np.unique(found.row)) / len(index)
    assert 4 * 5 / 6597 < share < 1.5 * 4 * 5 * WIDER / 6597


def test_a_leaf_smaller_than_the_disc_is_not_stepped_over():
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 40), np.degrees(np.arcsin(rng.uniform(-1, 1, 40)))
    index = at(ra, dec)
    found = pairs_of(nearby(index, ra, dec, DEEP, 60.0))
    assert leaves_in_disc(ra, dec, index, 60.0, DEEP, rings=8) <= found


def test_no_rows_are_near_nothing():
    none = np.empty(0)
    found = nearby(none.astype(np.int64), none, none, SPLIT, RADIUS)
    assert [len(column) for column in found] == [0, 0, 0]


def test_pairs_come_by_leaf_then_row():
    ra, dec = places_about(SPLIT, np.random.default_rng(2))
    found = nearby(at(ra, dec), ra, dec, SPLIT, RADIUS)
    starts = found.npix << 2 * (29 - found.order)
    assert np.array_equal(np.lexsort((found.row, starts)), np.arange(len(starts)))
