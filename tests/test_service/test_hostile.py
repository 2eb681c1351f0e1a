"""Requests that mean harm: made up from the OpenAPI, too large, too slow, or broken off."""

import gc
import io
import re
import socket
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

import httpx
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from serving import serving

from queries.curves.reader import CurveReader
from service import connection, edge
from service.api import tables
from service.archive import Served
from store.errors import DamagedArchiveError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

PROMISED = [not_a_server_error, status_code_conformance, content_type_conformance,
            response_schema_conformance]  # fmt: skip
CURVES = "/api/v1/lightcurves"
ZTF = "/cgi-bin/ZTF/nph_light_curves"
MOST_SECONDS = 60.0


def test_no_made_up_request_is_an_error_of_ours(url):
    """schemathesis makes them up, of every operation: right ones, and wrong in every way."""
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 13
    modes = schemathesis.GenerationMode
    until = time.monotonic() + MOST_SECONDS
    for operation in operations:
        for mode in (modes.POSITIVE, modes.NEGATIVE):
            # What takes no parameters cannot be asked wrongly.
            with suppress(Unsatisfiable):
                answered(operation.as_strategy(generation_mode=mode), until)


def answered(cases, until):
    # What fails is shown as it was found: to make it smaller takes minutes.
    @settings(
        max_examples=8, suppress_health_check=list(HealthCheck), database=None,
        phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(case=cases)
    def each(case):
        if time.monotonic() > until:
            return  # a busy machine: what was asked so far must do
        answer = case.call(timeout=300)
        case.validate_response(answer, checks=PROMISED)
        if answer.status_code >= 400 and "json" in answer.headers["content-type"][0]:
            assert set(answer.json()) == {"code", "message", "hint"}

    each()


ODD = st.one_of(
    st.sampled_from(["", " ", "0", "-1", "1e400", "nan", "inf", "-inf", "5e-324", "1e-300", "0x10",
                     "99999999999999999999", "circle", "CIRCLE 1 2 0.1", "1 2 0.1", "1,2", "g,r",
                     "\x00", "٣", "𝟑", "<a>", "'", "%", ";", "../..", "CSV", "HTML", "TSV"]),
    st.floats().map(str), st.integers().map(str), st.text(max_size=12),
)  # fmt: skip
PLACES = st.tuples(ODD, ODD, ODD).map(" ".join)
NAMES = ["ID", "POS", "CIRCLE", "BAND", "BANDNAME", "MAG", "NOBS_MIN", "NUM_OBS", "TIME",
         "BAD_CATFLAGS_MASK", "COLLECTION", "FORMAT", "RA", "DEC", "SR", "oid", "ra", "dec",
         "radius_arcsec"]  # fmt: skip
PATHS = [ZTF, "/scs", "/api/v3/data/x/oid/full/json", "/api/v3/data/x/circle/full/json",
         "/metrics", "/health"]  # fmt: skip


@settings(max_examples=60, suppress_health_check=list(HealthCheck), database=None)
@given(
    path=st.sampled_from(PATHS),
    pairs=st.lists(st.tuples(st.sampled_from(NAMES), ODD | PLACES), max_size=5),
    form=st.booleans(),
)
@example(path=ZTF, pairs=[("CIRCLE", "1 2 5e-324"), ("FORMAT", "CSV")], form=False)
@example(path="/scs", pairs=[("RA", "1"), ("DEC", "2"), ("SR", "5e-324")], form=False)
@example(path="/scs", pairs=[("RA", "1e308"), ("DEC", "nan"), ("SR", "-inf")], form=False)
def test_no_words_of_other_clients_are_an_error_of_ours(client, path, pairs, form):
    words = urlencode(pairs, errors="replace")
    if form and path == ZTF:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = client.post(path, content=words, headers=headers)
    else:
        answer = client.get(f"{path}?{words}")
    assert answer.status_code < 500, answer.text


@pytest.fixture(scope="module")
def strict(sky):
    limits = {"max_ids": 3, "max_positions": 3, "max_rows": 20, "max_body_bytes": 2000}
    with (
        serving(sky.root, **limits) as address,
        httpx.Client(base_url=address, timeout=300) as client,
    ):
        yield client


def test_each_limit_is_told(strict, sky):
    ids = sky.oids[:4].tolist()
    around = {"ra": sky.ra[0], "dec": sky.dec[0], "radius": 100}
    four = pl.DataFrame({"ra": sky.ra[:4], "dec": sky.dec[:4]}).write_csv().encode()
    for answer in (
        strict.get(CURVES, params={"oid": ids}),
        strict.post(CURVES, json={"oids": ids}),
        strict.post(CURVES, content=four),
        strict.get(CURVES, params=around),
        strict.get("/api/v3/data/x/oid/full/json", params={"oid": ids}),
    ):
        assert answer.status_code == 400
        assert answer.json()["code"] == "limit"
    assert strict.get(ZTF, params={"ID": ",".join(map(str, ids))}).status_code == 400
    circle = f"{sky.ra[0]} {sky.dec[0]} 0.1"
    assert strict.get(ZTF, params={"CIRCLE": circle}).status_code == 400


def test_bodies_have_a_largest_size(strict):
    for path in (CURVES, ZTF):
        answer = strict.post(path, content=b"ra,dec\n" + b"1,2\n" * 1000)
        assert answer.status_code == 413, path


def test_a_body_without_an_end_is_hung_up_on(strict):
    """It says no length: what was read is counted, and the connection is closed."""
    with raw(str(strict.base_url)) as connection:
        connection.sendall(
            b"POST /api/v1/lightcurves HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        heard = b""
        with suppress(ConnectionError):
            for _ in range(100_000):
                connection.sendall(b"400\r\n" + b"1" * 1024 + b"\r\n")
        with suppress(ConnectionError):
            heard = connection.recv(4096)
    assert not heard or heard.startswith(b"HTTP/1.1 413")
    assert strict.get("/health").status_code == 200


def test_work_has_a_longest_time(sky):
    with serving(sky.root, max_seconds=1e-6) as address:
        answer = httpx.get(f"{address}/api/v1/queries/counts?format=csv", timeout=300)
        assert answer.status_code in (400, 403)
        answer = httpx.get(f"{address}/api/v1/nights", timeout=300)
        assert answer.json()["code"] == "time_limit"
        assert answer.status_code == 400


def test_who_comes_when_too_many_wait_is_turned_away(sky):
    with (
        serving(sky.root, threads=1, max_waiting=1) as address,
        ThreadPoolExecutor(24) as pool,
    ):
        path = f"{address}{CURVES}?ra={sky.ra[0]}&dec={sky.dec[0]}&radius=100&format=parquet"
        answers = list(pool.map(lambda _: httpx.get(path, timeout=300), range(48)))
    codes = {answer.status_code for answer in answers}
    assert codes <= {200, 503}
    assert 200 in codes
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["code"] == "busy"
            assert answer.headers["retry-after"]


def test_tables_that_lie_are_refused(client):
    bomb = io.BytesIO()
    pq.write_table(pa.table({"ra": np.zeros(20_000), "dec": np.zeros(20_000)}), bomb)
    laughs = "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    entities = (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{laughs}]>'
        "<VOTABLE><RESOURCE><DESCRIPTION>&i;</DESCRIPTION></RESOURCE></VOTABLE>"
    )
    file = (
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><VOTABLE><INFO>&a;</INFO></VOTABLE>'
    )
    for body, kind in (
        (bomb.getvalue(), "application/vnd.apache.parquet"),
        (bomb.getvalue()[:-20], "application/vnd.apache.parquet"),
        (entities.encode(), "text/xml"),
        (file.encode(), "text/xml"),
        (b'{"positions": [{"ra": "x", "dec": 1}]}', "application/json"),
        (b'{"positions": {"ra": 1}}', "application/json"),
        (b'{"oids": [1.5]}', "application/json"),
        (b'{"oids": [99999999999999999999999]}', "application/json"),
        (b'{"oids": []}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"\xff\xfe\x00", "text/csv"),
        (b"ra,dec\n1\n2,3,4\n", "text/csv"),
        (b"ra,dec\nnan,1\n", "text/csv"),
        (b"oid\n-5\n", "text/csv"),
        (b"--x", "multipart/form-data; boundary=x"),
    ):
        answer = client.post(CURVES, content=body, headers={"content-type": kind})
        assert 400 <= answer.status_code < 500, (body[:40], answer.text)
        assert set(answer.json()) == {"code", "message", "hint"}
        assert "root:" not in answer.text


def test_sql_in_a_parameter_is_text(client, sky):
    for value in ("1 OR 1=1", "'; DROP TABLE nights; --", "read_csv('/etc/passwd')"):
        for path in (
            f"{CURVES}?oid={value}",
            f"/api/v1/queries/cone_search?ra={value}&dec=1",
            f"/api/v1/queries/{value}",
            f"/api/v1/nights/{value}/images",
            f"{CURVES}?oid={sky.oids[0]}&collection={value}",
            f"{CURVES}?oid={sky.oids[0]}&columns={value}",
        ):
            assert 400 <= client.get(path).status_code < 500, path


def test_paths_lead_nowhere_but_to_what_is_served(client):
    for path in (
        "/../../etc/passwd", "/api/v1/../../etc/passwd", "/api/v1/queries/..%2f..%2fnights",
        "/api/v1/queries/internal%2fprograms", "/api/v1/queries/programs", "/static/../x",
    ):  # fmt: skip
        assert client.get(path).status_code == 404, path


def raw(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=300)


def test_broken_and_slow_clients_keep_nobody_waiting(url, client, sky):
    opened = []
    half = b"POST /api/v1/lightcurves HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nra,"
    for words in (b"GET", b"GET / HTTP/1.1\r\nHost", half):
        for _ in range(10):
            opened.append(raw(url))
            opened[-1].sendall(words)
    # One that asks for much and reads nothing of it.
    circle = f"{CURVES}?ra={sky.ra[0]}&dec={sky.dec[0]}&radius=100&format=json"
    for _ in range(20):
        opened.append(raw(url))
        opened[-1].sendall(f"GET {circle} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert client.get(f"{CURVES}?oid={sky.oids[0]}").status_code == 200
    for one in opened:
        one.close()
    for garbage in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000):
        # It may be hung up on before it has said all.
        with raw(url) as connection, suppress(ConnectionError):
            connection.sendall(garbage)
            assert b"400" in (connection.recv(100) or b"400")
    assert client.get("/health").json()["status"] == "ok"


def hung_up(connection):
    """What is heard to the end, which must come: a connection that is kept is a timeout."""
    heard = b""
    with suppress(ConnectionError):
        while more := connection.recv(65536):
            heard += more
    return heard


HALVES = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost",
    "half a body": b"POST /api/v1/lightcurves HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nra,",
    "half of what nobody reads": b"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nra,",
}


@pytest.mark.parametrize("half", HALVES)
def test_who_does_not_go_on_is_hung_up_on(url, half, monkeypatch):
    def hurry(answering):
        monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
        answered(answering)

    # Of what is waited for alone: who is to be answered must not be hung up on before that.
    if half == "half a body":
        monkeypatch.setattr(edge, "BODY_SECONDS", 0.2)
    elif "nobody" in half:
        answered = connection.Connection.on_response_complete
        monkeypatch.setattr(connection.Connection, "on_response_complete", hurry)
    else:
        monkeypatch.setattr(connection, "HEAD_SECONDS", 0.2)
    with raw(url) as client:
        with suppress(ConnectionError):
            client.sendall(HALVES[half])
        heard = hung_up(client)
    if half == "half a body":
        assert heard.startswith(b"HTTP/1.1 408")
    elif "nobody" in half:
        assert heard.startswith(b"HTTP/1.1 404")
    else:
        assert heard == b""


def test_a_body_that_comes_byte_by_byte_has_one_time_for_all(url, monkeypatch):
    monkeypatch.setattr(edge, "BODY_SECONDS", 0.3)
    with raw(url) as client, suppress(ConnectionError):
        client.sendall(HALVES["half a body"].replace(b": 9", b": 900000"))
        client.settimeout(0.05)
        begin, heard = time.monotonic(), b""
        while not heard:
            assert time.monotonic() - begin < 120
            client.sendall(b"1")
            with suppress(TimeoutError):
                heard = client.recv(100)
        assert heard.startswith(b"HTTP/1.1 408")


def test_a_head_without_an_end_is_refused(url):
    with raw(url) as client:
        with suppress(ConnectionError):
            client.sendall(b"GET / HTTP/1.1\r\n")
            for _ in range(1000):
                client.sendall(b"X: " + b"y" * 1000 + b"\r\n")
        assert hung_up(client)[:12] in (b"HTTP/1.1 400", b"")
    with raw(url) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nX: " + b"y" * 30_000 + b"\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")


def under_way(client):
    """Requests that are being answered, but for the one that asks."""
    told = client.get("/metrics").text
    found = re.search(r"^nightlake_requests_under_way ([\d.]+)", told, re.MULTILINE)
    return float(found[1]) - 1


def becomes_idle(client):
    until = time.monotonic() + 300
    while under_way(client) > 0:
        assert time.monotonic() < until
    return True


@pytest.fixture
def much(sky):
    """A request whose answer is larger than all buffers on the way: some 200 MB."""
    places = pl.DataFrame({"ra": sky.ra[0], "dec": sky.dec[0]}).select(pl.all().repeat_by(9000))
    body = places.explode("ra", "dec").write_csv().encode()
    head = f"POST {CURVES}?format=json&radius=100 HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_a_stream_that_is_too_long_breaks_off_and_does_not_end(sky, much, caplog, monkeypatch):
    """Its beginning is sent before anybody knows; whoever reads it must not take it for all."""
    # Not because its reader, this test, was kept waiting.
    monkeypatch.setattr(connection, "TAKE_SECONDS", 3600.0)
    with serving(sky.root, max_rows=100_000) as address, raw(address) as client:
        client.sendall(much)
        heard = hung_up(client)
    assert heard.startswith(b"HTTP/1.1 200")
    assert not heard.endswith(b"0\r\n\r\n")
    assert "ended early: too many rows: 100,000 are the most" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nights", f"{CURVES}?ra=150&dec=20&radius=5", "/scs?RA=150&DEC=20&SR=0.01",
        "/cgi-bin/ZTF/nph_light_curves?POS=CIRCLE+150+20+0.001&FORMAT=CSV",
        "/page/lightcurve.csv?q=150+20",
    ],
)  # fmt: skip
def test_what_a_client_is_not_told_is_in_the_log(client, monkeypatch, caplog, path):
    def damaged(_):
        raise DamagedArchiveError("is cut short", where="/inside/file.parquet")

    monkeypatch.setattr(Served, "acquire", damaged)
    answer = client.get(path)
    assert answer.status_code == 500
    assert "it is in the log" in answer.text
    assert "inside/" not in answer.text
    (line,) = [record for record in caplog.records if record.name == "nightlake.service"]
    assert line.getMessage().startswith("/inside/file.parquet: is cut short")
    assert line.exc_info[0] is DamagedArchiveError


