"""Exports: the curves are those of the archive and of the input; other programs open them."""

import errno
import functools
import os
import threading
from datetime import timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from archives import (
    FIRST_NIGHT,
    Channel,
    cluster,
    night_files,
    reference_files,
)
from lightcurvefiles import LISTS, dr_columns, write_api, write_dr
from realdata import REAL, needs_real

from nightlake import Archive
from products.errors import NothingToExportError, UnwritableOutputError
from products.hats_export import job
from queries.errors import UnknownCollectionError
from store.contract import IMAGES
from store.files import write_table
from store.layout import Layout
from store.manifest import Manifest, night_group, references_group
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot

CHANNELS = (Channel(), Channel(fid=1), Channel(field=700, fid=2, ccdid=3))
NIGHTS = [FIRST_NIGHT + timedelta(days=i) for i in range(5)]
BAD_NIGHT = NIGHTS[3]
COLUMNS = ["_healpix_29", "objectid", "objra", "objdec", "filterid", "fieldid", "rcid", "nepochs",
           "lightcurve"]  # fmt: skip


def make(root, margin_arcsec=5.0, order=5):
    """Sources across the borders of pixels, measured 0.6 arcsec off, this way and that.

    All images of one night are bad; and one source in five has no id in another.
    """
    create_archive(root, ArchiveSettings(partition_order=order, margin_arcsec=margin_arcsec))
    layout = Layout(root)
    # A corner of four pixels, with dozens of sources within an arcsecond of the borders.
    ra, dec = cluster(45.0, 0.0, n=120, spread_arcsec=5000, seed=3)
    dense = cluster(45.0, 0.0, n=60, spread_arcsec=3, seed=4)
    ra, dec = np.concatenate([ra, dense[0]]), np.concatenate([dec, dense[1]])
    changed = {}
    for field in (633, 700):
        files = [
            entry
            for channel in CHANNELS
            if channel.field == field
            for entry in reference_files(layout, channel, ra, dec, order)
        ]
        changed[references_group(field)] = Manifest.of(references_group(field), files)
    rng = np.random.default_rng(5)
    for night in NIGHTS:
        bearing = rng.uniform(0, 2 * np.pi, len(ra))
        off = 0.6 / 3600
        where = (ra + off * np.cos(bearing)) % 360, dec + off * np.sin(bearing)
        files = night_files(layout, night, CHANNELS, *where, order)
        if night == BAD_NIGHT:
            files = [_judged_bad(layout, entry) for entry in files]
        changed[night_group(night)] = Manifest.of(night_group(night), files)
    publish(root, changed, "test")


def _judged_bad(layout, entry):
    if entry.table != "images":
        return entry
    images = pq.read_table(layout.root / entry.path)
    at = images.column_names.index("is_bad")
    images = images.set_column(at, images.schema.field("is_bad"), pa.array([True] * len(images)))
    return write_table(layout, IMAGES, images, entry.part)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange") / "archive"
    make(folder)
    return folder


@pytest.fixture(scope="module")
def nested(root):
    out = root.parent / "nested"
    with Archive(root) as archive:
        archive.export("nested", out, workers=1)
    return out


@pytest.fixture(scope="module")
def plain(root):
    out = root.parent / "plain"
    with Archive(root) as archive:
        archive.export("catalogues", out, workers=1)
    return out


def files_of(catalogue):
    return sorted(catalogue.glob("dataset/Norder=*/Dir=*/Npix=*.parquet"))


def exported(catalogue):
    """All rows of an export, by id."""
    parts = [pq.read_table(path) for path in files_of(catalogue)]
    return pa.concat_tables(parts).sort_by("objectid")


def brute_force(root, *, bad):
    """The same from all detections of the archive, by polars alone."""
    snapshot = open_snapshot(root)
    rows = pl.concat([pl.read_parquet(path) for path in snapshot.files("detections")])
    images = pl.concat([pl.read_parquet(path) for path in snapshot.files("images")])
    rows = rows.join(images.select("expid", "rcid", "is_bad", "clrcoeff"), on=["expid", "rcid"])
    if not bad:
        rows = rows.filter(~pl.col("is_bad"))
    return (
        rows.filter(pl.col("oid").is_not_null())
        .sort("oid", "hmjd")
        .group_by("oid", maintain_order=True)
        .agg("hmjd", "mag", "magerr", "clrcoeff", "catflags")
    )


