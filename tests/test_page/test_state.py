"""A link gives what was seen: the state survives its address, whatever is typed."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.page.state import ANY_FLAG, PageState, number, span

TEXT = st.text(max_size=40)
STATES = st.builds(
    PageState,
    q=TEXT, r=TEXT, n=st.integers(0, 10**6 - 1), alone=st.booleans(), bands=TEXT, field=TEXT,
    flagged=st.booleans(), images=st.booleans(), limits=st.booleans(), errors=st.booleans(),
    time=st.sampled_from(["hmjd", "mjd"]), y=st.sampled_from(["mag", "flux"]),
    bins=st.sampled_from(["0", "10", "20", "50"]), p=TEXT, e=TEXT, find=st.booleans(),
    pmin=TEXT, pmax=TEXT, terms=st.sampled_from(["1", "2", "3"]), tx=TEXT, ty=TEXT, fx=TEXT,
    fy=TEXT,
)  # fmt: skip


@given(STATES)
def test_a_state_survives_its_address_but_for_what_is_empty_of_its_own(state: PageState) -> None:
    # An empty value of a name that is usually full cannot be told from none.
    usual = PageState()
    expected = {
        field.name: getattr(state, field.name)
        if getattr(state, field.name) != "" else getattr(usual, field.name)
        for field in fields(state)
    }  # fmt: skip
    found = PageState.parse(state.search())
    assert {field.name: getattr(found, field.name) for field in fields(found)} == expected


@given(st.dictionaries(st.sampled_from([f.name for f in fields(PageState)]), st.text()))
def test_whatever_stands_in_an_address_is_a_state(given_: dict[str, str]) -> None:
    state = PageState.of(given_)
    assert state.time in ("hmjd", "mjd")
    assert state.bins in ("0", "10", "20", "50")
    assert state.period_d is None or state.period_d > 0


def test_only_what_is_not_usual_stands_in_the_address() -> None:
    assert PageState().search() == ""
    assert PageState(q="1 2", p="0.5", images=True).search() == "?q=1+2&images=1&p=0.5"


def test_no_digit_of_a_period_is_lost() -> None:
    assert PageState.parse("?p=0.567890123456789012").p == "0.567890123456789012"


@pytest.mark.parametrize(
    ("text", "value"), [("1.5", 1.5), ("1,5", 1.5), (" 2 ", 2.0), ("", None), ("nan", None),
                        ("1e999", None), ("x", None)],
)  # fmt: skip
def test_numbers_are_read_as_they_are_typed(text: str, value: float | None) -> None:
    assert number(text) == value


def test_what_changes_no_row_is_left_out() -> None:
    state = PageState(q="1 2", bands="zr", field="655", limits=True, p="0.5", bins="10", y="flux")
    assert state.rows == PageState(q="1 2", bands="zr", field="655", limits=True)
    assert state.rows.narrowing == state.narrowing


def test_a_span_is_two_numbers() -> None:
    assert span("1.5,2") == [1.5, 2.0]
    assert span("1") is None
    assert span("a,b") is None


def test_what_narrows_is_what_archive_lightcurve_takes() -> None:
    assert PageState().narrowing == {}
    state = PageState(bands="zr,zx", field="655", flagged=False, images=True, limits=True)
    assert state.narrowing == {
        "filters": ["zr"], "fields": [655], "flags_mask": ANY_FLAG, "all_images": True,
        "upper_limits": True,
    }  # fmt: skip
