"""What verify finds of light curves that are not what was built."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from archives import FIRST_NIGHT
from corners import add_night, corner_archive, stars

from products.lightcurves.job import build
from store.contract import LIGHTCURVES, STORED_TABLES
from store.files import TableWriter
from store.hold import hold_catalogue
from store.layout import LIGHTCURVE_TABLES, Layout
from store.manifest import Manifest
from store.publication import publish, republish
from store.snapshot import open_snapshot
from store.vacuum import vacuum
from store.verify import verify
from store.verify_lightcurves import check_lightcurves


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("verified") / "archive"
    corner_archive(root)
    build(root, workers=1)
    return root


@pytest.fixture
def root(archive):
    """The archive, as it is again afterwards."""
    standing = open_snapshot(archive)
    yield archive
    changed = {group: standing.manifest(group) for group in standing.groups}
    publish(archive, changed, "as it was")


def codes(root, deep=False):
    snapshot = open_snapshot(root)
    entries = [entry for group in snapshot.groups for entry in snapshot.manifest(group).files]
    found = check_lightcurves(snapshot, entries, entries, deep=True) if deep else verify(root)
    return {finding.code for finding in found}


def replace(root, table, change):
    """Publish one pixel's file of a table with other rows, all else of it as it was."""
    snapshot = open_snapshot(root)
    group = next(group for group in snapshot.groups if group.startswith("lightcurves/"))
    manifest = snapshot.manifest(group)
    entry = max((e for e in manifest.files if e.table == table), key=lambda entry: entry.rows)
    rows = pq.ParquetFile(root / entry.path).read()
    said = {key: value for key, value in rows.schema.metadata.items() if b"nightlake" in key}
    with TableWriter(
        Layout(root), STORED_TABLES[table], entry.part, entry.pixel, metadata=said
    ) as writer:
        writer.write(change(rows).cast(STORED_TABLES[table].schema()))
        made = writer.finish()()
    files = [made if one == entry else one for one in manifest.files]
    publish(root, {group: Manifest.of(group, files)}, "changed")


def set_column(rows, name, values):
    return rows.set_column(rows.schema.names.index(name), name, values)


def test_light_curves_that_were_built_are_sound(root):
    assert verify(root) == []
    assert codes(root, deep=True) == set()


@pytest.mark.parametrize("table", LIGHTCURVE_TABLES)
def test_a_damaged_file_is_found_and_built_again(root, table):
    path = open_snapshot(root).files(table)[0].resolve()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"?")
    (finding,) = verify(root)
    assert finding.code == "checksum"
    assert "nightlake build ARCHIVE lightcurves --rebuild" in finding.remedy
    build(root, workers=1, rebuild=True)
    assert path.read_bytes() == content
    assert verify(root) == []


def test_a_lost_row_is_found(root):
    replace(root, "lightcurves", lambda rows: rows.slice(1))
    assert {"index"} <= codes(root)


def test_rows_in_another_order_are_found(root):
    replace(root, "lightcurves", lambda rows: rows.take(list(range(rows.num_rows))[::-1]))
    assert {"order", "index"} <= codes(root)


def test_an_index_that_leads_elsewhere_is_found(root):
    def moved(rows):
        return set_column(rows, "first_row", pc.add(rows["first_row"], 1))

    replace(root, "lightcurve_index", moved)
    assert codes(root) == {"index"}


def test_an_image_that_is_missing_is_found(root):
    replace(root, "lightcurve_images", lambda rows: rows.slice(1))
    assert codes(root) == {"lightcurve_images"}


def test_a_changed_value_is_found_by_who_looks_deep(root):
    def brighter(rows):
        return set_column(rows, "mag", pc.subtract(rows["mag"], pa.scalar(0.5, pa.float32())))

    replace(root, "lightcurves", brighter)
    assert codes(root) == set()
    assert codes(root, deep=True) == {"lightcurve_rows"}


def test_files_that_were_not_made_of_the_same_are_found(root):
    snapshot = open_snapshot(root)
    group = next(group for group in snapshot.groups if group.startswith("lightcurves/"))
    manifest = snapshot.manifest(group)
    entry = next(e for e in manifest.files if e.table == "lightcurves")
    rows = pq.ParquetFile(root / entry.path).read().cast(LIGHTCURVES.schema())
    with TableWriter(Layout(root), LIGHTCURVES, entry.part, entry.pixel) as writer:
        writer.write(rows)
        made = writer.finish()()
    files = [made if one == entry else one for one in manifest.files]
    publish(root, {group: Manifest.of(group, files)}, "changed")
    assert codes(root) == {"made_of"}


def test_repair_makes_their_links_anew(root):
    folder = open_snapshot(root).folder / "lightcurves"
    (folder / "partition_info.csv").unlink()
    # Of those that are published: others stay behind from publications of before.
    links = (folder.parent / "lightcurve_index" / "dataset").glob("*/*/*")
    next(links).resolve(strict=True).rename(root / "elsewhere")
    assert "unlinked" in codes(root)
    republish(root)
    assert verify(root) == []


def test_before_a_build_there_is_no_trace_and_vacuum_leaves_what_was_built(tmp_path):
    root = tmp_path / "archive"
    corner_archive(root, n_nights=1)
    snapshot = open_snapshot(root)
    assert not any((snapshot.folder / table).exists() for table in LIGHTCURVE_TABLES)
    assert not (root / "lightcurves").is_symlink()
    assert snapshot.pixels("lightcurves") == []
    build(root, workers=1)
    assert (root / "lightcurves" / "hats.properties").is_file()
    replace(root, "lightcurve_images", lambda rows: rows.slice(1))
    build(root, workers=1, rebuild=True)
    report = vacuum(root, older_than_days=0)
    assert report.data_files == 1
    assert verify(root) == []


def test_a_night_that_is_published_has_one_link_for_each_of_their_tables(root):
    before = open_snapshot(root)
    after = add_night(root, FIRST_NIGHT + timedelta(days=5), *stars())
    for table in LIGHTCURVE_TABLES:
        catalogue = after.catalogue(table)
        assert catalogue.is_symlink()
        assert catalogue.resolve() == before.catalogue(table).resolve()
    assert verify(root) == []


def test_a_reader_of_their_catalogue_holds_the_publication(root):
    number = open_snapshot(root).number
    for name in ("lightcurves", "current/objects"):
        folder, hold = hold_catalogue(root / name)
        assert folder.parent.name == f"{number:06d}"
        assert hold is not None
        assert hold.snapshot.number == number
        hold.release()
