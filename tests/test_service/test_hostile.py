"""Requests that mean harm: made up from the OpenAPI, too large, too slow, or broken off."""

import io
import socket
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from serving import serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis

CURVES = "/api/v1/lightcurves"
ZTF = "/cgi-bin/ZTF/nph_light_curves"
MOST_SECONDS = 60.0


def test_no_made_up_request_is_an_error_of_ours(url):
    """schemathesis makes them up, of every operation: right ones, and wrong in every way."""
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 9
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
        max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None,
        phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(case=cases)
    def each(case):
        if time.monotonic() > until:
            return  # a busy machine: what was asked so far must do
        answer = case.call(timeout=60)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert set(answer.json()) == {"code", "message", "hint"}

    each()


@pytest.fixture(scope="module")
def strict(sky):
    limits = {"max_ids": 3, "max_positions": 3, "max_rows": 20, "max_body_bytes": 2000}
    with serving(sky.root, **limits) as address, httpx.Client(base_url=address) as client:
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
    with serving(sky.root, max_seconds=0.001) as address:
        answer = httpx.get(f"{address}/api/v1/queries/counts?format=csv", timeout=60)
        assert answer.status_code in (400, 403)
        answer = httpx.get(f"{address}/api/v1/nights", timeout=60)
        assert answer.json()["code"] == "time_limit"
        assert answer.status_code == 400


def test_who_comes_when_too_many_wait_is_turned_away(sky):
    with (
        serving(sky.root, threads=1, max_waiting=1) as address,
        ThreadPoolExecutor(24) as pool,
    ):
        path = f"{address}{CURVES}?ra={sky.ra[0]}&dec={sky.dec[0]}&radius=100&format=parquet"
        answers = list(pool.map(lambda _: httpx.get(path, timeout=60), range(48)))
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
        "/api/v1/queries/internal%2fprograms", "/api/v1/queries/programs", "/static/../x", "//x",
    ):  # fmt: skip
        assert client.get(path).status_code == 404, path


def raw(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


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
    for connection in opened:
        connection.close()
    for garbage in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 100_000):
        with raw(url) as connection:
            connection.sendall(garbage)
            connection.settimeout(30)
            with suppress(ConnectionError):
                assert b"400" in (connection.recv(100) or b"400")
    assert client.get("/health").json()["status"] == "ok"
