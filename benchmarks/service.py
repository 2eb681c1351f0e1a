"""The service under load: one light curve a request, by a load generator on the same machine.

    python -m benchmarks.service [--rows N] [--archive FOLDER] [--requests N] [--json FILE]

An archive of that many detections, 900 epochs a source, is made (or FOLDER taken), its light curves
are built, and `nightlake serve` started on it. Open loop: 100 requests a second over 16
connections, each latency counted from the moment at which the request was due, so that a stall
counts for all that it delays. Closed loop: 16 clients, each asking again at once. Then 10,000
objects, of an archive that has as many, are asked for at once and read as a stream, twice: the
first time what is remembered of files grows to its limit too, the second time only what an answer
itself builds up is left. With `--requests` it is memory alone that is watched, over so many of one
light curve.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import psutil

from benchmarks.curves_archive import CENTRE, Survey, create
from benchmarks.harness import Ratio, Result, options, own_peak_mb, tell
from benchmarks.serving import Growth, resident_mb, served
from products.lightcurves.job import build
from queries.curves.cache import ByteCache
from queries.curves.places import Circles
from queries.curves.sources import source_rows
from queries.sky import Cone
from store.snapshot import open_snapshot

EPOCHS, NIGHTS = 900, 5
WARM_SECONDS = 3.0
WIDE_EPOCHS = 72  # makes 10,000 objects of the same rows
CONNECTIONS, RATE = 16, 100.0
P50_MS, P99_MS, CLOSED_RATE = 8.0, 40.0, 250.0
GROWTH_MB, LOOKS = 64.0, 10
MOST_IDS = 10_000
ZTF = "/cgi-bin/ZTF/nph_light_curves?FORMAT=CSV&"
STREAM = "/api/v1/lightcurves?format=csv"


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run it; rows are detections."""
    parser = options(__doc__, 720_000)
    parser.add_argument("--archive", type=Path, help="one with light curves; else it is made")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each loop, default 20")
    parser.add_argument(
        "--requests", type=int, help="watch the memory over so many, and nothing else"
    )
    chosen = parser.parse_args(arguments)
    result = Result("service", chosen.rows)
    with tempfile.TemporaryDirectory() as folder:
        root = archive_of(chosen, Path(folder) / "archive", EPOCHS)
        result.rows = open_snapshot(root).rows("detections")
        with served(root) as (address, process):
            if chosen.requests:
                asyncio.run(many(result, root, address, process, chosen.requests))
            else:
                asyncio.run(loops(result, root, address, process, chosen.seconds))
        if not chosen.requests:
            wide = archive_of(chosen, Path(folder) / "wide", WIDE_EPOCHS)
            with served(wide) as (address, process):
                asyncio.run(streams(result, wide, address, process))
    result.peak_memory_mb = own_peak_mb()
    tell(result, chosen.json)
    return result


