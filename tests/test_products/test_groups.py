"""`group_id` over pixels: as if the sky had no borders, and kept from build to build."""

import hpgeom
import numpy as np
import pytest

from products.lightcurves.groups import Groups, Rows, read_groups, write_groups
from store.layout import HEALPIX_ORDER, HealpixPixel
from transforms.grouping import UNGROUPED, Sources, link

RADIUS = 1.5
ORDER = 10  # 206 arcsec: a few pixels, with borders between
PLACES = {"plain": (209.4, 40.5), "RA 0": (0.0, 0.0), "pole": (45.0, 90.0), "corner": (45.0, 41.81)}
NOTHING = Rows(*(np.empty(0, kind) for kind in (int, int, float, float, int)))


def oids(channel, number):
    return (633 * 10**12 + 10**11) + np.asarray(channel) * 10**8 + number


def rows_of(ra, dec, oid, group_id=None):
    cell = hpgeom.angle_to_pixel(2**HEALPIX_ORDER, ra, dec, nest=True)
    none = np.full(len(oid), UNGROUPED)
    return Rows(cell, np.asarray(oid), ra, dec, none if group_id is None else group_id)


def joined(*parts):
    return Rows._make([np.concatenate(columns) for columns in zip(*parts, strict=True)])


def about(place, n, width_arcsec, seed):
    """Places spread over a disc about one, right at the poles."""
    rng = np.random.default_rng(seed)
    away = np.radians(width_arcsec / 3600) * np.sqrt(rng.random(n))
    turn = rng.uniform(0, 2 * np.pi, n)
    ra, dec = np.radians(place)
    up = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), 0])
    v = np.outer(np.cos(away), up) + np.sin(away)[:, None] * (
        np.outer(np.sin(turn), east) + np.outer(np.cos(turn), np.cross(up, east))
    )
    dec = np.degrees(np.arctan2(v[:, 2], np.hypot(v[:, 0], v[:, 1])))
    return np.degrees(np.arctan2(v[:, 1], v[:, 0])) % 360, dec


def a_sky(place="plain", n=6000, seed=1, channels=(1, 2, 3, 4), stars=1500):
    """Sources about stars, each of some channels, some more than once: nearer and farther off."""
    rng = np.random.default_rng(seed)
    ra, dec = about(PLACES[place], stars, 330.0, 1)
    which = rng.integers(0, stars, n)
    # As directions, so that the pole is no matter.
    v = hpgeom.angle_to_vector(ra, dec)[which] + np.radians(0.5 / 3600) * rng.normal(size=(n, 3))
    dec = np.degrees(np.arctan2(v[:, 2], np.hypot(v[:, 0], v[:, 1])))
    ra = np.degrees(np.arctan2(v[:, 1], v[:, 0])) % 360
    return rows_of(ra, dec, oids(rng.choice(channels, n), np.arange(n)))


def pixels_of(*skies):
    npix = np.unique(np.concatenate([sky.cell for sky in skies]) >> 2 * (HEALPIX_ORDER - ORDER))
    return [HealpixPixel(ORDER, k) for k in npix.tolist()]


def reader(sky):
    def read(pixel):
        low, past = pixel.index_range
        return sky.take(np.flatnonzero((sky.cell >= low) & (sky.cell < past)))

    return read


def built(now, before=NOTHING, pixels=None):
    """The sources with the groups that they get; those of pixels that are not built keep theirs."""
    chosen = pixels_of(now) if pixels is None else pixels
    groups = Groups(reader(now), reader(before), ORDER, RADIUS)
    found = dict(zip(before.oid.tolist(), before.group_id.tolist(), strict=True))
    for pixel in chosen:
        ids = groups.of(pixel)
        assert (np.diff(ids.oid) > 0).all()
        found |= dict(zip(ids.oid.tolist(), ids.group_id.tolist(), strict=True))
    return now._replace(group_id=np.array([found[oid] for oid in now.oid.tolist()]))


def is_right(sky):
    """Groups are small, have a channel once, and no id is that of two places."""
    v = hpgeom.angle_to_vector(sky.ra, sky.dec)
    order = np.argsort(sky.group_id, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(sky.group_id[order])) + 1):
        channel = sky.oid[rows] // 10**8
        assert len(set(channel.tolist())) == rows.size
        apart = np.linalg.norm(v[rows, None] - v[None, rows], axis=2).max()
        assert np.degrees(apart) * 3600 <= RADIUS + 1e-6


