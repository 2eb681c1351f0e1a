"""The service as it runs: what is published meanwhile, workers that die, clients that go away."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest
from archives import FIRST_NIGHT, Channel, cluster, night_files, nightly
from serving import serving

from nightlake import Archive
from queries.curves import files
from queries.curves.cache import SHARED
from queries.errors import QueryError
from queries.interrupt import Stop
from queries.selection import Selection
from service.archive import Served
from service.desk import Job
from service.errors import AddressError, ClientGoneError, SettingError
from service.metrics import FOLDER_VARIABLE
from service.server import run
from service.settings import Settings
from store.hold import unheld
from store.layout import Layout
from store.manifest import Manifest, night_group
from store.publication import publish

CURVES = "/api/v1/lightcurves"


@pytest.fixture
def growing(tmp_path):
    """An archive, its objects, and what publishes one more night of it."""
    root = tmp_path / "archive"
    ra, dec = cluster(150.0, 20.0)
    nightly(root, ra, dec, n_nights=1, programs=(1,))

    def publish_night(number):
        night = FIRST_NIGHT + timedelta(days=number)
        files = night_files(Layout(root), night, (Channel(),), ra, dec, 5, programid=1)
        return publish(root, {night_group(night): Manifest.of(night_group(night), files)}, "night")

    return root, Channel().oids(len(ra)).tolist(), publish_night


def test_a_night_that_is_published_is_in_the_next_answer(growing):
    root, oids, publish_night = growing
    with serving(root) as address, httpx.Client(base_url=address, timeout=300) as client:
        for number in range(1, 4):
            first = client.get(f"{CURVES}?oid={oids[0]}")
            assert len(first.json()["rows"]) == number
            publish_night(number)
            again = client.get(
                f"{CURVES}?oid={oids[0]}", headers={"if-none-match": first.headers["etag"]}
            )
            assert again.status_code == 200
            assert len(again.json()["rows"]) == number + 1
            assert client.get("/health").json()["publication"] == number + 1


def test_what_is_compacted_or_withdrawn_needs_no_restart(growing):
    root, oids, publish_night = growing
    publish_night(1)
    publish_night(2)
    path = f"{CURVES}?oid={oids[0]}&format=csv"
    with (
        serving(root) as address, httpx.Client(base_url=address, timeout=300) as client,
        Archive(root) as archive,
    ):  # fmt: skip
        before = client.get(path)
        archive.compact()
        after = client.get(path)
        assert after.headers["etag"] != before.headers["etag"]
        assert after.content == before.content
        archive.withdraw(FIRST_NIGHT)
        assert len(client.get(path).text.splitlines()) == 1 + 2
        assert len(client.get("/api/v1/nights").json()["rows"]) == 2


def test_no_answer_has_a_part_of_a_night(growing):
    """All objects are asked for while nights are published: each has as many rows as the others."""
    root, oids, publish_night = growing
    over = threading.Event()
    seen = []

    def ask(client):
        while not over.is_set():
            answer = client.post(f"{CURVES}?format=csv&columns=oid,expid", json={"oids": oids})
            assert answer.status_code == 200, answer.text
            seen.append(pl.read_csv(answer.content).group_by("oid").len()["len"].to_list())

    with (
        serving(root) as address, httpx.Client(base_url=address, timeout=300) as client,
        ThreadPoolExecutor(3) as pool,
    ):  # fmt: skip
        asking = [pool.submit(ask, client) for _ in range(3)]
        try:
            for number in range(1, 6):
                publish_night(number)
        finally:
            over.set()
        for one in asking:
            one.result()
    assert all(len(set(counts)) == 1 and len(counts) == len(oids) for counts in seen)


def test_what_is_no_longer_shown_is_let_go(growing):
    root, _, publish_night = growing
    served = Served(Settings(root))
    folder = served.acquire()
    first = folder.snapshot.folder
    publish_night(1)
    now = served.acquire()
    assert now.snapshot.number == folder.snapshot.number + 1
    with unheld(first) as free:
        assert not free  # a request still reads it
    folder.leave()
    with unheld(first) as free:
        assert free
    now.leave()
    served.close()
    with unheld(now.snapshot.folder) as free:
        assert free


def test_files_of_what_is_no_longer_shown_are_closed(growing, monkeypatch):
    """Removed, an open file takes its place on the disk still, and its pages are memory."""
    monkeypatch.setattr(files, "_STAYS_OPEN", 1)
    root, oids, publish_night = growing
    served = Served(Settings(root))
    former = served.acquire()
    former.reader.lightcurves(Selection.of_objects(oids))
    assert mapped(root)
    publish_night(1)
    now = served.acquire()
    former.leave()
    assert not mapped(root)
    now.reader.lightcurves(Selection.of_objects(oids))
    assert mapped(root)
    now.leave()
    served.close()
    assert not mapped(root)


def mapped(root):
    """The archive's files that are open as memory."""
    return [one.path for one in psutil.Process().memory_maps() if str(root) in one.path]


