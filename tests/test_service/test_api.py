"""`/api/v1`, SNAD's form and cone search: answers are the archive's, whatever form they have."""

import io
import json
import shutil
import subprocess

import httpx
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import pyvo
from astropy.table import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from serving import serving

CURVES = "/api/v1/lightcurves"


def read(answer, kind):
    assert answer.status_code == 200, answer.text
    if kind == "csv":
        return pl.read_csv(answer.content, infer_schema_length=None)
    if kind == "parquet":
        return pl.read_parquet(answer.content)
    if kind == "arrow":
        return pl.DataFrame(pl.from_arrow(pa.ipc.open_stream(answer.content).read_all()))
    return pl.DataFrame(answer.json()["rows"], infer_schema_length=None)


def public(frame):
    return frame.filter(pl.col("programid") == 1)


def same(found, frame):
    """Whether an answer is a frame of the archive, in its order, but for what text cannot hold."""
    assert found.columns == frame.columns
    cast = {}
    for name, dtype in frame.schema.items():
        if found[name].dtype == pl.String and dtype == pl.Date:
            found = found.with_columns(pl.col(name).str.to_date())
        elif found[name].dtype != dtype:
            cast[name] = dtype
    assert_frame_equal(found.cast(cast), frame, check_exact=True)


@pytest.mark.parametrize("kind", ["json", "csv", "parquet", "arrow"])
def test_curves_by_id_are_those_of_the_archive(client, sky, kind):
    oids = sky.oids[[4, 1, 2]].tolist()
    answer = client.get(CURVES, params={"oid": oids, "format": kind})
    same(read(answer, kind), public(sky.archive.lightcurve(oids)))


@pytest.mark.parametrize("kind", ["votable", "votable_text"])
def test_votables_hold_the_same(client, sky, kind):
    frame = public(sky.archive.lightcurve(cone=(sky.ra[0], sky.dec[0], 20)))
    where = {"ra": sky.ra[0], "dec": sky.dec[0], "radius": 20, "format": kind}
    table = Table.read(io.BytesIO(client.get(CURVES, params=where).content), format="votable")
    assert table.colnames == frame.columns
    for name in ("oid", "expid", "hmjd", "mag", "catflags", "field"):
        assert (np.asarray(table[name]) == frame[name].to_numpy()).all(), name
    assert list(table["night"]) == [str(night) for night in frame["night"]]
    assert str(table["hmjd"].unit) == "d"


NARROWINGS = st.fixed_dictionaries(
    {},
    optional={
        "filter": st.lists(st.sampled_from(["zg", "zr", "zi"]), min_size=1, unique=True),
        "field": st.lists(st.sampled_from([633, 634, 1]), min_size=1, unique=True),
        "hmjd_from": st.sampled_from([60319.0, 60320.4]),
        "hmjd_to": st.sampled_from([60321.0, 60323.0]),
        "flags_mask": st.sampled_from([0, 1, 32768, 65535]),
        "all_images": st.booleans(),
        "min_epochs": st.sampled_from([1, 2, 3]),
    },
)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(narrowing=NARROWINGS, at=st.integers(0, 13), radius=st.sampled_from([0.5, 15.0, 119.0]))
def test_any_question_has_the_answer_of_the_archive(client, sky, narrowing, at, radius):
    place = (sky.ra[at], sky.dec[at], radius)
    params = {"ra": place[0], "dec": place[1], "radius": radius, "format": "arrow", **narrowing}
    answer = client.get(CURVES, params=params)
    known = dict(narrowing)
    known["filters"], known["fields"] = known.pop("filter", None), known.pop("field", None)
    known["hmjd"] = (known.pop("hmjd_from", None), known.pop("hmjd_to", None))
    least = known.pop("min_epochs", 1)
    frame = public(sky.archive.lightcurve(cone=place, **known))
    if least > 1:  # rows of programmes that are not shown do not count
        frame = frame.filter(pl.len().over("oid") >= least, pl.col("oid").is_not_null())
    same(read(answer, "arrow"), frame)


