"""Regions of the sky, held to mocpy and to spherical geometry of its own kind."""

import warnings
from pathlib import Path

import hpgeom
import numpy as np
import pytest
from archives import cluster
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from mocpy import MOC

from products.errors import (
    MissingColumnError,
    UnknownCatalogueError,
    UnreadableCatalogueError,
)
from products.places import read_moc, read_positions
from queries.curves.regions import Moc, Polygon
from queries.errors import BadRegionError

PLACES = [(10.0, 45.0), (0.0, 89.9), (359.99, 0.0), (45.0, 41.81), (200.0, -89.99)]
ARROWHEAD = [(0, 1), (-1, -1), (0, -0.3), (1, -1)]


def corners(ra, dec, shape, size_deg):
    """Corners about a place, east and north in degrees on the sphere."""
    at = SkyCoord(ra * u.deg, dec * u.deg)
    offset = [at.spherical_offsets_by(x * size_deg * u.deg, y * size_deg * u.deg) for x, y in shape]
    return np.array([(c.ra.deg, c.dec.deg) for c in offset])


def winding(points, polygon):
    """Whether points lie in a polygon: its sides turn once about them, seen from each point."""
    points = SkyCoord(*points, unit="deg")
    polygon = SkyCoord(*polygon.T, unit="deg")
    angle = np.array([points.position_angle(corner).rad for corner in polygon])
    turn = np.diff(angle, axis=0, append=angle[:1])
    return np.abs(((turn + np.pi) % (2 * np.pi) - np.pi).sum(axis=0)) > np.pi


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize("size_deg", [0.01, 3.0])
def test_polygon_holds_what_its_sides_turn_about(ra, dec, size_deg):
    points = cluster(ra, dec, 3000, size_deg * 3600 * 1.6)
    for shape in ([(-1, -1), (1, -1), (0.3, 1)], ARROWHEAD, ARROWHEAD[::-1]):
        polygon = corners(ra, dec, shape, size_deg)
        expected = winding(points, polygon)
        region = Polygon.of(polygon)
        assert (region._inside(*points) == expected).all()
        assert 0.1 < expected.mean() < 0.9
        index = hpgeom.angle_to_pixel(2**29, *points, nest=True)
        assert within(region.ranges(0.0), index)[expected].all()


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_wider_ranges_reach_all_near_the_polygon(ra, dec):
    polygon = Polygon.of(corners(ra, dec, ARROWHEAD, 0.01))
    near = cluster(ra, dec, 3000, 60)
    inside = polygon._inside(*near)
    wide = within(polygon.ranges(5.0), hpgeom.angle_to_pixel(2**29, *near, nest=True))
    close = polygon._from_sides(*near) <= np.radians(5.0 / 3600)
    assert wide[inside | close].all()
    assert not wide.all()


def within(ranges, index):
    at = np.searchsorted(ranges.first, index, side="right") - 1
    return (at >= 0) & (index < ranges.past[at])


@pytest.mark.parametrize(
    ("given_corners", "what"),
    [
        ([], "pairs of numbers"),
        ([(1, 2, 3)], "pairs of numbers"),
        ([(1, 2), (3, "x"), (4, 4)], "pairs of numbers"),
        ([(1, 2), (3, 4)], "of 2 corners holds nothing"),
        ([(1, 2), (3, np.nan), (4, 4)], "must be numbers"),
        ([(1, 2), (3, 91), (4, 4)], "beyond 90 degrees"),
        ([(1, 2), (1, 2), (1, 2)], "no area"),
        ([(0, 0), (120, 0), (240, 0)], "farther than 80 degrees"),
        ([(0, -60), (120, 60), (200, 0)], "farther than 80 degrees"),
    ],
)
def test_polygon_that_is_none_is_told(given_corners, what):
    with pytest.raises(BadRegionError, match=what):
        Polygon.of(given_corners)


CELLS = st.integers(0, 12).flatmap(
    lambda order: st.tuples(st.just(order), st.integers(0, 12 * 4**order - 1))
)


