"""Archives that someone has tampered with: said to be damaged, and nothing outside is touched."""

from __future__ import annotations

import json
import os
import shutil
from datetime import date

import numpy as np
import pytest
from catalogues import scatter, write_psfcat, write_refpsfcat

from ingest.pipeline import ingest
from ingest.references import add_references
from ingest.withdraw import withdraw
from nightlake.cli import run
from store.atomic import checksum
from store.errors import DamagedArchiveError, NightlakeError
from store.layout import Layout
from store.publication import create_archive, republish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.vacuum import vacuum
from store.verify import verify

NIGHT = date(2024, 1, 10)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    ra, dec = scatter(np.random.default_rng(1), 8)
    create_archive(folder / "archive", ArchiveSettings())
    write_refpsfcat(folder / "refs", ra, dec)
    add_references(folder / "archive", [folder / "refs"], workers=1)
    for n in range(2):
        write_psfcat(folder / f"raw{n}", ra, dec, obsmjd=60319.3 + n / 10)
        ingest(folder / "archive", [folder / f"raw{n}"], workers=1)
    return folder


@pytest.fixture
def place(made, tmp_path):
    """A folder that holds an archive and, beside it, what is nobody's business."""
    shutil.copytree(made, tmp_path / "in", symlinks=True)
    outside = tmp_path / "outside"
    for name in (
        "a/b/c/precious.parquet",
        "000099/precious",
        "5/x-0123456789abcdef/precious",
        "precious.json",
        "000001/publication.json",
        ".x.partial",
        "20240110/y",
        ".000009.partial/z",
        "duckdb-1-x-1/z",
    ):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_text("precious")
    return tmp_path


def outside(place):
    return {
        str(path): path.read_bytes()
        if path.is_file() and not path.is_symlink()
        else path.is_symlink()
        for path in place.rglob("*")
        if not path.is_relative_to(place / "in/archive")
    }


def everything(root, raw):
    """Each thing that an archive may be asked to do."""
    yield "verify", lambda: verify(root)
    yield "read", lambda: run(["sql", str(root), "select count(*) from detections"])
    yield "history", lambda: run(["history", str(root)])
    yield "vacuum", lambda: vacuum(root, older_than_days=0)
    yield "ingest", lambda: ingest(root, [raw / "raw0", raw / "raw1"], workers=1, rebuild=True)
    yield "references", lambda: add_references(root, [raw / "refs"], workers=1)
    yield "repair", lambda: republish(root)
    yield "withdraw", lambda: withdraw(root, [NIGHT], workers=1)
    yield "vacuum again", lambda: vacuum(root, older_than_days=0)


def endure(place, capfd):
    """Do everything; returns what was said of it. Nothing but our own errors, nothing outside."""
    root = place / "in/archive"
    before = outside(place)
    said = {}
    for name, do in everything(root, place / "in"):
        try:
            found = do()
        except NightlakeError as error:
            said[name] = str(error) if error.hint else f"no hint: {error!r}"
        else:
            assert found != 70, capfd.readouterr().err
            said[name] = " ".join(map(str, found)) if name == "verify" else ""
            if name in ("read", "history"):
                said[name] = capfd.readouterr().err
        assert outside(place) == before, name
    assert all(text.isprintable() for text in said.values() if "\n" not in text)
    assert not any(text.startswith("no hint") for text in said.values())
    return said


FOLDERS = ["data", "pixels", "publications", "manifests", "staging", "locks", "scratch"]


@pytest.mark.parametrize(
    "name",
    [
        *FOLDERS,
        "data/detections",
        "data/images",
        "pixels/detections",
        "pixels/detections/5",
        "manifests/nights",
        "data/detections/20240110",
        "staging/nights-20240110",
    ],
)
def test_nothing_is_written_or_removed_through_a_folder_that_is_a_link(place, capfd, name):
    folder = place / "in/archive" / name
    if folder.exists():
        shutil.rmtree(folder)
    folder.symlink_to(place / "outside")
    said = endure(place, capfd)
    for verb in ("verify", "vacuum", "ingest", "references", "repair", "withdraw"):
        assert "is a link to" in said[verb] or "cannot" in said[verb] or "missing" in said[verb], (
            verb
        )


