"""Crossmatch: every id that of brute force, in every format, wherever pixels end."""

import gzip
import math

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from archives import cluster, nightly
from starfields import (
    field,
    nearest,
    on_borders,
    pairs,
    vectors,
    write_csv,
    write_fits,
    write_hats,
    write_parquet,
)

from nightlake.cli import run
from products.crossmatch import ColumnNames, crossmatch, partition, tables
from products.crossmatch.partition import NARROWEST, around
from products.errors import (
    BadColumnError,
    MissingColumnError,
    UnknownCatalogueError,
    UnknownFormatError,
    UnreadableCatalogueError,
    UnwritableOutputError,
)
from store.layout import HealpixPixel

LEFT, RIGHT = field()
LEFT_IDS = np.arange(len(LEFT[0])) * 7 + 10**15
RIGHT_IDS = np.arange(len(RIGHT[0]))[::-1] * 3 + 5


@pytest.fixture(scope="module")
def truth():
    """Left id → right id and separation, by brute force."""
    index, separation = nearest(LEFT, RIGHT)
    found = np.flatnonzero(index >= 0)
    assert 900 < found.size < len(index)
    return dict(zip(LEFT_IDS[found], zip(RIGHT_IDS[index[found]], separation[found])))  # noqa: B905


@pytest.fixture(scope="module")
def tables_of(tmp_path_factory):
    """Both catalogues in every format."""
    folder = tmp_path_factory.mktemp("catalogues")
    made = {}
    for side, ids, sky in (("left", LEFT_IDS, LEFT), ("right", RIGHT_IDS, RIGHT)):
        made[side] = {
            "parquet": write_parquet(folder / f"{side}.parquet", ids, *sky),
            "csv": write_csv(folder / f"{side}.csv", ids, *sky),
            "fits": write_fits(folder / f"{side}.fits", ids, *sky),
            "hats": write_hats(folder / f"{side}_hats", ids, *sky),
            "hats folders": write_hats(folder / f"{side}_folders", ids, *sky, order=1, suffix="/"),
            "hats mixed": write_hats(folder / f"{side}_mixed", ids, *sky, order=[0, 1, 2, 3] * 3),
            "hats bare": write_hats(folder / f"{side}_bare", ids, *sky, index=False),
        }
    return made


@pytest.fixture
def many_pixels(monkeypatch):
    """So few rows a pixel and a piece that borders are everywhere."""
    monkeypatch.setattr(partition, "MOST_ROWS", 100)
    monkeypatch.setattr(tables, "PIECE_ROWS", 500)


def check(out, truth):
    frame = pl.read_parquet(out)
    assert frame["left_id"].n_unique() == len(frame)
    found = dict(zip(frame["left_id"], zip(frame["right_id"], frame["separation_arcsec"])))  # noqa: B905
    assert found.keys() == truth.keys()
    assert all(found[i][0] == truth[i][0] for i in truth)
    assert max(abs(found[i][1] - truth[i][1]) for i in truth) < 1e-6


FORMATS = ["parquet", "csv", "fits", "hats", "hats folders", "hats mixed", "hats bare"]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.usefixtures("many_pixels")
def test_every_id_is_that_of_brute_force_in_every_format(tables_of, truth, form, side, tmp_path):
    out = tmp_path / "out.parquet"
    paths = {"left": "parquet", "right": "parquet"} | {side: form}
    report = crossmatch(
        tables_of["left"][paths["left"]], tables_of["right"][paths["right"]], out, workers=2
    )
    check(out, truth)
    assert (report.rows, report.left_matched) == (len(truth), len(truth))
    assert report.left_rows == len(LEFT_IDS)
    assert report.pixels > 12
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_the_same_catalogue_gives_the_same_bytes(tables_of, truth, tmp_path, monkeypatch):
    first = tmp_path / "first.parquet"
    crossmatch(tables_of["left"]["parquet"], tables_of["right"]["parquet"], first, workers=1)
    check(first, truth)
    monkeypatch.setattr(tables, "PIECE_ROWS", 300)
    monkeypatch.setattr(partition, "MOST_ROWS", 200)
    for workers in (1, 3):
        out = tmp_path / f"{workers}.parquet"
        crossmatch(*(tables_of[side]["parquet"] for side in tables_of), out, workers=workers)
        assert out.read_bytes() == first.read_bytes()
    frame = pl.read_parquet(first)
    for form in FORMATS:
        out = tmp_path / "again.parquet"
        crossmatch(tables_of["left"][form], tables_of["right"][form], out)
        assert pl.read_parquet(out).equals(frame), form


