"""The verb compact."""

import re
from datetime import date
from pathlib import Path

import pytest
from archives import Channel, cluster, nightly

from ingest.compact import MAX_ROWS
from nightlake import Archive
from nightlake.cli import run
from nightlake.commands.compact import command
from nightlake.errors import Exit

OID = int(Channel().oids(3)[2])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """31 nights of twelve rows in one pixel."""
    nightly(tmp_path / "A", *cluster(10, 45), n_nights=31)
    return tmp_path / "A"


def printed(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> list[str]:
    assert run([str(argument) for argument in arguments]) == code
    captured = capsys.readouterr()
    return (captured.err if code else captured.out).splitlines()


def test_many_files_a_pixel_are_hinted_at_and_become_one(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hint = "a pixel holds 31 files: nightlake compact makes one of them"
    assert printed(capsys, "verify", root)[-1] == hint
    with Archive(root) as archive:
        before = archive.lightcurve(OID), archive.lightcurve(cone=(10, 45, 30))
    (line,) = printed(capsys, "compact", root, "--workers", "1")
    assert re.fullmatch(
        r"2024-01-10 to 2024-02-09: 31 files are 1 in \d+\.\d s; publication 2", line
    )
    assert hint not in printed(capsys, "verify", root)
    with Archive(root) as archive:
        assert len(before[0]) == 31
        assert archive.lightcurve(OID).equals(before[0])
        assert archive.lightcurve(cone=(10, 45, 30)).equals(before[1])
    (line,) = printed(capsys, "compact", root)
    assert line == "nothing changed: one file a pixel already; publication 2"
    assert "compaction of 2024-01-10 to 2024-02-09" in printed(capsys, "history", root)[-1]


def test_a_period_and_a_largest_number_of_rows_are_named(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--from", "2024-01-10", "--to", "20240112", "--max-rows", 200, "--workers", 1)
    (line,) = printed(capsys, "compact", root, *words)
    assert line.startswith("2024-01-10 to 2024-01-12: 31 files are ")
    assert " pixel" in line
    assert " split in " in line
    (line,) = printed(capsys, "compact", root, "--from", "2025-01-01", code=Exit.NOTHING)
    assert "no night is published from 2025-01-01" in line
    assert printed(capsys, "compact", root, "--max-rows", 0, code=Exit.USAGE)
    assert printed(capsys, "compact", root, "--from", "x", code=Exit.USAGE)
    with Archive(root) as archive:
        assert archive.compact(last=date(2024, 1, 12)).nothing_done


def test_help_says_the_default_that_is_meant() -> None:
    (option,) = [one for one in command.params if one.name == "max_rows"]
    assert option.default == MAX_ROWS