def test_an_uploaded_table_is_asked_for_row_by_row(client, sky):
    frame = pl.DataFrame({"name": ["a", "b", "c"], "RA": sky.ra[:3], "Dec": sky.dec[:3]})
    wanted = public(
        sky.archive.lightcurve(positions={"ra": sky.ra[:3], "dec": sky.dec[:3]}, radius_arcsec=2)
    )
    votable, parquet = io.BytesIO(), io.BytesIO()
    Table(frame.to_dict(as_series=False)).write(votable, format="votable")
    frame.write_parquet(parquet)
    rows = [{"ra": r, "dec": d} for r, d in zip(sky.ra[:3], sky.dec[:3], strict=True)]
    ask = f"{CURVES}?radius=2&format=arrow"
    for body, kind in (
        (frame.write_csv().encode(), "text/csv"),
        (votable.getvalue(), "application/x-votable+xml"),
        (parquet.getvalue(), "application/vnd.apache.parquet"),
        (json.dumps({"positions": rows}).encode(), "application/json"),
    ):
        answer = client.post(ask, content=body, headers={"content-type": kind})
        same(read(answer, "arrow"), wanted)
    for name, body in (("x.csv", frame.write_csv().encode()), ("x.parquet", parquet.getvalue())):
        answer = client.post(ask, files={"table": (name, body)})
        same(read(answer, "arrow"), wanted)


def test_an_upload_that_means_something_else_is_refused_in_words(client):
    """Radians and hours are angles too: as degrees they would find nothing, or another star."""
    turned = Table({"ra": [2.6], "dec": [0.35]}, units={"ra": "rad", "dec": "rad"})
    hours = Table({"ra": [10.0], "dec": [20.0]}, units={"ra": "hourangle", "dec": "deg"})
    votables = []
    for table in (turned, hours):
        table.write(sink := io.BytesIO(), format="votable")
        votables.append(sink.getvalue())
    for body, kind, words in (
        (votables[0], "text/xml", "column 'ra' is in 'rad', not degrees"),
        (votables[1], "text/xml", "column 'ra' is in 'hourangle', not degrees"),
        (b"ra,dec\n10:00:00,+20:00:00\n", "text/csv", "column 'ra' is string, not degrees"),
        (b"oid\n1.5\n", "text/csv", "column oid has more than whole numbers"),
        (b"", "text/csv", "it is empty"),
        (b"<html></html>", "text/html", "as a VOTable"),
        (b"PAR1 and no more", "", "as Parquet"),
        (
            b'[{"ra": 1, "dec": 2}]',
            "application/json",
            "there are neither positions nor oids in it",
        ),
    ):
        answer = client.post(CURVES, content=body, headers={"content-type": kind})
        assert answer.status_code == 400
        assert answer.json()["message"] == f"the table cannot be read ({words})"


def test_many_positions_and_ids_stream_in_the_order_of_the_archive(client, sky):
    ra, dec = np.tile(sky.ra, 11), np.tile(sky.dec, 11)
    table = pl.DataFrame({"ra": ra, "dec": dec})
    answer = client.post(f"{CURVES}?format=arrow", content=table.write_csv().encode())
    same(read(answer, "arrow"), public(sky.archive.lightcurve(positions=table)))
    ids = {"oids": sky.all_oids.tolist()}
    answer = client.post(f"{CURVES}?format=arrow", json=ids)
    same(read(answer, "arrow"), public(sky.archive.lightcurve(sky.all_oids.tolist())))
    whole = {"ra": sky.ra[0], "dec": sky.dec[0], "radius": 200, "of": "objects", "format": "arrow"}
    found = read(client.get(CURVES, params=whole), "arrow")
    assert_frame_equal(
        found, public(sky.archive.lightcurve(sky.all_oids.tolist())), check_row_order=False
    )


def test_an_id_that_is_not_there_is_told_before_the_first_row(client, sky):
    ids = [*sky.all_oids.tolist(), 999]
    answer = client.post(CURVES, json={"oids": ids})
    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown_object"
    assert "999" in answer.json()["message"]


