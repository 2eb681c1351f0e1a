"""The store is a HATS catalogue: judged by the hats package and by LSDB."""

from datetime import date

import astropy.units as u
import numpy as np
import polars as pl
import pytest
from skies import night_manifest

from store.layout import HealpixPixel
from store.manifest import Manifest
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot

hats_validation = pytest.importorskip("hats.io.validation")
lsdb = pytest.importorskip("lsdb")
read_skymap = pytest.importorskip("hats.io.skymap").read_skymap

pytestmark = pytest.mark.filterwarnings("ignore")  # of the judges' own making
NEIGHBOURS = [HealpixPixel(5, npix) for npix in (4352, 4353, 4354, 4355)]


@pytest.mark.parametrize("n_nights", [1, 3])
def test_hats_and_lsdb_see_the_rows_that_were_published(tmp_path, n_nights):
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings(name="test"))
    for day in range(n_nights):
        manifest = night_manifest(
            open_snapshot(root).layout, date(2024, 1, 10 + day), NEIGHBOURS, n=500, seed=day
        )
        publish(root, {manifest.group: manifest}, "test")
    catalogue = root / "detections"
    assert hats_validation.is_valid_catalog(catalogue, strict=True)

    files = open_snapshot(root).files("detections")
    rows = pl.read_parquet(files).select("ra", "dec", "night").to_numpy()
    opened = lsdb.open_catalog(catalogue)
    assert len(opened) == len(rows) == n_nights * 2000

    ra, dec = rows[0][0], rows[0][1]
    found = opened.cone_search(ra=ra, dec=dec, radius_arcsec=3600.0).compute()
    separation = _separation_deg(rows[:, 0].astype(float), rows[:, 1].astype(float), ra, dec)
    assert 0 < len(found) == np.count_nonzero(separation <= 1.0) < len(rows)


def _separation_deg(ra, dec, ra0, dec0):
    def xyz(lon, lat):
        lon, lat = np.radians(lon), np.radians(lat)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])

    chord = np.linalg.norm(xyz(ra, dec).T - xyz(ra0, dec0), axis=1)
    return np.degrees(2 * np.arcsin(chord / 2))


def test_lsdb_loses_nothing_after_nights_replacements_and_a_withdrawal(tmp_path):
    root = tmp_path / "archive"
    layout = create_archive(root, ArchiveSettings(name="test")).layout
    nights = [date(2024, 1, 10 + day) for day in range(4)]
    for day, night in enumerate(nights):
        # Every night brings pixels that no night before it had.
        manifest = night_manifest(layout, night, NEIGHBOURS[day:], n=300, seed=day)
        publish(root, {manifest.group: manifest}, "ingest")
    replaced = night_manifest(layout, nights[1], NEIGHBOURS[:2], n=150, seed=9)
    publish(root, {replaced.group: replaced}, "replacement")
    gone = night_manifest(layout, nights[0], []).group
    publish(root, {gone: Manifest.of(gone, ())}, "withdrawal")

    catalogue = root / "detections"
    assert hats_validation.is_valid_catalog(catalogue, strict=True)
    rows = pl.read_parquet(open_snapshot(root).files("detections"))
    opened = lsdb.open_catalog(catalogue)
    assert len(opened) == len(rows) == 150 * 2 + 300 * 2 + 300
    skymap = opened.hc_structure.moc
    inside = skymap.contains_lonlat(rows["ra"].to_numpy() * u.deg, rows["dec"].to_numpy() * u.deg)
    assert inside.all()
    assert read_skymap(opened.hc_structure, None).sum() == len(rows)

    # Each row finds itself: a map that lags behind would lose the later ones.
    others = rows.select("ra", "dec").with_row_index("number").to_pandas()
    asked = lsdb.from_dataframe(
        others, ra_column="ra", dec_column="dec", margin_threshold=None
    )  # fmt: skip
    found = asked.crossmatch(opened, radius_arcsec=0.1, n_neighbors=1).compute()
    assert sorted(found.filter(like="number").iloc[:, 0]) == list(range(len(rows)))
