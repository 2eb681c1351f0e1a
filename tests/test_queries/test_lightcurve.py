from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import Channel, cluster, night_files, nightly
from archives import reference_files as write_reference
from astropy import units as u
from astropy.coordinates import SkyCoord
from bruteforce import all_rows, curve_in_cone, curve_of

from queries.connection import connect
from queries.curves import files
from queries.curves.cache import ByteCache
from queries.curves.reader import CurveReader
from queries.errors import (
    BadConeError,
    BadRegionError,
    BadSelectionError,
    UnknownFilterError,
    UnknownObjectError,
)
from queries.selection import Selection
from store.contract import IMAGES
from store.errors import DamagedArchiveError
from store.files import write_table
from store.layout import Layout
from store.manifest import Manifest, night_group, references_group
from store.publication import publish
from store.snapshot import Snapshot

RED, GREEN, OTHER = Channel(), Channel(fid=1), Channel(field=634, ccdid=12, qid=1)
AWKWARD = [(0.0, 0.0), (0.0, 62.5), (77.0, 90.0), (77.0, -90.0), (359.9999, -89.9999), (45.0, 0.0)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    root = tmp_path_factory.mktemp("a") / "A"
    return nightly(root, *cluster(10, 45), n_nights=3, channels=[RED, GREEN, OTHER])


def of_object(snapshot: Snapshot, *oids: int) -> pl.DataFrame:
    return CurveReader(snapshot, ByteCache()).lightcurves(Selection.of_objects(oids))


def in_cone(snapshot: Snapshot, ra: float, dec: float, radius: float, **narrower) -> pl.DataFrame:
    selection = Selection.of_cone(ra, dec, radius).narrowed(**narrower)
    return CurveReader(snapshot, ByteCache()).lightcurves(selection)


def test_curve_of_an_object_is_its_detections_in_the_order_of_time(small: Snapshot) -> None:
    oid = int(GREEN.oids(12)[5])
    curve = of_object(small, oid)
    assert curve.equals(curve_of(all_rows(small), oid))
    assert curve["oid"].to_list() == [oid] * 3
    assert curve["hmjd"].is_sorted()
    assert curve["filtercode"].to_list() == ["zg"] * 3
    assert (curve["hjd"] - curve["hmjd"]).to_list() == [2400000.5] * 3
    assert curve["limitmag"].to_list() == [20.8] * 3


def test_flagged_rows_come_back_and_are_told(small: Snapshot) -> None:
    curve = of_object(small, int(RED.oids(12)[3]))
    assert curve["catflags"].to_list() == [65535] * 3


@pytest.mark.parametrize(("ra", "dec"), AWKWARD)
def test_cone_equals_brute_force_of_astropy_at_awkward_places(
    tmp_path: Path, ra: float, dec: float
) -> None:
    places = cluster(ra, dec, 200, 30.0)
    snapshot = nightly(tmp_path / "A", *places, n_nights=1)
    centre = SkyCoord(ra * u.deg, dec * u.deg)
    separation = SkyCoord(*places, unit="deg").separation(centre).arcsec
    for radius in (0.001, 5.0, 15.0, 29.0):
        curve = in_cone(snapshot, ra, dec, radius)
        inside = np.flatnonzero(separation <= radius)
        assert sorted(curve["oid"].to_list()) == RED.oids(200)[inside].tolist()


def test_cone_is_exact_to_a_milliarcsecond_at_its_edge(tmp_path: Path) -> None:
    ra, dec = np.array([10.0, 10.0, 10.0]), 45.0 + np.array([0.0, 1.4995, 1.5005]) / 3600
    snapshot = nightly(tmp_path / "A", ra, dec, n_nights=1)
    assert in_cone(snapshot, 10.0, 45.0, 1.5).height == 2


def test_cone_across_partition_pixels_finds_all(tmp_path: Path) -> None:
    # Four base pixels meet at ra 45, dec 41.8103: neighbours are far apart in the index.
    place = (45.0, 41.8103)
    places = cluster(*place, 60, 3600.0)
    snapshot = nightly(tmp_path / "A", *places, n_nights=1)
    assert len(snapshot.pixels("detections")) > 1
    assert in_cone(snapshot, *place, 3601.0).equals(curve_in_cone(all_rows(snapshot), *place, 3601))
    assert in_cone(snapshot, *place, 3601.0).height == 60


def test_cone_joins_images_and_keeps_filters_apart(small: Snapshot) -> None:
    cone = (10.0, 45.0, 30.0)
    everything = in_cone(small, *cone)
    green = in_cone(small, *cone, filters=["zg"])
    both = in_cone(small, *cone, filters=["zg", "zr"])
    assert set(green["filtercode"]) == {"zg"}
    assert both.height == everything.height == green.height * 3
    assert everything["exptime"].null_count() == 0
    keys = everything.select("fid", "oid", "hmjd").rows()
    assert keys == sorted(keys)


def test_cone_on_empty_sky_is_no_rows_with_all_columns(small: Snapshot) -> None:
    none = in_cone(small, 200.0, -45.0, 10.0)
    some = in_cone(small, 10.0, 45.0, 10.0)
    assert none.height == 0
    assert none.schema == some.schema


def test_unknown_objects_are_named_with_what_was_looked_at(small: Snapshot) -> None:
    with pytest.raises(UnknownObjectError, match="none of the 000633_zr_c07_q4 reference"):
        of_object(small, 633207400012345)
    with pytest.raises(UnknownObjectError, match="no reference catalogue 000999_zi_c01_q1"):
        of_object(small, 999301100000000)
    with pytest.raises(UnknownObjectError, match="--cone RA DEC RADIUS"):
        of_object(small, int(RED.oids(1)[0]), -1)


@pytest.mark.parametrize("spread_arcsec", [60, 1800])
def test_objects_are_found_after_their_reference_was_replaced(
    tmp_path: Path, spread_arcsec: float
) -> None:
    # Four base pixels meet here: a quadrant lies in several.
    ra, dec = cluster(45.0, 41.8103, 12, spread_arcsec)
    nightly(tmp_path / "A", ra, dec, n_nights=2)
    layout, group = Layout(tmp_path / "A"), references_group(RED.field)
    # Other sources, fewer and in another order: a part of the ids means another star now.
    files = write_reference(layout, RED, ra[::-1][:9], dec[::-1][:9], 5, "another")
    publish(layout.root, {group: Manifest.of(group, files)}, "test")
    night = date(2024, 2, 1)
    files = night_files(layout, night, [RED], ra[::-1][:9], dec[::-1][:9], 5, "another")
    snapshot = publish(
        layout.root, {night_group(night): Manifest.of(night_group(night), files)}, ""
    )
    rows = all_rows(snapshot)
    for oid in RED.oids(12).tolist():
        curve = of_object(snapshot, oid)
        assert curve.height == (3 if oid in RED.oids(9) else 2)
        assert curve.equals(curve_of(rows, oid))
    with pytest.raises(UnknownObjectError, match="reference sources has that id, and no det"):
        of_object(snapshot, int(RED.oids(13)[12]))


def test_image_that_stands_in_two_nights_multiplies_no_row(tmp_path: Path) -> None:
    nightly(tmp_path / "A", *cluster(10, 45), n_nights=1)
    layout, night = Layout(tmp_path / "A"), date(2024, 1, 9)
    files = night_files(layout, date(2024, 1, 10), [RED], *cluster(10, 45), 5)
    images = pq.read_table(layout.root / next(f.path for f in files if f.table == "images"))
    images = images.set_column(
        images.schema.get_field_index("night"), "night", pa.array([night], pa.date32())
    )
    entry = write_table(layout, IMAGES, images.cast(IMAGES.schema()), "20240109")
    snapshot = publish(
        layout.root, {night_group(night): Manifest.of(night_group(night), [entry])}, ""
    )
    with connect(snapshot) as session:
        assert session.rows("SELECT count(*), count(DISTINCT pid) FROM images") == [(2, 1)]
    assert of_object(snapshot, int(RED.oids(1)[0])).height == 1
    assert in_cone(snapshot, 10, 45, 100).height == 12


def test_several_objects_come_one_after_the_other(small: Snapshot) -> None:
    oids = [*RED.oids(3).tolist(), *OTHER.oids(2).tolist(), *GREEN.oids(2).tolist()]
    curve = of_object(small, *oids[::-1], oids[0])
    rows = all_rows(small)
    assert curve.equals(pl.concat([curve_of(rows, oid) for oid in sorted(oids, key=_by_filter)]))


def _by_filter(oid: int) -> tuple[int, int]:
    return oid // 10**11 % 10, oid


def test_positions_say_which_row_is_of_which(small: Snapshot) -> None:
    ra, dec = cluster(10, 45)
    places = pl.DataFrame({"ra": [*ra[::-1], 200.0, ra[0]], "dec": [*dec[::-1], -45.0, dec[0]]})
    reader = CurveReader(small, ByteCache())
    curves = reader.lightcurves(Selection.of_table(places, 2.0))
    rows = all_rows(small)
    for i, (at_ra, at_dec) in enumerate(places.rows()):
        curve = curves.filter(pl.col("position") == i).drop("position")
        assert curve.equals(curve_in_cone(rows, at_ra, at_dec, 2.0))
    assert curves["position"].is_sorted()
    assert curves["position"].unique().to_list() == [*range(12), 13]
    arrays = Selection.of_table(np.array(places), 2.0)
    assert reader.lightcurves(arrays).equals(curves)
    radii = Selection.of_table(places.with_columns(radius_arcsec=pl.lit(2.0)).to_dict())
    assert reader.lightcurves(radii).equals(curves)


def test_answers_are_narrowed(small: Snapshot) -> None:
    rows = in_cone(small, 10, 45, 100)
    cone = (10.0, 45.0, 100.0)
    assert in_cone(small, *cone, fields=[634]).equals(rows.filter(pl.col("field") == 634))
    first, *_, last = sorted(set(rows["hmjd"]))
    inner = in_cone(small, *cone, hmjd=(first, None)).height
    assert inner == rows.height
    middle = in_cone(small, *cone, hmjd=(np.nextafter(first, np.inf), np.nextafter(last, 0)))
    assert middle.equals(rows.filter(pl.col("hmjd").is_between(first, last, closed="none")))
    clean = in_cone(small, *cone, flags_mask=32768)
    assert clean.equals(rows.filter(pl.col("catflags") == 0))
    assert in_cone(small, *cone, min_epochs=3).equals(rows)
    assert in_cone(small, *cone, min_epochs=4).is_empty()


def test_bad_images_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    nightly(tmp_path / "A", *cluster(10, 45), n_nights=2)
    layout, night = Layout(tmp_path / "A"), date(2024, 2, 1)
    files = night_files(layout, night, [RED, GREEN], *cluster(10, 45), 5)
    path = next(layout.root / f.path for f in files if f.table == "images")
    images = pl.read_parquet(path).with_columns(
        is_bad=pl.col("fid") == 2, bad_reason=pl.lit("seeing")
    )
    entry = write_table(
        layout, IMAGES, images.to_arrow(compat_level=pl.CompatLevel.oldest()), "20240201"
    )
    files = [entry, *(f for f in files if f.table != "images")]
    snapshot = publish(
        layout.root, {night_group(night): Manifest.of(night_group(night), files)}, ""
    )
    rows, oid = all_rows(snapshot), int(RED.oids(1)[0])
    assert of_object(snapshot, oid).equals(curve_of(rows, oid))
    assert of_object(snapshot, oid).height == 2
    assert in_cone(snapshot, 10, 45, 100).equals(curve_in_cone(rows, 10, 45, 100))
    every = in_cone(snapshot, 10, 45, 100, all_images=True)
    assert every.equals(curve_in_cone(rows, 10, 45, 100, all_images=True))
    assert every["is_bad"].sum() == 12
    assert set(every.filter("is_bad")["bad_reason"]) == {"seeing"}


def test_places_that_are_none_are_told(small: Snapshot) -> None:
    with pytest.raises(BadConeError, match="position 1: declination 95 is not within"):
        Selection.of_positions([10, 10], [45, 95], 1.5)
    with pytest.raises(BadConeError, match="position 0: centre and radius must be numbers"):
        Selection.of_positions([np.nan], [45], 1.5)
    with pytest.raises(BadSelectionError, match="no table of places"):
        Selection.of_table({"x": [1]})
    with pytest.raises(BadSelectionError, match="no object is named"):
        Selection.of_objects([])
    for wrong, what in (
        ({"flags_mask": -1}, "flags mask -1 is not within"),
        ({"min_epochs": 0}, "at least 0 epochs"),
        ({"fields": [99999]}, "no field 99999"),
        ({"hmjd": (2, 1)}, "no time is from 2 to 1"),
    ):
        with pytest.raises(BadSelectionError, match=what):
            in_cone(small, 10, 45, 1, **wrong)
    with pytest.raises(UnknownFilterError, match="'g' is not known"):
        in_cone(small, 10, 45, 1, filters=["g"])
    with pytest.raises(BadRegionError, match="2 corners holds nothing"):
        Selection.of_polygon([(1, 2), (3, 4)])


def test_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    snapshot = nightly(tmp_path / "A", *cluster(10, 45))
    path = snapshot.files("detections")[0].resolve()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedArchiveError, match=r"20240110.*nightlake verify ARCHIVE"):
        in_cone(snapshot, 10, 45, 1)


def test_a_file_that_is_read_while_all_are_closed_is_closed_too(small: Snapshot) -> None:
    path, opened, readers = small.files("detections")[0], [], files._Readers(2)

    def reader() -> pq.ParquetFile:
        opened.append(pq.ParquetFile(path))
        return opened[-1]

    with readers.lent(path, reader):
        pass
    with readers.lent(path, reader):
        assert len(opened) == 1
        readers.close()
    with readers.lent(path, reader):
        assert len(opened) == 2


def test_memory_is_bounded_and_what_is_used_stays() -> None:
    cache, made = ByteCache(100), []

    def get(key: str, size: int) -> str:
        return cache.get(key, lambda: (made.append(key) or key, size))

    for key, size in (("a", 40), ("b", 40), ("a", 40), ("c", 40), ("a", 40), ("b", 40)):
        assert get(key, size) == key
    assert made == ["a", "b", "c", "b"]
    assert get("large", 101) == "large"
    assert cache.held_bytes <= 100
    assert "large" not in cache