@pytest.mark.parametrize(
    "name",
    [
        "locks/commit",
        "locks/files",
        ".nightlake-init",
        "publications/.000004.partial",
        "publications/000009",
    ],
)
def test_links_that_lie_in_wait_are_not_followed(place, capfd, name):
    link = place / "in/archive" / name
    link.unlink(missing_ok=True)
    link.symlink_to(
        place / "outside/precious.json" if "locks" in name or "init" in name else place / "outside"
    )
    endure(place, capfd)


def test_a_folder_that_is_to_become_an_archive_is_not_emptied_through_a_link(place):
    hostile = place / "hostile"
    hostile.mkdir()
    (hostile / ".nightlake-init").symlink_to(place / "outside/precious.json")
    before = outside(place)
    with pytest.raises(NightlakeError):
        create_archive(hostile, ArchiveSettings())
    assert (place / "outside/precious.json").read_text() == "precious"
    assert before.keys() <= outside(place).keys() | {str(hostile / ".nightlake-init")}


@pytest.mark.parametrize(
    "text",
    [
        "../outside/000001",
        "/etc",
        "publications/../../outside/000001",
        "publications/000001x",
        "publications",
        "publications/-00001",
        "publications/٠٠٠٠٠١",
        "current",
    ],
)
def test_current_leads_to_a_publication_of_the_archive_or_nowhere(place, capfd, text):
    current = place / "in/archive/current"
    current.unlink()
    current.symlink_to(text)
    said = endure(place, capfd)
    assert all("no publication of the archive" in words for words in said.values())


def change_record(root, change):
    path = root / "current/publication.json"
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def change_manifest(root, change, group="nights/20240110"):
    """Change a manifest, and its checksum wherever it stands, as an attacker can."""
    layout, snapshot = Layout(root), open_snapshot(root)
    old = layout.manifest(group, snapshot.groups[group])
    raw = json.loads(old.read_text())
    change(raw)
    data = json.dumps(raw).encode()
    new = layout.manifest(group, checksum(data))
    new.write_bytes(data)
    change_record(root, lambda record: record["manifests"].update({group: checksum(data)}))


def entry_with(**members):
    return lambda raw: raw["files"][0].update(members)


@pytest.mark.parametrize(
    "change",
    [
        entry_with(path="../../etc/passwd"),
        entry_with(path="/etc/passwd"),
        entry_with(path="data/../../x.parquet"),
        entry_with(path="data/a\x1b[2J.parquet"),
        entry_with(path=7),
        entry_with(part="../../../evil"),
        entry_with(part="/evil"),
        entry_with(part="a/b"),
        entry_with(part=""),
        entry_with(table="../x"),
        entry_with(rows=-1),
        entry_with(rows=10**30),
        entry_with(rows="5"),
        entry_with(rows=None),
        entry_with(rows=True),
        entry_with(bytes=-5),
        entry_with(order=-1),
        entry_with(order=10**9, npix=0),
        entry_with(npix=-3),
        entry_with(npix=10**40),
        entry_with(cells=[-1]),
        entry_with(cells=[10**400]),
        entry_with(cells="x" * 64),
        entry_with(checksum="../../x"),
        entry_with(checksum=None),
        entry_with(nights=["../x"]),
        entry_with(more=1),
        lambda raw: raw.update(group="../../evil"),
        lambda raw: raw.update(group="nights/20240111"),
        lambda raw: raw.update(files=7),
        lambda raw: raw.update(files=[[]]),
        lambda raw: raw["files"][0].pop("rows"),
        lambda raw: raw.clear(),
    ],
)
def test_manifests_are_believed_only_what_nightlake_writes(place, capfd, change):
    root = place / "in/archive"
    change_manifest(root, change)
    with pytest.raises(DamagedArchiveError, match="manifest"):
        open_snapshot(root).manifest("nights/20240110")
    said = endure(place, capfd)
    for verb in ("verify", "ingest", "repair", "withdraw"):
        assert "manifest" in said[verb], verb


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["manifests"].update({"nights/../../x": "0" * 32}),
        lambda r: r["manifests"].update({"/etc/passwd": "0" * 32}),
        lambda r: r["manifests"].update({"nights/20240110": "../../../etc/passwd"}),
        lambda r: r["manifests"].update({"nights/20249999": "0" * 32}),
        lambda r: r["manifests"].update({"periods/00000000-99999999": "0" * 32}),
        lambda r: r.update(manifests=[]),
        lambda r: r["rows"].update(detections=-1),
        lambda r: r["rows"].update(detections="1"),
        lambda r: r.update(rows=None),
        lambda r: r["partition"].update(order=-1),
        lambda r: r["partition"].update(order=10**9),
        lambda r: r["partition"].update(split=[[5]]),
        lambda r: r["partition"].update(split=[[5, -1]]),
        lambda r: r["partition"].update(split=7),
        lambda r: r.pop("partition"),
        lambda r: r.update(published="yesterday"),
        lambda r: r.update(published="2024-01-10"),
        lambda r: r.update(reason=7),
        lambda r: r.clear(),
    ],
)
def test_records_of_publications_are_believed_only_what_nightlake_writes(place, capfd, change):
    change_record(place / "in/archive", change)
    said = endure(place, capfd)
    for verb in ("verify", "history", "vacuum", "ingest", "repair", "withdraw"):
        assert "publication" in said[verb], verb


