import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import click
import polars as pl
import pytest
from archives import Channel, cluster, nightly
from catalogues import write_psfcat

from ingest.report import GroupReport, IngestEstimate, IngestReport, Refusal
from nightlake import Archive
from nightlake.cli import VERBS, cli, run
from nightlake.commands.words import split_archive
from nightlake.errors import MEANING, Exit
from store.errors import NotAnArchiveError
from store.settings import read_settings

OID = "633207400000002"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a") / "A"
    nightly(path, *cluster(10, 45), channels=[Channel(), Channel(fid=1)])
    return path


@pytest.fixture(autouse=True)
def _no_archive_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIGHTLAKE_ARCHIVE", raising=False)


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    return {name: cli.get_command(context, name) for name in cli.list_commands(context)}  # type: ignore[misc]


# --- what is said ---------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_examples(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"  nightlake {verb} " in text
    assert "Examples:" in text


def test_list_of_verbs_says_what_each_verb_says() -> None:
    for name, command in commands().items():
        assert command.name == name
        assert command.short_help
        assert VERBS[name].startswith(command.short_help.rstrip("."))


def test_every_option_is_explained() -> None:
    for name, command in commands().items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts}"


def test_help_lists_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for code in Exit:
        assert f"  {code.value:<4} {MEANING[code]}" in text


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("nightlake 0.")


# --- which archive --------------------------------------------------------------------------


def test_first_word_is_the_archive_if_it_is_one(root: Path) -> None:
    assert split_archive([str(root), "x"], {}) == (root, ["x"])
    assert split_archive([str(root), "x"], {"NIGHTLAKE_ARCHIVE": "/e"}) == (root, ["x"])
    assert split_archive(["x"], {"NIGHTLAKE_ARCHIVE": "/e"}) == (Path("/e"), ["x"])
    with pytest.raises(NotAnArchiveError, match="x: no such folder"):
        split_archive(["x"], {})
    with pytest.raises(click.UsageError, match="set NIGHTLAKE_ARCHIVE"):
        split_archive([], {})