@pytest.mark.usefixtures("many_pixels")
def test_all_pairs_are_those_of_brute_force(tables_of, tmp_path):
    out = tmp_path / "out.csv"
    report = crossmatch(tables_of["left"]["hats"], tables_of["right"]["fits"], out, want="all")
    expected = pairs(LEFT, RIGHT)
    assert report.rows == len(expected) > report.left_matched
    frame = pl.read_csv(out)
    separation = {(LEFT_IDS[i], RIGHT_IDS[j]): angle for i, j, angle in expected}
    found = dict(zip(zip(frame["left_id"], frame["right_id"]), frame["separation_arcsec"]))  # noqa: B905
    assert found.keys() == separation.keys()
    assert max(abs(found[pair] - separation[pair]) for pair in found) < 1e-6
    by_left = frame.group_by("left_id", maintain_order=True)
    assert by_left.agg(pl.col("separation_arcsec").is_sorted())["separation_arcsec"].all()


def test_left_only_are_the_rows_without_a_match(tables_of, truth, tmp_path):
    left = tmp_path / "left.parquet"
    ids = [*LEFT_IDS.tolist(), 1, 2]
    write_parquet(left, ids, np.append(LEFT[0], [np.nan, 5.0]), np.append(LEFT[1], [5.0, np.inf]))
    out = tmp_path / "out.parquet"
    report = crossmatch(left, tables_of["right"]["hats"], out, want="left_only")
    frame = pl.read_parquet(out)
    assert sorted(frame["left_id"]) == sorted(set(ids) - truth.keys())
    assert report.rows + report.left_matched == report.left_rows == len(ids)
    assert frame["left_id"][:2].to_list() == [1, 2]  # without a position: first
    assert pq.read_schema(out).field("ra").metadata[b"unit"] == b"deg"


@pytest.mark.parametrize("radius", [0.0, 60.0, 20_000.0])
@pytest.mark.usefixtures("many_pixels")
def test_any_radius_is_right(radius, tmp_path):
    left = tuple(part[::23] for part in LEFT)
    right = tuple(part[::17] for part in RIGHT)
    left = tuple(np.append(a, b[:5]) for a, b in zip(left, right, strict=True))
    index, separation = nearest(left, right, radius)
    paths = [
        write_hats(tmp_path / "l", np.arange(len(left[0])), *left, order=4),
        write_hats(tmp_path / "r", np.arange(len(right[0])), *right, order=2),
    ]
    out = tmp_path / "out.parquet"
    crossmatch(*paths, out, radius_arcsec=radius)
    frame = pl.read_parquet(out).sort("left_id")
    matched = np.flatnonzero(index >= 0)
    assert frame["left_id"].to_list() == matched.tolist()
    np.testing.assert_allclose(frame["separation_arcsec"], separation[matched], atol=1e-6)


def test_sources_on_either_side_of_a_border_find_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(partition, "MOST_ROWS", 2)
    rng = np.random.default_rng(4)
    for order in (0, 2, 5, 9):
        right = on_borders(order, 300, rng)
        step = np.radians(1.4 / 3600)
        direction = rng.normal(size=(300, 3))
        around_it = vectors(*right)
        direction -= (direction * around_it).sum(1)[:, None] * around_it
        direction *= step / np.linalg.norm(direction, axis=1)[:, None]
        x, y, z = (around_it + direction).T
        left = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))
        paths = [
            write_parquet(tmp_path / f"{name}{order}.parquet", np.arange(300), *sky)
            for name, sky in (("l", left), ("r", right))
        ]
        out = tmp_path / "out.parquet"
        crossmatch(*paths, out)
        index, _ = nearest(left, right)
        assert (index >= 0).all()
        assert pl.read_parquet(out).sort("left_id")["right_id"].to_list() == index.tolist()


