"""The store is a HATS catalogue: judged by the hats package and by LSDB."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from skies import night_manifest

from store.layout import HealpixPixel
from store.publication import create_archive, publish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot

hats_validation = pytest.importorskip("hats.io.validation")
lsdb = pytest.importorskip("lsdb")

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