def assert_same(table, wanted):
    assert table["objectid"].to_pylist() == wanted["oid"].to_list()
    curves = table["lightcurve"].combine_chunks()
    for name in LISTS:
        assert curves.field(name).to_pylist() == wanted[name].to_list(), name
    assert table["nepochs"].to_pylist() == wanted["hmjd"].list.len().to_list()


@pytest.mark.parametrize("bad", [False, True])
def test_the_curves_are_those_of_all_detections(root, nested, tmp_path, bad):
    out = nested
    if bad:
        out = tmp_path / "all"
        with Archive(root) as archive:
            report = archive.export("nested", out, all_images=True, workers=1)
        assert report.taken.bad == 0
        assert report.epochs == 5 * 180 * 3
    table = exported(out)
    assert table.column_names == COLUMNS
    assert table.num_rows == 180 * 3
    assert_same(table, brute_force(root, bad=bad))


def test_a_curve_lies_where_its_reference_source_does(root, nested):
    with Archive(root) as archive:
        sources = archive.sql("select * from reference_sources order by oid")
        moved = archive.sql(
            "select count(*) from detections d join reference_sources r using (oid) "
            "where d._healpix_29 >> 48 != r._healpix_29 >> 48"
        ).item()
    assert moved > 20  # or nothing is tried here
    table = exported(nested)
    for ours, theirs in (("objra", "ra"), ("objdec", "dec"), ("_healpix_29", "_healpix_29"),
                         ("fieldid", "field"), ("filterid", "fid"), ("rcid", "rcid")):  # fmt: skip
        assert table[ours].to_pylist() == sources[theirs].to_list(), ours
    for path in files_of(nested):
        index = pq.read_table(path)["_healpix_29"].to_numpy()
        assert set(index >> 48) == {int(path.stem.removeprefix("Npix="))}
        assert (np.diff(index) >= 0).all()


@pytest.mark.parametrize(("margin", "order"), [(0.0, 5), (1.0, 5), (5.0, 7)])
def test_margins_and_orders_make_no_difference(root, nested, tmp_path, margin, order):
    make(tmp_path / "archive", margin, order)
    with Archive(tmp_path / "archive") as archive:
        archive.export("nested", tmp_path / "out", workers=1)
    assert exported(tmp_path / "out").equals(exported(nested))


def test_compacted_and_split_pixels_give_the_same_curves(nested, tmp_path):
    make(tmp_path / "archive")
    with Archive(tmp_path / "archive") as archive:
        archive.compact(first=NIGHTS[1], last=NIGHTS[2], max_rows=200, workers=1)
        assert archive.snapshot.partition.split
        archive.export("nested", tmp_path / "out", workers=1)
    assert exported(tmp_path / "out").equals(exported(nested))
    orders = {path.parts[-3] for path in files_of(tmp_path / "out")}
    assert len(orders) > 1


def test_light_curves_that_were_built_give_the_same_whether_right_or_stale(nested, tmp_path):
    make(tmp_path / "archive")
    with Archive(tmp_path / "archive") as archive:
        archive.build("lightcurves", workers=1)
        assert archive.snapshot.rows("lightcurves")
        archive.export("nested", tmp_path / "built", workers=1)
        assert exported(tmp_path / "built").equals(exported(nested))
        archive.export("catalogues", tmp_path / "plain", workers=1)
        for table in ("lightcurves", "objects"):
            rows = sum(pq.read_metadata(p).num_rows for p in files_of(tmp_path / "plain" / table))
            assert rows == archive.snapshot.rows(table) > 0
        # One night went, one is another now: neither is right in what was built.
        archive.withdraw(NIGHTS[1])
        layout = Layout(archive.root)
        ra, dec = cluster(45.0, 0.0, n=120, spread_arcsec=5000, seed=3)
        files = night_files(layout, NIGHTS[2], CHANNELS[:1], ra[:10], dec[:10], 5)
        group = night_group(NIGHTS[2])
        publish(archive.root, {group: Manifest.of(group, files)}, "test")
        archive.refresh()
        archive.export("nested", tmp_path / "stale", workers=1)
        assert_same(exported(tmp_path / "stale"), brute_force(archive.root, bad=False))
    found = exported(tmp_path / "stale")
    counts = dict(zip(*(found[n].to_pylist() for n in ("objectid", "nepochs")), strict=True))
    assert set(counts.values()) == {2, 3}