@pytest.mark.parametrize("order", [0, 1, 2, 5])
def test_what_is_near_a_pixel_is_in_the_ring_around_it(order):
    """The bound that margins rest on, at the narrowest pixels too."""
    import hpgeom

    rng = np.random.default_rng(order)
    radius = NARROWEST / 2**order / 2**partition.RING_DEPTH
    pixels = {0, 4, 8, 12 * 4**order - 1, *rng.integers(0, 12 * 4**order, 6).tolist()}
    for npix in pixels:
        if npix >= 12 * 4**order:
            continue
        # Rounded down: the ring is of the deepest pixels that are wide enough.
        ranges = around(HealpixPixel(order, npix), math.degrees(radius) * 3600 * 0.999)
        assert (np.diff(ranges.ravel()) > 0).all()
        ra, dec = hpgeom.boundaries(2**order, npix, step=64)
        away = rng.uniform(0, 2 * np.pi, ra.size)
        points = vectors(ra, dec)
        east = np.cross([0, 0, 1.0], points)
        east /= np.linalg.norm(east, axis=1)[:, None] + 1e-30
        north = np.cross(points, east)
        moved = points * np.cos(radius) + np.sin(radius) * (
            np.cos(away)[:, None] * east + np.sin(away)[:, None] * north
        )
        moved = moved[np.linalg.norm(east, axis=1) > 0.5]
        x, y, z = moved.T
        key = hpgeom.angle_to_pixel(
            2**29, np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))
        )
        at = np.searchsorted(ranges[:, 0], key, side="right") - 1
        assert (at >= 0).all()
        assert (key < ranges[at, 1]).all()


@pytest.mark.parametrize("form", ["parquet", "csv", "fits"])
def test_ids_may_be_text_or_missing(form, tmp_path):
    write = {"parquet": write_parquet, "csv": write_csv, "fits": write_fits}[form]
    names = np.array([f"ZTF J{i:03d} é" if form != "fits" else f"J{i:03d}" for i in range(40)])
    ra, dec = cluster(10, 45)
    ra, dec = np.resize(ra, 40) + np.arange(40) / 100, np.resize(dec, 40)
    path = write(tmp_path / f"a.{form}", names, ra, dec)
    out = tmp_path / "out.parquet"
    crossmatch(path, path, out)
    frame = pl.read_parquet(out).sort("left_id")
    assert frame["left_id"].to_list() == frame["right_id"].to_list() == names.tolist()
    nameless = tmp_path / "nameless.parquet"
    pl.DataFrame({"RA": ra, "Dec": dec}).write_parquet(nameless)
    crossmatch(nameless, path, out)
    frame = pl.read_parquet(out).sort("left_id")
    assert frame["left_id"].to_list() == list(range(40))
    assert frame["right_id"].to_list() == names.tolist()


def test_a_row_without_an_id_keeps_its_null(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [1, None, 3], [1.0, 2.0, 3.0], [0.0, 0.0, 0.0])
    out = tmp_path / "out.parquet"
    crossmatch(path, path, out)
    assert sorted(pl.read_parquet(out).rows(), key=str) == [(1, 1, 0), (3, 3, 0), (None, None, 0)]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("want", ["nearest", "all", "left_only"])
def test_empty_sides_give_empty_answers(tables_of, form, want, tmp_path):
    write = {"parquet": write_parquet, "csv": write_csv, "fits": write_fits}.get(form, write_hats)
    nothing = np.empty(0)
    empty = write(
        tmp_path / f"empty.{form.replace(' ', '')}", nothing.astype(int), nothing, nothing
    )
    if form not in ("parquet", "csv", "fits"):
        assert (empty / "hats.properties").exists()
    full, out = tables_of["right"]["parquet"], tmp_path / "out.parquet"
    crossmatch(empty, full, out, want=want)
    assert len(pl.read_parquet(out)) == 0
    crossmatch(full, empty, out, want=want)
    assert len(pl.read_parquet(out)) == (len(RIGHT_IDS) if want == "left_only" else 0)


