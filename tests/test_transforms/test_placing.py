"""Rows that go to places of their own: numpy's stable sort says where."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import TransformError
from transforms.placing import LAST, NOWHERE, places, put

GROUPS = 4


def in_numpy(group, time):
    """Rows in their order: of groups by time, then those that stand last."""
    grouped = np.flatnonzero(group >= 0)
    grouped = grouped[np.lexsort((time[grouped], group[grouped]))]
    return np.concatenate([grouped, np.flatnonzero(group == LAST)])


@given(st.lists(st.tuples(st.integers(NOWHERE, GROUPS - 1), st.integers(0, 5)), max_size=60))
def test_rows_stand_by_group_and_time_and_the_others_behind(rows):
    group, time = np.array(rows, dtype=np.int32).reshape(-1, 2).T
    found = places(group, time, GROUPS)
    expected = in_numpy(group, time)
    assert found.size == expected.size
    given_rows = np.arange(group.size, dtype=np.float32)
    column = np.full(found.size, -1, dtype=np.float32)
    put(given_rows, found.place, column)
    np.testing.assert_array_equal(column, expected)
    assert (found.place[group == NOWHERE] == -1).all()
    counts = np.bincount(group[group >= 0], minlength=GROUPS)
    np.testing.assert_array_equal(np.diff(found.starts), counts)
    assert found.moved == bool((found.place != np.arange(group.size))[found.place >= 0].any())


@pytest.mark.parametrize("kind", ["f8", "f4", "u2", "i4"])
def test_values_of_whoever_they_are_go_as_they_are(kind):
    values = np.array([3, 1, 2], dtype=kind)
    values.flags.writeable = False
    column = np.zeros(2, dtype=kind)
    put(values, np.array([1, -1, 0], dtype=np.int32), column)
    assert column.tolist() == [2, 3]
    assert not values.flags.writeable
    mine = np.array([7], dtype=kind)
    put(mine, np.zeros(1, dtype=np.int32), column)
    assert mine.flags.writeable


def test_what_does_not_fit_is_refused():
    place = np.zeros(2, dtype=np.int32)
    with pytest.raises(TransformError, match="2 values of float64 for 2 places of float32"):
        put(np.zeros(2), place, np.zeros(2, dtype=np.float32))
    with pytest.raises(TransformError, match="3 values"):
        put(np.zeros(3), place, np.zeros(2))
    with pytest.raises(TransformError, match="2 groups, but 3 times"):
        places(place, np.zeros(3, dtype=np.int32), 1)
