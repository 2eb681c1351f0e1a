"""The verbs that make nights anew: rematch, ingest --exact, verify --deep, repair."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from catalogues import scatter, write_psfcat, write_refpsfcat

from nightlake import Archive
from nightlake.cli import run
from nightlake.errors import Exit


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two images of one night, and the reference of their channel."""
    ra, dec = scatter(np.random.default_rng(1), 12)
    write_refpsfcat(tmp_path / "ref", ra, dec)
    for name, obsmjd in (("a", 60319.2), ("b", 60319.3)):
        write_psfcat(tmp_path / "sci", ra, dec, obsmjd=obsmjd, name=f"{name}_psfcat.fits")
    return tmp_path


@pytest.fixture
def root(raw: Path) -> Path:
    """An archive whose night has seen no reference."""
    with Archive.create(raw / "A") as archive:
        archive.ingest(raw / "sci", workers=1)
    return raw / "A"


def test_what_is_stale_is_listed_and_matched(
    root: Path, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rematch", str(root), "--workers", "1"]) == 0
    assert capsys.readouterr().out.startswith("nothing is stale")
    with Archive(root) as archive:
        archive.add_references(raw / "ref", workers=1)
        assert archive.nights()["n_stale"].to_list() == [2]
        stale = archive.sql("SELECT current_recipe, rfid FROM stale_images")
        assert stale["rfid"].to_list() == [None, None]
        assert stale["current_recipe"][0].startswith("zg=none zr=")
    assert run(["rematch", str(root), "2024-01-10", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "2024-01-10" in out
    assert "100.0%" in out
    assert "24 rows in" in out
    with Archive(root) as archive:
        assert archive.nights()["n_stale"].to_list() == [0]
        assert archive.sql("SELECT * FROM stale_images").is_empty()
        assert archive.rematch(date(2024, 1, 10), workers=1).groups[0].unchanged == 2
    assert run(["rematch", str(root), "--quiet", "--workers", "1"]) == 0
    assert capsys.readouterr().out == ""


def test_unknown_nights_are_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rematch", str(root), "2024-01-11"]) == Exit.NOTHING
    assert "night 2024-01-11 is not in the archive" in capsys.readouterr().err
    assert run(["rematch", str(root), "x"]) == Exit.USAGE


def test_exact_says_what_it_removed_and_what_it_kept(
    root: Path, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ra, dec = scatter(np.random.default_rng(1), 12)
    late = write_psfcat(raw / "sci", ra, dec, obsmjd=60319.4, name="c_psfcat.fits")
    words = ["ingest", str(root), "--workers", "1"]
    assert run([*words, str(late)]) == 0
    assert "removed" not in capsys.readouterr().out
    broken = raw / "sci" / "b_psfcat.fits"
    broken.write_bytes(broken.read_bytes()[:-2880])
    assert run([*words, str(late), str(broken), "--exact"]) == Exit.REFUSALS
    told = capsys.readouterr()
    header, row, *_ = (line for line in told.out.splitlines() if "removed" in line or "202" in line)
    assert header.split()[4] == "removed"
    assert row.split()[:5] == ["2024-01-10", "published", "0", "1", "1"]
    assert "1 images stay as they were published: their files were refused" in told.out
    assert "refused: b_psfcat.fits" in told.err


def test_deep_verification_counts_rows(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["verify", str(root), "--deep"]) == 0
    assert "no fault found" in capsys.readouterr().out
    # As if the detections of one image could not be found.
    monkeypatch.setattr("store.verify_rows._count", lambda *_: None)
    assert run(["verify", str(root)]) == 0
    assert run(["verify", str(root), "--deep"]) == Exit.ERROR
    assert "n_published is 12, rows in detections are 0" in capsys.readouterr().out


def test_an_archive_that_has_lost_its_link_is_repaired(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "current").unlink()
    assert run(["nights", str(root)]) == Exit.ERROR
    assert f"nightlake repair {root}" in capsys.readouterr().err
    assert run(["repair", str(root)]) == 0
    assert "publication 2: links and metadata made anew" in capsys.readouterr().out
    assert run(["verify", str(root), "--deep"]) == 0