def test_a_folder_of_parquet_and_an_archive_and_text_of_other_kinds(tables_of, truth, tmp_path):
    folder = tmp_path / "parts"
    (folder / "deep").mkdir(parents=True)
    half = len(LEFT_IDS) // 2
    write_parquet(folder / "a.parquet", LEFT_IDS[:half], LEFT[0][:half], LEFT[1][:half])
    write_parquet(folder / "deep" / "b.parquet", LEFT_IDS[half:], LEFT[0][half:], LEFT[1][half:])
    (folder / ".hidden.parquet").write_bytes(b"junk")
    right, out = tables_of["right"]["parquet"], tmp_path / "out.parquet"
    crossmatch(folder, right, out)
    check(out, truth)

    ecsv = tmp_path / "left.ecsv"
    text = pl.read_parquet(tables_of["left"]["parquet"]).write_csv(separator=" ")
    ecsv.write_text("# %ECSV 1.0\n# ---\n" + text)
    crossmatch(ecsv, right, out)
    check(out, truth)

    zipped = tmp_path / "left.csv.gz"
    zipped.write_bytes(gzip.compress(tables_of["left"]["csv"].read_bytes()))
    crossmatch(zipped, right, out)
    check(out, truth)

    ra, dec = cluster(10, 45)
    snapshot = nightly(tmp_path / "A", ra, dec, n_nights=3)
    root = snapshot.layout.root
    report = crossmatch(root / "detections", root / "reference_sources", out)
    frame = pl.read_parquet(out)
    assert report.rows == len(frame) == 3 * len(ra)
    assert (frame["left_id"] == frame["right_id"]).all()
    with pytest.raises(
        UnknownCatalogueError, match=r"several catalogues\. Name .*reference_sources"
    ):
        crossmatch(root, right, out)


def test_a_collection_is_its_primary_catalogue(tables_of, truth, tmp_path):
    folder = tmp_path / "collection"
    write_hats(folder / "primary", LEFT_IDS, *LEFT)
    (folder / "primary" / "partition_info.csv").unlink()
    (folder / "collection.properties").write_text(
        "obs_collection=c\nhats_primary_table_url=primary\n"
    )
    out = tmp_path / "out.parquet"
    crossmatch(folder, tables_of["right"]["parquet"], out)
    check(out, truth)


def test_hats_that_is_no_catalogue_or_has_no_ids_is_refused(tables_of, tmp_path):
    folder = write_hats(tmp_path / "h", RIGHT_IDS, *RIGHT)
    right, out = tables_of["right"]["parquet"], tmp_path / "out.parquet"
    crossmatch(folder, right, out, left_columns=ColumnNames(id="_healpix_29"))
    properties = folder / "hats.properties"
    said = properties.read_text()
    properties.write_text(said.replace("=object", "=association"))
    with pytest.raises(UnreadableCatalogueError, match="a HATS association, not a catalogue"):
        crossmatch(folder, right, out)
    properties.write_text(said)
    for path in folder.rglob("*metadata"):
        pl.read_parquet(path).drop("id").write_parquet(path)
    with pytest.raises(MissingColumnError, match="--left-id"):
        crossmatch(folder, right, out)


def test_columns_are_those_that_are_named(tmp_path):
    path = tmp_path / "a.parquet"
    frame = {"ra": [0.0], "dec": [0.0], "id": [1], "x": [10.0], "y": [20.0], "who": ["me"]}
    pl.DataFrame(frame).write_parquet(path)
    other = write_csv(tmp_path / "b.csv", [7], [10.0], [20.0])
    out = tmp_path / "out.csv"
    crossmatch(path, other, out, left_columns=ColumnNames("who", "x", "y"))
    assert out.read_text() == '"left_id","right_id","separation_arcsec"\n"me",7,0\n'


def test_the_table_of_a_fits_file_is_the_first_that_has_the_columns(tmp_path):
    from astropy.io import fits

    path = write_fits(tmp_path / "one.fits", [7], [10.0], [20.0])
    with fits.open(path) as hdus:
        other = fits.BinTableHDU.from_columns([fits.Column("x", "D", array=[1.0])])
        fits.HDUList([hdus[0], other, hdus[1]]).writeto(tmp_path / "two.fits")
    out = tmp_path / "out.csv"
    crossmatch(tmp_path / "two.fits", path, out)
    assert out.read_text() == '"left_id","right_id","separation_arcsec"\n7,7,0\n'