BOMBS = {
    "deep": b"[" * 200_000,
    "deep object": b'{"a":' * 200_000,
    "number": b'{"format": ' + b"9" * 1_000_000 + b"}",
    "no UTF-8": b'{"format": "\xff"}',
    "other": b"[1, 2]",
    "NaN": b'{"format": NaN}',
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("name", ["archive.json", "current/publication.json", "manifest"])
def test_bombs_of_json_are_said_to_be_damaged(place, capfd, name, bomb):
    root = place / "in/archive"
    if name == "manifest":
        path = Layout(root).manifest("nights/20240110", checksum(BOMBS[bomb]))
        path.write_bytes(BOMBS[bomb])
        change_record(
            root, lambda r: r["manifests"].update({"nights/20240110": checksum(BOMBS[bomb])})
        )
    else:
        (root / name).write_bytes(BOMBS[bomb])
    said = endure(place, capfd)
    assert all(said[verb] for verb in ("verify", "ingest", "repair", "withdraw"))


@pytest.mark.parametrize("name", ["archive.json", "current/publication.json"])
@pytest.mark.parametrize("kind", ["huge", "pipe", "device"])
def test_what_is_no_file_of_json_is_not_read_for_ever(place, capfd, name, kind):
    path = (place / "in/archive" / name).resolve()
    path.unlink()
    if kind == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    said = endure(place, capfd)
    assert all(said[verb] for verb in ("verify", "ingest", "repair", "withdraw"))


@pytest.mark.parametrize("kind", ["/dev/zero", "/etc/passwd", "pipe"])
def test_a_data_file_that_is_a_link_or_a_pipe_is_found_and_left(place, capfd, kind):
    path = next((place / "in/archive/data/detections").rglob("*.parquet"))
    path.unlink()
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(kind)
    assert "unreadable" in {f.code for f in verify(place / "in/archive")} or kind == "/etc/passwd"
    assert verify(place / "in/archive")
    endure(place, capfd)


def test_a_link_of_a_publication_that_leads_out_is_found(place, capfd):
    root = place / "in/archive"
    pixel = next((root / "current/detections/dataset").glob("*/*/*"))
    (pixel / "evil.parquet").symlink_to(place / "outside/a/b/c/precious.parquet")
    assert "stray" in {finding.code for finding in verify(root)}
    endure(place, capfd)


@pytest.mark.parametrize(
    "lines", ["5,-1", "99,0", "5,1,2", "x", "5,99999999999", "5," + "9" * 5000]
)
def test_a_list_of_pixels_that_is_none_is_damaged_and_repaired(place, capfd, lines):
    root = place / "in/archive"
    (root / "current/detections/partition_info.csv").write_text(f"Norder,Npix\n{lines}\n")
    with pytest.raises(DamagedArchiveError, match=r"pixels cannot be read .* repair"):
        open_snapshot(root).pixels("detections")
    assert verify(root)
    republish(root)
    assert verify(root) == []


@pytest.mark.parametrize(
    "members",
    [
        {"name": "x\nhats_nrows=5"},
        {"partition_order": "5"},
        {"margin_arcsec": "NaN"},
        {"match_radius_arcsec": -1},
        {"site": {"name": "x", "x_m": "a", "y_m": 0, "z_m": 0}},
        {"site": 7},
        {"format": "2"},
        {"format": True},
        {"format": 99},
        {"more": 1},
    ],
)
def test_settings_are_believed_only_what_nightlake_writes(place, capfd, members):
    path = place / "in/archive/archive.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | members))
    said = endure(place, capfd)
    assert all(said.values())
