import numpy as np
import pytest
from archives import cluster, healpix
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.errors import BadConeError
from queries.sky import Cone
from store.layout import HealpixPixel

AWKWARD = [(0.0, 0.0), (359.99999, 45.0), (123.0, 90.0), (123.0, -90.0), (45.0, 0.0), (180.0, 41.8)]


@pytest.mark.parametrize(("ra", "dec"), AWKWARD)
@pytest.mark.parametrize("radius", [0.01, 1.5, 60.0, 3600.0, 36_000.0])
def test_every_place_in_a_cone_lies_in_its_ranges_and_pixels(
    ra: float, dec: float, radius: float
) -> None:
    cone = Cone(ra, dec, radius)
    index = healpix(*cluster(ra, dec, 400, radius * (1 - 1e-6)))
    inside = (index[:, None] >= cone.ranges[:, 0]) & (index[:, None] < cone.ranges[:, 1])
    assert inside.any(axis=1).all()
    first, last = cone.span
    assert ((index >= first) & (index <= last)).all()
    everything = [HealpixPixel(5, k) for k in range(12 * 4**5)]
    assert {HealpixPixel(5, int(k) >> 48) for k in index} <= set(cone.touched(everything))


@settings(max_examples=60)
@given(
    st.floats(0, 360),
    st.floats(-90, 90),
    st.floats(0.1, 20_000),
    st.sets(st.integers(0, 11), max_size=6),
)
def test_pixels_of_any_orders_are_touched_as_brute_force_says(
    ra: float, dec: float, radius: float, bases: set[int]
) -> None:
    pixels = [HealpixPixel(0, k) for k in sorted(bases)]
    pixels += [HealpixPixel(2, 16 * k + j) for k in range(12) if k not in bases for j in range(16)]
    cone = Cone(ra, dec, radius)
    expected = []
    for pixel in pixels:
        low, high = pixel.index_range
        if ((cone.ranges[:, 0] < high) & (cone.ranges[:, 1] > low)).any():
            expected.append(pixel)
    assert cone.touched(pixels) == expected
    assert expected


def test_small_cone_opens_few_pixels() -> None:
    everything = [HealpixPixel(5, k) for k in range(12 * 4**5)]
    assert len(Cone(10.0, 20.0, 1.5).touched(everything)) == 1
    assert Cone(10.0, 20.0, 1.5).touched([]) == []


def test_cover_is_not_much_larger_than_the_cone() -> None:
    for radius in (1.5, 30.0, 600.0):
        cone = Cone(200.0, -30.0, radius)
        covered = np.diff(cone.ranges, axis=1).sum() * (np.pi / 3 / 4.0**29)
        area = 2 * np.pi * (1 - np.cos(np.radians(radius / 3600)))
        assert covered < 20 * area


@pytest.mark.parametrize(
    ("cone", "said"),
    [
        ((0, 91, 1), "declination 91 is not within"),
        ((0, 0, 0), "radius 0 is not above 0"),
        ((0, 0, -5), "radius -5 is not above 0"),
        ((0, 0, 1e9), "at most 324000 arcsec"),
        ((float("nan"), 0, 1), "must be numbers"),
        ((0, 0, float("inf")), "must be numbers"),
    ],
)
def test_cones_off_the_sky_are_refused(cone: tuple[float, float, float], said: str) -> None:
    with pytest.raises(BadConeError, match=said):
        Cone(*cone)


def test_right_ascension_is_taken_modulo_360() -> None:
    assert Cone(-10.0, 0.0, 1.0) == Cone(350.0, 0.0, 1.0)


def test_the_smallest_radius_is_a_cone():
    cone = Cone(150.0, 20.0, 5e-324)
    first, last = cone.span
    assert first <= last
