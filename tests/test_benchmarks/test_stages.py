"""The profile of an ingest, untimed at a tiny size: its stages are all there and add up."""

import json

import pytest

from benchmarks import page, stages


def test_stages_add_up_to_the_whole(tmp_path):
    path = tmp_path / "stages.json"
    stages.main(["--rows", "4000", "--json", str(path)])
    document = json.loads(path.read_text())
    figures = document["figures"]
    of_stage = [figures[f"{stage}, ns a row"] for stage in (*stages.STAGES, stages.REST)]
    assert min(of_stage[:-1]) > 0  # none is a function that nobody calls
    assert sum(of_stage) == pytest.approx(figures["all stages, ns a row"])
    assert figures["copy in memory, GB/s"] > 0.1
    table = page.tables([document])
    assert "read FITS, checksum, ns a row" in table
    assert "limit: write and read records" in table


def test_functions_are_as_they_were_afterwards():
    before = {(owner, name): getattr(owner, name) for some in stages.STAGES.values()
              for owner, name in some}  # fmt: skip
    with stages._clocks():
        assert all(getattr(owner, name) is not was for (owner, name), was in before.items())
    assert all(getattr(owner, name) is was for (owner, name), was in before.items())