def test_environment_names_the_archive(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIGHTLAKE_ARCHIVE", str(root))
    assert run(["nights"]) == 0
    assert run(["sql", "select 1 as one"]) == 0
    assert "one" in capsys.readouterr().out
    assert run(["nights", "/no/such"]) == 1
    assert run(["sql", "/no/such", "select 1"]) == 1
    assert capsys.readouterr().err.count("/no/such: no such folder") == 2


# --- asking ---------------------------------------------------------------------------------


def test_sql_in_every_format(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "select night, count(*) as n from detections group by night order by night"
    assert run(["sql", str(root), question]) == 0
    assert capsys.readouterr().out.split() == ["night", "n", "2024-01-10", "24", "2024-01-11", "24"]
    assert run(["sql", str(root), question, "--format", "csv"]) == 0
    assert capsys.readouterr().out == "night,n\n2024-01-10,24\n2024-01-11,24\n"
    for name in ("a.parquet", "a.csv", "a.vot", "a.txt"):
        assert run(["sql", str(root), question, "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 0
    assert pl.read_parquet(tmp_path / "a.parquet")["n"].to_list() == [24, 24]
    assert run(["sql", str(root), question, "--out", str(tmp_path / "a.fits")]) == 2


def test_sql_from_standard_input(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("-- why\nselect 7 as seven;\n"))
    assert run(["sql", str(root), "-", "--format", "csv"]) == 0
    assert capsys.readouterr().out == "seven\n7\n"


def test_lightcurve_by_object_and_by_cone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lightcurve", str(root), "--oid", OID, "--format", "csv"]) == 0
    by_oid = capsys.readouterr().out
    assert by_oid.count(f"\n{OID},") == 2
    cone = ["--cone", "10", "45", "300"]
    assert run(["lightcurve", str(root), *cone, "--filter", "zr", "--format", "csv"]) == 0
    assert capsys.readouterr().out.count("\n") == 25


def test_cone_takes_southern_declinations(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lightcurve", str(root), "--cone", "10", "-45", "300"]) == 0
    assert "no detections of cone 10.000000 -45.000000 300" in capsys.readouterr().err


def test_pictures_are_drawn(root: Path, tmp_path: Path) -> None:
    curve = ["lightcurve", str(root), "--oid", OID, "--plot"]
    assert run([*curve, str(tmp_path / "a.png")]) == 0
    assert run([*curve, str(tmp_path / "b.svg"), "--period", "0.56"]) == 0
    night = ["nights", str(root), "--night", "20240110", "--map"]
    assert run([*night, str(tmp_path / "c.png"), "--colour", "detections"]) == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_nights_and_refusals(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nights", str(root), "--format", "csv"]) == 0
    assert capsys.readouterr().out.count("2024-01-1") == 2
    assert run(["nights", str(root), "--night", "2024-01-10", "--format", "csv"]) == 0
    assert capsys.readouterr().out.count("\n") == 3
    assert run(["refusals", str(root)]) == 0
    assert "Fetch the file again." in capsys.readouterr().out
    assert run(["refusals", str(root), "--night", "20240110"]) == 0
    assert capsys.readouterr().out == "nothing was refused\n"


def test_verify_ends_with_1_where_a_file_is_altered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = nightly(tmp_path / "A", *cluster(10, 45), n_nights=1)
    assert run(["verify", str(tmp_path / "A")]) == 0
    assert "no fault found" in capsys.readouterr().out
    victim = snapshot.files("detections")[0].resolve()
    content = bytearray(victim.read_bytes())
    content[len(content) // 4] ^= 1
    victim.write_bytes(content)
    assert run(["verify", str(tmp_path / "A")]) == 1
    assert victim.name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("x=2", "2,BIGINT"),
        ("x=-2", "-2,BIGINT"),
        ("x=2.5", "2.5,DOUBLE"),
        ("x=1e-3", "0.001,DOUBLE"),
        ("x=.5", "0.5,DOUBLE"),
        ("x=zr", "zr,VARCHAR"),
        ("x=nan", "nan,VARCHAR"),
        ("x=1_000", "1_000,VARCHAR"),
        ("x=a=b", "a=b,VARCHAR"),
        ("$x=2", "2,BIGINT"),
    ],
)
def test_values_on_the_command_line_are_typed_by_how_they_are_written(
    root: Path, given: str, kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "select $x as x, typeof($x) as t"
    assert run(["sql", str(root), question, "-p", given, "--format", "csv"]) == 0
    assert capsys.readouterr().out.replace("INTEGER", "BIGINT") == f"x,t\n{kept}\n"


def test_many_values_are_given_by_name(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question = "select count(*) as n from images where night = $statement and fid = $self"
    values = ["--param", "statement=2024-01-10", "--param", "self=2"]
    assert run(["sql", str(root), question, *values, "--format", "csv"]) == 0
    assert capsys.readouterr().out == "n\n1\n"


# --- changing -------------------------------------------------------------------------------


def test_init_keeps_its_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["init", str(tmp_path / "A"), "--partition-order", "4", "--match-radius-arcsec", "2"]
    words += ["--name", "mine"]
    site = ["--site-xyz", "1", "-2", "3", "--site-name", "here", "--night-offset-hours", "-5"]
    assert run([*words, *site]) == 0
    settings = read_settings(tmp_path / "A")
    assert (settings.name, settings.partition_order) == ("mine", 4)
    assert (settings.match_radius_arcsec, settings.night_offset_hours) == (2, -5)
    assert (settings.site.name, settings.site.y_m) == ("here", -2)
    assert run(words) == 1
    assert "is a Nightlake archive already" in capsys.readouterr().err
    assert run(["init", str(tmp_path / "B"), "--partition-order", "77"]) == 2
    assert run(["init", str(tmp_path / "B"), "--site-name", "x"]) == 2
    assert not (tmp_path / "B").exists()


REFUSAL = Refusal("a_psfcat.fits", "truncated", "ends after 1 byte", "Fetch the file again.")


@pytest.mark.parametrize(
    ("groups", "refusals", "code"),
    [
        ((GroupReport("nights/20240110", "published", 1, 0, 100, 90),), (), 0),
        ((GroupReport("nights/20240110", "unchanged", 0, 1),), (), 0),
        ((GroupReport("nights/20240110", "published", 1, 0, 100, 90),), (REFUSAL,), 3),
        ((GroupReport("nights/20240110", "refused"),), (REFUSAL,), 4),
    ],
)
def test_exit_code_tells_done_from_refused(
    root: Path,
    groups: Any,
    refusals: Any,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = IngestReport(groups, refusals, 7, 0.5)
    monkeypatch.setattr("ingest.pipeline.ingest", lambda *_, **__: report)
    assert run(["ingest", str(root), "somewhere"]) == code
    told = capsys.readouterr()
    assert told.err.count("refused: a_psfcat.fits: ends after 1 byte. Fetch") == len(refusals)
    assert "publication 7" in told.out
    assert run(["ingest", str(root), "somewhere", "--quiet"]) == code
    assert capsys.readouterr().out == ""


def test_ingest_passes_its_options_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def ingest(where: Path, paths: list[Path], **options: Any) -> IngestReport:
        seen.update(options, where=where, paths=paths)
        return IngestReport((GroupReport("nights/20200924", "unchanged", 0, 1),))

    monkeypatch.setattr("ingest.pipeline.ingest", ingest)
    options = ["--night", "2020-09-24", "--hjd", "exact", "--workers", "2"]
    assert run(["ingest", str(root), "a", "b", *options]) == 0
    assert seen["paths"] == [Path("a"), Path("b")]
    assert (seen["night"], seen["hjd_method"], seen["workers"]) == (date(2020, 9, 24), "exact", 2)


def test_simulated_night_goes_all_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sky, archive = str(tmp_path / "sky"), str(tmp_path / "A")
    plan = ["--night", "20240110", "--field", "655", "--channel", "27", "--sources", "200"]
    assert run(["simulate", sky, *plan, "--filter", "zr", "--workers", "1"]) == 0
    assert "reference catalogues" in capsys.readouterr().out
    assert run(["init", archive]) == 0
    assert run(["add-references", archive, f"{sky}/ref", "--workers", "1"]) == 0
    assert run(["ingest", archive, f"{sky}/sci", "--workers", "1"]) == 0
    assert run(["nights", archive, "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("2024-01-10,2,2,0,")
    assert run(["ingest", archive, f"{sky}/sci", "--workers", "1"]) == 0
    assert "unchanged" in capsys.readouterr().out
    assert run(["verify", archive]) == 0


def test_night_without_images_is_nothing_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Archive.create(tmp_path / "A")
    write_psfcat(tmp_path / "raw", *cluster(10, 45))
    words = ["ingest", str(tmp_path / "A"), str(tmp_path / "raw"), "--night", "2030-01-01"]
    for more in ([], ["--dry-run"], ["--quiet"]):
        assert run([*words, *more]) == Exit.NOTHING
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err == (
            "nightlake: no image of night 2030-01-01 among these files; nothing was done\n"
        )


def test_dry_run_tells_rows_and_disk(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = IngestEstimate({date(2024, 1, 10): (64, 1_000_000)}, disk_bytes=60_000_000)
    monkeypatch.setattr("ingest.pipeline.estimate", lambda *_, **__: found)
    assert run(["ingest", str(root), "x", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "2024-01-10  64 images  1,000,000 rows" in out
    assert "60.0 MB on disk" in out


# --- what goes wrong ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["sql", "{root}", "drop table images"], 1, "DROP statements are not allowed here"),
        (["sql", "{root}", "select * from nope"], 1, "The tables are detections"),
        (["sql", "{root}"], 2, "No QUESTION"),
        (["sql", "/no/such", "select 1"], 1, "/no/such: no such folder"),
        (
            ["sql", "{root}", "select 1", "--out", "/no/such/a.csv"],
            1,
            "/no/such/a.csv: cannot write",
        ),
        (["sql", "{root}", "select $x", "-p", "x"], 2, "'x' is no value: write name=value"),
        (["sql", "{root}", "select $x"], 1, "--param name=value"),
        (
            ["lightcurve", "{root}"],
            2,
            "Give one of --oid, --cone, --positions, --polygon and --moc.",
        ),
        (["lightcurve", "{root}", "--oid", "x"], 2, "'x' is not a valid integer"),
        (["lightcurve", "{root}", "--oid", "5"], 4, "object 5 is not in the archive"),
        (["lightcurve", "{root}", "--cone", "1", "99", "2"], 2, "declination 99 is not within"),
        (["lightcurve", "{root}", "--cone", "1", "2", "-2"], 2, "radius -2 is not above 0"),
        (["lightcurve", "{root}", "--oid", OID, "--plot", "a.gif"], 2, "no picture can be"),
        (["lightcurve", "{root}", "--oid", OID, "--plot", "/no/such/a.png"], 1, "cannot write"),
        (["nights", "{root}", "--night", "2024-13-01"], 2, "write 2020-09-24 or 20200924"),
        (["nights", "{root}", "--night", "2019-01-01"], 4, "night 2019-01-01 is not in"),
        (["nights", "{root}", "extra"], 2, "Unexpected argument: extra"),
        (["ingest", "{root}"], 2, "No PATH"),
        (["ingest", "{root}", "/no/such"], 4, "/no/such: no such file or folder"),
        (["add-references", "{root}", "/no/such"], 4, "/no/such: no such file or folder"),
        (["nope"], 2, "No such command 'nope'"),
    ],
)
def test_fault_is_told_without_traceback(
    root: Path, words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([word.format(root=root) for word in words]) == code
    told = capsys.readouterr()
    assert said in told.err
    assert "Traceback" not in told.err
    assert code == 2 or told.err.count("\n") == 1


def test_internal_error_is_one_line_unless_asked_for(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("nightlake.archive.Archive.nights", fail)
    monkeypatch.delenv("NIGHTLAKE_TRACEBACK", raising=False)
    assert run(["nights", str(root)]) == 70
    assert capsys.readouterr().err == (
        "nightlake: internal error (RuntimeError: two lines). "
        "Run again with NIGHTLAKE_TRACEBACK=1 and report what it shows.\n"
    )
    monkeypatch.setenv("NIGHTLAKE_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        run(["nights", str(root)])


def test_interrupt_ends_with_130(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nightlake.archive.Archive.nights", interrupt)
    assert run(["nights", str(root)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_many_processes_draw_at_once(root: Path, tmp_path: Path) -> None:
    words = ["lightcurve", str(root), "--oid", OID, "--plot"]
    before = scratch(root)  # this process draws too, and has not ended
    pictures = [tmp_path / f"{i}.png" for i in range(6)]
    processes = [_nightlake(*words, str(picture)) for picture in pictures]
    ends = [(process.communicate(timeout=600)[1], process.returncode) for process in processes]
    assert ends == [("", 0)] * 6
    assert len({picture.read_bytes() for picture in pictures}) == 1
    assert scratch(root) == before


# Presses Ctrl-C at a moment of the program's own: those of a clock differ from machine to machine.
PRESSED = """
import os, signal, sys, threading, time
from nightlake.cli import main

def press():
    os.kill(os.getpid(), signal.SIGINT)

def press_amid(spent):
    while time.process_time() < spent + 0.5:
        time.sleep(0.01)
    press()

def pressed_start(thread):
    start(thread)
    if thread.name == "nightlake-query" and when == "it begins":
        press()
    elif thread.name == "nightlake-query" and when == "it runs":
        start(threading.Thread(target=press_amid, args=(time.process_time(),)))

when = sys.argv.pop(1)
if when == "DuckDB is loaded":
    sys.addaudithook(lambda event, about: event == "import" and about[0] == "duckdb" and press())
start, threading.Thread.start = threading.Thread.start, pressed_start
main()
"""


@pytest.mark.parametrize("when", ["DuckDB is loaded", "it begins", "it runs"])
def test_question_is_interrupted_by_ctrl_c(root: Path, when: str) -> None:
    question = "select sum(a.i * b.i) from range(1000000) a(i), range(1000000) b(i)"
    done = subprocess.run(
        [sys.executable, "-c", PRESSED, when, "sql", str(root), question],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == (
        "nightlake: interrupted; what was published stays, the rest is done again\n"
    )


def test_reader_that_goes_away_is_no_error(root: Path) -> None:
    words = ["sql", str(root), "select * from range(2000000)", "--format", "csv"]
    with _nightlake(*words) as process:
        assert process.stdout
        assert process.stdout.readline() == "range\n"
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_nothing_is_written_outside_the_archive(root: Path, tmp_path: Path) -> None:
    home, place = tmp_path / "home", tmp_path / "place"
    home.mkdir()
    place.mkdir()
    environ = {"HOME": str(home), "TMPDIR": str(home), "PATH": os.environ["PATH"]}
    picture = tmp_path / "a.png"
    before = scratch(root)
    words = ["lightcurve", str(root), "--oid", OID, "--plot", str(picture), "--format", "votable"]
    process = _nightlake(*words, env=environ, cwd=place)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (0, "")
    assert out.startswith("<?xml")
    assert picture.stat().st_size > 5000
    assert list(home.rglob("*")) == []
    assert list(place.iterdir()) == []
    assert scratch(root) == before


def scratch(root: Path) -> list[Path]:
    folder = root / "scratch"
    return sorted(folder.iterdir()) if folder.exists() else []


def _nightlake(*words: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nightlake.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