@settings(max_examples=50)
@given(st.lists(CELLS, min_size=1, max_size=20))
def test_coverage_maps_are_those_of_mocpy(cells):
    orders: dict[str, list[int]] = {}
    for order, number in cells:
        orders.setdefault(str(order), []).append(number)
    order, number = np.array(cells).T
    theirs = MOC.from_healpix_cells(number.astype(np.uint64), order.astype(np.uint8), max_depth=12)
    text = " ".join(f"{order}/{','.join(map(str, numbers))}" for order, numbers in orders.items())
    for moc in (Moc.parse(text), Moc.parse(theirs.to_string())):
        ranges = np.stack([moc.first, moc.past], axis=1).astype(np.uint64)
        assert (ranges == theirs.to_depth29_ranges).all()
    wide = moc.ranges(2.0)
    for first, past in zip(moc.first, moc.past, strict=True):
        assert within(wide, np.array([first, past - 1])).all()


def test_wider_ranges_of_a_coverage_map_reach_beyond_its_cells():
    cell = int(hpgeom.angle_to_pixel(2**14, 45.0, 41.8, nest=True))
    moc = Moc.parse(f"14/{cell}")
    ra, dec = cluster(45.0, 41.8, 4000, 30)
    index = hpgeom.angle_to_pixel(2**29, ra, dec, nest=True)
    inside = (index >> 30) == cell
    places = SkyCoord(ra * u.deg, dec * u.deg)
    near = places.match_to_catalog_sky(places[inside])[1].arcsec < 1.5
    assert within(moc.ranges(1.5), index)[near].all()


@pytest.mark.parametrize("text", ["", "5/", "x", "5/1-", "3", "30/1", "1/48", "2/5-3", "5/1;2"])
def test_text_that_is_no_coverage_map_is_told(text):
    with pytest.raises(BadRegionError):
        Moc.parse(text)


@pytest.mark.parametrize("old", [True, False])
def test_coverage_maps_are_read_from_files(tmp_path: Path, old: bool):
    theirs = MOC.from_json({"3": [1, 2, 700], "12": [4**12, 5]})
    theirs.save(tmp_path / "m.fits", format="fits", v1_compatible=old)
    theirs.save(tmp_path / "m.txt", format="ascii")
    for name in ("m.fits", "m.txt"):
        moc = read_moc(tmp_path / name)
        ranges = np.stack([moc.first, moc.past], axis=1).astype(np.uint64)
        assert (ranges == theirs.to_depth29_ranges).all()
    (tmp_path / "bad.fits").write_bytes(b"SIMPLE  =  T")
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises((UnreadableCatalogueError, BadRegionError)),
    ):
        read_moc(tmp_path / "bad.fits")
    with pytest.raises(UnreadableCatalogueError):
        read_moc(tmp_path / "none.fits")


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".parquet", ".fits", ".vot"])
def test_positions_are_read_from_files(tmp_path: Path, suffix: str):
    from astropy.table import Table

    table = Table({"name": ["a", "b"], "RAJ2000": [10.5, 359.25], "DEJ2000": [-3.25, 80.0]})
    path = tmp_path / f"places{suffix}"
    form = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".vot": "votable"}.get(suffix)
    table.write(path, format=form or suffix.removeprefix("."))
    ra, dec = read_positions(path)
    assert (ra.tolist(), dec.tolist()) == ([10.5, 359.25], [-3.25, 80.0])
    assert read_positions(path, "DEJ2000", "RAJ2000")[0].tolist() == [-3.25, 80.0]
    with pytest.raises(MissingColumnError, match="--position-ra"):
        read_positions(path, "nope")


def test_files_that_are_no_positions_are_told(tmp_path: Path):
    with pytest.raises(UnknownCatalogueError, match="no such file"):
        read_positions(tmp_path / "none.csv")
    (tmp_path / "a.xyz").write_text("ra,dec\n")
    with pytest.raises(UnknownCatalogueError, match="the name tells no format"):
        read_positions(tmp_path / "a.xyz")
    (tmp_path / "a.parquet").write_text("ra,dec\n")
    with pytest.raises(UnreadableCatalogueError):
        read_positions(tmp_path / "a.parquet")
    (tmp_path / "a.vot").write_text("<VOTABLE")
    with pytest.raises(UnreadableCatalogueError):
        read_positions(tmp_path / "a.vot")
