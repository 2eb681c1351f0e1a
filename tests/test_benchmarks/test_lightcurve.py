"""The benchmark of light curves, untimed at a tiny size: its answers are compared there."""

import json

from benchmarks import lightcurve
from benchmarks.curves_archive import Survey, create
from store.verify import verify


def test_light_curves_are_measured_and_their_answers_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(lightcurve, "QUESTIONS", 5)
    monkeypatch.setattr(lightcurve, "WARMING", 1)
    monkeypatch.setattr(lightcurve, "POSITIONS", 30)
    monkeypatch.setattr(lightcurve, "PEER_QUESTIONS", 1)
    path = tmp_path / "result.json"
    words = ["--rows", "4000", "--nights", "4", "--epochs", "20", "--other-nights", "2", "4"]
    lightcurve.main([*words, "--rounds", "1", "--json", str(path)])
    document = json.loads(path.read_text())
    assert 3000 < document["rows"] < 4500
    assert {"by id, warm, p50, ms", "30 positions, s", "one-shot command, s"} <= set(
        document["ratios"]
    )
    assert document["figures"]["by id, page cache cold, p50, ms"] > 0
    assert document["missing"] == []


def test_the_archive_of_the_benchmark_is_a_sound_one(tmp_path):
    create(tmp_path / "A", Survey(40, 3, 7))
    assert verify(tmp_path / "A", deep=True) == []
