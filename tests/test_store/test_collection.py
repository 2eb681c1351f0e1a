"""The archive as a HATS collection: judged by hats and LSDB, and held together by verify."""

from datetime import timedelta

import healpy
import numpy as np
import polars as pl
import pytest
from archives import (
    FIRST_NIGHT,
    Channel,
    cluster,
    healpix,
    night_files,
    nightly,
    reference_files,
    table_of,
)

from store.contract import REFERENCE_SOURCES
from store.files import write_table
from store.id_index import index_rows, with_index
from store.layout import INDEX, MARGIN, HealpixPixel, Layout
from store.manifest import Manifest, night_group, references_group
from store.partition import Partition
from store.publication import create_archive, publish, republish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.verify import verify

hats_validation = pytest.importorskip("hats.io.validation")
lsdb = pytest.importorskip("lsdb")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the judges' own making
CHANNELS = (Channel(), Channel(fid=1), Channel(field=634))
# Where four pixels of order 5 meet; rows all about it, and some in the pixels' midst.
CORNER = (33.75, np.degrees(np.arcsin(1 / 3)))


def places():
    near, far = cluster(*CORNER, n=40, spread_arcsec=8), cluster(*CORNER, n=20, spread_arcsec=9000)
    return tuple(np.concatenate(pair) for pair in zip(near, far, strict=True))


@pytest.fixture
def root(tmp_path):
    nightly(tmp_path / "archive", *places(), n_nights=2, channels=CHANNELS)
    return tmp_path / "archive"


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    root = tmp_path_factory.mktemp("standing") / "archive"
    nightly(root, *places(), n_nights=2, channels=CHANNELS)
    return root


def rows_of(root):
    return pl.read_parquet(open_snapshot(root).files("detections"))


def test_hats_and_lsdb_open_the_archive_with_its_margin(standing):
    assert verify(standing) == []
    assert hats_validation.is_valid_collection(standing, strict=True)
    opened = lsdb.open_catalog(standing)
    assert len(opened) == len(rows_of(standing)) == 2 * 3 * 60
    assert opened.margin.hc_structure.catalog_info.margin_threshold == 5.0
    assert len(opened.margin.compute()) == open_snapshot(standing).rows(MARGIN) > 100
    assert len(lsdb.open_catalog(standing / "detections")) == len(opened)
    assert len(lsdb.open_catalog(standing / "reference_sources")) == 3 * 60


def test_crossmatch_finds_across_borders_what_it_misses_without_margin(standing):
    rows = rows_of(standing).filter(pl.col("night") == FIRST_NIGHT, pl.col("field") == 633)
    rows = rows.filter(pl.col("fid") == 2)
    # What is looked for lies 3 arcsec off, so that many a pair has a border between it.
    ra, dec = rows["ra"].to_numpy(), rows["dec"].to_numpy() + 3 / 3600
    asked = lsdb.from_dataframe(
        pl.DataFrame({"number": np.arange(len(ra)), "ra": ra, "dec": dec}).to_pandas(),
        ra_column="ra", dec_column="dec", margin_threshold=None,
    )  # fmt: skip

    def found(catalogue):
        pairs = asked.crossmatch(catalogue, radius_arcsec=4.5, n_neighbors=1000).compute()
        return len(pairs)

    everything = rows_of(standing)
    a, b = (
        healpy.ang2vec(np.asarray(x), np.asarray(y), lonlat=True)
        for x, y in ((ra, dec), (everything["ra"], everything["dec"]))
    )
    chord = np.linalg.norm(a[:, None] - b[None], axis=2)
    expected = np.count_nonzero(2 * np.arcsin(chord / 2) <= np.radians(4.5 / 3600))
    with_margin = found(lsdb.open_catalog(standing))
    without = found(lsdb.open_catalog(standing / "detections"))
    assert with_margin == expected > without > 0


def test_every_id_is_found_with_all_its_rows(standing, capsys):
    rows = rows_of(standing)
    opened = lsdb.open_catalog(standing)
    for oid, n in rows.group_by("oid").len().sort("oid").rows()[::15]:
        found = opened.id_search(values={"oid": oid}).compute()
        assert len(found) == n == 2
        assert set(found["oid"]) == {oid}
    some = rows["oid"].unique().sort().to_list()[::7]
    found = opened.id_search(values={"oid": some}).compute()
    assert len(found) == rows.filter(pl.col("oid").is_in(some)).height