def test_rows_of_other_programmes_are_nowhere(client, sky):
    hidden = sky.archive.lightcurve(sky.all_oids.tolist()).filter(pl.col("programid") == 2)
    assert hidden.height
    secret = {str(expid) for expid in hidden["expid"].unique()}
    night = str(hidden["night"][0])
    where = {"ra": sky.ra[0], "dec": sky.dec[0], "radius": 100}
    for path, params in (
        (CURVES, {"oid": sky.all_oids.tolist()}),
        (CURVES, where),
        (CURVES, {**where, "of": "objects"}),
        (f"/api/v1/nights/{night}/images", {}),
        ("/cgi-bin/ZTF/nph_light_curves", {"CIRCLE": f"{sky.ra[0]} {sky.dec[0]} 0.1"}),
        ("/api/v3/data/latest/circle/full/json",
         {"ra": sky.ra[0], "dec": sky.dec[0], "radius_arcsec": 100}),
    ):  # fmt: skip
        answer = client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        assert not any(expid in answer.text for expid in secret), path
    for path in ("/api/v1/queries/counts", f"/api/v1/objects/{sky.oids[0]}?statistics=true"):
        assert client.get(path).json()["code"] == "private"


def test_objects_are_told_the_nearest_first(client, sky):
    where = {"ra": sky.ra[3], "dec": sky.dec[3], "radius": 300}
    rows = client.get("/api/v1/objects", params=where).json()["rows"]
    assert len(rows) == 3 * 14
    assert [row["separation_arcsec"] for row in rows] == sorted(
        row["separation_arcsec"] for row in rows
    )
    assert {row["oid"] for row in rows[:3]} == set(sky.all_oids[[3, 17, 31]].tolist())
    first = client.get("/api/v1/objects", params={**where, "limit": 5})
    following = client.get(first.headers["link"].split(";")[0].strip("<>"))
    assert first.json()["rows"] + following.json()["rows"] == rows[:10]
    one = client.get(f"/api/v1/objects/{sky.oids[0]}").json()["rows"]
    assert one[0]["ra"] == pytest.approx(sky.ra[0], abs=1e-7)


def test_nights_images_and_queries_are_those_of_the_library(client, sky):
    nights = client.get("/api/v1/nights?format=arrow")
    assert_frame_equal(read(nights, "arrow"), sky.archive.nights())
    night = str(sky.archive.nights()["night"][0])
    images = client.get(f"/api/v1/nights/{night}/images").json()["rows"]
    assert [row["programid"] for row in images] == [1, 1, 1]
    listed = client.get("/api/v1/queries").json()["queries"]
    assert {"nights", "cone_search"} <= {query["name"] for query in listed}
    assert client.get("/api/v1/queries/nights?format=csv").status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/lightcurves", 400, "bad_request"),
        ("/api/v1/lightcurves?oid=1", 404, "unknown_object"),
        ("/api/v1/lightcurves?oid=x", 422, "bad_request"),
        ("/api/v1/lightcurves?oid=1&ra=1", 400, "bad_request"),
        ("/api/v1/lightcurves?ra=1&dec=2&radius=121", 400, "limit"),
        ("/api/v1/lightcurves?ra=1&dec=2&radius=601&of=objects", 400, "limit"),
        ("/api/v1/lightcurves?ra=inf&dec=2", 400, "bad_cone"),
        ("/api/v1/lightcurves?oid=1&filter=zz", 400, "unknown_filter"),
        ("/api/v1/lightcurves?oid=1&format=exe", 406, "not_acceptable"),
        ("/api/v1/lightcurves?oid=1&collection=x", 404, "unknown_collection"),
        ("/api/v1/lightcurves?oid=1&hmjd_from=2&hmjd_to=1", 400, "bad_selection"),
        ("/api/v1/objects?ra=1&dec=2&radius=601", 400, "limit"),
        ("/api/v1/nights/2001-01-01/images", 404, "unknown_night"),
        ("/api/v1/queries/nope", 404, "unknown_query"),
        ("/api/v1/queries/nights?x=1", 400, "unknown_parameter"),
        ("/api/v1/queries/cone_search", 400, "missing_parameter"),
        ("/api/v1/queries/cone_search?ra=x&dec=1", 400, "bad_parameter"),
        ("/nowhere", 404, "not_found"),
        ("/api/v1/lightcurves?oid=1&radus=3", 400, "bad_request"),
        ("/api/v1/objects?oid=1&filter=zr", 400, "bad_request"),
        ("/api/v1/nights?night=2024-01-10", 400, "bad_request"),
        ("/api/v1/nights/M87/images", 422, "bad_request"),
    ],
)
def test_errors_have_one_shape_and_tell_nothing_of_the_inside(client, sky, path, status, code):
    answer = client.get(path)
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message", "hint"}
    assert answer.json()["code"] == code
    assert str(sky.root.parent) not in answer.text
    assert "Traceback" not in answer.text


