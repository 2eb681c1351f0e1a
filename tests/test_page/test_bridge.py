"""The pages over HTTP: what Flask says is what comes, and whoever goes away holds up nobody."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from fastapi import FastAPI
from flask import Flask
from serving import listening
from starlette.types import Message

from service.compression import Gzip
from service.desk import job_here
from service.errors import ClientGoneError
from service.page.bridge import Bridge

PLOTLY = "/_dash-component-suites/plotly/package_data/plotly.min.js"


def fetch(address: str, path: str, **headers: str) -> tuple[dict[str, str], bytes]:
    with urlopen(Request(f"{address}{path}", headers=headers), timeout=300) as answer:
        return {name.lower(): value for name, value in answer.headers.items()}, answer.read()


def test_a_large_script_comes_compressed_and_whole(address: str) -> None:
    plain_headers, plain = fetch(address, PLOTLY)
    assert "content-encoding" not in plain_headers
    assert int(plain_headers["content-length"]) == len(plain) > 3_000_000
    for _ in range(2):
        headers, data = fetch(address, PLOTLY, **{"Accept-Encoding": "gzip"})
        assert headers["content-encoding"] == "gzip"
        assert len(data) < 0.5 * len(plain)
        assert gzip.decompress(data) == plain


def test_a_file_of_many_names_is_compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    flask = Flask(__name__)
    # As Dash takes any version and time in the name of a file.
    flask.add_url_rule("/_dash-component-suites/<name>", "file", lambda name: "x" * 5000)
    compressed: list[int] = []

    def counted(encoder: Gzip, data: bytes) -> bytes:
        compressed.append(len(data))
        return encoder.piece(data) + encoder.end()

    monkeypatch.setattr(Gzip, "all", counted)
    bridge = Bridge(flask, max_seconds=10.0)
    for n in range(20):
        answer = asyncio.run(answer_of(bridge, f"/_dash-component-suites/main.v1m{n}.js"))
        assert gzip.decompress(answer) == b"x" * 5000
    assert compressed == [5000]


async def answer_of(bridge: Bridge, path: str) -> bytes:
    sent: list[bytes] = []
    asked = asyncio.Event()

    async def receive() -> Message:
        if asked.is_set():  # a client that stays says no more
            await asyncio.Event().wait()
        asked.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message.get("body", b""))

    headers = [(b"host", b"x"), (b"accept-encoding", b"gzip")]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers,
             "query_string": b"", "server": ("x", 80), "scheme": "http"}  # fmt: skip
    await bridge(scope, receive, send)
    return b"".join(sent)


def test_pictures_and_small_answers_are_sent_as_they_are(address: str, sky: Any) -> None:
    query = sky.searched.replace(" ", "+")
    headers, data = fetch(address, f"/page/lightcurve.png?q={query}", **{"Accept-Encoding": "gzip"})
    assert "content-encoding" not in headers
    assert data.startswith(b"\x89PNG")


def test_clients_that_go_away_hold_up_nobody(address: str) -> None:
    where = urlsplit(address)
    # Many more than there are threads.
    for _ in range(30):
        with socket.create_connection((where.hostname, where.port), timeout=300) as client:
            client.sendall(f"GET {PLOTLY} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    headers, data = fetch(address, "/")
    assert headers["content-type"].startswith("text/html")
    assert b"Nightlake" in data


def test_work_for_a_client_that_goes_away_ends() -> None:
    page, began, ended = Flask("page"), threading.Event(), threading.Event()

    @page.get("/page/long")
    def long() -> str:
        began.set()
        while not ended.is_set():
            try:
                job_here().check()
            except ClientGoneError:
                ended.set()
        return ""

    app = FastAPI()
    app.mount("/", Bridge(page, 60.0))
    with listening(app) as address:
        where = urlsplit(address)
        try:
            with socket.create_connection((where.hostname, where.port), timeout=300) as client:
                client.sendall(b"GET /page/long HTTP/1.1\r\nHost: x\r\n\r\n")
                assert began.wait(300)
            assert ended.wait(300)
        finally:
            ended.set()