@pytest.fixture
def read_pieces(monkeypatch):
    """What was read of the archive so far, as a list that grows."""
    pieces, reading = [], CurveReader.lightcurves

    def counted(self, *args, **kwargs):
        rows = reading(self, *args, **kwargs)
        pieces.append(weakref.ref(rows))
        return rows

    monkeypatch.setattr(CurveReader, "lightcurves", counted)
    return pieces


def test_who_reads_nothing_of_an_answer_is_hung_up_on(url, client, much, read_pieces, monkeypatch):
    monkeypatch.setattr(connection, "TAKE_SECONDS", 0.2)
    with raw(url) as lazy:
        lazy.sendall(much)
        assert lazy.recv(12) == b"HTTP/1.1 200"
        assert becomes_idle(client)
    assert 1 <= len(read_pieces) < 100  # of 141


def test_who_goes_away_ends_the_work_for_it(url, client, much, read_pieces):
    gc.disable()  # rows that wait for it would pile up
    try:
        with raw(url) as leaving:
            leaving.sendall(much)
            assert leaving.recv(12) == b"HTTP/1.1 200"
        assert becomes_idle(client)
        assert 1 <= len(read_pieces) < 100
        until = time.monotonic() + 300
        while any(rows() is not None for rows in read_pieces):
            assert time.monotonic() < until
            client.get("/health")
    finally:
        gc.enable()


def test_who_goes_away_ends_the_sql_for_it(url, client, monkeypatch):
    begun, ended = threading.Event(), threading.Event()

    def endless(session, name, given, stop):
        begun.set()
        try:
            return session.sql("SELECT sum(sin(i)) FROM range(10_000_000_000) t(i)", stop=stop)
        finally:
            ended.set()

    monkeypatch.setattr(tables, "answered", endless)
    with raw(url) as leaving:
        leaving.sendall(b"GET /api/v1/nights HTTP/1.1\r\nHost: x\r\n\r\n")
        assert begun.wait(300)
    assert ended.wait(300)
    assert becomes_idle(client)
