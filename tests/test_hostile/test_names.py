"""Names and values from outside: no path, no SQL and no order to a terminal."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pytest
from catalogues import scatter, write_psfcat, write_refpsfcat

from ingest.filenames import find_catalogues
from ingest.inputs import list_inputs
from ingest.pipeline import ingest
from nightlake import Archive
from nightlake.cli import run
from store.publication import create_archive
from store.settings import ArchiveSettings
from store.verify import verify
from store.words import printable

ODD_NAMES = [
    b"-rf_psfcat.fits",
    b"--help_psfcat.fits",
    b"a\nb_psfcat.fits",
    b"it's; DROP TABLE images; --_psfcat.fits",
    b"\x1b[2J\x1b]0;x\x07_psfcat.fits",
    b"\xff\xfe_psfcat.fits",
    "\u202egpj_psfcat.fits".encode(),
    b'"*?[a]_psfcat.fits',
    b"n" * 244 + b"_psfcat.fits"[:11],
    b"#a_psfcat.fits",
    b"$(touch x)`touch y`_psfcat.fits",
    b"%s{0}_psfcat.fits",
]
ODD_NAMES[8] = b"n" * (255 - len(b"_psfcat.fits")) + b"_psfcat.fits"


@pytest.fixture
def root(tmp_path):
    create_archive(tmp_path / "archive", ArchiveSettings())
    return tmp_path / "archive"


def images(folder, count):
    ra, dec = scatter(np.random.default_rng(1), 8)
    return [
        write_psfcat(folder, ra, dec, obsmjd=60319.3 + n / 100, name=f"{n}.fits")
        for n in range(count)
    ]


def test_files_of_any_name_are_published_and_refused_by_their_printable_names(
    tmp_path, root, capfd
):
    raw = tmp_path / "raw"
    sources = images(tmp_path, len(ODD_NAMES))
    raw.mkdir()
    (raw / "bad").mkdir()
    for source, name in zip(sources, ODD_NAMES, strict=True):
        shutil.move(source, raw / os.fsdecode(name))
        (raw / "bad" / os.fsdecode(name)).write_bytes(b"no FITS")
    assert run(["ingest", str(root), str(raw), "--workers", "1"]) == 3
    said = capfd.readouterr()
    assert said.err.count("refused: ") == len(said.err.splitlines()) == len(ODD_NAMES)
    assert all(line.isprintable() for line in (said.err + said.out).splitlines())
    names = sorted(printable(os.fsdecode(name)) for name in ODD_NAMES)
    with Archive(root) as archive:
        published = archive.sql("select input_file, n_published from images")
        assert sorted(published["input_file"]) == sorted(archive.refusals()["input_file"]) == names
        assert published["n_published"].to_list() == [8] * len(names)
    assert run(["refusals", str(root)]) == 0
    assert all(line.isprintable() for line in capfd.readouterr().out.splitlines())
    assert verify(root) == []
    # The same again changes nothing: what was refused is known by its printable name.
    report = ingest(root, [raw], workers=1)
    assert report.groups[0].outcome == "unchanged"
    assert report.publication == ingest(root, [raw], workers=1).publication


def test_lists_of_files_for_make_hold_any_name_of_one_line(tmp_path, root, capfd):
    raw = tmp_path / "raw"
    raw.mkdir()
    names = [name for name in ODD_NAMES if b"\n" not in name]
    for source, name in zip(images(tmp_path, len(names)), names, strict=True):
        shutil.move(source, raw / os.fsdecode(name))
    (listing,) = list_inputs(root, [raw]).values()
    (tmp_path / "list").write_bytes(listing)
    assert (
        run(
            [
                "ingest",
                str(root),
                "--files-from",
                str(tmp_path / "list"),
                "--workers",
                "1",
                "--quiet",
            ]
        )
        == 0
    )
    with Archive(root) as archive:
        assert archive.sql("select count(*) from images").item() == len(names)


@pytest.mark.parametrize(
    "odd",
    [
        {"FIELDID": "../../etc"},
        {"FIELDID": "600/../../x"},
        {"FILTER": "../zr", "FILTERID": None},
        {"EXPID": "1; DROP TABLE images"},
        {"FILTERID": 7},
        {"CCDID": -1, "QID": -1, "RCID": None},
        {"FILENAME": "../../../etc/passwd", "FIELDID": 999_999_999},
    ],
)
def test_values_of_headers_make_no_paths(tmp_path, root, odd):
    ra, dec = scatter(np.random.default_rng(1), 5)
    write_psfcat(tmp_path / "raw", ra, dec, header=odd, name="a_psfcat.fits")
    write_refpsfcat(tmp_path / "refs", ra, dec, header=odd).rename(
        tmp_path / "refs/a_refpsfcat.fits"
    )
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(root)}
    with Archive(root) as archive:
        archive.ingest(tmp_path / "raw", workers=1)
        archive.add_references(tmp_path / "refs", workers=1)
        for what in archive.refusals()["what"]:
            assert what.isprintable()
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(root)} == before
    assert verify(root) == []


@pytest.mark.parametrize(
    ("card", "ends"), [({"PCOLOR": "g - R12345"}, 4), ({"ORIGIN": "g - R12345"}, 0)]
)
def test_values_of_headers_give_no_orders_to_a_terminal(tmp_path, root, capfd, card, ends):
    ra, dec = scatter(np.random.default_rng(1), 5)
    path = write_psfcat(tmp_path / "raw", ra, dec, header=card)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"g - R12345", b"\x1b[2J\x9b31m\xe4 "))
    assert run(["ingest", str(root), str(path), "--workers", "1"]) == ends
    assert all(line.isprintable() for line in capfd.readouterr().err.splitlines())
    assert run(["sql", str(root), "select chr(27) || '[2J' as \"a\x1b[2J\""]) == 0
    assert all(line.isprintable() for line in capfd.readouterr().out.splitlines())


def test_links_in_the_input_that_loop_or_lead_nowhere_end_in_refusals(tmp_path, root):
    raw = tmp_path / "raw"
    good = images(raw / "deep", 1)[0].rename(raw / "deep/good_psfcat.fits")
    (raw / "loop_psfcat.fits").symlink_to("loop_psfcat.fits")
    (raw / "up").symlink_to("..")
    (raw / "again").symlink_to("deep")
    (raw / "self").symlink_to(".")
    (raw / "gone_psfcat.fits").symlink_to("/nowhere")
    (raw / "null_psfcat.fits").symlink_to("/dev/zero")
    report = ingest(root, [raw], workers=1)
    assert {refusal.input_file: refusal.code for refusal in report.refusals} == dict.fromkeys(
        ["loop_psfcat.fits", "gone_psfcat.fits", "null_psfcat.fits"], "unreadable"
    )
    assert report.rows == 8
    assert good.exists()


def test_folders_deeper_than_any_recursion_are_searched(tmp_path):
    top = os.open(tmp_path, os.O_RDONLY)
    here = top
    for _ in range(1500):
        os.mkdir("a", dir_fd=here)
        deeper = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("x_psfcat.fits", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    try:
        (found,) = find_catalogues([tmp_path])
    finally:
        subprocess.run(["rm", "-r", tmp_path / "a"], check=True)  # Python's own recurs
    assert found.name == "x_psfcat.fits"


def test_an_archive_of_any_name_is_asked_as_any_other(tmp_path):
    name = 'it\'s "q"; DROP TABLE x; --[a]*?$(x)\n{0}%s'
    root = tmp_path / name
    create_archive(root, ArchiveSettings())
    ra, dec = scatter(np.random.default_rng(1), 8)
    write_psfcat(tmp_path / "raw", ra, dec)
    write_refpsfcat(tmp_path / "refs", ra, dec)
    with Archive(root) as archive:
        archive.add_references(tmp_path / "refs", workers=1)
        archive.ingest(tmp_path / "raw", workers=1)
        oid = archive.sql("select min(oid) from reference_sources").item()
        assert archive.lightcurve(oid).height == 1
        assert archive.lightcurve(cone=(float(ra[0]), float(dec[0]), 2)).height == 1
        assert archive.verify() == []


INJECTION = "1) OR true; DROP VIEW detections; --"


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked")
    create_archive(folder / "archive", ArchiveSettings())
    ra, dec = scatter(np.random.default_rng(1), 8)
    write_psfcat(folder / "raw", ra, dec)
    ingest(folder / "archive", [folder / "raw"], workers=1)
    return folder / "archive"


@pytest.mark.parametrize(
    "words",
    [
        ["lightcurve", "{}", "--oid", INJECTION],
        ["lightcurve", "{}", "--cone", INJECTION, "1", "1"],
        ["lightcurve", "{}", "--cone", "1", "1", "nan"],
        ["nights", "{}", "--as-of", INJECTION],
        ["withdraw", "{}", INJECTION],
        ["withdraw", "{}", "../../20240110"],
        ["refusals", "{}", "--night", INJECTION],
        ["sql", "{}", "from detections", "--memory-limit", "1GB'; DROP"],
        ["sql", "{}", "from images where field = $f", "-p", f"f={INJECTION}"],
    ],
)
def test_values_of_the_command_line_are_no_sql(asked, words, capfd):
    assert run([word.format(asked) if word == "{}" else word for word in words]) not in (0, 70)
    assert "internal error" not in capfd.readouterr().err
    with Archive(asked) as archive:
        assert archive.sql("select count(*) from detections").item() == 8


def test_parameters_and_filters_are_values_and_no_sql(asked):
    with Archive(asked) as archive:
        found = archive.sql("select $a as a, $b as b", a=INJECTION, b="'")
        assert found.rows() == [(INJECTION, "'")]
        with pytest.raises(TypeError):
            archive.lightcurve(INJECTION)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="zg"):
            archive.lightcurve(cone=(1, 1, 1), filters=[INJECTION])
        assert archive.sql("select count(*) from detections").item() == 8