def test_who_has_opened_the_archive_reads_that_state_whatever_is_published(root):
    before = lsdb.open_catalog(root)
    layout = Layout(root)
    night = FIRST_NIGHT + timedelta(days=5)
    files = night_files(layout, night, CHANNELS[:1], *cluster(200.0, -40.0, n=10), 5)
    gone = night_group(FIRST_NIGHT)
    publish(root, {night_group(night): Manifest.of(night_group(night), files)}, "test")
    publish(root, {gone: Manifest.of(gone, ())}, "withdrawal")
    assert verify(root) == []
    after = lsdb.open_catalog(root)
    assert len(before.compute()) == len(before) == 360
    assert len(after.compute()) == len(after) == 180 + 10
    assert hats_validation.is_valid_collection(root, strict=True)
    # Each publication is a collection by itself, until it is vacuumed.
    earlier = lsdb.open_catalog(root / "publications" / "000001")
    assert len(earlier.compute()) == 360
    assert earlier.margin is not None


def test_an_archive_without_margin_or_references_is_a_collection_still(tmp_path):
    root = tmp_path / "archive"
    layout = create_archive(root, ArchiveSettings(name="test", margin_arcsec=0)).layout
    files = night_files(layout, FIRST_NIGHT, CHANNELS[:1], *places(), 5)
    group = night_group(FIRST_NIGHT)
    publish(root, {group: Manifest.of(group, files)}, "test")
    assert verify(root) == []
    assert hats_validation.is_valid_collection(root, strict=True)
    opened = lsdb.open_catalog(root)
    assert len(opened) == 60
    assert opened.margin is None
    assert opened.hc_collection.all_indexes is None


def test_an_empty_archive_is_a_collection(tmp_path):
    create_archive(tmp_path / "archive", ArchiveSettings(name="test"))
    assert verify(tmp_path / "archive") == []
    assert hats_validation.is_valid_collection(tmp_path / "archive", strict=True)


# --- the index of ids -----------------------------------------------------------------------
SPLIT = Partition(5, 1, frozenset({HealpixPixel(5, int(healpix(*CORNER)) >> 48)}))


@pytest.mark.parametrize("partition", [Partition(5), SPLIT], ids=["plain", "split"])
def test_an_id_has_each_pixel_that_its_detections_may_lie_in(tmp_path, partition):
    root = tmp_path / "archive"
    layout = create_archive(root, ArchiveSettings(name="test")).layout
    radius = 1.5
    ra, dec = cluster(*CORNER, n=300, spread_arcsec=6)
    channel = Channel()
    manifest = Manifest.of(
        references_group(633), reference_files(layout, channel, ra, dec, 5)
    )  # fmt: skip
    found = pl.from_arrow(index_rows(layout, manifest, partition, radius).__next__())
    assert found.equals(found.sort("oid"))
    assert not found.is_duplicated().any()
    # Detections all about each source, as far as they may be.
    theta = np.linspace(0, 2 * np.pi, 500)
    dec1 = dec[:, None] + radius / 3600 * np.sin(theta)
    ra1 = ra[:, None] + radius / 3600 * np.cos(theta) / np.cos(np.radians(dec1))
    order, npix = partition.locate(healpix(ra1.ravel(), dec1.ravel()))
    oids = np.repeat(channel.oids(len(ra)), len(theta))
    needed = set(zip(oids.tolist(), order.tolist(), npix.tolist(), strict=True))
    assert needed <= set(found.rows())
    assert found["oid"].n_unique() == len(ra)
    assert len(ra) + 50 < len(found) < 2.5 * len(ra)


def test_the_index_is_sorted_by_id_over_channels_and_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("store.id_index.GROUP_ROWS", 50)
    root = tmp_path / "archive"
    layout = create_archive(root, ArchiveSettings(name="test")).layout
    channels = [Channel(fid=fid, ccdid=ccdid) for ccdid in (12, 3) for fid in (3, 1, 2)]
    files = [
        entry for channel in channels for entry in reference_files(layout, channel, *places(), 5)
    ]
    manifest = with_index(layout, Manifest.of(references_group(633), files), Partition(5), 1.5)
    again = with_index(layout, manifest, Partition(5), 1.5)
    assert again == manifest
    (entry,) = [entry for entry in manifest.files if entry.table == INDEX]
    rows = pl.read_parquet(root / entry.path)
    assert rows["oid"].is_sorted()
    assert len(rows) == entry.rows >= 6 * 60
    assert set(rows["oid"]) == {oid for channel in channels for oid in channel.oids(60).tolist()}


def test_references_that_change_and_pixels_that_split_change_the_index(root):
    def index():
        snapshot = open_snapshot(root)
        entries = [e for g in snapshot.groups for e in snapshot.manifest(g).files]
        return {e.part: e for e in entries if e.table == INDEX}

    before = index()
    assert set(before) == {"000633", "000634"}
    night = FIRST_NIGHT + timedelta(days=9)
    files = night_files(Layout(root), night, CHANNELS[:1], *places(), 5)
    publish(root, {night_group(night): Manifest.of(night_group(night), files)}, "night")
    assert index() == before
    files = reference_files(Layout(root), CHANNELS[2], *cluster(*CORNER, n=9), 5)
    group = references_group(634)
    publish(root, {group: Manifest.of(group, files)}, "references")
    assert index()["000633"] == before["000633"]
    rows = pl.read_parquet(root / index()["000634"].path)
    assert rows["oid"].unique().sort().to_list() == CHANNELS[2].oids(9).tolist()
    assert verify(root) == []
    # Detections would be cut anew with it; here there are none left in the way.
    gone = {g: Manifest.of(g, ()) for g in open_snapshot(root).groups if g.startswith("nights/")}
    publish(root, gone, "withdrawal")
    publish(root, {}, "split", partition=SPLIT)
    rows = pl.read_parquet(root / index()["000633"].path)
    assert set(rows["Norder"]) == {5, 6}
    assert verify(root) == []