def archive_of(chosen: argparse.Namespace, folder: Path, epochs: int) -> Path:
    """The archive that was named, or one with so many epochs a source, made in a folder."""
    if chosen.archive is not None:
        return Path(chosen.archive)
    create(folder, Survey(max(8, chosen.rows // epochs), NIGHTS, epochs))
    build(folder)
    return folder


async def loops(
    result: Result, root: Path, address: str, worker: psutil.Process, seconds: float
) -> None:
    """One light curve a request."""
    paths = light_curves(root)
    await right(root, address)
    await closed_loop(address, paths, WARM_SECONDS)  # what is warm, stays so
    growth = Growth(worker)
    latencies = np.array(await open_loop(address, paths, seconds)) * 1000
    result.figures |= {
        f"open loop, p{p} (ms)": float(np.percentile(latencies, p)) for p in (50, 90, 99, 100)
    }
    n = await closed_loop(address, paths, seconds)
    result.figures["closed loop, requests a second"] = n / seconds
    result.figures["requests"] = latencies.size + n
    result.figures["bytes of a light curve"] = await one_size(address, paths[0])
    growth.look()
    result.figures["worker's memory (MB)"] = resident_mb(worker)
    result.ratios += [
        Ratio("open loop at 100/s: p50 (ms)", float(np.percentile(latencies, 50)), P50_MS, True),
        Ratio("open loop at 100/s: p99 (ms)", float(np.percentile(latencies, 99)), P99_MS, True),
        Ratio("closed loop, 16 clients (1/s)", n / seconds, CLOSED_RATE),
        Ratio("worker's growth over all requests (MB)", growth.most_mb, GROWTH_MB, True),
    ]


async def many(result: Result, root: Path, address: str, worker: psutil.Process, n: int) -> None:
    """What the worker grows by over many requests, once it is warm."""
    paths = light_curves(root)
    await closed_loop(address, paths, math.inf, n // LOOKS)
    growth = Growth(worker)
    for _ in range(LOOKS):
        await closed_loop(address, paths, math.inf, n // LOOKS)
        growth.look()
    result.figures[f"worker's memory after {n:,} requests (MB)"] = resident_mb(worker)
    name = f"worker's growth over {n:,} requests (MB)"
    result.ratios.append(Ratio(name, growth.most_mb, GROWTH_MB, True))


async def streams(result: Result, root: Path, address: str, worker: psutil.Process) -> None:
    """All objects of an archive as one answer, twice."""
    oids = _oids(root)
    first = await all_objects(address, worker, oids)
    again = await all_objects(address, worker, oids)
    result.figures |= {
        "objects of the stream": float(min(len(oids), MOST_IDS)),
        "stream (MB)": again[0] / 2**20,
        "stream (MB/s)": again[0] / 2**20 / again[1],
        "worker's growth over the first stream (MB)": first[2],
    }
    growth = "worker's growth over the same stream again (MB)"
    result.ratios.append(Ratio(growth, again[2], GROWTH_MB, True))


def light_curves(root: Path) -> list[str]:
    """Requests for one light curve each."""
    oids = np.random.default_rng(1).permutation(_oids(root)).tolist()
    return [f"{ZTF}ID={oid}" for oid in oids]


async def right(root: Path, address: str) -> None:
    """Hold an answer of each kind to the files themselves, read by nobody else's reader.

    Raises
    ------
    AssertionError : one is wrong.
    """
    oids = _oids(root)[:MOST_IDS]
    files = open_snapshot(root).layout.root.glob("data/detections/*/*.parquet")
    known = pl.concat([pl.read_parquet(path, columns=["oid", "expid"]) for path in files])
    counts = dict(known.drop_nulls("oid").group_by("oid").len().iter_rows())
    connection = Connection(address)
    for oid in oids[:3]:
        await connection.get(f"{ZTF}ID={oid}")
        assert connection.lines == 1 + counts[oid], oid
    await connection.get(STREAM, json.dumps({"oids": oids}).encode())
    assert connection.lines == 1 + sum(counts[oid] for oid in oids)
    connection.close()


def _oids(root: Path) -> list[int]:
    snapshot = open_snapshot(root)
    everywhere = Circles.of(Cone(*CENTRE, 10 * 3600.0))
    rows, _ = source_rows(snapshot, everywhere, ByteCache())
    oids: list[int] = rows.column("oid").to_pylist()
    return oids


class Connection:
    """One connection that is kept; plain HTTP/1.1, so that the generator costs little."""

    def __init__(self, address: str) -> None:
        self._at = urlsplit(address)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.lines = 0  # of the last answer

    async def get(self, path: str, body: bytes = b"", look: Callable[[], object] = int) -> int:
        """The bytes of an answer; `look` is called at each piece of a stream."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._at.hostname, self._at.port, limit=1 << 20
            )
        reader, writer = self._streams
        sent = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        method = "POST" if body else "GET"
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{sent}\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.split(b"\r\n")[0].decode())
        length = re.search(rb"content-length: (\d+)", head)
        if length is not None:
            data = await reader.readexactly(int(length[1]))
            self.lines = data.count(b"\n")
            return len(data)
        n = self.lines = 0
        while size := int(await reader.readline(), 16):
            data = await reader.readexactly(size + 2)
            self.lines += data.count(b"\n") - 1  # its own end
            n += size
            look()
        await reader.readline()
        return n

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()


async def open_loop(address: str, paths: list[str], seconds: float) -> list[float]:
    """Latencies, from when each request was due."""
    begin, n = time.perf_counter() + 0.2, int(seconds * RATE)
    latencies: list[float] = []
    due = iter(range(n))

    async def work(connection: Connection) -> None:
        for number in due:
            at = begin + number / RATE
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            await connection.get(paths[number % len(paths)])
            latencies.append(time.perf_counter() - at)
        connection.close()

    await asyncio.gather(*(work(Connection(address)) for _ in range(CONNECTIONS)))
    return latencies


async def closed_loop(
    address: str, paths: list[str], seconds: float, most: float = math.inf
) -> int:
    """How many requests were answered in some seconds; no more than `most`, or a few more."""
    until, answered = time.perf_counter() + seconds, 0

    async def work(number: int) -> None:
        nonlocal answered
        connection = Connection(address)
        while time.perf_counter() < until and answered < most:
            number += CONNECTIONS
            await connection.get(paths[number % len(paths)])
            answered += 1
        connection.close()

    await asyncio.gather(*(work(number) for number in range(CONNECTIONS)))
    return answered


async def one_size(address: str, path: str) -> int:
    """Bytes of one answer."""
    connection = Connection(address)
    n = await connection.get(path)
    connection.close()
    return n


async def all_objects(
    address: str, worker: psutil.Process, oids: list[int]
) -> tuple[int, float, float]:
    """Bytes and seconds of a stream of all objects, and the most that the worker grew by, MB."""
    growth, connection = Growth(worker), Connection(address)
    n = await connection.get(STREAM, json.dumps({"oids": oids[:MOST_IDS]}).encode(), growth.look)
    connection.close()
    return n, time.perf_counter() - growth.begun, growth.most_mb


if __name__ == "__main__":
    main()
