"""Light curves and objects as HATS catalogues, judged by hats and LSDB; and as tables of SQL."""

import numpy as np
import polars as pl
import pytest
from corners import CORNER, corner_archive

from nightlake.archive import Archive
from products.lightcurves.job import build
from store.contract import LIGHTCURVES, OBJECTS
from store.snapshot import open_snapshot

hats_validation = pytest.importorskip("hats.io.validation")
lsdb = pytest.importorskip("lsdb")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the judges' own making


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("judged") / "archive"
    corner_archive(root)
    build(root, workers=1)
    return root


def rows_of(root, table):
    files = open_snapshot(root).files(table)
    return pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in files])


@pytest.mark.parametrize("table", [LIGHTCURVES, OBJECTS], ids=lambda table: table.name)
def test_hats_and_lsdb_open_them_with_every_row(root, table):
    wanted = rows_of(root, table.name)
    for place in (root / "current" / table.name, root / table.name):
        assert hats_validation.is_valid_catalog(place, strict=True)
        opened = lsdb.open_catalog(place)
        assert len(opened) == wanted.height
    found = opened.compute()
    assert list(found.columns) == [name for name in table.names if name != "_healpix_29"]
    assert sorted(found["oid"].dropna()) == sorted(wanted["oid"].drop_nulls())


@pytest.mark.parametrize("name", ["lightcurves", "objects"])
def test_lsdb_finds_in_a_cone_what_lies_in_it(root, name):
    wanted = rows_of(root, name)
    ra, dec = CORNER
    chord = [
        np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
        for a, d in (
            np.radians([wanted["ra"].to_numpy(), wanted["dec"].to_numpy()]),
            np.radians([ra, dec]),
        )
    ]
    inside = 2 * np.arcsin(np.linalg.norm(chord[0] - chord[1], axis=-1) / 2) <= np.radians(5 / 3600)
    found = lsdb.open_catalog(root / name).cone_search(ra, dec, radius_arcsec=5).compute()
    assert 0 < inside.sum() < wanted.height
    assert len(found) == inside.sum()


def test_sql_knows_them(root):
    with Archive(root) as archive:
        found = archive.sql(
            "SELECT o.oid, any_value(nobs) AS nobs, count(*) AS n FROM objects o "
            "JOIN lightcurves c ON c.oid = o.oid GROUP BY o.oid"
        )
        assert found.height == rows_of(root, "objects").height
        assert (found["n"] == found["nobs"]).all()


def test_sql_has_no_rows_of_them_before_they_are_built(tmp_path):
    corner_archive(tmp_path / "archive", n_nights=1)
    with Archive(tmp_path / "archive") as archive:
        assert archive.sql("SELECT count(*) AS n FROM lightcurves")["n"].item() == 0
        assert archive.sql("SELECT * FROM objects").columns == OBJECTS.names
        report = archive.build("lightcurves", workers=1)
        assert archive.sql("SELECT count(*) AS n FROM objects")["n"].item() == report.objects
        with pytest.raises(ValueError, match="no product 'matchfiles'"):
            archive.build("matchfiles")
