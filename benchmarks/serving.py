"""A service of a benchmark: `nightlake serve` in processes of its own, and what they hold."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

STARTS_S = 300.0


@contextmanager
def served(root: Path, cache_mb: int = 512) -> Iterator[tuple[str, psutil.Process]]:
    """The service's address, and its worker: all programmes are shown, no log is written."""
    environ = os.environ | {"NIGHTLAKE_PROGRAMS": "all", "NIGHTLAKE_CACHE_MB": str(cache_mb)}
    command = [sys.executable, "-m", "nightlake.cli", "serve", str(root), "--port", "0",
               "--no-access-log"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            if found is None:
                raise RuntimeError("the service did not start")
            # Whoever asks before a worker is there waits for it.
            httpx.get(f"{found[0]}/health", timeout=STARTS_S).raise_for_status()
            yield found[0], workers(server.pid)[0]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(STARTS_S)


def workers(pid: int) -> list[psutil.Process]:
    """The processes that answer."""
    children: list[psutil.Process] = psutil.Process(pid).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def resident_mb(process: psutil.Process) -> float:
    """Memory that a process holds, MB."""
    return float(process.memory_info().rss / 2**20)


class Growth:
    """The most that a process holds more than when this was made; `look` looks."""

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._before = process, resident_mb(process)
        self.most_mb = 0.0
        self.begun = time.perf_counter()

    def look(self) -> None:
        """Look at it now."""
        self.most_mb = max(self.most_mb, resident_mb(self._process) - self._before)