def test_references_without_an_index_keep_the_index_out_of_the_collection(root):
    # As it would be if one had been lost: an index that lacks ids would lose rows.
    snapshot = open_snapshot(root)
    link = snapshot.folder / INDEX / "dataset" / "000634.parquet"
    link.unlink()
    assert codes(root) == {"unlinked", "collection"}
    republish(root)
    assert verify(root) == []


# --- what hats' own validation passes, and verify catches -----------------------------------


def codes(root):
    return {finding.code for finding in verify(root)}


def pixel_folder(root):
    dataset = open_snapshot(root).catalogue("detections") / "dataset"
    return next(dataset.glob("Norder=5/Dir=*/Npix=*"))


def junk(root):
    (pixel_folder(root) / "junk.parquet").write_bytes(b"no Parquet")


def hidden_junk(root):
    (pixel_folder(root) / ".left.partial").write_bytes(b"half a file")


def empty_pixel(root):
    catalogue = open_snapshot(root).catalogue("detections")
    (catalogue / "dataset" / "Norder=5" / "Dir=0" / "Npix=7").mkdir(parents=True)
    with (catalogue / "partition_info.csv").open("a") as listing:
        listing.write("5,7\n")


def emptied_pixel(root):
    for link in pixel_folder(root).iterdir():
        link.unlink()


def file_under_two_names(root):
    folder = pixel_folder(root)
    link = next(folder.iterdir())
    (folder / "again.parquet").symlink_to(link.readlink())


def stray_folder(root):
    folder = pixel_folder(root)
    link = next(folder.iterdir())
    (folder / "more").mkdir()
    (folder / "more" / link.name).symlink_to(link.resolve())


def pixel_in_another(root):
    folder = pixel_folder(root)
    (folder / "Npix=9").symlink_to(folder.resolve())


def counts_double(root):
    path = open_snapshot(root).catalogue("detections") / "hats.properties"
    path.write_text(path.read_text().replace("hats_nrows=360", "hats_nrows=720"))


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (junk, {"stray"}),
        (hidden_junk, {"stray"}),
        (empty_pixel, {"stray", "partition_info"}),
        (emptied_pixel, {"unlinked"}),
        (file_under_two_names, {"stray"}),
        (stray_folder, {"stray"}),
        (counts_double, {"hats_nrows"}),
    ],
)
def test_what_hats_strict_validation_passes_is_found_and_mended(root, damage, found):
    damage(root)
    assert hats_validation.is_valid_catalog(root / "detections", strict=True)
    assert codes(root) == found
    republish(root)
    assert verify(root) == []


def test_a_link_that_leads_back_to_its_pixel_is_found(root):
    pixel_in_another(root)
    assert codes(root) == {"stray"}
    republish(root)
    assert verify(root) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("collection.properties", {"collection"}),
        ("archive.properties", {"collection"}),
        (f"{INDEX}/hats.properties", {"hats"}),
        (f"{INDEX}/dataset/_metadata", {"hats"}),
        (f"{MARGIN}/hats.properties", {"hats"}),
    ],
)
def test_lost_parts_of_the_collection_are_found_and_mended(root, name, found):
    (open_snapshot(root).folder / name).unlink()
    assert codes(root) == found
    republish(root)
    assert verify(root) == []


def test_an_index_of_other_references_is_found_and_mended(root):
    group = references_group(634)
    snapshot = open_snapshot(root)
    own = [entry for entry in snapshot.manifest(group).files if entry.table == INDEX]
    path = root / own[0].path
    other = table_of(
        REFERENCE_SOURCES, 1, _healpix_29=[5 << 48], oid=634 * 10**12, ra=[1.0], dec=[2.0]
    )  # fmt: skip
    source = write_table(
        Layout(root), REFERENCE_SOURCES, other, "000634_zr_c07_q4", HealpixPixel(5, 5)
    )  # fmt: skip
    wrong = with_index(Layout(root), Manifest.of(group, [source]), Partition(5), 1.5)
    written = root / next(entry.path for entry in wrong.files if entry.table == INDEX)
    path.write_bytes(written.read_bytes())
    assert "checksum" in codes(root)
    republish(root)
    assert verify(root) == []
