"""Sorting, moving and judging rows: what numpy says, at another speed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.errors import TransformError
from transforms.rows import TILE, fill, pack, unpack
from transforms.sorting import FEW_ROWS, RadixSorter, ranks, validity

RECORD = np.dtype([("a", "i8"), ("b", "f8"), ("c", "f4"), ("d", "i4"), ("e", "u2")], align=True)
SORTER = RadixSorter()


@given(st.lists(st.integers(0, 2**62), max_size=60))
def test_whole_numbers_are_sorted_as_numpy_does(keys):
    array = np.array(keys, dtype=np.int64)
    order, ordered = SORTER.sort(array)
    expected = np.argsort(array, kind="stable")
    np.testing.assert_array_equal(order, expected)
    np.testing.assert_array_equal(ordered, array[expected])


def test_equal_keys_keep_their_order_however_many_rows_there_are():
    rng = np.random.default_rng(1)
    for n in (0, 1, FEW_ROWS, FEW_ROWS + 1, 50_000):
        keys = 2**60 + rng.integers(0, max(n // 3, 1), n) * 2**31
        order, _ = SORTER.sort(keys)
        np.testing.assert_array_equal(order, np.argsort(keys, kind="stable"))


def test_a_field_of_records_is_sorted_in_its_place():
    records = np.zeros(5000, RECORD)
    records["a"] = np.random.default_rng(2).integers(0, 2**47, 5000)
    order, _ = SORTER.sort(records["a"])
    np.testing.assert_array_equal(order, np.argsort(records["a"], kind="stable"))


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(-5, 40), max_size=60)
    | st.permutations(range(-3, 40))
)
def test_a_key_stands_where_its_rank_says(keys):
    array = np.array(keys, dtype=np.int32)
    place = ranks(array)
    assert sorted(place.tolist()) == list(range(array.size))
    np.testing.assert_array_equal(np.argsort(place), np.argsort(array, kind="stable"))


@pytest.fixture
def columns():
    rng = np.random.default_rng(3)
    return {name: rng.integers(0, 9000, 300).astype(RECORD[name]) for name in RECORD.names}


def test_columns_become_records_and_columns_again(columns):
    order = np.random.default_rng(4).permutation(300)[:200].astype(np.int32)
    records = np.zeros(200, RECORD)
    pack(columns, order, records)
    for name in RECORD.names:
        np.testing.assert_array_equal(records[name], columns[name][order])
    back = np.argsort(order).astype(np.int32)
    out = {name: np.zeros(200, RECORD[name]) for name in RECORD.names}
    unpack(records, back, out)
    for name in RECORD.names:
        np.testing.assert_array_equal(out[name], columns[name][np.sort(order)])


def test_nan_is_moved_bit_by_bit(columns):
    columns["b"][:] = np.array([0x7FF8_0000_DEAD_BEEF], np.uint64).view(np.float64)
    records = np.zeros(300, RECORD)
    pack(columns, np.arange(300, dtype=np.int32), records)
    assert records["b"].tobytes() == columns["b"].tobytes()


def test_columns_of_another_type_are_refused(columns):
    columns["c"] = columns["c"].astype(np.float64)
    with pytest.raises(TransformError, match="c is float64, not float32"):
        pack(columns, np.zeros(1, np.int32), np.zeros(1, RECORD))


def test_records_without_gaps_are_filled_as_numpy_does():
    packed = np.dtype([("c", "u2"), ("a", "f8"), ("b", "f4"), ("n", "u4"), ("d", "f8")])
    rng = np.random.default_rng(5)
    for n in (0, 1, 2, TILE - 1, 3 * TILE + 7):
        columns = {name: (1e4 * rng.random(n)).astype(packed[name]) for name in packed.names}
        # Of another type, and every other value of a column.
        columns["n"] = np.arange(n)
        columns["d"] = rng.random(2 * n)[::2]
        expected, found = np.zeros(n, packed), np.zeros(n, packed)
        for name in packed.names:
            expected[name] = columns[name]
        fill(found, columns)
        assert found.tobytes() == expected.tobytes()


def test_records_that_cannot_be_filled_are_refused():
    with pytest.raises(TransformError, match=r"\(2,\) a of float64 for 3"):
        fill(np.zeros(3, [("a", "f8")]), {"a": np.zeros(2)})
    with pytest.raises(TransformError, match="a of int8"):
        fill(np.zeros(3, [("a", "i1")]), {"a": np.zeros(3)})


def test_records_whose_fields_stand_otherwise_are_refused():
    narrow_first = np.dtype([("a", "i4"), ("b", "i8")], align=True)
    columns = {"a": np.zeros(1, np.int32), "b": np.zeros(1, np.int64)}
    with pytest.raises(TransformError, match="do not stand together"):
        pack(columns, np.zeros(1, np.int32), np.zeros(1, narrow_first))
    one_byte = np.dtype([("a", "i1")])
    with pytest.raises(TransformError, match="not of 8, 4 or 2 bytes"):
        pack({"a": np.zeros(1, np.int8)}, np.zeros(1, np.int32), np.zeros(1, one_byte))


@pytest.mark.parametrize(
    ("values", "null", "known"),
    [
        (np.array([1.0, np.nan, 3.0] * 7, np.float32), np.nan, [1, 0, 1] * 7),
        (np.array([np.nan, -np.inf], np.float64), np.nan, [0, 1]),
        (np.array([-1, 5, -1, 2**62]), -1, [0, 1, 0, 1]),
        (np.array([0, 1, 2], np.int16), 0, [0, 1, 1]),
    ],
)
def test_nulls_become_arrow_bits(values, null, known):
    bits = np.zeros(8, np.uint8)
    assert validity(values, null, bits) == known.count(0)
    found = np.unpackbits(bits, bitorder="little")[: len(known)]
    assert found.tolist() == known


def test_where_nothing_is_null_no_bits_are_made():
    bits = np.full(1, 77, np.uint8)
    assert validity(np.ones(3), np.nan, bits) == 0
    assert bits.tolist() == [77]