def test_rows_of_a_reference_that_was_replaced_are_left_out_and_told(tmp_path):
    make(tmp_path / "archive")
    with Archive(tmp_path / "archive") as archive:
        layout = Layout(archive.root)
        # The same ids, 3 arcsec to the north: nothing was matched to these.
        ra, dec = cluster(45.0, 0.0, n=120, spread_arcsec=5000, seed=3)
        files = reference_files(layout, CHANNELS[2], ra, dec + 3 / 3600, 5)
        group = references_group(700)
        publish(archive.root, {group: Manifest.of(group, files)}, "test")
        archive.refresh()
        report = archive.export("nested", tmp_path / "out", workers=1)
    assert report.taken.stale == 120 * 5
    assert exported(tmp_path / "out")["fieldid"].unique().to_pylist() == [633]


def test_an_earlier_publication_is_exported_as_it_was(root, nested, tmp_path):
    make(tmp_path / "archive")
    with Archive(tmp_path / "archive") as archive:
        archive.withdraw(NIGHTS[0])
        archive.export("nested", tmp_path / "now", workers=1)
    assert exported(tmp_path / "now")["nepochs"].unique().to_pylist() == [3]
    with Archive(tmp_path / "archive", as_of=1) as archive:
        archive.export("nested", tmp_path / "then", workers=1)
    assert exported(tmp_path / "then").equals(exported(nested))
    assert "nightlake_publication=1\n" in (tmp_path / "then" / "hats.properties").read_text()


@needs_real
def test_the_real_file_of_the_data_release_comes_back_list_by_list(tmp_path):
    path = REAL / "dr_parquet" / "ztf_001518_zr_c01_q2_dr19.parquet"
    with Archive.create(tmp_path / "archive") as archive:
        archive.import_lightcurves(path, collection="dr19", workers=1)
        archive.export("nested", tmp_path / "out", collection="dr19", workers=1)
    given, back = pq.read_table(path), exported(tmp_path / "out")
    for name in COLUMNS[1:-1]:
        assert back[name].combine_chunks().equals(given[name].combine_chunks()), name
    curves = back["lightcurve"].combine_chunks()
    for name in LISTS:
        wanted = given[name].combine_chunks()
        assert curves.field(name).type.value_type == wanted.type.value_type, name
        assert pc.list_flatten(curves.field(name)).equals(pc.list_flatten(wanted)), name
        assert curves.field(name).value_lengths().equals(wanted.value_lengths()), name


def test_an_import_comes_back_as_it_was_and_can_be_imported_again(tmp_path):
    columns = dr_columns(80) | {"hmjd": [h.astype(np.float32) for h in dr_columns(80)["hmjd"]]}
    columns["clrcoeff"][3][:] = np.nan
    write_dr(tmp_path / "a.parquet", columns)
    write_dr(tmp_path / "b.parquet", dr_columns(5, first=10**15, seed=9))
    with Archive.create(tmp_path / "archive") as archive:
        archive.import_lightcurves(tmp_path / "a.parquet", collection="dr5", workers=1)
        archive.import_lightcurves(tmp_path / "b.parquet", collection="others", workers=1)
        archive.export("nested", tmp_path / "one", collection="dr5", workers=1)
        archive.import_lightcurves(tmp_path / "one", collection="again", workers=1)
        archive.export("nested", tmp_path / "two", collection="again", workers=1)
        assert archive.verify() == []
    back = exported(tmp_path / "one")
    assert back.schema.field("objra").type == pa.float32()
    assert back.schema.field("lightcurve").type.field("hmjd").type.value_type == pa.float32()
    assert back.equals(exported(tmp_path / "two"))
    order = np.argsort(columns["objectid"])
    assert back["objra"].to_numpy().tolist() == columns["objra"][order].tolist()
    curves = back["lightcurve"].combine_chunks()
    for name in LISTS:
        wanted = [columns[name][i] for i in order]
        for found, given in zip(curves.field(name).to_pylist(), wanted, strict=True):
            given = [None if np.isnan(value) else value for value in given.tolist()]
            assert found == given, name


