"""What no page sends is refused in words, and tells nothing."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

SELECT, SHOW = ({"id": f"s-{name}", "property": "data", "value": 7} for name in ("select", "show"))
OPENED = {"id": "s-opened", "property": "data"}
THEME = {"id": "theme", "property": "data", "value": {"a": 1}}


def post(address: str, body: bytes) -> tuple[int, str]:
    headers = {"content-type": "application/json"}
    try:
        with urlopen(
            Request(f"{address}/_dash-update-component", body, headers), timeout=300
        ) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def drawing(opened: Any) -> dict[str, Any]:
    return {
        "output": "g-time.figure",
        "outputs": {"id": "g-time", "property": "figure"},
        "inputs": [SELECT, SHOW, THEME],
        "state": [{**OPENED, "value": opened}],
        "changedPropIds": ["theme.data"],
    }


@pytest.mark.parametrize(
    "body",
    [
        b"", b"x", b"{}", b"[]", b"7", b'{"output": "x.y"}', b'{"output": ["page.children"]}',
        b'{"output": "page.children"}', b'{"output": "page.children", "inputs": [7]}',
        json.dumps({**drawing({}), "outputs": 7}).encode(),
        json.dumps({**drawing({}), "inputs": "abc"}).encode(),
        json.dumps({**drawing({}), "changedPropIds": 7}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_callback_is_refused(address: str, body: bytes) -> None:
    status, words = post(address, body)
    assert status == 400
    assert "Traceback" not in words


@pytest.mark.parametrize(
    "opened",
    [None, 7, [], {"q": None}, {"q": "M87"}, {"q": 5, "n": -1}, {"q": "10 20", "r": "9" * 400},
     {"q": "10 20", "time": "x", "tx": "1,2,3"}],
)  # fmt: skip
def test_a_callback_of_nonsense_is_answered_by_a_sentence(address: str, opened: Any) -> None:
    status, words = post(address, json.dumps(drawing(opened)).encode())
    assert status == 200
    assert json.loads(words)["response"]["g-time"]["figure"]["layout"]["annotations"][0]["text"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/_dash-component-suites/../../etc/passwd", 400),
        ("/assets/%2e%2e/app.py", 404),
        ("/page/anything", 404),
        ("/page/report/..%2f", 404),
    ],
)
def test_no_file_is_given_that_is_no_page(get: Any, path: str, status: int) -> None:
    answer = get(path)
    assert answer.status == status
    assert "import" not in answer.text


def test_a_page_tells_browsers_to_stay(get: Any) -> None:
    policy = get("/").headers["content-security-policy"]
    assert "default-src 'self' data: blob:" in policy
    assert "http" not in policy
