"""What charts show of rows: nothing is drawn that is not there, and nothing bad sets the scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from service.page.charts import epoch_of, folded_chart, time_chart
from service.page.coverage import coverage_chart
from service.page.finder import sizes
from service.page.points import flag_words, points_of, utc
from service.page.state import PageState


def rows(**columns: Any) -> pl.DataFrame:
    """Three points of a star: a clean one, one that is flagged, one of a bad image."""
    usual: dict[str, Any] = {
        "hmjd": [60000.0, 60001.0, 60002.0], "obsmjd": [59999.99, 60000.99, 60001.99],
        "mag": [18.0, 12.0, 25.0], "magerr": [0.01, 0.02, 0.03], "limitmag": [20.5, 20.6, 20.7],
        "filtercode": ["zg", "zg", "zr"], "field": [655, 655, 655], "ccdid": [1, 1, 1],
        "qid": [1, 1, 1], "expid": [1, 2, 3], "exptime": [30.0] * 3, "airmass": [1.1] * 3,
        "seeing": [2.0] * 3, "catflags": [0, 4, 0], "is_bad": [False, False, True],
        "bad_reason": [None, None, "scale <b>off</b>"], "oid": [7, 7, None],
    }  # fmt: skip
    return pl.DataFrame(usual | columns)


def test_flagged_points_are_hollow_and_do_not_set_the_scale() -> None:
    points = points_of(rows(), PageState())
    assert points.bad.tolist() == [False, True, True]
    figure = time_chart(points, PageState(), "light")
    low, high = sorted(figure["layout"]["yaxis"]["range"])
    assert 17 < low < 18 < high < 19
    assert figure["layout"]["yaxis"]["range"][0] > figure["layout"]["yaxis"]["range"][1]
    symbols = {trace["name"]: trace["marker"]["symbol"] for trace in figure["data"]}
    assert symbols == {
        "zg": "circle", "zg, flagged or bad image": "circle-open",
        "zr, flagged or bad image": "circle-open", "flagged or bad image": "circle-open",
    }  # fmt: skip


def test_flux_rises_upwards_and_errors_go_with_it() -> None:
    state = PageState(y="flux")
    points = points_of(rows(), state)
    assert points.value[0] == pytest.approx(3631e6 * 10 ** (-0.4 * 18))
    figure = time_chart(points, state, "dark")
    assert figure["layout"]["yaxis"]["range"][0] < figure["layout"]["yaxis"]["range"][1]


def test_limits_point_down_where_nothing_was_measured() -> None:
    frame = rows(mag=[18.0, None, None]).with_columns(
        is_upper_limit=pl.Series([False, True, False])
    )
    points = points_of(frame, PageState(limits=True))
    assert points.limit.tolist() == [False, True]
    assert points.value[1] == pytest.approx(20.6)
    assert np.isnan(points.error[1])
    assert "fainter than 20.60 mag" in points.words[1]
    figure = time_chart(points, PageState(limits=True), "light")
    assert figure["data"][0]["marker"]["symbol"] == "triangle-down-open"


def test_words_from_files_are_no_markup() -> None:
    words = points_of(rows(), PageState()).words[2]
    assert "scale &lt;b>off&lt;/b>" in words
    assert "no object" in words


def test_the_time_is_chosen() -> None:
    assert points_of(rows(), PageState(time="mjd")).time[0] == 59999.99
    assert points_of(rows(), PageState()).time[0] == 60000.0


def test_rows_that_have_no_time_or_brightness_are_not_drawn() -> None:
    frame = rows(hmjd=[None, 60001.0, 60002.0], mag=[18.0, None, 19.0])
    assert len(points_of(frame, PageState())) == 1
    assert len(points_of(frame.clear(), PageState())) == 0


def test_phase_is_shown_twice_from_the_epoch_that_was_typed() -> None:
    state = PageState(p="2", e="60000.5")
    points = points_of(rows(), state)
    figure = folded_chart(points, state, "light")
    clean = next(trace for trace in figure["data"] if trace["name"] == "zg")
    np.testing.assert_allclose(clean["x"], [0.75, 1.75])


def test_without_an_epoch_the_brightest_clean_point_is_it() -> None:
    points = points_of(rows(), PageState())
    assert epoch_of(points, PageState(p="2")) == 60000.0


def test_without_a_period_the_chart_says_what_to_do() -> None:
    figure = folded_chart(points_of(rows(), PageState()), PageState(), "light")
    assert figure["data"] == []
    assert "period" in figure["layout"]["annotations"][0]["text"]


def test_fields_are_told_apart_by_shape() -> None:
    figure = time_chart(
        points_of(rows(field=[655, 656, 655], catflags=[0, 0, 0]), PageState()),
        PageState(),
        "light",
    )
    names = {trace["name"]: trace["marker"]["symbol"] for trace in figure["data"]}
    assert names["zg, field 655"] == "circle"
    assert names["zg, field 656"] == "diamond"


def depths(ra: list[float], dec: list[float], n: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "field": range(len(ra)), "rcid": [0] * len(ra), "ra": ra, "dec": dec, "n_images": n,
            "median_limitmag": [20.5] * len(ra),
        }
    )  # fmt: skip


def test_a_map_about_zero_hours_is_drawn_in_one_place() -> None:
    figure = coverage_chart(depths([359.5, 0.5], [0.0, 0.0], [1, 100]), "light")
    low, high = sorted(figure["layout"]["xaxis"]["range"])
    assert high - low < 0.2
    shown = [trace for trace in figure["data"] if trace.get("fill") == "toself"]
    assert [trace["name"] for trace in shown] == ["1 images", "100 images"]


def test_the_middle_of_a_field_about_zero_hours_is_there() -> None:
    frame = depths([359.5, 0.5], [0.0, 0.0], [5, 5]).with_columns(field=pl.lit(7), rcid=[0, 1])
    figure = coverage_chart(frame, "dark")
    (x,) = figure["data"][-1]["x"]
    assert x == pytest.approx(0, abs=1e-6)


def test_all_of_the_sky_is_drawn_a_field_at_a_time() -> None:
    random = np.random.default_rng(1)
    n = 5000
    dec = np.degrees(np.arcsin(random.uniform(-0.5, 1, n)))
    ra = random.uniform(0, 360, n)
    figure = coverage_chart(
        depths(ra.tolist(), dec.tolist(), random.integers(1, 900, n).tolist()), "light"
    )
    shown = [trace for trace in figure["data"] if trace.get("fill") == "toself"]
    assert 3 <= len(shown) <= 6
    assert sum(trace["x"].count(None) for trace in shown) == n


def test_the_brighter_the_larger() -> None:
    size = sizes(np.array([14.0, 18.0, 30.0, np.nan]))
    assert size[0] > size[1] > size[2] == size[3]


def test_times_and_flags_in_words() -> None:
    assert utc(60000.5) == "2023-02-25 12:00:00"
    assert flag_words(None) == flag_words(0) == "none"
    assert flag_words(32768 + 4).startswith("32772 (bad")