def test_what_a_parameter_cannot_be_is_said_in_words(client, sky):
    night = str(sky.archive.nights()["night"][0])
    assert client.get(f"/api/v1/nights/{night.replace('-', '')}/images").status_code == 200
    for path, message in (
        (f"{CURVES}?oid=M87", "oid cannot be 'M87': it should be a valid integer"),
        (f"{CURVES}?ra=1&dec=95", "dec cannot be '95': it should be less than or equal to 90"),
        ("/api/v1/nights/M87/images", "night: 'M87' is no date: write 2020-09-24 or 20200924"),
        ("/api/v3/data/dr4/oid/full/json", "oid is missing"),
        (f"{CURVES}?oid=1&filters=zr", "there is no parameter filters"),
        ("/api/v1", "there is nothing at /api/v1"),
    ):
        told = client.get(path).json()
        assert told["message"] == message
        assert told["hint"]


def test_an_answer_is_sent_once(client, sky):
    path = f"{CURVES}?oid={sky.oids[0]}"
    first = client.get(path)
    again = client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 1000


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "identity", "zstd;q=0, gzip", "br"])
def test_answers_are_compressed_as_the_client_takes_them(url, sky, encoding):
    path = f"{url}{CURVES}?format=csv&ra={sky.ra[0]}&dec={sky.dec[0]}&radius=100"
    plain = httpx.get(path, headers={"accept-encoding": "identity"}, timeout=300)
    with httpx.stream("GET", path, headers={"accept-encoding": encoding}, timeout=300) as answer:
        raw = b"".join(answer.iter_raw())
    said = answer.headers.get("content-encoding")
    assert said == {"gzip": "gzip", "zstd": "zstd", "zstd;q=0, gzip": "gzip"}.get(encoding)
    if said == "gzip":
        import gzip

        raw = gzip.decompress(raw)
    elif said == "zstd":
        raw = pa.input_stream(io.BytesIO(raw), compression="zstd").read()
    assert raw == plain.content


