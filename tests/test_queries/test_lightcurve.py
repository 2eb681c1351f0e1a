from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import Channel, cluster, night_files, nightly
from archives import reference_files as write_reference
from astropy import units as u
from astropy.coordinates import SkyCoord

from queries.connection import connect
from queries.errors import UnknownFilterError, UnknownObjectError
from queries.lightcurve import (
    lightcurve_by_cone,
    lightcurve_by_oid,
    reference_files,
)
from queries.sky import Cone
from store.channel import channel_of_oid, channel_part
from store.contract import IMAGES
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


def test_curve_of_an_object_is_its_detections_in_the_order_of_time(small: Snapshot) -> None:
    oid = int(GREEN.oids(12)[5])
    with connect(small) as session:
        curve = lightcurve_by_oid(session, oid)
        every = session.sql("SELECT * FROM detections WHERE oid = $oid ORDER BY hmjd", {"oid": oid})
    assert curve["oid"].to_list() == [oid] * 3
    assert curve["hmjd"].to_list() == every["hmjd"].to_list()
    assert curve["mag"].to_list() == every["mag"].to_list()
    assert curve["filtercode"].to_list() == ["zg"] * 3
    assert (curve["hjd"] - curve["hmjd"]).to_list() == [2400000.5] * 3
    assert curve["limitmag"].to_list() == [20.8] * 3


def test_bad_rows_come_back_and_are_told(small: Snapshot) -> None:
    with connect(small) as session:
        curve = lightcurve_by_oid(session, int(RED.oids(12)[3]))
    assert curve["catflags"].to_list() == [65535] * 3


@pytest.mark.parametrize(("ra", "dec"), AWKWARD)
def test_cone_equals_brute_force_of_astropy_at_awkward_places(
    tmp_path: Path, ra: float, dec: float
) -> None:
    places = cluster(ra, dec, 200, 30.0)
    snapshot = nightly(tmp_path / "A", *places, n_nights=1)
    centre = SkyCoord(ra * u.deg, dec * u.deg)
    separation = SkyCoord(*places, unit="deg").separation(centre).arcsec
    with connect(snapshot) as session:
        for radius in (0.001, 5.0, 15.0, 29.0):
            curve = lightcurve_by_cone(session, Cone(ra, dec, radius))
            inside = np.flatnonzero(separation <= radius)
            assert sorted(curve["oid"].to_list()) == RED.oids(200)[inside].tolist()


def test_cone_is_exact_to_a_milliarcsecond_at_its_edge(tmp_path: Path) -> None:
    ra, dec = np.array([10.0, 10.0, 10.0]), 45.0 + np.array([0.0, 1.4995, 1.5005]) / 3600
    snapshot = nightly(tmp_path / "A", ra, dec, n_nights=1)
    with connect(snapshot) as session:
        assert lightcurve_by_cone(session, Cone(10.0, 45.0, 1.5)).height == 2


def test_cone_across_partition_pixels_finds_all(tmp_path: Path) -> None:
    # Four base pixels meet at ra 45, dec 41.8103: neighbours are far apart in the index.
    place = (45.0, 41.8103)
    places = cluster(*place, 60, 3600.0)
    snapshot = nightly(tmp_path / "A", *places, n_nights=1)
    assert len(snapshot.pixels("detections")) > 1
    with connect(snapshot) as session:
        assert lightcurve_by_cone(session, Cone(*place, 3601.0)).height == 60


def test_cone_joins_images_and_keeps_filters_apart(small: Snapshot) -> None:
    cone = Cone(10.0, 45.0, 30.0)
    with connect(small) as session:
        everything = lightcurve_by_cone(session, cone)
        green = lightcurve_by_cone(session, cone, ["zg"])
        both = lightcurve_by_cone(session, cone, ["zg", "zr"])
    assert set(green["filtercode"]) == {"zg"}
    assert both.height == everything.height == green.height * 3
    assert everything["exptime"].null_count() == 0
    keys = everything.select("fid", "oid", "hmjd").rows()
    assert keys == sorted(keys)


def test_cone_on_empty_sky_is_no_rows_with_all_columns(small: Snapshot) -> None:
    with connect(small) as session:
        none = lightcurve_by_cone(session, Cone(200.0, -45.0, 10.0))
        some = lightcurve_by_cone(session, Cone(10.0, 45.0, 10.0))
    assert none.height == 0
    assert none.schema == some.schema


def test_unknown_objects_are_named_with_what_was_looked_at(small: Snapshot) -> None:
    with connect(small) as session:
        with pytest.raises(UnknownObjectError, match="none of the 000633_zr_c07_q4 reference"):
            lightcurve_by_oid(session, 633207400012345)
        with pytest.raises(UnknownObjectError, match="no reference catalogue 000999_zi_c01_q1"):
            lightcurve_by_oid(session, 999301100000000)
        with pytest.raises(UnknownObjectError, match="--cone RA DEC RADIUS"):
            lightcurve_by_oid(session, -1)


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
    with connect(snapshot) as session:
        for oid in RED.oids(12).tolist():
            curve = lightcurve_by_oid(session, oid)
            every = session.sql("FROM detections WHERE oid = $oid ORDER BY hmjd", {"oid": oid})
            assert curve.height == every.height == (3 if oid in RED.oids(9) else 2)
            assert curve["ra"].to_list() == every["ra"].to_list()
        with pytest.raises(UnknownObjectError, match="reference sources has that id, and no det"):
            lightcurve_by_oid(session, int(RED.oids(13)[12]))


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
        assert lightcurve_by_oid(session, int(RED.oids(1)[0])).height == 1
        assert lightcurve_by_cone(session, Cone(10, 45, 100)).height == 12


def test_unknown_filter_is_refused(small: Snapshot) -> None:
    with connect(small) as session, pytest.raises(UnknownFilterError, match="'g' is not known"):
        lightcurve_by_cone(session, Cone(10, 45, 1), ["g"])


def test_object_id_names_its_channel_and_only_that_file_is_read(small: Snapshot) -> None:
    oid = int(OTHER.oids(1)[0])
    assert channel_part(*channel_of_oid(oid)) == OTHER.part == "000634_zr_c12_q1"
    assert [path.parent.name for path in reference_files(small, oid)] == [OTHER.part]