def test_a_link_that_is_lost_leaves_what_was_shown_and_is_told(growing):
    root, oids, _ = growing
    with serving(root) as address, httpx.Client(base_url=address, timeout=300) as client:
        assert client.get("/health").status_code == 200
        (root / "current").rename(root / "lost")
        assert client.get(f"{CURVES}?oid={oids[0]}").status_code == 200
        told = client.get("/health")
        assert (told.status_code, told.json()["status"]) == (503, "the archive cannot be read")
        (root / "lost").rename(root / "current")
        assert client.get("/health").status_code == 200


def test_what_is_remembered_is_what_the_setting_bounds(growing):
    """Of light curves and of SQL alike: a worker has one memory of files."""
    root, oids, _ = growing
    SHARED.clear()
    served = Served(Settings(root, cache_mb=1))
    with served.lease() as state:
        of_oid = "SELECT count(*) AS n FROM detections WHERE oid = $oid"
        assert state.session.sql(of_oid, {"oid": oids[0]})["n"][0] == 1
        by_sql = state.cache.held_bytes
        assert state.reader.lightcurves(Selection.of_objects(oids[0])).height == 1
        assert 0 < by_sql <= state.cache.held_bytes <= state.cache.limit_bytes == 1 << 20
    assert SHARED.held_bytes == 0
    served.close()


def test_an_answer_that_a_client_has_is_of_this_release(growing, monkeypatch):
    root, _, _ = growing
    versions = []
    for release in ("0.1.0", "0.1.0", "0.2.0"):
        monkeypatch.setattr("service.archive.version", lambda _, release=release: release)
        served = Served(Settings(root))
        with served.lease() as state:
            versions.append(state.version)
        served.close()
    assert versions[0] == versions[1] != versions[2]


def test_a_question_whose_client_is_gone_ends(growing):
    root, _, _ = growing
    served = Served(Settings(root))
    with served.lease() as state:
        job = Job(600.0)
        long = "SELECT sum(sin(i)) FROM range(10_000_000_000) AS t(i)"
        threading.Timer(0.3, job.cancel).start()
        with pytest.raises(ClientGoneError) as gone, job.working():
            state.session.sql(long, stop=job.stop)
        # And not because it came to its end.
        assert isinstance(gone.value.__context__, QueryError)
        assert "interrupt" in str(gone.value.__context__).lower()
    served.close()


def test_a_stop_that_came_before_ends_what_begins_later(growing):
    root, _, _ = growing
    served = Served(Settings(root))
    stop = Stop()
    stop.now()
    with served.lease() as state, pytest.raises(ValueError, match=r"(?i)interrupt"):
        state.session.sql("SELECT sum(sin(i)) FROM range(10_000_000_000) AS t(i)", stop=stop)
    served.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("NIGHTLAKE_THREADS", "many"), ("NIGHTLAKE_MAX_ROWS", "-1"), ("NIGHTLAKE_PROGRAMS", "x"),
     ("NIGHTLAKE_MAX_SECONDS", "nan"), ("NIGHTLAKE_ARCHIVE", "")],
)  # fmt: skip
def test_a_setting_that_is_none_is_told_at_the_start(name, value):
    with pytest.raises(SettingError, match=name):
        Settings.of_environment({"NIGHTLAKE_ARCHIVE": "/x", name: value})


def test_a_port_that_is_taken_is_told_in_words():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressError, match=f"port {port}.*in use"):
            run("127.0.0.1", port, 1)


def test_a_service_whose_workers_cannot_start_ends_in_words(growing, tmp_path):
    # Workers wait with their end until somebody has asked.
    asked = tmp_path / "asked"
    os.mkfifo(asked)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        f"if 'spawn_main' in ' '.join(sys.orig_argv): open({str(asked)!r}).close(); os._exit(1)\n"
    )
    server, address = start(growing[0], env={"PYTHONPATH": str(tmp_path)})
    where = address.removeprefix("http://").split(":")
    with socket.create_connection(where, timeout=300) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        # Open for both, it lets all of them in and waits for none.
        asking = os.open(asked, os.O_RDWR)
        _, told = server.communicate(timeout=300)
        os.close(asking)
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""  # ended, not left waiting
    assert server.returncode == 1
    assert "workers end before they can answer" in told
    assert "Traceback" not in told


def start(root, *more, env=None, program=("-m", "nightlake.cli")):
    command = [sys.executable, *program, "serve", str(root), "--port", "0", *more]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    found = re.search(r"http://\S+", server.stdout.readline())
    assert found, server.stderr.read()
    return server, found[0]


