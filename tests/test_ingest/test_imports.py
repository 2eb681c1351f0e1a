"""Imports: every value of the input as it was, each file once, whole or not at all."""

import csv
import re

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogues import scatter, write_psfcat
from lightcurvefiles import LISTS, api_rows, dr_columns, dr_table, write_api, write_dr
from realdata import REAL, needs_real

from ingest.compact import compact
from ingest.imports import dr_parquet, spool
from ingest.imports.errors import BadCollectionError, UnknownImportError
from ingest.imports.job import import_lightcurves, remove_imports
from ingest.pipeline import ingest
from nightlake import Archive
from store.manifest import Manifest
from store.publication import create_archive, publish
from store.repair import repair
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.vacuum import vacuum
from store.verify import verify

OBJECT = ("objectid", "objra", "objdec", "filterid", "fieldid", "rcid")
OURS = {"objectid": "oid", "filterid": "fid", "fieldid": "field"}


@pytest.fixture
def root(tmp_path):
    create_archive(tmp_path / "archive", ArchiveSettings())
    return tmp_path / "archive"


def bring(root, *paths, **how):
    return import_lightcurves(root, paths, workers=1, **how)


def outcomes(report):
    return [(file.name, file.outcome) for file in report.files]


def rows(root, table="imported_lightcurves"):
    """All rows in the order of the sky."""
    files = open_snapshot(root).files(table)
    return pl.concat([pl.read_parquet(path) for path in files])


def curves(root):
    """Each object's epochs as lists, in the order that they are stored in."""
    return {oid: group for (oid,), group in rows(root).group_by("oid", maintain_order=True)}


def assert_are(root, columns):
    """The stored curves have the lists of the input, value by value."""
    found = curves(root)
    assert sorted(found) == sorted(columns["objectid"].tolist())
    for i, oid in enumerate(columns["objectid"].tolist()):
        for name in LISTS:
            wanted = columns[name][i]
            kept = found[oid][name].to_numpy()
            np.testing.assert_array_equal(kept, wanted.astype(kept.dtype), name)
            np.testing.assert_array_equal(kept.astype(wanted.dtype), wanted, name)
        for name in OBJECT:
            wanted = columns[name][i]
            assert set(found[oid][OURS.get(name, name)].to_list()) == {wanted.item()}, name
        assert found[oid]["epoch"].to_list() == list(range(len(columns["hmjd"][i])))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    "widths",
    [{}, {"hmjd": np.float32, "catflags": np.uint16}],
    ids=["dr19", "dr5"],
)
def test_curves_of_a_data_release_are_kept_list_by_list(root, tmp_path, widths, nested):
    columns = dr_columns(60)
    columns |= {name: [one.astype(kind) for one in columns[name]] for name, kind in widths.items()}
    table = dr_table(columns)
    if nested:
        lists = pa.StructArray.from_arrays([table[n].combine_chunks() for n in LISTS], LISTS)
        # The public catalogue has no field and no quadrant: its ids tell.
        table = table.drop_columns([*LISTS, "fieldid", "rcid"]).append_column("lightcurve", lists)
    path = tmp_path / "curves.parquet"
    pq.write_table(table, path, row_group_size=7)
    report = bring(root, path, collection="dr")
    assert (report.curves, report.epochs) == (60, sum(map(len, columns["hmjd"])))
    assert_are(root, columns)
    assert verify(root, deep=True) == []


def test_memory_holds_some_rows_and_the_answer_is_the_same(root, tmp_path, monkeypatch):
    columns = dr_columns(200)
    monkeypatch.setattr(dr_parquet, "BATCH_EPOCHS", 11)
    monkeypatch.setattr(spool, "ROW_GROUP_ROWS", 16)
    bring(root, write_dr(tmp_path / "curves.parquet", columns, row_group_size=50))
    assert_are(root, columns)
    sizes = [
        pq.read_metadata(path).row_group(0).num_rows
        for path in open_snapshot(root).files("imported_lightcurves")
    ]
    assert max(sizes) <= 16 + 9
    assert verify(root) == []


