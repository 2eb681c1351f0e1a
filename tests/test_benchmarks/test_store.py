"""The benchmark of publication, untimed at a tiny size: what it published is verified there."""

import json

from benchmarks import store


def test_publication_is_measured_against_bare_writes(tmp_path):
    path = tmp_path / "result.json"
    store.main(["--rows", "4000", "--rounds", "1", "--json", str(path)])
    document = json.loads(path.read_text())
    assert document["rows"] > 1000
    (ratio,) = document["ratios"].values()
    assert ratio["value"] > -100
    assert document["figures"]["publication alone, ms"] > 0
    assert document["figures"]["files"] >= 1
