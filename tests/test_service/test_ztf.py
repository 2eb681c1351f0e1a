"""The light-curve API, asked as its clients ask it, and what they make of the answers."""

import io
import itertools
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import polars as pl
import pytest
from astropy.table import Table
from polars.testing import assert_frame_equal

from service.settings import Settings
from service.ztf.columns import NAMES
from service.ztf.request import parse

PATH = "/cgi-bin/ZTF/nph_light_curves"
UNITS = {"hjd": "d", "mjd": "d", "mag": "mag", "magerr": "mag", "ra": "deg", "dec": "deg",
         "limitmag": "mag", "magzp": "mag", "magzprms": "mag", "exptime": "s"}  # fmt: skip


def ask(client, **params):
    return client.get(PATH, params=params)


def csv(response):
    assert response.status_code == 200, response.text
    return pl.read_csv(io.StringIO(response.text), infer_schema_length=None)


def expected(sky, **place):
    """What the archive says, in the API's columns, of the public programme."""
    frame = sky.archive.lightcurve(all_images=True, **place)
    frame = frame.filter(pl.col("oid").is_not_null(), pl.col("programid") == 1)
    return frame.rename({"obsmjd": "mjd"}).select(NAMES)


def same(found, frame):
    """Whether rows of an answer are those of the archive; text has the shortest digits."""
    order = ["oid", "expid"]
    frame = frame.with_columns(pl.col("ccdid", "qid").map_elements(hex, return_dtype=pl.String))
    found = found.cast({n: t for n, t in frame.schema.items() if found[n].dtype != t})
    assert_frame_equal(found.sort(order), frame.sort(order), check_exact=True)


def test_csv_has_the_columns_and_the_rows_of_the_archive(client, sky):
    found = csv(ask(client, ID=int(sky.oids[0]), FORMAT="CSV"))
    assert tuple(found.columns) == NAMES
    assert found.height == 3  # of four nights one is not public
    same(found, expected(sky, oid=int(sky.oids[0])))


def test_a_place_means_objects_with_their_whole_curves(client, sky):
    ra, dec, radius = sky.ra[0], sky.dec[0], 0.01
    found = csv(ask(client, POS=f"CIRCLE {ra} {dec} {radius}", FORMAT="csv"))
    near = np.hypot((sky.ra - ra) * np.cos(np.radians(dec)), sky.dec - dec) < radius
    wanted = sky.all_oids[np.tile(near, 3)]
    assert 3 < near.sum() < near.size or near.all()
    same(found, expected(sky, oid=wanted.tolist()))


@pytest.mark.parametrize("kind", ["VOTABLE", "IPAC_TABLE", "TSV"])
def test_every_format_holds_the_same_rows(client, sky, kind):
    oids = sky.oids[:3].tolist()
    truth = expected(sky, oid=oids)
    answer = ask(client, ID=",".join(map(str, oids)), FORMAT=kind)
    assert answer.status_code == 200
    if kind == "TSV":
        same(pl.read_csv(answer.content, separator="\t"), truth)
        return
    source = io.BytesIO(answer.content) if kind == "VOTABLE" else answer.text
    table = Table.read(source, format="votable" if kind == "VOTABLE" else "ascii.ipac")
    assert table.colnames == list(NAMES)
    table.sort(["oid", "expid"])
    truth = truth.sort("oid", "expid")
    for name in NAMES:
        column = table[name]
        assert str(column.unit or "") == UNITS.get(name, ""), name
        nulls = truth[name].is_null().to_numpy()
        masked = np.ma.getmaskarray(np.ma.asarray(column))
        if column.dtype.kind == "f":
            masked = masked | np.isnan(np.ma.filled(np.ma.asarray(column), np.nan))
        assert (masked == nulls).all(), name
        if name != "filtercode":
            there = truth[name].drop_nulls().to_numpy()
            assert (np.ma.asarray(column)[~nulls].astype(there.dtype) == there).all(), name
    if kind == "VOTABLE":
        assert b'version="1.4"' in answer.content[:200]
        assert all(table[name].description for name in NAMES)


