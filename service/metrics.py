"""What is counted, as Prometheus reads it; of all workers together where there are several."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST

REQUESTS = Counter(
    "nightlake_requests", "Requests that were answered", ["method", "route", "status"]
)
SECONDS = Histogram(
    "nightlake_request_seconds",
    "Time from the request to the last byte of its answer",
    ["route"],
    buckets=(0.002, 0.004, 0.008, 0.016, 0.04, 0.1, 0.25, 1, 4, 15, 60),
)
BYTES = Counter("nightlake_answer_bytes", "Bytes of answers", ["route"])
UNDER_WAY = Gauge(
    "nightlake_requests_under_way", "Requests being answered", multiprocess_mode="livesum"
)
PUBLICATION = Gauge(
    "nightlake_publication", "Number of the publication that is shown", multiprocess_mode="livemin"
)
WAITING = Gauge(
    "nightlake_waiting", "Pieces of work that wait for a thread", ["desk"],
    multiprocess_mode="livesum",
)  # fmt: skip


def exposed() -> bytes:
    """All of it, as text."""
    if FOLDER_VARIABLE not in os.environ:
        return generate_latest()
    for pid in _ended(Path(os.environ[FOLDER_VARIABLE])):
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _ended(folder: Path) -> set[int]:
    """Workers that are there no longer: what they were doing, nobody does."""
    ended = set()
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except OSError:  # none, or somebody else's
            ended.add(pid)
    return ended
