"""Columns from Arrow to numpy and back, held to Arrow's own conversion."""

import subprocess
import sys
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from store.arrow import as_arrow, as_numpy, repeated, texts

COLUMNS = {
    "numbers": pa.array([3, 1, 2], pa.int32()),
    "floats with null": pa.array([1.5, None, -2.0], pa.float32()),
    "only nulls": pa.array([None, None], pa.float64()),
    "truths": pa.array([True, False, False, True] * 5),
    "nothing": pa.array([], pa.int16()),
    "no truths": pa.array([], pa.bool_()),
}


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("n_chunks", [0, 1, 2])
@pytest.mark.parametrize("begin", [0, 1])
def test_a_column_is_what_arrow_makes_of_it(column, n_chunks, begin):
    part = column[begin:]  # a slice begins within a byte of truths, and of what is null
    chunked = pa.chunked_array([part] * n_chunks, column.type)
    expected = part.to_numpy(zero_copy_only=False)
    for found in (as_numpy(part), as_numpy(chunked)):
        assert found.dtype == np.dtype(column.type.to_pandas_dtype())
    np.testing.assert_array_equal(as_numpy(part), expected.astype(as_numpy(part).dtype))
    np.testing.assert_array_equal(
        as_numpy(chunked), np.tile(expected, n_chunks).astype(as_numpy(part).dtype)
    )


def test_null_is_what_is_said_of_it():
    whole = pa.chunked_array([pa.array([7, None], pa.int8()), pa.array([1], pa.int8())])
    assert as_numpy(whole, -1).tolist() == [7, -1, 1]
    assert as_numpy(whole, -1).dtype == np.int8
    assert as_numpy(pa.array([True, None, False]), 1).tolist() == [True, True, False]
    assert np.isnan(as_numpy(pa.array([1.5, None]), -1)).tolist() == [False, True]
    for column in (whole, pa.array([True, None])):
        with pytest.raises(ValueError, match="1 nulls of"):
            as_numpy(column)


def test_words_are_no_numbers():
    with pytest.raises(TypeError, match="string"):
        as_numpy(pa.array(["a"]))


def test_numbers_go_to_arrow_and_come_back():
    for kind in (pa.int64(), pa.uint8(), pa.float32()):
        values = np.arange(10)[::3]
        column = as_arrow(values, kind)
        column.validate(full=True)
        assert column.type == kind
        assert column.to_pylist() == values.tolist()
        assert as_numpy(column).tolist() == values.tolist()
    assert as_arrow(np.empty(0), pa.int64()).to_pylist() == []


def test_what_is_not_known_is_null():
    known = np.array([True, False, True] * 7)
    for values in (np.arange(21), np.linspace(0, 1, 21), np.arange(21) % 2 == 0):
        column = as_arrow(values, known=known)
        column.validate(full=True)
        assert column.equals(pa.array(values, mask=~known))
        assert as_arrow(values, known=known | True).equals(pa.array(values))
        assert as_arrow(values[:0], known=known[:0]).to_pylist() == []


def test_days_and_words_go_to_arrow():
    days = [date(1969, 12, 31), date(2024, 1, 10)]
    column = as_arrow(np.array(days, "datetime64[D]"))
    assert column.equals(pa.array(days, pa.date32()))
    assert texts(["zg", "", "µ"]).equals(pa.array(["zg", "", "µ"]))
    assert repeated("zr", pa.large_string(), 2).equals(pa.array(["zr"] * 2, pa.large_string()))
    assert repeated(True, pa.bool_(), 2).to_pylist() == [True, True]
    assert repeated(3, pa.int16(), 0).equals(pa.array([], pa.int16()))


def test_neither_way_imports_pandas():
    pytest.importorskip("pandas")
    program = """
import sys
import numpy as np
import pyarrow as pa
from store.arrow import as_arrow, as_numpy, repeated
repeated("a", pa.string(), 3)
as_arrow(np.array([True, False]), known=np.array([False, True]))
column = as_arrow(np.arange(3), pa.int64())
as_numpy(pa.chunked_array([column, column]))
as_numpy(column.cast(pa.bool_()))
assert as_numpy(pa.concat_arrays([column, pa.nulls(2, pa.int64())]), -1).tolist()[2:] == [2, -1, -1]
as_numpy(pa.nulls(2, pa.float64()))
assert "pandas" not in sys.modules, "pandas was imported"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
