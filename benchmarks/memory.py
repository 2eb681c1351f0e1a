"""Memory of a program and all its processes: proportional set size, from /proc."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

PROC = Path("/proc")
# Each look walks the page tables of all processes: some 20 ms.
INTERVAL_S = 0.5


class PeakMemory:
    """While it is entered, samples the PSS summed over a process and its descendants.

    PSS counts a page that several processes share once in all, so that the sum is what the
    program takes; the page cache of files that were written or read is not in it.
    """

    def __init__(self, pid: int) -> None:
        self.peak_mb = 0.0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, family_pss_mb(self._pid))
            if self._done.wait(INTERVAL_S):
                return


def family_pss_mb(pid: int) -> float:
    """PSS of a process and its descendants, MB; what has ended meanwhile counts nothing."""
    return (_pss_kb(pid) + sum(_pss_kb(child) for child in _descendants(pid))) / 1024


def _pss_kb(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                # The name in parentheses may hold anything; the parent is the second word after.
                fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found, ahead = [], [pid]
    while ahead:
        children = parents.get(ahead.pop(), [])
        found += children
        ahead += children
    return found