def test_the_default_is_a_votable_that_votlint_finds_nothing_wrong_with(client, sky, tmp_path):
    answer = client.get(f"{PATH}?ID={sky.oids[0]}")
    assert answer.headers["content-type"] == "application/x-votable+xml"
    if shutil.which("stilts") is None:
        pytest.skip("stilts is not installed")
    (tmp_path / "x.vot").write_bytes(answer.content)
    done = subprocess.run(
        ["stilts", "votlint", str(tmp_path / "x.vot")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "", "")


class Cells(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.rows, self.cell = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        self.cell = tag in ("td", "th")

    def handle_data(self, data):
        if self.cell and self.rows:
            self.rows[-1].append(data)

    def handle_endtag(self, tag):
        self.cell = False


def test_html_is_a_table_of_the_same(client, sky):
    answer = ask(client, ID=int(sky.oids[0]), FORMAT="HTML")
    names, _, *rows = Cells(answer.text).rows
    assert tuple(names) == NAMES
    assert [row[0] for row in rows] == [str(sky.oids[0])] * 3


SPELLINGS = [
    "POS=CIRCLE {ra} {dec} 0.001&FORMAT=CSV",
    "pos=circle {ra} {dec} 0.001&format=csv",
    "POS=Circle+{ra}+{dec}+1e-3&FORMAT=Csv&COLLECTION=ztf_dr21",
    "CIRCLE={ra} {dec} 0.001&FORMAT=CSV",
    "Circle={ra},{dec},0.001&FORMAT=CSV&BANDNAME=g,r,i",
    "CIRCLE={wrapped} {dec} 0.001&FORMAT=CSV&BANDNAME=gri&NOBS_MIN=1",
    "CIRCLE={ra} {dec} 0.001&FORMAT=CSV&BANDNAME=1,2 3&num_obs=2&BAND=0 Inf",
    "CIRCLE={ra} {dec} 0.001&FORMAT=CSV&MAG=-Inf Inf&TIME=-Inf Inf&BAD_CATFLAGS_MASK=0",
    "CIRCLE={ra} {dec} 0.001&FORMAT=CSV&COLLECTION=&BANDNAME=&BAND=4.1e-7 9e-7",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_all_spellings_of_a_question_have_one_answer(client, sky, spelling, method):
    query = spelling.format(ra=sky.ra[0], dec=sky.dec[0], wrapped=sky.ra[0] - 360)
    first = csv(ask(client, CIRCLE=f"{sky.ra[0]} {sky.dec[0]} 0.001", FORMAT="CSV"))
    if method == "GET":
        answer = client.get(f"{PATH}?{query}")
    else:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = client.post(PATH, content=query.replace(" ", "+"), headers=headers)
    assert_frame_equal(csv(answer), first)


def test_ids_are_given_repeated_or_listed_and_those_that_are_not_there_have_no_rows(client, sky):
    a, b = sky.oids[:2].tolist()
    both = csv(client.get(f"{PATH}?ID={a}&ID={b}&FORMAT=CSV"))
    assert both["oid"].unique().sort().to_list() == [a, b]
    for query in (f"ID={a},{b}", f"id={a}+{b}&ID=1", f"ID={a}, {b},{a}"):
        assert_frame_equal(csv(client.get(f"{PATH}?{query}&FORMAT=CSV")), both)
    empty = client.get(f"{PATH}?ID=1&FORMAT=CSV").text
    assert empty == ",".join(NAMES) + "\n"


def test_bands_name_filters_or_reach_into_their_light(client, sky):
    circle = f"{sky.ra[0]} {sky.dec[0]} 0.001"
    for params, fids in (
        ({"BANDNAME": "g"}, {"zg"}),
        ({"BANDNAME": "2"}, {"zr"}),
        ({"BANDNAME": "i"}, set()),
        ({"BAND": "4.10e-7 5.50e-7"}, {"zg"}),
        ({"BAND": "7.0e-7 9.0e-7"}, set()),
        ({"BAND": "6e-7"}, {"zr"}),
        ({"BAND": "0 Inf", "BANDNAME": "g,i"}, {"zg"}),
    ):
        found = csv(ask(client, CIRCLE=circle, FORMAT="CSV", **params))
        assert set(found["filtercode"]) == fids, params


def test_objects_are_chosen_before_their_rows(client, sky):
    """NOBS_MIN and MAG are of objects; TIME and BAD_CATFLAGS_MASK leave out rows of these."""
    circle = f"{sky.ra[0]} {sky.dec[0]} 0.05"
    rows = csv(ask(client, CIRCLE=circle, FORMAT="CSV"))
    assert len(rows) == 3 * 14 * 3
    one_night = f"{rows['mjd'].min()} {rows['mjd'].min() + 0.5}"
    some = csv(ask(client, CIRCLE=circle, FORMAT="CSV", NOBS_MIN=3, TIME=one_night))
    assert len(some) == 14 * 3
    assert not len(csv(ask(client, CIRCLE=circle, FORMAT="CSV", NOBS_MIN=4)))
    at = str(rows["mjd"].min())
    assert csv(ask(client, CIRCLE=circle, FORMAT="CSV", TIME=at))["filtercode"].unique()[0] == "zg"
    flagged = csv(ask(client, CIRCLE=circle, FORMAT="CSV", BAD_CATFLAGS_MASK=32768))
    assert set(flagged["catflags"]) == {0}
    assert len(flagged) == len(rows.filter(pl.col("catflags") & 32768 == 0))
    clean = rows.filter(pl.col("catflags") == 0)
    median = clean.group_by("oid").agg(pl.col("mag").median())
    bright = csv(ask(client, CIRCLE=circle, FORMAT="CSV", MAG="15 17"))
    wanted = median.filter(pl.col("mag").is_between(15, 17))["oid"]
    assert set(bright["oid"]) == set(wanted)


BAD = [
    "", "ID=", "ID=abc", "ID=-3", "ID=99999999999999999999", "ID=1&POS=CIRCLE 1 2 0.1",
    "ID=1&BANDNAME=g", "ID=1&BAND=1e-7", "ID=1&MAG=1 2", "ID=1&NOBS_MIN=3", "ID=1&NUM_OBS=3",
    "POS=BOX 1 2 3 4", "POS=CIRCLE 1 2", "CIRCLE=1 2 3 4", "CIRCLE=a b c", "CIRCLE=nan 2 0.1",
    "CIRCLE=1 91 0.1", "CIRCLE=1 2 0", "CIRCLE=1 2 -1", "CIRCLE=1 2 0.1668", "CIRCLE=1 2 inf",
    "CIRCLE=1 2 0.1&POS=CIRCLE 1 2 0.1", "CIRCLE=1 2 0.1&CIRCLE=1 2 0.1",
    "CIRCLE=1 2 0.1&BANDNAME=x", "CIRCLE=1 2 0.1&MAG=20 10", "CIRCLE=1 2 0.1&MAG=1 2 3",
    "CIRCLE=1 2 0.1&TIME=x", "CIRCLE=1 2 0.1&TIME=nan nan", "ID=1&BAD_CATFLAGS_MASK=70000",
    "ID=1&BAD_CATFLAGS_MASK=-1", "CIRCLE=1 2 0.1&NOBS_MIN=x", "ID=1&NOPE=1", "ID=1&COLLECTION=x",
    "ID=1' OR 1=1 --", "ID=1;DROP TABLE x", "ID=" + "1," * 10_001 + "2",
]  # fmt: skip


@pytest.mark.parametrize("query", BAD, ids=lambda query: query[:40] or "nothing")
def test_what_is_no_question_is_told_in_the_format_that_was_asked_for(client, query):
    if len(query) > 100:
        query = "&".join(f"ID={n}" for n in range(10_001))
    bodies = {}
    for kind in ("VOTABLE", "IPAC_TABLE", "HTML", "CSV", "TSV"):
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = client.post(PATH, content=f"{query}&FORMAT={kind}", headers=headers)
        assert answer.status_code == 400, answer.text
        bodies[kind] = answer.text
    assert 'name="QUERY_STATUS" value="ERROR"' in bodies["VOTABLE"]
    assert bodies["HTML"].startswith("<!DOCTYPE html>")
    assert bodies["IPAC_TABLE"].startswith('[struct stat="ERROR"')
    # The clients' test of an error: a body that begins with <.
    assert bodies["CSV"].startswith("<error>,message\n")
    assert bodies["TSV"].startswith("<error>\tmessage\n")


def test_a_format_that_there_is_not_is_told(client):
    answer = client.get(f"{PATH}?ID=1&FORMAT=FITS")
    assert answer.status_code == 400
    assert "VOTABLE, IPAC_TABLE, HTML, CSV, TSV" in answer.text


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/plain"])
def test_a_form_that_cannot_be_read_is_told_in_the_format_of_the_address(client, kind):
    headers = {"content-type": kind}
    answer = client.post(f"{PATH}?FORMAT=CSV", content=b"--x\r\nID=1", headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.startswith("<error>,message\nbad_request,")


def test_ztfquery_asks_it_unmodified(url, sky, monkeypatch):
    lightcurve = pytest.importorskip("ztfquery.lightcurve")
    monkeypatch.setattr(lightcurve, "BASEURL", f"{url}{PATH}?")
    query = lightcurve.LCQuery.from_position(sky.ra[0], sky.dec[0], 2, cookies={})
    assert isinstance(query.data, pd.DataFrame)
    ids = [str(oid) for oid in sorted(set(query.data["oid"]))]
    assert sorted(sky.all_oids[::14].tolist()) == sorted(map(int, ids))
    again = lightcurve.LCQuery.from_id(ids, cookies={})
    assert sorted(again.data["expid"]) == sorted(query.data["expid"])
    green = lightcurve.LCQuery.from_position(
        sky.ra[0], sky.dec[0], 2, bandname="g", mag=[10, 22], cookies={}
    )
    assert set(green.data["filtercode"]) == {"zg"}


def test_examples_of_openapi_are_answered_as_it_says(client):
    told = client.get("/api/v1/openapi.json").json()["paths"][PATH]
    by_address, by_form = told["get"], told["post"]
    content = by_form["requestBody"]["content"]["application/x-www-form-urlencoded"]
    assert set(content["schema"]["properties"]) == {one["name"] for one in by_address["parameters"]}
    for title, whole in content["examples"].items():
        in_address = {
            one["name"]: one["examples"][title]["value"]
            for one in by_address["parameters"] if title in one["examples"]
        }  # fmt: skip
        assert in_address == whole["value"]
        for answer in (client.get(PATH, params=in_address), client.post(PATH, data=in_address)):
            assert answer.status_code == 200, answer.text
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind in by_address["responses"]["200"]["content"]
    shown = by_address["responses"]["200"]["content"]["text/csv"]["example"]
    assert tuple(shown.splitlines()[0].split(",")) == NAMES


def test_every_order_and_case_of_names_is_one_request():
    settings = Settings("/nowhere")
    pairs = [("CIRCLE", "1 2 0.1"), ("BANDNAME", "r g"), ("TIME", "1 2"), ("MAG", "3 4")]
    wanted = parse(pairs, settings)
    for turned in itertools.permutations(pairs):
        assert parse([(n.lower(), v) for n, v in turned], settings) == wanted
    assert re.fullmatch(r"\(1, 2\)", str(wanted.fids))
