"""Sines and cosines against libm, which every kernel rests on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.frame import axes
from transforms.sphere import sincos_degrees, unit_vectors

last_digit = 3e-16


@given(st.floats(-45, 45), st.integers(-16, 16))
def test_sine_and_cosine_are_libms_in_every_quarter(angle, quarter):
    sine, cosine = sincos_degrees(angle + 90.0 * quarter)
    reduced = math.remainder(angle + 90.0 * quarter, 360.0)
    # Folded onto 0–45° before libm sees it: its own radians have lost digits at 180°.
    first = reduced - 90.0 * round(reduced / 90.0)
    s, c = math.sin(math.radians(first)), math.cos(math.radians(first))
    expected = [(s, c), (c, -s), (-s, -c), (-c, s)][round(reduced / 90.0) % 4]
    assert (sine, cosine) == pytest.approx(expected, rel=0, abs=last_digit)


@given(st.floats(-720, 720))
def test_sine_and_cosine_lie_on_the_circle(angle):
    sine, cosine = sincos_degrees(angle)
    assert sine * sine + cosine * cosine == pytest.approx(1.0, rel=0, abs=2 * last_digit)


@pytest.mark.parametrize("angle", [math.nan, math.inf, -math.inf, 1e9, -1e300])
def test_what_is_no_angle_has_no_sine(angle):
    assert all(math.isnan(value) for value in sincos_degrees(angle))


def test_poles_are_exact():
    np.testing.assert_array_equal(unit_vectors([0, 123, 77], [90, 90, -90])[2], [1, 1, -1])
    np.testing.assert_array_equal(unit_vectors([0, 123, 77], [90, 90, -90])[:2], 0)


@given(st.floats(-720, 720), st.floats(-90, 90))
def test_axes_are_orthonormal_and_point_at_the_centre(ra, dec):
    frame = axes(ra, dec)
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(frame) == pytest.approx(1.0)
    np.testing.assert_allclose(frame[2], unit_vectors([ra], [dec])[:, 0], atol=3e-15)