def test_spaces_about_the_names_of_a_csv_are_passed_over(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("# one\nid , ra , dec\n7, 10.0, 20.0\n")
    out = tmp_path / "out.csv"
    crossmatch(path, path, out)
    assert out.read_text() == '"left_id","right_id","separation_arcsec"\n7,7,0\n'


def test_parquet_says_what_its_columns_are(tables_of, tmp_path):
    out = tmp_path / "out.parquet"
    crossmatch(tables_of["left"]["hats"], tables_of["right"]["fits"], out)
    schema = pq.read_schema(out)
    assert schema.names == ["left_id", "right_id", "separation_arcsec"]
    assert schema.field("separation_arcsec").metadata[b"unit"] == b"arcsec"
    assert schema.field("right_id").metadata[b"description"] == b"Id: column ID of right.fits"
    assert b"within 1.5 arcsec" in schema.metadata[b"description"]


def test_memory_holds_a_few_pieces_and_pixels_only(tables_of, tmp_path, monkeypatch):
    """Rows in memory at once: bounded by pieces and pixels, whatever the catalogue holds."""
    monkeypatch.setattr(partition, "MOST_ROWS", 100)
    monkeypatch.setattr(tables, "PIECE_ROWS", 200)
    from products.crossmatch import match

    most = []
    whole = match.Matcher.__call__

    def watched(self, task):
        result = whole(self, task)
        most.append(result.left_rows)
        return result

    monkeypatch.setattr(match.Matcher, "__call__", watched)
    crossmatch(
        tables_of["left"]["csv"], tables_of["right"]["parquet"], tmp_path / "o.parquet", workers=2
    )
    assert max(most) <= 100
    assert len(most) > 30


ERRORS = {
    "nowhere": (lambda p: p / "none.csv", UnknownCatalogueError, "there is no such file"),
    "format": (lambda p: write_csv(p / "a.doc", [1], [1.0], [1.0]), UnknownCatalogueError, "tells"),
    "folder": (lambda p: p, UnknownCatalogueError, "neither a HATS"),
    "columns": (
        lambda p: _parquet(p, {"a": [1.0], "b": [2.0]}),
        MissingColumnError, r"column 'ra' is missing \(found: a, b\). .* --left-ra",
    ),
    "text": (lambda p: _parquet(p, {"ra": ["1h"], "dec": ["2d"]}), BadColumnError, "not degrees"),
    "id": (
        lambda p: _parquet(p, {"id": [1.5], "ra": [1.0], "dec": [2.0]}), BadColumnError, "is no id",
    ),
    "junk": (lambda p: _junk(p / "junk.parquet"), UnreadableCatalogueError, "junk.parquet: "),
    "junk csv": (lambda p: _ragged(p / "a.csv"), UnreadableCatalogueError, "a.csv: "),
    "no table": (lambda p: _no_table(p / "a.fits"), UnreadableCatalogueError, "no table"),
    "cut off": (lambda p: _cut_off(p / "a.fits"), UnreadableCatalogueError, "ends before its"),
    "vectors": (
        lambda p: _fits(p / "a.fits", ("ra", "2D", [[1.0, 2.0]], "deg")),
        BadColumnError, "'ra' has several values",
    ),
    "radians": (
        lambda p: _fits(p / "a.fits", ("ra", "D", [1.0], "rad")), BadColumnError, "is in 'rad'",
    ),
    "hours": (
        lambda p: _fits(p / "a.fits", ("ra", "D", [1.0], "h")), BadColumnError, "is in 'h'",
    ),
    "sexagesimal": (
        lambda p: _text(p / "a.csv", "id,ra,dec\n1,10:00:00,+20:00:00\n"),
        BadColumnError, "decimal degrees, not 12:34:56.7",
    ),
    "hats without a list": (
        lambda p: _hats(p / "h", "partition_info.csv", b"a,b\n1,2\n"),
        UnreadableCatalogueError, "no list of Norder,Npix",
    ),
    "hats of no such pixel": (
        lambda p: _hats(p / "h", "partition_info.csv", b"Norder,Npix\n1,48\n"),
        UnreadableCatalogueError, "no pixel 48 of order 1",
    ),
    "hats of bytes": (
        lambda p: _hats(p / "h", "hats.properties", b"\xff\xfe"),
        UnreadableCatalogueError, "no text in UTF-8",
    ),
    "collection of nothing": (
        lambda p: _hats(p / "h", "collection.properties", b"obs_collection=x\n"),
        UnreadableCatalogueError, "names no hats_primary_table_url",
    ),
}  # fmt: skip


def _parquet(folder, columns):
    pl.DataFrame(columns).write_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def _junk(path):
    path.write_bytes(b"PAR1 this is not")
    return path


def _ragged(path):
    path.write_text("id,ra,dec\n1,2,3\n1,2\n")
    return path


def _text(path, text):
    path.write_text(text)
    return path


def _hats(folder, name, content):
    write_hats(folder, [1, 2], np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    (folder / name).write_bytes(content)
    return folder


def _fits(path, right_ascension):
    from astropy.io import fits

    name, code, values, unit = right_ascension
    columns = [
        fits.Column(name, code, array=values, unit=unit),
        fits.Column("dec", "D", array=[1.0]),
        fits.Column("id", "J", array=[1]),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    return path


def _cut_off(path):
    write_fits(path, np.arange(500), np.zeros(500), np.zeros(500))
    path.write_bytes(path.read_bytes()[:9000])
    return path


def _no_table(path):
    from astropy.io import fits

    fits.PrimaryHDU(np.zeros((2, 2))).writeto(path)
    return path


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_matched_is_said_in_one_line(name, tables_of, tmp_path, capsys):
    make, kind, words = ERRORS[name]
    (tmp_path / "in").mkdir()
    path = make(tmp_path / "in")
    out = tmp_path / "out.parquet"
    with pytest.raises(kind, match=words):
        crossmatch(path, tables_of["right"]["parquet"], out)
    assert [entry.name for entry in tmp_path.iterdir()] == ["in"]
    assert run(["crossmatch", str(path), str(path), "--out", str(out)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_output_that_cannot_be_written_is_refused(tables_of, tmp_path):
    left, right = tables_of["left"]["parquet"], tables_of["right"]["parquet"]
    with pytest.raises(UnknownFormatError, match=r"\.parquet, \.csv"):
        crossmatch(left, right, tmp_path / "out.fits")
    with pytest.raises(UnwritableOutputError, match="No such file or directory"):
        crossmatch(left, right, tmp_path / "no" / "out.csv")
    with pytest.raises(UnwritableOutputError, match="is one of the inputs"):
        crossmatch(left, right, left)
    with pytest.raises(UnwritableOutputError, match="exists already"):
        crossmatch(left, right, hats=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_in_the_middle_leaves_nothing(tables_of, tmp_path):
    folder = write_hats(tmp_path / "right", RIGHT_IDS, *RIGHT)
    victim = sorted(folder.rglob("Npix=*.parquet"))[3]
    victim.write_bytes(victim.read_bytes()[:100])
    with pytest.raises(UnreadableCatalogueError, match=victim.name):
        crossmatch(tables_of["left"]["parquet"], folder, tmp_path / "out.parquet")
    assert [entry.name for entry in tmp_path.iterdir()] == ["right"]


def test_the_command_tells_what_it_did(tables_of, truth, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sides = [str(tables_of["left"]["fits"]), str(tables_of["right"]["hats"])]
    assert run(["crossmatch", *sides]) == 0
    assert f"crossmatch.parquet: {len(truth):,} rows; {len(truth):,} of" in capsys.readouterr().out
    check(tmp_path / "crossmatch.parquet", truth)
    assert run(["crossmatch", *sides, "--left-only", "--out", "a.csv", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert len(pl.read_csv("a.csv")) == len(LEFT_IDS) - len(truth)
    assert run(["crossmatch", *sides, "--all", "--left-only"]) == 2
    assert run(["crossmatch", *sides, "--hats", "h", "--left-only"]) == 2
    assert run(["crossmatch", *sides, "--radius", "-1"]) == 2
