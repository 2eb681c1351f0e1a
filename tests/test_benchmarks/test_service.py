"""The service under load, untimed at a tiny size: every answer is held to what was published."""

import json

import polars as pl
import pytest

from benchmarks import service, soak, writers


def told(path):
    document = json.loads(path.read_text())
    return document["figures"], {name: one["value"] for name, one in document["ratios"].items()}


def test_the_service_answers_rightly_under_load(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "EPOCHS", 30)
    monkeypatch.setattr(service, "WARM_SECONDS", 0.1)
    path = tmp_path / "service.json"
    service.main(["--rows", "1500", "--seconds", "0.3", "--json", str(path)])
    figures, _ = told(path)
    assert figures["requests"] >= 30
    assert figures["stream (MB)"] > 0.01


def test_memory_is_watched_over_many_requests(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "EPOCHS", 30)
    path = tmp_path / "service.json"
    service.main(["--rows", "1500", "--requests", "40", "--json", str(path)])
    figures, ratios = told(path)
    assert list(ratios) == ["worker's growth over 40 requests (MB)"]
    assert figures["worker's memory after 40 requests (MB)"] > 50


def test_a_soak_finds_no_error_and_no_part_of_a_night(tmp_path, monkeypatch):
    monkeypatch.setattr(soak, "NIGHTS", 2)
    path = tmp_path / "soak.json"
    soak.main(["--rows", "100", "--seconds", "3", "--clients", "2", "--json", str(path)])
    figures, ratios = told(path)
    assert figures["nights published meanwhile"] >= 1
    assert figures["answers"] > 10
    for name in (soak.ERRORS, soak.WRONG_ROWS, soak.BROKEN):
        assert ratios[name] == 0


def test_a_soak_notices_rows_that_were_not_published():
    rows = pl.DataFrame({"oid": [1, 1, 2], "expid": [5, 6, 5]})
    client = soak.Client.__new__(soak.Client)
    client._known = lambda answer: rows
    client._hold(None, rows[:2], [1])
    with pytest.raises(AssertionError, match="1 rows and not 2"):
        client._hold(None, rows[:1], [1])


def test_writers_are_measured_and_astropy_reads_the_same(tmp_path):
    path = tmp_path / "writers.json"
    writers.main(["--rows", "500", "--rounds", "1", "--json", str(path)])
    figures, ratios = told(path)
    assert len(ratios) == 3
    assert figures["VOTable BINARY2, times astropy's speed"] > 1
