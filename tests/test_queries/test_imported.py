"""Light curves of an imported collection: what is asked for, against all rows."""

import numpy as np
import polars as pl
import pytest
from lightcurvefiles import api_rows, dr_columns, write_api, write_dr

from nightlake import Archive
from queries.curves.imported import DERIVED, SHOWN, collections, imported_lightcurves
from queries.errors import BadSelectionError, UnknownCollectionError, UnknownImportedError
from queries.selection import Selection


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported")
    columns = dr_columns(400)
    columns["filterid"] = np.where(np.arange(400) % 2, 2, 1).astype(np.int8)
    write_dr(folder / "a.parquet", columns)
    write_dr(folder / "b.parquet", dr_columns(50, first=10**15, seed=4))
    write_api(folder / "c.csv", api_rows(5))
    with Archive.create(folder / "archive") as archive:
        archive.import_lightcurves(folder / "a.parquet", collection="dr", workers=1)
        archive.import_lightcurves(folder / "b.parquet", collection="dr", workers=1)
        archive.import_lightcurves(folder / "b.parquet", collection="dr_2", workers=1)
        archive.import_lightcurves(folder / "c.csv", collection="api", workers=1)
        yield archive


def ask(archive, collection, selection):
    return imported_lightcurves(archive.snapshot, collection, selection)


def everything(archive, collection="dr"):
    return archive.sql(
        "select * from imported_lightcurves where collection = $c", c=collection
    ).sort("fid", "oid", "hmjd", "epoch")


def separation_arcsec(frame, ra, dec):
    """By the cosine rule: no better than a tenth of an arcsec, and independent."""
    lon, lat = (np.radians(frame[name].to_numpy()) for name in ("objra", "objdec"))
    cosine = np.sin(lat) * np.sin(np.radians(dec))
    cosine += np.cos(lat) * np.cos(np.radians(dec)) * np.cos(lon - np.radians(ra))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1))) * 3600


def same(found, wanted):
    names = [name for name in SHOWN if name not in DERIVED]
    assert found.select(names).equals(wanted.select(names))


def test_an_object_comes_with_all_its_epochs_in_order(archive):
    rows = everything(archive)
    oids = [int(oid) for oid in rows["oid"].unique().sort()[[3, 77, 420]]]
    found = ask(archive, "dr", Selection.of_objects(oids).narrowed(all_images=True))
    same(found, rows.filter(pl.col("oid").is_in(oids)))
    assert found.columns == list(SHOWN)
    assert found["is_bad"].to_list() == [flags == 32768 for flags in found["catflags"]]
    assert (found["hjd"] - found["hmjd"] == 2400000.5).all()
    assert found["filtercode"].to_list() == [{1: "zg", 2: "zr"}[fid] for fid in found["fid"]]


def test_a_cone_holds_the_curves_whose_object_lies_in_it(archive):
    rows = everything(archive)
    near = rows.filter(pl.Series(separation_arcsec(rows, 151.5, 21.5) <= 1800))
    found = ask(archive, "dr", Selection.of_cone(151.5, 21.5, 1800).narrowed(all_images=True))
    assert 20 < len(found) < len(rows)
    same(found, near)


def test_places_are_told_apart_by_their_position(archive):
    rows = everything(archive)
    places = [(151.0, 21.0), (152.0, 22.0), (10.0, 10.0)]
    selection = Selection.of_positions(*np.transpose(places), 3600).narrowed(all_images=True)
    found = ask(archive, "dr", selection)
    for i, place in enumerate(places):
        wanted = rows.filter(pl.Series(separation_arcsec(rows, *place) <= 3600))
        same(found.filter(pl.col("position") == i), wanted)
    assert found["position"].is_sorted()


def test_rows_are_narrowed_as_asked(archive):
    rows = everything(archive)
    sky = Selection.of_cone(151.5, 21.5, 20_000)
    flags = rows["catflags"].cast(pl.Int32)
    bad = (flags == 32768) & (flags != 65535)
    same(ask(archive, "dr", sky), rows.filter(~bad))
    assert bad.sum() > 0
    assert (flags == 65535).any()
    clean = sky.narrowed(flags_mask=1, all_images=True)
    same(ask(archive, "dr", clean), rows.filter(flags & 1 == 0))
    some = sky.narrowed(filters=["zg"], fields=[633], hmjd=(58_500, 59_500), all_images=True)
    wanted = rows.filter(
        (pl.col("fid") == 1) & (pl.col("field") == 633) & pl.col("hmjd").is_between(58_500, 59_500)
    )
    same(ask(archive, "dr", some), wanted)
    many = ask(archive, "dr", sky.narrowed(min_epochs=7, all_images=True))
    same(many, rows.filter(pl.len().over("oid") >= 7))
    assert 0 < len(many) < len(rows)
    assert ask(archive, "dr", sky.narrowed(fields=[1])).is_empty()


def test_collections_are_kept_apart(archive):
    assert collections(archive.snapshot) == ["api", "dr", "dr_2"]
    oid = int(everything(archive, "dr_2")["oid"][0])
    for name in ("dr", "dr_2"):
        found = ask(archive, name, Selection.of_objects(oid))
        assert set(found["collection"]) == {name}
    with pytest.raises(UnknownImportedError, match=rf"{oid} is not in collection api"):
        ask(archive, "api", Selection.of_objects(oid))
    with pytest.raises(UnknownCollectionError, match=r"'dr5'.*There are: api, dr, dr_2"):
        ask(archive, "dr5", Selection.of_objects(oid))


def test_a_measurement_keeps_its_own_place(archive):
    found = ask(archive, "api", Selection.of_cone(42.20644, 26.72561, 2))
    assert found["ra"].to_list() == [float(row["ra"]) for row in api_rows(5)]
    assert found["objra"].n_unique() == 1


def test_what_an_import_does_not_have_is_told(archive):
    with pytest.raises(BadSelectionError, match="no groups and no upper limits"):
        ask(archive, "dr", Selection.of_objects(1).narrowed(upper_limits=True))
