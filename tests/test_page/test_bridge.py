"""The pages over HTTP: what Flask says is what comes, and whoever goes away holds up nobody."""

from __future__ import annotations

import gzip
import socket
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

PLOTLY = "/_dash-component-suites/plotly/package_data/plotly.min.js"


def fetch(address: str, path: str, **headers: str) -> tuple[dict[str, str], bytes]:
    with urlopen(Request(f"{address}{path}", headers=headers), timeout=30) as answer:
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


def test_pictures_and_small_answers_are_sent_as_they_are(address: str, sky: Any) -> None:
    query = sky.searched.replace(" ", "+")
    headers, data = fetch(address, f"/page/lightcurve.png?q={query}", **{"Accept-Encoding": "gzip"})
    assert "content-encoding" not in headers
    assert data.startswith(b"\x89PNG")


def test_clients_that_go_away_hold_up_nobody(address: str) -> None:
    where = urlsplit(address)
    # Many more than there are threads.
    for _ in range(30):
        with socket.create_connection((where.hostname, where.port), timeout=10) as client:
            client.sendall(f"GET {PLOTLY} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    headers, data = fetch(address, "/")
    assert headers["content-type"].startswith("text/html")
    assert b"Nightlake" in data
