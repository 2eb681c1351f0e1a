"""Benchmarks run untimed at a tiny size: a wrong answer fails them."""

import json

import pytest

from benchmarks import fits, hjd, matchfile, objects, scale, secz, statistics
from benchmarks.harness import Ratio, Result, times_faster


@pytest.mark.parametrize(
    ("benchmark", "rows"),
    [
        (hjd, 50),
        (secz, 50),
        (fits, 200),
        (scale, 66),
        (statistics, 2000),
        (objects, 30_000),
        (matchfile, 2000),
    ],
)
def test_answers_are_right_and_told(benchmark, rows, tmp_path, capsys):
    path = tmp_path / "result.json"
    benchmark.main(["--rows", str(rows), "--rounds", "1", "--json", str(path)])
    document = json.loads(path.read_text())
    assert set(document) >= {"subject", "rows", "ratios", "peak_memory_mb", "date", "machine"}
    assert document["peak_memory_mb"] > 0
    printed = capsys.readouterr().out
    for name, ratio in document["ratios"].items():
        assert name in printed
        assert ratio["value"] >= 0
        assert isinstance(ratio["met"], bool)


def test_a_ratio_is_met_on_the_right_side_of_its_goal():
    assert Ratio("x", 8.0, 8).met
    assert not Ratio("x", 7.9, 8).met
    assert Ratio("x", 0.1, 0.15, at_most=True).met
    assert not Ratio("x", 0.2, 0.15, at_most=True).met


def test_the_ratio_is_taken_round_by_round():
    # The machine slows down threefold in the second round; the ratio does not notice.
    assert times_faster({"a": [1.0, 3.0], "b": [10.0, 30.0]}, "a", "b") == 10.0


def test_a_peer_that_is_missing_is_told(capsys):
    from benchmarks.harness import tell

    tell(Result("x", 1, missing=["stilts"]), None)
    assert "stilts" in capsys.readouterr().out