@needs_real
def test_the_real_file_of_the_data_release_is_kept_list_by_list(root):
    path = REAL / "dr_parquet" / "ztf_001518_zr_c01_q2_dr19.parquet"
    report = bring(root, path, collection="dr19")
    assert (report.curves, report.epochs) == (9513, 49836)
    table = pq.read_table(path)
    columns = {name: table[name].to_numpy() for name in OBJECT}
    for name in LISTS:
        columns[name] = list(table[name].to_numpy())
    assert_are(root, columns)


@needs_real
def test_real_answers_of_the_api_are_kept_digit_by_digit(root):
    paths = sorted((REAL / "lightcurve_api").glob("*.csv"))
    report = bring(root, *paths, collection="api")
    empty = "6555925496084361344.csv"
    assert [r.code for r in report.refusals] == ["no_light_curves"]
    assert dict(outcomes(report))[empty] == "refused"
    found = rows(root).sort("input_file", "oid", "epoch")
    wanted = []
    for path in paths:
        with path.open() as file:
            numbered = list(enumerate(csv.DictReader(file)))
        wanted += sorted(numbered, key=lambda one: (int(one[1]["oid"]), one[0]))
    wanted = [row for _, row in wanted]
    assert len(wanted) == len(found) == 10976
    # IRSA writes float32 with 9 digits, float64 with 17: enough to have every bit back.
    for name in ("mag", "magerr", "chi", "sharp", "limitmag", "magzp", "magzprms", "clrcoeff",
                 "clrcounc", "exptime", "airmass"):  # fmt: skip
        kept = found[name].to_numpy().astype(np.float32)
        given = np.array([np.float32(row[name]) for row in wanted])
        np.testing.assert_array_equal(kept, given, name)
        np.testing.assert_array_equal(np.signbit(kept), np.signbit(given), name)
    for ours, theirs in (("ra", "ra"), ("dec", "dec"), ("obsmjd", "mjd")):
        assert found[ours].to_list() == [float(row[theirs]) for row in wanted], ours
    assert (found["hmjd"] + 2400000.5).to_list() == [float(row["hjd"]) for row in wanted]
    for name in ("oid", "expid", "catflags", "filefracday", "field", "programid"):
        assert found[name].to_list() == [int(row[name]) for row in wanted], name
    rcid = [4 * (int(row["ccdid"], 16) - 1) + int(row["qid"], 16) - 1 for row in wanted]
    assert found["rcid"].to_list() == rcid
    assert found["fid"].to_list() == [["", "zg", "zr", "zi"].index(r["filtercode"]) for r in wanted]
    assert verify(root) == []


def test_objects_that_take_turns_in_an_answer_keep_their_order(root, tmp_path):
    one, other = api_rows(4, oid=605_109_400_000_001), api_rows(3, oid=605_109_400_000_002)
    mixed = [one[2], other[0], one[0], one[3], other[2], other[1], one[1]]
    for row in other:
        row |= {"chi": "", "airmass": "null", "programid": "", "ccdid": "9", "sharp": "nan"}
    bring(root, write_api(tmp_path / "a.csv", mixed))
    found = curves(root)
    for oid, wanted in ((1, [2, 0, 3, 1]), (2, [0, 2, 1])):
        expid = found[605_109_400_000_000 + oid]["expid"]
        assert (expid - 54747616).to_list() == wanted
    nulls = found[605_109_400_000_002].select("chi", "airmass", "programid", "sharp")
    assert nulls.null_count().row(0) == (3, 3, 3, 3)
    assert verify(root) == []


def test_an_object_at_midnight_of_the_sky_has_its_middle_there(root, tmp_path):
    east, west = api_rows(2)
    east["ra"], west["ra"] = "0.0001", "359.9999"
    bring(root, write_api(tmp_path / "a.csv", [east, west]))
    from_midnight = (rows(root)["objra"].to_numpy() + 180) % 360 - 180
    assert np.abs(from_midnight).max() < 1e-9


def test_a_colour_coefficient_may_be_unknown(root, tmp_path):
    columns = dr_columns(3)
    columns["clrcoeff"][1][:] = np.nan
    bring(root, write_dr(tmp_path / "a.parquet", columns))
    found = curves(root)[columns["objectid"][1].item()]["clrcoeff"]
    assert found.null_count() == len(found)
    assert verify(root) == []


