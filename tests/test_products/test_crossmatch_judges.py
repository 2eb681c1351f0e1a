"""Crossmatch beside LSDB: the same pairs, and associations that it opens and joins through."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from starfields import field

from products.crossmatch import crossmatch
from products.errors import MissingColumnError

hats_validation = pytest.importorskip("hats.io.validation")
lsdb = pytest.importorskip("lsdb")

pytestmark = pytest.mark.filterwarnings("ignore")  # of the judges' own making
MARGIN_ARCSEC = 10.0


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory):
    """Two collections with margins, written by LSDB; without doubles, which it may exchange."""
    folder = tmp_path_factory.mktemp("lsdb")
    for side, (ra, dec), first in zip(("left", "right"), field(5), (1000, 500_000), strict=True):
        frame = pd.DataFrame({"ra": ra, "dec": dec}).drop_duplicates()
        frame["objid"] = first + np.arange(len(frame))
        catalogue = lsdb.from_dataframe(
            frame, partition_rows=400, highest_order=7, margin_threshold=MARGIN_ARCSEC
        )
        catalogue.write_catalog(folder / side, catalog_name=side, progress_bar=False)
    return folder


def opened(folder):
    return lsdb.open_catalog(folder)


def test_lsdb_finds_the_same_pairs(catalogues, tmp_path):
    out = tmp_path / "out.parquet"
    crossmatch(catalogues / "left", catalogues / "right", out, workers=2)
    ours = pl.read_parquet(out).sort("left_id")
    left, right = opened(catalogues / "left"), opened(catalogues / "right")
    theirs = left.crossmatch(right, radius_arcsec=1.5, suffixes=("_l", "_r")).compute()
    theirs = pl.DataFrame(
        {
            "left_id": theirs["objid_l"].to_numpy(),
            "right_id": theirs["objid_r"].to_numpy(),
            "separation_arcsec": theirs["_dist_arcsec"].to_numpy(),
        }
    ).sort("left_id")
    assert len(ours) > 500
    assert ours["left_id"].equals(theirs["left_id"])
    assert ours["right_id"].equals(theirs["right_id"])
    difference = ours["separation_arcsec"] - theirs["separation_arcsec"]
    assert difference.abs().max() < 1e-6


@pytest.mark.parametrize("want", ["nearest", "all"])
def test_lsdb_joins_through_our_association(catalogues, tmp_path, want):
    folder, out = tmp_path / "assoc", tmp_path / "out.parquet"
    report = crossmatch(catalogues / "left", catalogues / "right", out, hats=folder, want=want)
    assert hats_validation.is_valid_catalog(folder, strict=True)
    association = lsdb.read_hats(folder)
    assert association.max_separation == 1.5
    ours = pl.read_parquet(out)
    rows = association.compute()
    assert len(rows) == len(association) == report.rows == len(ours)
    # Sorted by index in every pixel, and filed under the pixels of the left catalogue.
    left, right = opened(catalogues / "left"), opened(catalogues / "right")
    assert set(association.get_healpix_pixels()) <= set(left.get_healpix_pixels())

    joined = left.join(right, through=association, suffixes=("_l", "_r")).compute()
    found = set(zip(joined["objid_l"], joined["objid_r"], strict=True))
    assert found == set(ours.select("left_id", "right_id").iter_rows())
    assert len(joined) == len(ours) > 500


def test_an_association_of_tables_opens_too(catalogues, tmp_path):
    path = tmp_path / "left.csv"
    opened(catalogues / "left").compute()[["objid", "ra", "dec"]].to_csv(path, index=False)
    report = crossmatch(path, catalogues / "right", hats=tmp_path / "assoc")
    assert hats_validation.is_valid_catalog(tmp_path / "assoc", strict=True)
    assert len(lsdb.read_hats(tmp_path / "assoc").compute()) == report.rows > 500


def test_an_association_needs_ids_to_join_by(catalogues, tmp_path):
    path = tmp_path / "left.csv"
    path.write_text("ra,dec\n1,2\n")
    with pytest.raises(MissingColumnError, match="--left-id"):
        crossmatch(path, catalogues / "right", hats=tmp_path / "assoc")
    assert [entry.name for entry in tmp_path.iterdir()] == ["left.csv"]
