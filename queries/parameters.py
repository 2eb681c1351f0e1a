"""Values for `$name` in a named query: read as its header says, defaults filled in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from operator import index
from typing import Any

from queries.errors import (
    BadParameterError,
    MissingParameterError,
    UnknownFilterError,
    UnknownParameterError,
)
from store.channel import FILTER_IDS

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}
_FORMS = {
    **{name: f"a whole number of {bits} bits" for name, bits in _BITS.items()},
    "DOUBLE": "a number",
    "DATE": "a date, as 2020-09-24 or 20200924",
    "BOOLEAN": "true or false",
    "VARCHAR": "a text",
}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a query needs: its DuckDB type, its meaning, and its default if it has one.

    `default` is as the header spells it: null, or what `convert` reads; None is none.
    """

    name: str
    type: str
    meaning: str
    default: str | None = None


def bind(query: str, parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """A value for each of `parameters`: what is `given`, else its default.

    Raises
    ------
    UnknownParameterError : a value is given that the query does not take.
    MissingParameterError : one is not given that has no default.
    BadParameterError : one is not of the parameter's type.
    UnknownFilterError : the survey has no such filter.
    """
    for name in given:
        if name not in {parameter.name for parameter in parameters}:
            raise UnknownParameterError(query, name, [p.name for p in parameters])
    values: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.name not in given and parameter.default is None:
            raise MissingParameterError(query, parameter.name, form(parameter.type))
        value = given.get(parameter.name, parameter.default)
        is_null = value is None or (isinstance(value, str) and value.lower() == "null")
        if is_null and parameter.default == "null":
            values[parameter.name] = None
        else:
            values[parameter.name] = _checked(parameter, value)
    return values


def convert(kind: str, value: Any) -> Any:
    """`value` as DuckDB's type `kind`; text is read as that type.

    Raises
    ------
    ValueError, TypeError : it is not of that type.
    """
    if kind.endswith("[]"):
        parts: Iterable[Any] = value.split(",") if isinstance(value, str) else value
        return [convert(kind.removesuffix("[]"), part) for part in parts]
    text = value.strip() if isinstance(value, str) else None
    if kind == "DATE":
        return _date(value if text is None else text)
    if kind == "VARCHAR":
        if not isinstance(value, str):
            raise TypeError(value)
        return value
    if kind == "BOOLEAN":
        return _BOOLEANS[str(value).lower()] if text is not None else _bool(value)
    if isinstance(value, bool):
        raise TypeError(value)
    if kind == "DOUBLE":
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(value)
        return number
    # Ids come from arrays: numpy's integers are no Python ones.
    whole = int(text) if text is not None else index(value)
    if not -(2 ** (_BITS[kind] - 1)) <= whole < 2 ** (_BITS[kind] - 1):
        raise ValueError(value)
    return whole


def form(kind: str) -> str:
    """How a value of type `kind` is written, in words."""
    if kind.endswith("[]"):
        return f"a list of which each is {_FORMS[kind.removesuffix('[]')]}"
    return _FORMS[kind]


def parse_night(text: str) -> date:
    """The date that `text` spells: 2020-09-24 or 20200924.

    Raises
    ------
    ValueError : it spells none.
    """
    match = re.fullmatch(r"(\d{4})-?(\d{2})-?(\d{2})", text, re.ASCII)
    with suppress(ValueError):
        if match:
            return date(*map(int, match.groups()))
    raise ValueError(f"{text!r} is no date: write 2020-09-24 or 20200924")


def _checked(parameter: Parameter, value: Any) -> Any:
    try:
        converted = convert(parameter.type, value)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise BadParameterError(parameter.name, value, form(parameter.type)) from error
    if parameter.name == "filtercode" and converted not in FILTER_IDS:
        raise UnknownFilterError(converted)
    return converted


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        raise TypeError(value)
    return value if isinstance(value, date) else parse_night(str(value))


def _bool(value: Any) -> bool:
    if value not in (True, False):
        raise TypeError(value)
    return bool(value)