def test_the_same_file_again_changes_nothing(root, tmp_path):
    path = write_dr(tmp_path / "curves.parquet")
    first = bring(root, path)
    again = bring(root, path)
    assert again.publication == first.publication
    assert outcomes(again) == [("curves.parquet", "unchanged")]


def test_another_file_of_that_name_takes_its_place(root, tmp_path):
    bring(root, write_dr(tmp_path / "a" / "curves.parquet", dr_columns(9)))
    columns = dr_columns(4, seed=2, ra=10.0)
    bring(root, write_dr(tmp_path / "b" / "curves.parquet", columns))
    assert_are(root, columns)
    assert rows(root, "imports")["n_curves"].to_list() == [4]
    assert verify(root) == []


def test_two_files_of_one_name_that_differ_are_refused_and_alike_are_one(root, tmp_path):
    one = write_dr(tmp_path / "a" / "curves.parquet", dr_columns(9))
    other = write_dr(tmp_path / "b" / "curves.parquet", dr_columns(8))
    report = bring(root, one, other)
    assert [r.code for r in report.refusals] == ["duplicate_image"] * 2
    other.write_bytes(one.read_bytes())
    assert outcomes(bring(root, one, other)) == [("curves.parquet", "published")]


def test_an_object_stands_once_in_a_collection(root, tmp_path):
    bring(root, write_dr(tmp_path / "a.parquet", dr_columns(5)))
    other = write_dr(tmp_path / "b.parquet", dr_columns(3))
    third = write_dr(tmp_path / "c.parquet", dr_columns(3, first=700_207_400_000_000))
    report = bring(root, other, third)
    assert outcomes(report) == [("b.parquet", "refused"), ("c.parquet", "published")]
    said = str(report.refusals[0])
    assert "3 of its curves are in a.parquet too, object 633207400000000 first" in said
    assert bring(root, other, collection="others").curves == 3
    remove_imports(root, names=["a.parquet"])
    assert bring(root, other).curves == 3
    assert verify(root) == []


def test_two_new_files_with_one_object_are_told_apart_by_their_names(root, tmp_path):
    paths = [write_dr(tmp_path / name, dr_columns(3)) for name in ("b.parquet", "a.parquet")]
    paths[0] = write_dr(paths[0], dr_columns(2))
    report = bring(root, *paths)
    assert outcomes(report) == [("a.parquet", "published"), ("b.parquet", "refused")]