def workers(server):
    children = psutil.Process(server.pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def said(folder):
    """What each worker that has come up says of itself."""
    return list(folder.glob("gauge_livemin_*.db"))


def test_metrics_are_of_all_workers_whichever_is_asked(growing):
    """One connection is one worker: what the others show is told by them."""
    root, _, _ = growing
    server, address = start(root, "--workers", "2", "--no-access-log")
    try:
        with httpx.Client(base_url=address, timeout=300) as client:
            number = client.get("/health").json()["publication"]
            folder = Path(workers(server)[0].environ()[FOLDER_VARIABLE])
            until = time.monotonic() + 300
            while (
                len(said(folder)) < 2
                or f"nightlake_publication {number}.0" not in client.get("/metrics").text
            ):
                assert time.monotonic() < until
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=120)


@contextmanager
def much(client):
    """An answer of some 20 MB that is on its way, and how many rows it should have.

    It is not compressed: it would all be on its way before anybody could end it.
    """
    places = pl.DataFrame({"ra": [150.0] * 9000, "dec": [20.0] * 9000}).write_csv()
    path = f"{CURVES}?format=csv&radius=100"
    one = pl.read_csv(client.post(path, content=b"ra,dec\n150.0,20.0\n").content)
    assert one.height
    plain = {"accept-encoding": "identity"}
    with client.stream("POST", path, content=places.encode(), headers=plain) as answer:
        pieces = answer.iter_bytes()
        yield next(pieces), pieces, 9000 * one.height


def test_a_worker_that_is_killed_is_replaced_and_the_service_ends_in_peace(growing):
    """Its clients get an error and do not wait; those of a service that is stopped get all."""
    root, oids, _ = growing
    server, address = start(root)
    try:
        with httpx.Client(base_url=address, timeout=300) as client:
            assert client.get("/health").json()["status"] == "ok"
            (worker,) = workers(server)
            with much(client) as (_, rest, _):
                worker.send_signal(signal.SIGKILL)
                with pytest.raises(httpx.TransportError):
                    b"".join(rest)
        # Whoever comes meanwhile waits for the next worker.
        with httpx.Client(base_url=address, timeout=300) as client:
            assert client.get("/health").json()["status"] == "ok"
            assert workers(server) != [worker]
            found = client.get(f"{CURVES}?oid={oids[0]}")
            assert len(found.json()["rows"]) == 1
            metrics = client.get("/metrics").text
            assert re.search(r"nightlake_requests_total\{.*\} \d", metrics)
            # What the worker that was killed was doing, nobody does.
            assert "nightlake_requests_under_way 1.0" in metrics
            with much(client) as (first, rest, n_rows):
                server.send_signal(signal.SIGTERM)
                whole = first + b"".join(rest)
            assert whole.count(b"\n") == n_rows + 1
    finally:
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=300)
    assert server.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in err, err
    assert f"[{worker.pid}] died" in err
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    told = [line for line in lines if line["route"] == CURVES and line["method"] == "GET"]
    assert [line["status"] for line in told] == [200]
    names = ["time", "client", "method", "path", "query", "route", "status", "bytes", "ms"]
    assert list(told[0]) == names
    assert told[0]["bytes"] == int(found.headers["content-length"])


HASTY = """
from nightlake.cli import main
from service import server
server.GRACE_S = server.ENDS_S = 1
server.HANGS_S = {hangs_s}
main()
"""


@pytest.mark.parametrize("is_stopped", [True, False])
def test_a_worker_that_hangs_is_not_waited_for(growing, is_stopped):
    """A service that is stopped ends without it; one that goes on has another soon."""
    script = HASTY.format(hangs_s=3600 if is_stopped else 1)
    server, address = start(growing[0], program=("-c", script))
    try:
        assert httpx.get(f"{address}/health", timeout=300).status_code == 200
        (worker,) = workers(server)
        worker.suspend()
        if not is_stopped:
            assert httpx.get(f"{address}/health", timeout=300).status_code == 200
            assert worker not in workers(server)
        server.send_signal(signal.SIGTERM)
        # It would be an hour, were the worker asked to the end, and for ever, were its end awaited.
        server.communicate(timeout=300)
        assert not worker.is_running()
    finally:
        server.kill()


def test_an_archive_that_is_none_is_told_before_anything_listens(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "nightlake.cli", "serve", str(tmp_path)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "not a Nightlake archive" in done.stderr


def test_memory_does_not_grow_with_requests(growing):
    root, oids, _ = growing
    with serving(root) as address, httpx.Client(base_url=address, timeout=300) as client:
        path = f"{CURVES}?oid={oids[0]}&format=csv"
        for _ in range(300):
            client.get(path)
        # What is kept of requests grows with each thousand; what threads and allocators take does
        # once.
        grown = []
        while not grown or (grown[-1] >= 24 << 20 and len(grown) < 5):
            before = psutil.Process().memory_info().rss
            for _ in range(1000):
                client.get(path)
            grown.append(psutil.Process().memory_info().rss - before)
        assert grown[-1] < 24 << 20, grown
