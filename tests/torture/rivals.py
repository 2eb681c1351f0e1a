"""Two that write at once: the second begins at each step of the first."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from store.errors import ArchiveBusyError
from store.snapshot import open_snapshot
from store.verify import verify
from torture.edge import Edge, Site, Step, copied, installed
from torture.scenario import CHANNELS, OPERATIONS, Operation, Stage, rows

RIVALRIES = (
    ("night", "night"),
    ("late", "replacement"),
    ("late", "second night"),
    ("channel 7", "channel 8"),
    ("late", "better references"),
    ("late", "repair"),
    ("repair", "late"),
    ("withdrawal", "replacement"),
    ("withdrawal", "second night"),
    ("vacuum", "second night"),
    ("compaction", "late"),
    ("late", "compaction"),
    ("compaction", "withdrawal"),
    ("compaction", "compaction"),
    ("replacement in a period", "compaction"),
    ("withdrawal from a period", "compaction"),
    ("night", "better references"),
    ("rematch", "late"),
    ("second night", "vacuum"),
)
_PATIENCE_S = 300


class RivalEdge(Edge):
    """At a step of the thread that was there first, another begins.

    The first goes on once the other is done, or waits for a lock.
    """

    def __init__(self, at: int, rival: threading.Thread, without: Site | None) -> None:
        super().__init__(without=without)
        self.before = self._begin
        self._at = at
        self._rival = rival
        self._first = threading.get_ident()
        self._goes_on = threading.Event()
        self._own = 0

    def _begin(self, step: Step) -> None:
        if threading.current_thread() is self._rival or self._rival.ident is not None:
            return
        self._own += 1
        if self._own == self._at:
            self._rival.start()
            assert self._goes_on.wait(_PATIENCE_S), "the rival hangs"

    def release(self) -> None:
        """The rival is done."""
        self._goes_on.set()

    def flock(self, handle: int, how: int) -> None:
        """Whoever has to wait says so first."""
        if self._left_out("lock"):
            return
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if how & fcntl.LOCK_NB:
                raise
            if threading.current_thread() is self._rival:
                self._goes_on.set()
            fcntl.flock(handle, how)


def rivalry(
    stage: Stage, names: tuple[str, str], at: int, work: Path, without: Site | None = None
) -> tuple[bool, list[str]]:
    """Run two operations, the second from step `at` of the first on.

    Returns whether there was such a step, and what is wrong in the end.
    """
    known = OPERATIONS | CHANNELS
    first, second = (known[name] for name in names)
    root = copied(stage.before(first), work / "archive")
    wrong: list[str] = []

    def run(operation: Operation) -> None:
        try:
            try:
                operation.run(root, stage.raw, 1)
            except ArchiveBusyError:
                refused.append(operation)
        except BaseException as error:
            wrong.append(f"{operation.name}: {error!r}")

    def rival() -> None:
        run(second)
        edge.release()

    refused: list[Operation] = []
    thread = threading.Thread(target=rival)
    edge = RivalEdge(at, thread, without)
    with installed(edge):
        run(first)
        if thread.ident is None:
            return False, wrong
        thread.join(_PATIENCE_S)
    if wrong:
        return True, wrong
    for operation in refused:
        operation.run(root, stage.raw, 1)
    return True, compare(root, stage, first.after, names)


def compare(root: Path, stage: Stage, after: tuple[str, ...], names: tuple[str, str]) -> list[str]:
    """What is wrong with an archive in which both are done, in whatever order."""
    wrong = [str(finding) for finding in verify(root)]
    found = open_snapshot(root)
    orders = {names, names[::-1]} if names[0] != names[1] else {names[:1]}
    ends = [open_snapshot(stage.at((*after, *order))) for order in orders]
    if found.groups not in [end.groups for end in ends]:
        wrong.append("the end is that of no order of the two")
    if rows(root) not in [rows(end.layout.root) for end in ends]:
        wrong.append("rows are lost or doubled")
    return wrong


def rivalries(
    stage: Stage,
    work: Path,
    *,
    without: Site | None = None,
    every: int = 1,
    which: Iterable[tuple[str, str]] = RIVALRIES,
) -> Iterator[tuple[str, list[str]]]:
    """Every rivalry from every step on (or from some): what was tried, and what is wrong."""
    for names in which:
        at = 1
        while True:
            there, wrong = rivalry(stage, names, at, work, without)
            if not there:
                break
            yield f"{names[1]} from step {at} of {names[0]}", wrong
            at += every
