"""The benchmark of matching, untimed at a tiny size: it compares all answers itself."""

import json

import pytest

from benchmarks import match


@pytest.mark.filterwarnings("ignore")  # of the peers' own making
def test_every_contender_gives_the_same_answer(tmp_path, capsys):
    path = tmp_path / "result.json"
    match.main(["--rows", "2000", "--rounds", "1", "--json", str(path), "--folder", str(tmp_path)])
    document = json.loads(path.read_text())
    assert document["subject"] == "match"
    names = set(document["ratios"])
    assert {"image, grid built, against astropy", "catalogues, kernel, against astropy"} <= names
    told = capsys.readouterr().out
    for peer, name in (
        ("LSDB", "catalogues, product, HATS, against LSDB warm"),
        ("STILTS", "catalogues, product, FITS, against STILTS"),
    ):
        assert (name in names) != (peer in document["missing"])
        assert name in told or f"not compared: {peer}" in told
    assert document["peak_memory_mb"] > 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_a_wrong_answer_fails():
    with pytest.raises(AssertionError):
        match._check(*map(match.np.array, ([0], [0.1], [1], [0.1])))
    with pytest.raises(AssertionError):
        match._check(*map(match.np.array, ([0], [0.1], [0], [0.100002])))
