"""The verbs that undo: withdraw, history, --as-of, vacuum."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from archives import Channel, cluster, nightly

from nightlake import Archive
from nightlake.cli import run
from nightlake.errors import Exit
from store.errors import UnknownNightError
from store.layout import FORMAT_VERSION, Layout
from store.locks import staged

OID = str(Channel().oids(3)[2])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three nights of twelve rows in publication 1; the first is withdrawn in publication 2."""
    path = tmp_path / "A"
    nightly(path, *cluster(10, 45), n_nights=3)
    with Archive(path) as archive:
        archive.withdraw(date(2024, 1, 10))
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> list[str]:
    assert run([str(argument) for argument in arguments]) == code
    captured = capsys.readouterr()
    return (captured.err if code else captured.out).splitlines()


def test_nights_are_withdrawn_by_name(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(capsys, "withdraw", root, "20240112", "2024-01-11")
    assert line == (
        "2024-01-11, 2024-01-12: withdrawn, 24 detections; publication 3, the former is --as-of 2"
    )
    (line,) = printed(capsys, "withdraw", root, "2024-01-11", code=Exit.NOTHING)
    assert "night 2024-01-11 is not in the archive" in line
    assert "No NIGHT" in printed(capsys, "withdraw", root, code=Exit.USAGE)[-1]
    assert "'x' is no date" in printed(capsys, "withdraw", root, "x", code=Exit.USAGE)[-1]
    with Archive(root) as archive, pytest.raises(UnknownNightError):
        archive.withdraw(date(2024, 1, 11))


def test_history_is_listed_with_the_newest_last(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, *rows = printed(capsys, "history", root)
    assert header.split()[:5] == ["number", "published", "current", "detections", "reason"]
    assert [row.split()[0] for row in rows] == ["0", "1", "2"]
    assert "withdrawal of 2024-01-10" in rows[-1]
    assert "yes" in rows[-1]
    rows = printed(capsys, "history", root, "--format", "csv")
    assert rows[2].startswith("1,")
    assert "nights/20240110 nights/20240111 nights/20240112 references/000633" in rows[2]
    told = f',24,withdrawal of 2024-01-10,"","",nights/20240110,0,{FORMAT_VERSION}'
    assert rows[3].endswith(told)


def test_a_terminal_gets_the_newest(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("products.tables.print_table.__kwdefaults__", {
        "first": (), "max_rows": 2, "last_rows": False,
    })  # fmt: skip
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    text = "\n".join(printed(capsys, "history", root))
    assert "withdrawal" in text
    assert "init" not in text
    assert "1 more row" in text


@pytest.mark.parametrize("as_of", ["1", f"{datetime.now(UTC).year + 1}-01-01"])
def test_every_question_can_be_asked_of_an_earlier_publication(
    root: Path, as_of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nights = 3 if as_of == "1" else 2
    count = "select count(*) as n from detections"
    assert printed(capsys, "sql", root, count, "--as-of", as_of)[1].split() == [str(12 * nights)]
    assert len(printed(capsys, "nights", root, "--as-of", as_of)) == 1 + nights
    curve = printed(capsys, "lightcurve", root, "--oid", OID, "--as-of", as_of, "--format", "csv")
    assert len(curve) == 1 + nights
    assert len(printed(capsys, "refusals", root, "--as-of", as_of)) == 2
    assert printed(capsys, "refusals", root, "--as-of", "0") == ["nothing was refused"]


def test_what_is_not_there_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(capsys, "nights", root, "--as-of", "3", code=Exit.NOTHING)
    assert "publication 3 has never been there. There are 0 to 2 (" in line
    (line,) = printed(capsys, "nights", root, "--as-of", "2019-01-01", code=Exit.NOTHING)
    assert "2019-01-01 23:59 UTC: nothing was published yet" in line
    assert "is no publication" in printed(capsys, "nights", root, "--as-of", "x", code=2)[-1]


def test_vacuum_tells_what_it_removes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "vacuum", root) == ["nothing removed"]  # all were current this week
    told = printed(capsys, "vacuum", root, "--older-than", "0", "--dry-run")
    # One folder of links is the pixel's; one the index of ids', which publication 0 had empty.
    gone = "4 data files, 1 manifest"
    assert told[0] == f"2 publications, {gone}, 2 pixel folders: would be removed"
    with Archive(root, as_of=1) as archive:
        held = printed(capsys, "vacuum", root, "--older-than", "0")
        assert held[:2] == [
            "in use, stays: publication 1",
            "1 publication, 1 pixel folder: removed",
        ]
        assert archive.nights().height == 3
    done = printed(capsys, "vacuum", root, "--older-than", "0")
    assert done[0] == f"1 publication, {gone}, 1 pixel folder: removed"
    assert done[1].endswith(" MB freed")
    (line,) = printed(capsys, "nights", root, "--as-of", "1", code=Exit.NOTHING)
    assert "publication 1 is no longer there. There is 2 (" in line
    with staged(Layout(root), "nights/20240110", wait=False):
        (line,) = printed(capsys, "vacuum", root, code=Exit.ERROR)
    assert "another process is writing files that are not published yet" in line