def test_answers_of_the_api_are_exported_in_the_same_form(tmp_path):
    write_api(tmp_path / "a.csv")
    with Archive.create(tmp_path / "archive") as archive:
        archive.import_lightcurves(tmp_path / "a.csv", workers=1)
        archive.export("nested", tmp_path / "out", collection="imported", workers=1)
        with pytest.raises(UnknownCollectionError, match=r"no collection 'dr5'.*are: imported"):
            archive.export("nested", tmp_path / "dr5", collection="dr5")
    assert not (tmp_path / "dr5").exists()
    table = exported(tmp_path / "out")
    assert table["nepochs"].to_pylist() == [4]
    mags = table["lightcurve"].combine_chunks().field("mag").to_pylist()[0]
    assert mags == [np.float32(f"{17.1654587 + 0.01 * i:.9g}") for i in range(4)]


def test_a_copy_has_every_row_in_one_file_a_pixel_and_no_link(root, plain):
    links = [path for path in plain.rglob("*") if path.is_symlink()]
    assert links == []
    with Archive(root) as archive:
        snapshot = archive.snapshot
        for name in ("detections", "reference_sources", "detections_margin"):
            paths = files_of(plain / name)
            assert len(paths) == len(snapshot.pixels(name))
            found = pl.concat([pl.read_parquet(path) for path in paths])
            wanted = pl.concat([pl.read_parquet(path) for path in snapshot.files(name)])
            keys = ["_healpix_29", "oid", "rcid", "sourceid"]
            keys += ["expid"] * ("expid" in found.columns)
            assert found.sort(keys).equals(wanted.sort(keys)), name
            for path in paths:
                index = pq.read_table(path)["_healpix_29"].to_numpy()
                assert (np.diff(index) >= 0).all()


def test_files_are_merged_a_few_rows_at_a_time(root, plain, tmp_path, monkeypatch):
    monkeypatch.setattr("products.hats_export.plain._BATCH_ROWS", 5)
    monkeypatch.setattr("products.hats_export.plain.ROW_GROUP_ROWS", 50)
    with Archive(root) as archive:
        archive.export("catalogues", tmp_path / "out", workers=1)
    for path in files_of(plain / "detections"):
        other = tmp_path / "out" / path.relative_to(plain)
        assert pq.read_table(other).equals(pq.read_table(path))
        assert pq.read_metadata(other).row_group(0).num_rows < 200


def test_nothing_that_is_there_is_lost(root, nested, tmp_path):
    with Archive(root) as archive:
        with pytest.raises(UnwritableOutputError, match=r"exists already.*--overwrite"):
            archive.export("nested", nested)
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "thesis.tex").write_text("all of it")
        for out in (mine, mine / "thesis.tex", root):
            with pytest.raises(UnwritableOutputError, match="something else than an export"):
                archive.export("catalogues", out, overwrite=True)
        assert (mine / "thesis.tex").read_text() == "all of it"
        out = tmp_path / "out"
        archive.export("nested", out, workers=1)
        (out / "old").touch()
        archive.export("nested", out, overwrite=True, workers=1)
    assert exported(out).equals(exported(nested))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]
    assert not (out / "old").exists()


