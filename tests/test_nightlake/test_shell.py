import io
import os
import pty
import re
import select
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from archives import Channel, cluster, nightly
from hypothesis import given
from hypothesis import strategies as st

from nightlake.archive import Archive
from nightlake.cli import run
from nightlake.split import split

SPAWNED = [sys.executable, "-m", "nightlake.cli"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shell") / "A"
    nightly(path, *cluster(10, 45), channels=[Channel()], n_nights=3)
    return path


def shell(archive: Path, typed: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return run(["shell", str(archive), *options])


def test_statements_of_a_pipe_are_answered_in_turn(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = (
        "select count(*) as n from nights; -- all; of them\n"
        "select 'a;b' as text,\n  2 as two;\n"
        ".format csv\n"
        ".query night_summary night=2024-01-11\n"
        "select 3 as three"
    )
    assert shell(archive, typed, monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["n", "3", "text  two", "a;b     2"]
    assert lines[4].startswith("night,filtercode,n_exposures")
    assert lines[5].startswith("2024-01-11,zr,1,1,0")
    assert lines[6:] == ["three", "3"]


def test_the_first_fault_ends_a_pipe(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell(archive, "select 1 as a;\nselect nope;\nselect 2 as b;\n", monkeypatch) == 1
    said = capsys.readouterr()
    assert said.out.split() == ["a", "1"]
    assert '"nope" was not found' in said.err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("copy (select 1) to '{out}';", "COPY statements are not allowed here"),
        ("create table x (a int);", "CREATE statements are not allowed here"),
        ("set memory_limit = '1GB';", "SET statements are not allowed here"),
        (".import x", "not understood: import. Type .help"),
        (".query", "not understood: query without a name"),
        (".query nights x", "not understood: x"),
        (".query nights x=1", "query nights has no parameter x. It takes none."),
        (".query lightcurve", "query lightcurve needs a value for oid"),
        (".query lightcurve oid=x", "parameter oid cannot be 'x'. Give a whole number of 64 bits."),
        (".schema nope", "not understood: nope"),
        (".format xml", "not understood: format, but for table or csv"),
        ('.show "', 'not understood: .show "'),
    ],
)
def test_what_is_no_question_is_refused(
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    said: str,
) -> None:
    out = tmp_path / "out.csv"
    assert shell(archive, typed.format(out=out), monkeypatch) != 0
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_words_tell_of_tables_columns_queries_and_functions(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ".help\n.tables\n.schema images\n.queries\n.queries depth_map\n.functions\n"
    assert shell(archive, typed + ".show counts\n.quit\nselect 5 as five;", monkeypatch) == 0
    said = capsys.readouterr().out
    for words in (
        "end with a semicolon",
        "detections            One row per measured source",
        "limitmag float64 [mag]  Limiting magnitude",
        "night_summary  What each night brought",
        "stacked_limitmag [mag]",
        "separation(ra1, dec1, ra2, dec2)\n    Angle between two places",
        "SELECT 'detections' AS table_name",
    ):
        assert words in said, words
    assert "five" not in said


def test_a_terminal_is_greeted_and_goes_on_after_a_fault(archive: Path, tmp_path: Path) -> None:
    control, terminal = pty.openpty()
    command = [*SPAWNED, "shell", str(archive)]
    # Ctrl-C goes to whose own terminal it is.
    begin = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{begin}; os.execv(sys.argv[1], sys.argv[1:])", *command],
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        env={**os.environ, "HOME": str(tmp_path), "TERM": "dumb"},
    ) as child:  # fmt: skip
        os.close(terminal)
        try:
            _until(control, b"publication 1. Type .help.*nightlake> ")
            os.write(control, b"select nope;\n")
            _until(control, b"was not found.*nightlake> ")
            os.write(control, b"select\n")
            _until(control, rb"\.\.\.> ")
            # A signal that comes between a prompt and the wait for a key is only seen at the next
            # key (Python's own `input`): as at a keyboard, the key is pressed again.
            _until(control, b"nightlake> ", again=b"\x03")
            os.write(control, b"select 41 + 1 as answer;\n")
            # Nor the prompt that a key pressed again brought, if the first was only slow.
            _until(control, b"42.*\r\nnightlake> ")
            os.write(control, b"\x04")
            assert child.wait(timeout=300) == 0
        finally:
            child.kill()
            os.close(control)
    assert list(tmp_path.iterdir()) == []  # no history is kept


def _until(control: int, words: bytes, again: bytes = b"") -> None:
    """Listen until these words; a key that is pressed until they come."""
    said = b""
    for _ in range(60):
        os.write(control, again)
        while select.select([control], [], [], 5)[0]:
            said += os.read(control, 4096)
            if re.search(words, said, re.DOTALL):
                return
    raise AssertionError(said)


def test_what_is_printed_makes_the_views_in_any_duckdb(archive: Path) -> None:
    printed = subprocess.run(
        [*SPAWNED, "shell", str(archive), "--print-init"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    question = (
        "select night, count(*) from detections join images using (night, expid, rcid) "
        "where cone(detections.ra, detections.dec, 10, 45, 30) group by night order by night"
    )
    program = (
        "import duckdb, sys\nc = duckdb.connect()\nc.execute(sys.stdin.read())\n"
        f"print(c.execute({question!r}).fetchall())"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-c", program],
        input=printed, capture_output=True, text=True, check=True, cwd="/",
    ).stdout  # fmt: skip
    with Archive(archive) as opened:
        expected = opened.session.rows(question)
    assert len(expected) == 3
    assert eval(said, {"datetime": __import__("datetime")}) == expected
    assert expected[0][0] == date(2024, 1, 10)


# --- where statements end ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ([], "")),
        (" ;; \n", ([], "")),
        ("select 1;", (["select 1"], "")),
        ("select 1; select", (["select 1"], " select")),
        ("select ';'", ([], "select ';'")),
        ("select 'it''s;'; x", (["select 'it''s;'"], " x")),
        ('select ";" from a; ', (['select ";" from a'], "")),
        ("-- a;\nselect 1; -- b\n", (["-- a;\nselect 1"], "")),
        ("/* ; */ select 1;", (["/* ; */ select 1"], "")),
        ("select /* ;", ([], "select /* ;")),
        ("select 'a;\nb", ([], "select 'a;\nb")),
        ("select $$;$$; select $a$;$b$;$a$;", (["select $$;$$", "select $a$;$b$;$a$"], "")),
    ],
)
def test_statements_end_at_semicolons_that_stand_in_nothing(
    text: str, expected: tuple[list[str], str]
) -> None:
    assert split(text) == expected


WORDS = ["select ", "1", "'a;'", "'it''s'", '"b;"', "-- c;\n", "/* d; */", "$$;$$", "\n"]


@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1), max_size=4))
def test_statements_are_found_as_duckdb_finds_them(parts: list[list[str]]) -> None:
    written = ["select 0 " + "".join(part) for part in parts]
    try:
        expected = [s.query for s in duckdb.extract_statements(";".join(written))]
    except duckdb.Error:
        expected = written
    found, rest = split(";".join(written) + ";")
    assert rest == ""
    assert len(found) == len(expected)
