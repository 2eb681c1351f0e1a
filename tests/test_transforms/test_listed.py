import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import TransformError
from transforms.listed import positions

whole = st.integers(-(2**62), 2**62)


@given(listed=st.lists(whole, unique=True, max_size=40), others=st.lists(whole, max_size=40))
def test_positions_are_those_of_a_list(listed, others):
    values = others + listed[::-1] + listed[:3] * 2
    expected = [listed.index(v) if v in listed else -1 for v in values]
    assert positions(values, listed).tolist() == expected


def test_neighbouring_numbers_are_found():
    listed = np.arange(136_000_000, 136_010_000, 2)
    found = positions(np.arange(136_000_000, 136_010_000), listed)
    assert (found[::2] == np.arange(5000)).all()
    assert (found[1::2] == -1).all()


def test_a_number_listed_twice_is_refused():
    with pytest.raises(TransformError, match="listed twice"):
        positions([1], [2, 2])