def test_accept_chooses_the_format(client, sky):
    for accept, kind in (
        ("text/csv", "text/csv"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("text/html, */*;q=0.1", "application/json"),
    ):
        answer = client.get(f"{CURVES}?oid={sky.oids[0]}", headers={"accept": accept})
        assert answer.headers["content-type"].startswith(kind)
    answer = client.get(f"{CURVES}?oid={sky.oids[0]}", headers={"accept": "image/png"})
    assert answer.json()["code"] == "not_acceptable"


def test_pages_of_other_hosts_may_ask(client):
    answer = client.get("/health", headers={"origin": "https://example.org"})
    assert answer.headers["access-control-allow-origin"] == "*"
    asked = {"origin": "https://example.org", "access-control-request-method": "POST",
             "access-control-request-headers": "content-type"}  # fmt: skip
    assert client.options(CURVES, headers=asked).status_code == 200


def test_pages_of_hosts_that_are_not_named_may_not_ask(sky):
    with serving(sky.root, origins="https://a.org, https://b.org") as address:
        for origin, allowed in (("https://b.org", "https://b.org"), ("https://c.org", None)):
            answer = httpx.get(f"{address}/health", headers={"origin": origin}, timeout=300)
            assert answer.headers.get("access-control-allow-origin") == allowed


def test_openapi_tells_every_path_with_examples(client):
    told = client.get("/api/v1/openapi.json").json()
    own = {"lightcurves", "objects", "objects/{oid}", "nights", "nights/{night}/images", "queries",
           "queries/{name}"}  # fmt: skip
    others = {"/cgi-bin/ZTF/nph_light_curves", "/scs", "/api/v3/data/{dr}/oid/full/json",
              "/api/v3/data/{dr}/circle/full/json"}  # fmt: skip
    assert told["paths"].keys() == {f"/api/v1/{name}" for name in own} | others
    for path, methods in told["paths"].items():
        for method, said in methods.items():
            assert said.get("summary"), (path, method)
            if path != "/api/v1/queries":  # takes nothing
                assert "example" in json.dumps(said.get("parameters", said.get("requestBody")))
    assert "255.577" in json.dumps(told["paths"]["/api/v1/lightcurves"])


def test_snad_gets_its_documents(client, sky):
    oid = int(sky.oids[0])
    told = client.get(f"/api/v3/data/latest/oid/full/json?oid={oid}").json()
    curve = public(sky.archive.lightcurve(oid, all_images=True))
    good = curve.filter(pl.col("catflags") == 0)
    meta, points = told[str(oid)]["meta"], told[str(oid)]["lc"]
    assert meta["nobs"] == curve.height
    assert meta["ngoodobs"] == good.height == len(points)
    assert meta["filter"] == "zr"
    assert (meta["fieldid"], meta["rcid"]) == (633, 27)
    assert meta["coord"] == pytest.approx({"ra": sky.ra[0], "dec": sky.dec[0]}, abs=1e-7)
    assert [point["mjd"] for point in points] == good["hmjd"].to_list()
    assert set(points[0]) == {"mjd", "mag", "magerr", "clrcoeff"}
    where = {"ra": sky.ra[0], "dec": sky.dec[0], "radius_arcsec": 1}
    around = client.get("/api/v3/data/dr17/circle/full/json", params=where).json()
    assert set(around) == {str(one) for one in sky.all_oids[::14]}


def test_pyvo_searches_a_cone(url, sky):
    found = pyvo.conesearch(f"{url}/scs", (sky.ra[2], sky.dec[2]), radius=30 / 3600)
    near = np.hypot((sky.ra - sky.ra[2]) * np.cos(np.radians(sky.dec[2])), sky.dec - sky.dec[2])
    wanted = sky.all_oids[np.tile(near < 30 / 3600, 3)]
    assert sorted(int(record.id) for record in found) == sorted(wanted)
    assert (found[0].pos.ra.deg, found[0].pos.dec.deg) == pytest.approx((sky.ra[2], sky.dec[2]))
    with pytest.raises(pyvo.dal.DALQueryError, match="most"):
        pyvo.conesearch(f"{url}/scs", (1, 2), radius=3)


def test_stilts_searches_a_cone_and_finds_nothing_wrong(url, sky, tmp_path):
    if shutil.which("stilts") is None:
        pytest.skip("stilts is not installed")
    out = tmp_path / "cone.csv"
    done = subprocess.run(
        ["stilts", "cone", f"serviceurl={url}/scs?", f"lon={sky.ra[0]}", f"lat={sky.dec[0]}",
         "radius=0.05", f"out={out}", "ofmt=csv"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(out).height == 3 * 14
    whole = tmp_path / "cone.vot"
    whole.write_bytes(
        httpx.get(f"{url}/scs?RA={sky.ra[0]}&DEC={sky.dec[0]}&SR=0.05", timeout=300).content
    )
    lint = subprocess.run(
        ["stilts", "votlint", str(whole)], capture_output=True, text=True, check=False
    )
    assert lint.stdout.strip() == ""
