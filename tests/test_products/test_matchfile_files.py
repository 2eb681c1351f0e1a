"""Matchfiles of an archive: what today's readers make of them, and when nothing is written."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import tables
from archives import Channel, cluster, nightly, reference_files
from matchskies import sky

from nightlake.archive import Archive
from nightlake.cli import run
from nightlake.errors import Exit
from products.errors import StaleChannelError, UnknownChannelError, UnwritableOutputError
from products.matchfile.build import build
from products.matchfile.columns import Making
from products.matchfile.job import LEDGER
from products.matchfile.tree import tree
from products.matchfile.writer import write_match
from store.matchfile import MATCH_TABLES, MATCHIDS, matchfile_name, matchfile_path

CHANNELS = [Channel(), Channel(qid=3), Channel(fid=1)]
TWELVE = cluster(56.8, 34.85)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a") / "A"
    nightly(path, *TWELVE, n_nights=4, channels=CHANNELS)
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of many stars."""
    path = tmp_path_factory.mktemp("m") / matchfile_path(633, 2, 7, 4)
    write_match(build(sky(), Making()), path)
    return path


# --- readers -------------------------------------------------------------------------------------


def test_pytables_h5py_and_pandas_read_the_same(written: Path) -> None:
    with tables.open_file(str(written)) as a, h5py.File(written) as b:
        for name, table in MATCH_TABLES.items():
            rows = a.root.matches[name].read()
            assert rows.dtype.names == table.dtype.names
            assert rows.tobytes() == b["matches"][name][:].tobytes()
        light_curve = a.root.matches.sourcedata.read_where("matchid == 7")
        assert len(light_curve) == a.root.matches.sources.read_where("matchid == 7")["nobs"][0]
        frame = pd.DataFrame.from_records(a.root.matches.exposures[:])
    assert len(frame) == 30
    assert frame["expid"].is_monotonic_increasing
    read = pd.read_hdf(written, "matches/sourcedata")
    assert list(read.columns) == list(MATCH_TABLES["sourcedata"].dtype.names)
    assert read["matchid"].is_monotonic_increasing


def test_its_tree_tells_rows_and_columns(written: Path) -> None:
    lines = tree(written).splitlines()
    assert lines[0] == written.name
    assert lines[2] == "    ├── exposures           30 rows of 30 columns"
    assert len(lines) == 7


def test_what_the_public_ingester_assumes(written: Path) -> None:
    # A name of six parts that says the channel.
    parts = written.name.split("_")
    assert len(parts) == 6
    assert (int(parts[1]), parts[2], int(parts[3][1:]), int(parts[4][1:])) == (633, "zr", 7, 4)
    # Opened for reading and writing.
    with tables.open_file(str(written), "r+") as file:
        group = file.root.matches
        assert {table.name for table in group} == set(MATCH_TABLES)
        sources, data = group["sources"], group["sourcedata"]
        matchid = sources.col("matchid")
        assert np.unique(matchid).size == matchid.size
        assert 0 <= matchid.min() <= matchid.max() < MATCHIDS
        percentiles = sources.col("percentiles")
        assert percentiles.shape[1] >= 9
        # All other columns are numbers, but those that it leaves out.
        wide = {name for name in sources.colnames if sources.coldtypes[name].shape}
        assert wide == {"percentiles"} | {
            f"n{kind}meanbystd" for kind in ("above", "below", "consecabove", "consecbelow",
                                             "consecfrom")
        }  # fmt: skip
        assert all(sources.coldtypes[name].base.kind in "iuf" for name in sources.colnames)
        # Joined on matchid, no other name but the position's may stand in both.
        assert set(sources.colnames) & set(data.colnames) == {"ra", "dec", "matchid"}
        left = pd.DataFrame.from_records(sources.read(), index="matchid", exclude=list(wide))
        right = pd.DataFrame.from_records(data[:], index="matchid")
        joined = left.merge(
            right.rename(columns={"ra": "ra_data", "dec": "dec_data"}),
            left_index=True,
            right_index=True,
        )
        assert len(joined) == len(data)
        # A source's rows follow each other: it begins a new one where the matchid changes.
        assert np.flatnonzero(np.diff(joined.index)).size + 1 == matchid.size
        assert joined.index.nunique() == matchid.size
        # Ids of its own from expid and matchid fit.
        assert data.col("expid").max() < 10**9
        assert joined[["hjd", "mag", "magerr", "chi", "sharp"]].notna().all(axis=None)


# --- of an archive -------------------------------------------------------------------------------


