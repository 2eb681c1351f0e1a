from datetime import date, datetime

import numpy as np
import pytest

from queries.errors import (
    BadParameterError,
    MissingParameterError,
    UnknownFilterError,
    UnknownParameterError,
)
from queries.named import parse
from queries.parameters import bind, convert

HEADER = """-- Meaning.
--
-- Parameters
--   $ra, $dec (DOUBLE) centre, degrees
--   $limit (INTEGER = 20) how many
--   $night (DATE = null) only this night;
--       null is all
--   $filtercode (VARCHAR = null) filter
--   $all_images (BOOLEAN = false) whether
--   $fids (TINYINT[] = 1,2) filters
--
-- Columns
--   a [deg]
SELECT 1;
"""
QUERY = parse("q", HEADER)


def test_header_tells_types_defaults_and_meaning() -> None:
    told = [(p.name, p.type, p.default, p.meaning) for p in QUERY.parameters]
    assert told == [
        ("ra", "DOUBLE", None, "centre, degrees"),
        ("dec", "DOUBLE", None, "centre, degrees"),
        ("limit", "INTEGER", "20", "how many"),
        ("night", "DATE", "null", "only this night; null is all"),
        ("filtercode", "VARCHAR", "null", "filter"),
        ("all_images", "BOOLEAN", "false", "whether"),
        ("fids", "TINYINT[]", "1,2", "filters"),
    ]


def test_defaults_stand_in_for_what_is_not_given() -> None:
    assert QUERY.bind({"ra": 1, "dec": "-2.5"}) == {
        "ra": 1.0, "dec": -2.5, "limit": 20, "night": None, "filtercode": None,
        "all_images": False, "fids": [1, 2],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("BIGINT", "633207400000002", 633207400000002),
        ("BIGINT", np.int64(5), 5),
        ("TINYINT", " -128 ", -128),
        ("DOUBLE", 3, 3.0),
        ("DOUBLE", "1e-3", 1e-3),
        ("DOUBLE", np.float32(0.5), 0.5),
        ("DATE", "2024-01-10", date(2024, 1, 10)),
        ("DATE", "20240110", date(2024, 1, 10)),
        ("DATE", 20240110, date(2024, 1, 10)),
        ("DATE", date(2024, 1, 10), date(2024, 1, 10)),
        ("BOOLEAN", "Yes", True),
        ("BOOLEAN", np.bool_(False), False),
        ("VARCHAR", "12", "12"),
        ("TINYINT[]", "1,3", [1, 3]),
        ("TINYINT[]", np.array([1, 3]), [1, 3]),
    ],
)
def test_values_are_read_as_their_types(kind: str, value: object, expected: object) -> None:
    found = convert(kind, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("limit", "many", "a whole number of 32 bits"),
        ("limit", 2**31, "a whole number of 32 bits"),
        ("limit", 1.5, "a whole number of 32 bits"),
        ("limit", True, "a whole number of 32 bits"),
        ("limit", None, "a whole number of 32 bits"),
        ("ra", "nan", "a number"),
        ("ra", float("inf"), "a number"),
        ("ra", [1], "a number"),
        ("ra", None, "a number"),
        ("night", "2024-13-01", "a date"),
        ("night", "yesterday", "a date"),
        ("night", datetime(2024, 1, 10), "a date"),  # noqa: DTZ001
        ("night", 5, "a date"),
        ("all_images", "maybe", "true or false"),
        ("all_images", 2, "true or false"),
        ("filtercode", 2, "a text"),
        ("fids", "1,300", "a list of which each is a whole number of 8 bits"),
        ("fids", 5, "a list"),
    ],
)
def test_value_of_another_type_is_told_by_its_name(name: str, value: object, form: str) -> None:
    given = {"ra": 1, "dec": 2} | {name: value}
    with pytest.raises(BadParameterError, match=rf"parameter {name} cannot be .*\. Give {form}"):
        QUERY.bind(given)


def test_missing_and_unknown_parameters_are_told() -> None:
    with pytest.raises(
        MissingParameterError, match=r"query q needs a value for dec\. Give a number"
    ):
        QUERY.bind({"ra": 1})
    with pytest.raises(
        UnknownParameterError, match=r"query q has no parameter radius\. It takes ra, dec, limit, "
    ):
        QUERY.bind({"ra": 1, "dec": 2, "radius": 3})
    with pytest.raises(UnknownParameterError, match="It takes none"):
        bind("q", [], {"x": 1})


def test_filter_that_the_survey_does_not_have_is_refused() -> None:
    assert QUERY.bind({"ra": 1, "dec": 2, "filtercode": "zi"})["filtercode"] == "zi"
    with pytest.raises(UnknownFilterError, match="'r' is not known"):
        QUERY.bind({"ra": 1, "dec": 2, "filtercode": "r"})
