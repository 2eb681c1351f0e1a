from __future__ import annotations

import numpy as np

from transforms.aliases import relations


def kinds(*frequencies: float, resolution: float = 0.0005) -> list[tuple[str, str] | None]:
    found = relations(np.array(frequencies), resolution)
    return [None if one is None else tuple(one) for one in found]  # type: ignore[misc]


def test_harmonics_and_daily_aliases_are_told() -> None:
    assert kinds(1.7341, 0.86705, 3.4682, 2.736837909, 0.731362091, 4.567) == [
        None,
        ("harmonic", "P × 2"),
        ("harmonic", "P ÷ 2"),
        ("alias", "f + 1/sidereal d"),
        ("alias", "f − 1/sidereal d"),
        None,
    ]


def test_a_frequency_reflected_at_zero_is_an_alias() -> None:
    assert kinds(0.4, 1.002737909 - 0.4)[1] == ("alias", "f − 1/sidereal d")


def test_the_day_itself_is_named_even_as_the_strongest() -> None:
    assert kinds(1.00001)[0] == ("day", "the day itself, 1/d")


def test_a_year_is_an_alias_only_where_it_is_resolved() -> None:
    assert kinds(1.7341, 1.7341 + 1 / 365.25) == [None, ("alias", "f + 1/year")]
    assert kinds(1.7341, 1.7341 + 1 / 365.25, resolution=0.002)[1] is None


def test_of_nothing_nothing_is_told() -> None:
    assert relations(np.empty(0), 0.1) == []