def test_one_channel_of_an_archive(root: Path, tmp_path: Path) -> None:
    with Archive(root) as archive:
        made = archive.matchfile(633, "zr", 7, 4, out=tmp_path)
        rows = archive.sql("select * from detections where fid = 2 and qid = 4 order by oid, hmjd")
        exposures = archive.sql("select * from images where fid = 2 and qid = 4 order by obsmjd")
    assert made.path == tmp_path / matchfile_path(633, 2, 7, 4)
    assert (made.detections, made.sources, made.exposures) == (48, 12, 4)
    with h5py.File(made.path) as file:
        data, sources = file["matches/sourcedata"][:], file["matches/sources"][:]
        listed = file["matches/exposures"][:]
        assert file["matches"].attrs["referenceZeroPoint"] is not None
    np.testing.assert_array_equal(data["matchid"], rows["oid"] % 10**8)
    for name in ("ra", "dec", "expid", "catflags"):
        np.testing.assert_array_equal(data[name], rows[name])
    np.testing.assert_array_equal(data["hjd"], rows["hmjd"] + 2400000.5)
    assert sources["matchid"].tolist() == list(range(12))
    np.testing.assert_array_equal(listed["expid"], exposures["expid"])
    np.testing.assert_array_equal(
        listed["limitmag"], exposures["limitmag"].cast(float).to_numpy().astype("f4")
    )
    assert (listed["rcid"] == 27).all()


def test_all_channels_and_then_only_what_changed(root: Path, tmp_path: Path) -> None:
    archive_root, out = tmp_path / "A", tmp_path / "out"
    shutil.copytree(root, archive_root, symlinks=True)
    with Archive(archive_root) as archive:
        first = archive.matchfiles(out, workers=1)
        assert {made.path.name for made in first.written} == {
            matchfile_name(c.field, c.fid, c.ccdid, c.qid) for c in CHANNELS
        }
        before = {path: path.read_bytes() for path in out.rglob("*.pytable")}
        again = archive.matchfiles(out, workers=1)
        assert (len(again.written), again.unchanged) == (0, 3)
        # Other options, a file that is gone and a ledger that is gone are made again.
        assert len(archive.matchfiles(out, workers=1, relative=False).written) == 3
        archive.matchfiles(out, workers=1)
        gone = out / matchfile_path(633, 1, 7, 4)
        gone.unlink()
        assert [made.path for made in archive.matchfiles(out, workers=1).written] == [gone]
        (out / LEDGER).write_text("{]")
        assert len(archive.matchfiles(out, workers=2).written) == 3
        # The same state gives the same bytes.
        assert {path: path.read_bytes() for path in out.rglob("*.pytable")} == before
        nights = archive.nights()["night"].to_list()
        archive.withdraw(nights[-1])
        assert len(archive.matchfiles(out, workers=1).written) == 3
        with h5py.File(gone) as file:
            assert file["matches/exposures"].shape == (3,)


@pytest.mark.parametrize(
    ("channel", "match"),
    [
        ((634, "zr", 7, 4), r"no 000634_zr_c07_q4 .*It has the fields 633"),
        ((633, "zi", 7, 4), r"Field 633 has zg, zr\."),
        ((633, "zr", 8, 4), r"Field 633 has in zr the quadrants c07 q3, c07 q4\."),
        ((633, "zr", 7, 9), r"the quadrants c07 q3, c07 q4\."),
    ],
)
def test_an_unknown_channel_is_told_what_there_is(
    root: Path, tmp_path: Path, channel: tuple[Any, ...], match: str
) -> None:
    with Archive(root) as archive, pytest.raises(UnknownChannelError, match=match):
        archive.matchfile(*channel, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_empty_archive_has_no_channel(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "A") as archive:
        with pytest.raises(UnknownChannelError, match="It has none of any field"):
            archive.matchfile(633, "zr", 7, 4, out=tmp_path)
        assert archive.matchfiles(tmp_path / "out").written == ()


def test_images_of_a_former_reference_are_refused(root: Path, tmp_path: Path) -> None:
    from store.layout import Layout
    from store.manifest import Manifest, references_group
    from store.publication import publish

    archive_root = tmp_path / "A"
    shutil.copytree(root, archive_root, symlinks=True)
    files = [
        entry
        for channel, checksum in zip(
            CHANNELS, ("fedcba9876543210", *["0123456789abcdef"] * 2), strict=True
        )
        for entry in reference_files(Layout(archive_root), channel, *TWELVE, 5, checksum)
    ]
    group = references_group(633)
    publish(archive_root, {group: Manifest.of(group, files)}, "test")
    with Archive(archive_root) as archive:
        with pytest.raises(StaleChannelError, match=r"4 images of 000633_zr_c07_q4.*rematch"):
            archive.matchfile(633, "zr", 7, 4, out=tmp_path)
        report = archive.matchfiles(tmp_path / "out", workers=1)
    assert (len(report.written), len(report.refused)) == (2, 1)


# --- where it cannot be written ------------------------------------------------------------------


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_and_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / matchfile_path(633, 2, 7, 4)
    match = build(sky(stars=3000, exposures=10), Making(statistics=False))
    out.parent.mkdir(parents=True)
    out.write_bytes(b"before")
    with at_most(1_000_000), pytest.raises(UnwritableOutputError, match="File too large"):
        write_match(match, out)
    # Nor where space goes while it is written: PyTables itself would not say so.
    monkeypatch.setattr("products.matchfile.writer._reserve", lambda *_: None)
    with at_most(1_000_000), pytest.raises(UnwritableOutputError, match="is the disk full"):
        write_match(match, out)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert out.read_bytes() == b"before"
    write_match(match, out)
    assert h5py.is_hdf5(out)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "srcmatch").write_text("a file")
    with pytest.raises(UnwritableOutputError, match="cannot write"):
        write_match(
            build(sky(stars=5, exposures=2), Making()), tmp_path / matchfile_path(1, 1, 1, 1)
        )