def test_files_are_published_some_at_a_time(root, tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.imports.job.PUBLISHED_FILES", 2)
    for i in range(5):  # the fourth has objects of the first, published two publications ago
        columns = dr_columns(3, first=(i % 3 + 1) * 10**12, seed=i)
        write_dr(tmp_path / "in" / f"{i}.parquet", columns)
    told = []
    report = bring(root, tmp_path / "in", progress=lambda *step: told.append(step))
    assert [file.outcome for file in report.files] == ["published"] * 3 + ["refused"] * 2
    assert [r.what.partition(" in ")[2][:9] for r in report.refusals] == ["0.parquet", "1.parquet"]
    assert told == [(i, 5, "files") for i in range(1, 6)]
    assert report.publication == 3  # 0 and 1, 2, refusals
    assert bring(root, tmp_path / "in" / "0.parquet").files[0].outcome == "unchanged"


def test_a_file_or_a_collection_is_removed_and_can_be_read_as_of_before(root, tmp_path):
    for i, name in enumerate(("a", "b")):
        columns = dr_columns(3, first=10**12 * (i + 1) + 201_100_000_000)
        bring(root, write_dr(tmp_path / f"{name}.parquet", columns), collection="mine")
    with Archive(root) as archive:
        before = archive.snapshot.number
        gone = archive.remove_lightcurves("a.parquet", collection="mine")
        assert gone.files == 1
        assert archive.sql("select distinct input_file from imports").rows() == [("b.parquet",)]
        archive.remove_lightcurves(collection="mine")
        assert archive.sql("select count(*) from imported_lightcurves").item() == 0
    with Archive(root, as_of=before) as archive:
        assert archive.sql("select count(*) from imports").item() == 2
    for names in ([], ["a.parquet"]):
        with pytest.raises(UnknownImportError, match="mine"):
            remove_imports(root, "mine", names)
    vacuum(root, older_than_days=0)
    assert not [p for p in (root / "data").rglob("*.parquet") if "imported" in str(p)]
    assert verify(root) == []


def broken(path, columns=None, **changes):
    """A file of 5 curves with some columns changed."""
    columns = dr_columns(5) if columns is None else columns
    for name, change in changes.items():
        change(columns[name]) if callable(change) else columns.update({name: change})
    return write_dr(path, columns)


def put(row, epoch, value):
    def change(lists):
        lists[row] = lists[row].copy()
        lists[row][epoch] = value

    return change


def truncate(path):
    write_dr(path, dr_columns(500))
    path.write_bytes(path.read_bytes()[:-2000])


def damage(path):
    write_dr(path, dr_columns(500), compression="zstd")
    data = bytearray(path.read_bytes())
    data[1000:9000] = b"\x55" * 8000
    path.write_bytes(data)


def with_null(path):
    table = dr_table(dr_columns(5))
    mag = table["mag"].to_pylist()
    mag[3] = None
    column = pa.array(mag, pa.list_(pa.float32()))
    pq.write_table(table.set_column(table.column_names.index("mag"), "mag", column), path)


def with_null_epoch(path):
    table = dr_table(dr_columns(5))
    magerr = table["magerr"].to_pylist()
    magerr[2][-1] = None
    column = pa.array(magerr, pa.list_(pa.float32()))
    pq.write_table(table.set_column(table.column_names.index("magerr"), "magerr", column), path)


def api(path, row, **changes):
    given = api_rows()
    given[row] |= changes
    write_api(path, given)


PARQUET = "data-release light curves"
BAD = {
    "no light curves": (lambda p: pq.write_table(pa.table({"a": [1]}), p), "foreign_columns",
                        r"column objectid, .* is missing \(found: a\)"),
    "lists that are numbers": (lambda p: broken(p, mag=np.ones(5, np.float32)), "foreign_columns",
                               "column mag is float, not lists"),
    "ids that are text": (lambda p: broken(p, objectid=np.array(list("abcde"))), "foreign_columns",
                          "column objectid is string, not whole numbers"),
    "flags that are floats": (
        lambda p: broken(p, catflags=[np.zeros(len(m)) for m in dr_columns(5)["mag"]]),
        "foreign_columns", "column catflags is double, not whole numbers"),
    "lists of other lengths": (
        lambda p: broken(p, mag=lambda m: m.__setitem__(2, np.ones(20, np.float32))),
        "unequal_lists", r"column mag: 20 epochs in row 2, where there should be \d"),
    "a count that is wrong": (lambda p: broken(p, nepochs=np.full(5, 3)), "unequal_lists",
                              r"column hmjd: \d epochs in row \d, where there should be 3"),
    "a curve without epochs": (
        lambda p: broken(p, {n: [v[0][:0]] if n in LISTS else v[:1] * (n != "nepochs")
                             for n, v in dr_columns(1).items()}),
        "bad_values", "column nepochs: no epoch in row 0"),
    "a list that is null": (with_null, "bad_values", "column mag: null in row 3"),
    "an epoch that is null": (with_null_epoch, "bad_values",
                              "column magerr: null in row 2, epoch"),
    "a magnitude that is NaN": (lambda p: broken(p, mag=put(4, 0, np.nan)), "bad_values",
                                "column mag: nan in row 4, epoch 0"),
    "a date that is infinite": (lambda p: broken(p, hmjd=put(1, -1, np.inf)), "bad_values",
                                "column hmjd: inf in row 1, epoch"),
    "flags of more bits": (lambda p: broken(p, catflags=put(0, 0, 65536)), "bad_values",
                           "column catflags: 65536 in row 0, epoch 0"),
    "digits that would be lost": (
        lambda p: broken(p, mag=[np.full(len(m), 17.123456789) for m in dr_columns(5)["mag"]]),
        "bad_values", "column mag: 17.123456789, more digits than float32 holds"),
    "a place off the sky": (lambda p: broken(p, objdec=np.full(5, 91, np.float32)), "bad_values",
                            "column objdec: 91.0 in row 0, and 4 more"),
    "a filter that is not there": (lambda p: broken(p, filterid=np.full(5, 7, np.int8)),
                                   "bad_values", "column filterid: 7 in row 0"),
    "a curve twice": (lambda p: broken(p, objectid=np.array([5, 6, 7, 8, 6])), "bad_values",
                      "column objectid: 6 in several rows"),
    "no row": (lambda p: pq.write_table(dr_table(dr_columns(5)).slice(0, 0), p),
               "no_light_curves", "without a row"),
    "a file that ends too soon": (truncate, "damaged_import", PARQUET),
    "a file that was overwritten": (damage, "damaged_import", PARQUET),
    "an empty file": (lambda p: p.write_bytes(b""), "not_light_curves", "is empty"),
    "text": (lambda p: p.write_text("The quick brown fox"), "not_light_curves", "neither"),
    "a web page": (lambda p: p.write_text("<!DOCTYPE html><html>"), "not_light_curves", "is HTML"),
    "a VOTable": (lambda p: p.write_text('<?xml version="1.0"?><VOTABLE>'), "not_light_curves",
                  r"is XML or VOTable.*FORMAT=CSV"),
    "an IPAC table": (lambda p: p.write_text("\\fixlen = T\n| oid |\n"), "not_light_curves",
                      "is an IPAC table"),
    "CSV of images": (lambda p: p.write_text("field,ccdid,qid\n1,2,3\n"), "not_light_curves",
                      r"CSV of something else \(it begins: field,ccdid,qid\)"),
    "CSV of other light curves": (lambda p: p.write_text("oid,mjd,mag\n1,2,3\n"),
                                  "foreign_columns", "column hjd, magerr, .* is missing"),
    "a header alone": (lambda p: write_api(p, []), "no_light_curves", "without a row"),
    "a row that ends too soon": (
        lambda p: write_api(p).write_text(p.read_text()[:-40]), "damaged_import",
        r"Row #5: Expected 24 columns, got 2\d"),
    "a word for a number": (lambda p: api(p, 2, mag="bright"), "damaged_import",
                            r"invalid value 'bright'"),
    "a magnitude that is missing": (lambda p: api(p, 1, mag=""), "bad_values",
                                    "column mag: no value in line 3"),
    "a date that is NaN": (lambda p: api(p, 3, hjd="nan"), "bad_values",
                           "column hjd: nan in line 5"),
    "a filter of another survey": (lambda p: api(p, 0, filtercode="zz"), "bad_values",
                                   "column filtercode: zz in line 2"),
    "a quadrant that is none": (lambda p: api(p, 0, qid="0x9"), "bad_values",
                                "column qid: 0x9 in line 2"),
    "an object of two filters": (lambda p: api(p, 2, filtercode="zr"), "bad_values",
                                 "605109400001826 has several fields, filters or quadrants"),
    "a column that stands twice": (
        lambda p: write_api(p).write_text(p.read_text().replace("chi", "mag", 1)),
        "foreign_columns", "column mag stands twice"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_by_name_and_place_and_the_others_go_on(root, tmp_path, fault):
    make, code, said = BAD[fault]
    bad, good = tmp_path / "bad.dat", tmp_path / "good.parquet"
    make(bad)
    columns = dr_columns(3, first=900_207_400_000_000)
    report = bring(root, bad, write_dr(good, columns))
    assert outcomes(report) == [("bad.dat", "refused"), ("good.parquet", "published")]
    refusal = report.refusals[0]
    assert (refusal.input_file, refusal.code) == ("bad.dat", code)
    assert re.search(said, str(refusal)), str(refusal)
    assert refusal.hint
    assert_are(root, columns)
    assert rows(root, "refusals").select("input_file", "code").rows() == [("bad.dat", code)]
    assert not (root / "staging" / "imports").exists()
    assert verify(root) == []


def test_a_refusal_goes_once_the_file_is_mended(root, tmp_path):
    path = write_api(tmp_path / "a.csv", [])
    assert bring(root, path).nothing_done
    write_api(path)
    assert not bring(root, path).refusals
    assert open_snapshot(root).rows("refusals") == 0


def test_a_damaged_file_is_found_and_mended_by_giving_its_input_again(root, tmp_path):
    path = write_dr(tmp_path / "curves.parquet")
    bring(root, path)
    stored = next(iter((root / "data" / "imported_lightcurves").rglob("*.parquet")))
    stored.write_bytes(stored.read_bytes()[:-1])
    found = verify(root)
    assert [finding.code for finding in found] == ["checksum"]
    assert "nightlake import ARCHIVE lightcurves FILE" in found[0].remedy
    bring(root, path)
    assert verify(root) == []


def test_rows_that_are_lost_are_missed_by_a_deep_check(root, tmp_path):
    bring(root, write_dr(tmp_path / "curves.parquet", dr_columns(40)))
    (group,) = open_snapshot(root).groups
    manifest = open_snapshot(root).manifest(group)
    lost = next(e for e in manifest.files if e.table == "imported_lightcurves")
    publish(root, {group: Manifest.of(group, set(manifest.files) - {lost})}, "loss")
    assert verify(root) == []
    (finding,) = verify(root, deep=True)
    assert "imports says 40 curves" in finding.what


def test_repair_makes_the_links_of_imports_anew(root, tmp_path):
    bring(root, write_dr(tmp_path / "curves.parquet"))
    link = next((open_snapshot(root).folder / "imports").iterdir())
    link.unlink()
    assert verify(root) != []
    repair(root)
    assert verify(root) == []


def test_folders_are_searched_and_of_a_hats_catalogue_the_pixels_alone(root, tmp_path):
    folder = tmp_path / "hats" / "dataset" / "Norder=1" / "Dir=0"
    write_dr(folder / "Npix=1.parquet", dr_columns(3))
    second = dr_columns(3, first=700_207_400_000_000)
    write_dr(folder.parents[1] / "Norder=2" / "Dir=0" / "Npix=1.parquet", second)
    write_dr(tmp_path / "hats" / "dataset" / "data_thumbnail.parquet")
    report = bring(root, tmp_path / "hats", collection="hats")
    names = ["Norder=1/Dir=0/Npix=1.parquet", "Norder=2/Dir=0/Npix=1.parquet"]
    assert outcomes(report) == [(name, "published") for name in names]
    write_api(tmp_path / "more" / "b" / "x.CSV")
    (tmp_path / "more" / "readme.txt").write_text("nothing")
    assert outcomes(bring(root, tmp_path / "more")) == [("x.CSV", "published")]


@pytest.mark.parametrize("name", ["", "DR19", "1st", "a-b", "../x", "a" * 65, "ä"])
def test_a_collection_has_a_plain_name(root, tmp_path, name):
    with pytest.raises(BadCollectionError, match="no name of a collection"):
        bring(root, write_dr(tmp_path / "a.parquet"), collection=name)


def test_names_of_eight_digits_are_no_nights(root, tmp_path):
    columns = dr_columns(3)
    for i in range(40):  # some of their checksums have eight digits in a row
        columns["objectid"] = columns["objectid"] + 10
        write_dr(tmp_path / "in" / f"{i}.parquet", columns)
    bring(root, tmp_path / "in", collection="c99999999")
    assert len(open_snapshot(root).groups) == 40
    assert verify(root) == []


def test_an_import_stays_whole_where_pixels_of_detections_are_split(tmp_path):
    root = tmp_path / "archive"
    create_archive(root, ArchiveSettings())
    ra, dec = scatter(np.random.default_rng(1), 400)
    write_psfcat(tmp_path / "raw", ra, dec)
    ingest(root, [tmp_path / "raw"], workers=1)
    columns = dr_columns(50, ra=149.5, dec=19.5)
    bring(root, write_dr(tmp_path / "a.parquet", columns))
    compact(root, max_rows=50, workers=1)
    assert open_snapshot(root).partition.split
    assert verify(root) == []
    bring(root, write_dr(tmp_path / "b.parquet", dr_columns(9, first=10**15)))
    assert verify(root) == []