@pytest.mark.parametrize("form", ["nested", "catalogues"])
def test_a_full_disk_leaves_nothing_and_keeps_what_was_there(root, tmp_path, monkeypatch, form):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Archive(root) as archive:
        archive.export(form, tmp_path / "out", workers=1)
        before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
        monkeypatch.setattr(job, "finish_catalogue", full)
        with pytest.raises(UnwritableOutputError, match="No space left"):
            archive.export(form, tmp_path / "out", overwrite=True, workers=1)
        with pytest.raises(UnwritableOutputError, match="No space left"):
            archive.export(form, tmp_path / "new", workers=1)
        with pytest.raises(UnwritableOutputError, match="No such file"):
            archive.export(form, tmp_path / "no" / "such" / "folder", workers=1)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_an_empty_archive_has_nothing_to_export(tmp_path):
    with Archive.create(tmp_path / "archive") as archive:
        for form in ("nested", "catalogues"):
            with pytest.raises(NothingToExportError, match="nothing is exported"):
                archive.export(form, tmp_path / "out", workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_workers_and_progress_change_no_byte(root, nested, tmp_path):
    told = []
    with Archive(root) as archive:
        archive.export(
            "nested", tmp_path / "out", workers=2, progress=lambda *step: told.append(step)
        )
    for path in files_of(nested):
        other = tmp_path / "out" / path.relative_to(nested)
        assert other.read_bytes() == path.read_bytes()
    assert [done for done, _, _ in told] == list(range(1, len(told) + 1))


# --- other programs --------------------------------------------------------------------------

judged = pytest.mark.filterwarnings("ignore")  # warnings of the judges' own making


@judged
def test_hats_finds_both_exports_valid(nested, plain):
    validation = pytest.importorskip("hats.io.validation")
    assert validation.is_valid_catalog(nested, strict=True)
    for name in ("detections", "reference_sources"):
        assert validation.is_valid_catalog(plain / name, strict=True), name


@judged
def test_lsdb_opens_nested_columns(root, nested):
    lsdb = pytest.importorskip("lsdb")
    catalogue = lsdb.open_catalog(nested)
    assert catalogue.nested_columns == ["lightcurve"]
    assert len(catalogue) == 180 * 3
    wanted = brute_force(root, bad=False)
    frame = catalogue.compute().sort_values("objectid")
    assert frame["objectid"].tolist() == wanted["oid"].to_list()
    assert frame["lightcurve.mag"].tolist() == wanted["mag"].explode().to_list()
    near = catalogue.cone_search(ra=45.0, dec=0.0, radius_arcsec=3.5).compute()
    assert len(near) >= 60 * 3
    bright = catalogue.query("lightcurve.mag < 16").compute()
    assert 0 < len(bright["lightcurve.mag"]) < len(frame["lightcurve.mag"])


@judged
def test_nested_pandas_opens_a_file(root, nested):
    nested_pandas = pytest.importorskip("nested_pandas")
    parts = [nested_pandas.read_parquet(path) for path in files_of(nested)]
    assert all(part.nested_columns == ["lightcurve"] for part in parts)
    wanted = brute_force(root, bad=False)
    curves = dict(wanted.select("oid", "hmjd").iter_rows())
    for part in parts:
        for _, row in part.iterrows():
            assert row["lightcurve"]["hmjd"].tolist() == curves[row["objectid"]]


class Ranges(SimpleHTTPRequestHandler):
    """A web server as others are: it gives byte ranges, which Python's own does not."""

    def log_message(self, *words):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if wanted is None or not path.is_file():
            return super().do_GET()
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        data = path.read_bytes()
        first, last = int(first), min(int(last or len(data)), len(data) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(data[first : last + 1])
        return None


class Plain(SimpleHTTPRequestHandler):
    """Python's own."""

    def log_message(self, *words):
        pass


class Server(ThreadingHTTPServer):
    """With room for all that LSDB asks at once, by a hundred connections.

    Who finds none believes to be connected, and is reset where the server has no time for long.
    """

    request_queue_size = 1024


@pytest.fixture
def served(root, request):
    handler = functools.partial(request.param, directory=str(root.parent))
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@judged
@pytest.mark.parametrize("served", [Plain], indirect=True)
def test_lsdb_reads_the_copy_from_a_plain_web_server(root, plain, nested, served):
    lsdb = pytest.importorskip("lsdb")
    catalogue = lsdb.open_catalog(f"{served}/plain")
    assert len(catalogue) == 5 * 180 * 3
    found = catalogue.cone_search(ra=45.0, dec=0.0, radius_arcsec=600).compute()
    rows = pl.concat([pl.read_parquet(path) for path in open_snapshot(root).files("detections")])
    ra, dec = (np.radians(rows[name].to_numpy()) for name in ("ra", "dec"))
    near = np.degrees(np.arccos(np.cos(dec) * np.cos(ra - np.radians(45.0)))) * 3600 <= 600
    keys = ["expid", "rcid", "sourceid"]
    assert (
        sorted(found[keys].itertuples(index=False))
        == rows.filter(near).select(keys).sort(keys).rows()
    )
    assert 0 < len(found) < len(catalogue)
    assert len(lsdb.open_catalog(f"{served}/nested").compute()) == 180 * 3


@judged
@pytest.mark.parametrize("served", [Ranges], indirect=True)
def test_lsdb_finds_an_id_in_the_copy_over_http(root, plain, served):
    lsdb = pytest.importorskip("lsdb")
    catalogue = lsdb.open_catalog(f"{served}/plain")
    oid = int(Channel().oids(1)[0])
    found = catalogue.id_search(values={"oid": oid}).compute()
    assert found["oid"].tolist() == [oid] * 5
    margin = sum(pq.read_metadata(path).num_rows for path in files_of(plain / "detections_margin"))
    assert len(catalogue.margin.compute()) == margin > 0