def test_the_ledger_is_no_matchfile(root: Path, tmp_path: Path) -> None:
    with Archive(root) as archive:
        archive.matchfiles(tmp_path, workers=1)
    ledger = json.loads((tmp_path / LEDGER).read_text())
    assert set(ledger) == {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.pytable")}


def test_a_folder_says_only_what_a_loss_of_power_leaves(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting: list[Path] = []
    monkeypatch.setattr("store.disk.sync_file", lasting.append)
    monkeypatch.setattr("store.disk.sync_folder", lasting.append)
    with Archive(root) as archive:
        made = archive.matchfiles(tmp_path, workers=1).written
        # One that nothing vouches for is as lasting as any other export.
        archive.matchfile(633, "zr", 7, 4, out=tmp_path / "one")
    for one in made:
        content, name = lasting.pop(0), lasting.pop(0)
        assert content.name.startswith(f".{one.path.name}")
        assert name == one.path.parent
    assert not lasting


@pytest.mark.parametrize("compress", [None, "gzip"])
def test_nothing_of_the_space_that_was_reserved_is_left(
    tmp_path: Path, compress: str | None
) -> None:
    out = tmp_path / matchfile_path(633, 2, 7, 4)
    write_match(build(sky(stars=700), Making(statistics=False)), out, compress)
    with h5py.File(out) as file:
        data = file["matches/sourcedata"]
        assert data.shape[0] > 2 * data.chunks[0]
        assert data.attrs["NROWS"] == data.shape[0]
        used = sum(table.id.get_storage_size() for table in file["matches"].values())
    status = out.stat()
    assert status.st_size - used < 200_000
    assert status.st_blocks * 512 - status.st_size < 10_000


# --- from light curves as built ------------------------------------------------------------------


def test_built_light_curves_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    archive_root = tmp_path / "A"
    shutil.copytree(root, archive_root, symlinks=True)
    channel = (633, "zr", 7, 4)
    with Archive(archive_root) as archive:
        before = archive.matchfile(*channel, out=tmp_path / "before").path.read_bytes()
        archive.build("lightcurves", workers=1)
        assert archive.sql("select count(*) from lightcurves").item() > 0
        built = archive.matchfile(*channel, out=tmp_path / "built").path
        assert tables_of(built) == tables_of(
            tmp_path / "before" / built.relative_to(tmp_path / "built")
        )
        assert len(before) == built.stat().st_size
        # A night that is newer than what was built, or gone from it.
        archive.withdraw(archive.nights()["night"].to_list()[-1])
        with h5py.File(archive.matchfile(*channel, out=tmp_path / "stale").path) as file:
            assert file["matches/sourcedata"].shape == (36,)
            assert np.unique(file["matches/sourcedata"]["expid"]).size == 3


def tables_of(path: Path) -> list[bytes]:
    """The rows of all tables: the date of the publication is another."""
    with h5py.File(path) as file:
        return [file["matches"][name][:].tobytes() for name in MATCH_TABLES]


def test_the_scatter_of_stars_is_drawn(tmp_path: Path) -> None:
    from products.canvas import prepare, save
    from products.errors import NothingToDrawError

    prepare(None, tmp_path / "scatter.png")
    from products.matchfile.scatter_figure import draw_scatter

    clouds = np.linspace(0, 0.3, 30)
    figure = draw_scatter(build(sky(clouds=clouds), Making()), "clouds")
    shown = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    before, after = shown["as calibrated"], shown["with relative photometry"]
    assert np.median(before) > 0.08 > 4 * np.percentile(after, 20)
    save(figure, tmp_path / "scatter.png")
    assert (tmp_path / "scatter.png").stat().st_size > 10_000
    with pytest.raises(NothingToDrawError, match="usable epochs"):
        draw_scatter(build(sky(exposures=3), Making()))


# --- the command ---------------------------------------------------------------------------------


def test_verbs_write_tell_and_end_as_they_should(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = ["matchfile", str(root), "--field", "633", "--filter", "zr", "--ccd", "7"]
    out = ["--out", str(tmp_path)]
    assert run([*one, "--quadrant", "4", *out, "--compress", "gzip"]) == 0
    told = capsys.readouterr().out
    assert "48 detections of 12 sources in 4 exposures, 0 transients" in told
    assert run([*one, "--quadrant", "2", *out]) == Exit.NOTHING
    assert "Field 633 has in zr the quadrants c07 q3, c07 q4." in capsys.readouterr().err
    assert run(["matchfiles", str(root), *out, "--workers", "1"]) == 0
    assert "3 matchfiles written with 144 detections, 0 unchanged" in capsys.readouterr().out
    assert run(["matchfiles", str(root), *out, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