@pytest.mark.parametrize("place", PLACES)
def test_borders_change_no_group(place):
    sky = a_sky(place)
    assert len(pixels_of(sky)) > 5
    made = built(sky)
    is_right(made)
    by_oid = np.argsort(sky.oid)
    whole = sky.take(by_oid)
    sources = Sources(whole.ra, whole.dec, whole.oid // 10**8)
    expected = link(sources, np.full(len(sources), UNGROUPED), Sources([], [], []), RADIUS)
    founders = np.unique(expected, return_index=True)[1]
    np.testing.assert_array_equal(made.take(by_oid).group_id, whole.cell[founders][expected])
    # Some of them lie across a border.
    pixel = sky.cell >> 2 * (HEALPIX_ORDER - ORDER)
    across = {(g, p) for g, p in zip(made.group_id.tolist(), pixel.tolist(), strict=True)}
    assert len(across) > len(set(made.group_id.tolist())) + 5


def test_what_is_built_again_is_the_same_whichever_pixels():
    sky = a_sky()
    made = built(sky)
    np.testing.assert_array_equal(built(sky, made).group_id, made.group_id)
    some = pixels_of(sky)[1::2]
    np.testing.assert_array_equal(built(sky, made, some).group_id, made.group_id)
    # Moved by nothing that counts, so that all are looked at.
    moved = sky._replace(ra=sky.ra + 1e-9)
    np.testing.assert_array_equal(built(moved, made).group_id, made.group_id)


def test_a_new_reference_joins_groups_and_changes_none():
    sky, more = a_sky(), a_sky(seed=2, n=1500, channels=(7,))
    before = built(sky)
    both = joined(sky, more)
    after = built(both, before)
    is_right(after)
    np.testing.assert_array_equal(after.group_id[: sky.oid.size], before.group_id)
    new = after.group_id[sky.oid.size :]
    joins = np.isin(new, before.group_id)
    assert 0.2 < joins.mean() < 0.95
    # Who joins none has founded a group, with its own place for an id.
    np.testing.assert_array_equal(new[~joins], more.cell[~joins])
    # One by one, as pixels come to be built, or all at once.
    pixels = pixels_of(both)
    half = built(both, before, pixels)
    np.testing.assert_array_equal(half.group_id, after.group_id)


def test_a_replaced_reference_takes_the_places_of_the_former_whatever_its_ids():
    rng = np.random.default_rng(4)
    sky = a_sky(n=1200)
    before = built(sky)
    old = sky.oid // 10**8 == oids(2, 0) // 10**8
    order = rng.permutation(np.flatnonzero(old))
    renumbered = rows_of(
        sky.ra[order] + rng.normal(0, 0.03 / 3600, order.size),
        sky.dec[order] + rng.normal(0, 0.03 / 3600, order.size),
        oids(2, 50_000 + np.arange(order.size)),
    )
    now = joined(sky.take(np.flatnonzero(~old)), renumbered)
    after = built(now, before)
    is_right(after)
    kept = after.group_id[: (~old).sum()]
    np.testing.assert_array_equal(kept, before.group_id[~old])
    same = after.group_id[(~old).sum() :] == before.group_id[order]
    # But for crowds in which two of one channel changed places, or one moved out of reach.
    assert same.mean() > 0.98
    # The same ids, of other stars: the place counts, not the number.
    swapped = renumbered._replace(oid=sky.oid[old])
    again = built(joined(sky.take(np.flatnonzero(~old)), swapped), before)
    np.testing.assert_array_equal(again.group_id, after.group_id)


def test_who_is_gone_leaves_the_others_their_group():
    sky = a_sky()
    before = built(sky)
    left = np.flatnonzero(sky.oid // 10**8 != oids(1, 0) // 10**8)
    after = built(sky.take(left), before)
    is_right(after)
    np.testing.assert_array_equal(after.group_id, before.group_id[left])


def test_two_founders_of_one_place_have_ids_of_their_own():
    ra, dec = np.full(5, 209.4), np.full(5, 40.5)
    sky = rows_of(ra, dec, oids([1, 1, 1, 2, 2], np.arange(5)))
    made = built(sky)
    assert len(set(made.group_id.tolist())) == 3
    assert sky.cell[0] == made.group_id[0]
    is_right(made)
    # Another still, where all of these are known already.
    more = joined(sky, rows_of(ra[:1], dec[:1], oids([1], np.array([9]))))
    again = built(more, made)
    np.testing.assert_array_equal(again.group_id[:5], made.group_id)
    assert len(set(again.group_id.tolist())) == 4
    ids = made.group_id
    back = hpgeom.pixel_to_angle(2**HEALPIX_ORDER, ids, nest=True)
    assert np.abs(back[1] - 40.5).max() * 3600 < 0.01


def test_an_interrupted_try_passes_on_what_it_has_decided():
    sky = a_sky()
    pixels = pixels_of(sky)
    expected = built(sky)
    first = Groups(reader(sky), reader(NOTHING), ORDER, RADIUS)
    for pixel in pixels[:4]:
        first.of(pixel)
    second = Groups(reader(sky), reader(NOTHING), ORDER, RADIUS, first.done)
    group_of = dict(zip(sky.oid.tolist(), expected.group_id.tolist(), strict=True))
    for pixel in pixels[4:]:
        ids = second.of(pixel)
        assert ids.group_id.tolist() == [group_of[oid] for oid in ids.oid.tolist()]


def test_groups_pass_through_a_folder(tmp_path):
    sky = a_sky(n=300)
    pixels = pixels_of(sky)
    write_groups(Groups(reader(sky), reader(NOTHING), ORDER, RADIUS), reversed(pixels), tmp_path)
    made = built(sky)
    found = np.full(300, 0)
    for pixel in pixels:
        ids = read_groups(pixel, tmp_path).of(sky.oid)
        found = np.where(ids == UNGROUPED, found, ids)
    np.testing.assert_array_equal(found, made.group_id)
    assert read_groups(pixels[0], tmp_path).of(np.array([1, 2])).tolist() == [UNGROUPED] * 2
