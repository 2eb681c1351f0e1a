"""Who asks while others write: never a part of a night, never an error.

`python -m torture.readers ARCHIVE KIND` asks until its input ends, and prints what it saw.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import polars as pl

from ingest.compact import compact
from ingest.pipeline import ingest
from ingest.withdraw import withdraw
from nightlake import Archive
from store.hold import hold_current
from store.vacuum import vacuum
from torture.edge import REPO, copied
from torture.scenario import NIGHT, ROWS, Stage

# Rows of the two nights: what a reader may see at all.
Counts = dict[str, int]
BEFORE = {"2024-01-10": 2 * ROWS}
STATES: list[Counts] = [
    BEFORE,
    {"2024-01-10": 3 * ROWS},
    {"2024-01-10": 3 * ROWS, "2024-01-11": 2 * ROWS},
    {"2024-01-11": 2 * ROWS},
    {},
]


def ask_by_sql(root: Path) -> Counts:
    """As the command line asks."""
    with Archive(root) as archive:
        found = archive.sql("select night, count(*) as n from detections group by night")
    return {str(night): n for night, n in found.iter_rows()}


def ask_files(root: Path) -> Counts:
    """As a program that reads the files of a publication that it holds."""
    with hold_current(root) as snapshot:
        files = snapshot.files("detections")
        if not files:
            return {}
        frame = pl.read_parquet(files, columns=["night"])
    return {str(night): n for night, n in frame["night"].value_counts().iter_rows()}


def ask_lsdb(root: Path) -> Counts:
    """As LSDB asks, of the catalogue of one publication."""
    import lsdb

    with hold_current(root) as snapshot:
        if not snapshot.rows("detections"):
            return {}
        catalogue = lsdb.open_catalog(snapshot.catalogue("detections"), columns=["night"])
        nights = catalogue.compute()["night"]
    return {str(night)[:10]: int(n) for night, n in nights.value_counts().items()}


KINDS: dict[str, Callable[[Path], Counts]] = {
    "sql": ask_by_sql,
    "files": ask_files,
    "lsdb": ask_lsdb,
}


@dataclass
class Seen:
    """What readers saw."""

    readers: int = 0
    answers: int = 0
    publications: int = 0
    states: list[Counts] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, answers: Sequence[Counts | str], kind: str) -> None:
        """Judge one reader's answers; an error is a string."""
        self.readers += 1
        self.answers += len(answers)
        for answer in answers:
            if answer not in STATES:
                self.wrong.append(f"{kind}: {answer}")
            elif answer not in self.states:
                self.states.append(answer)
        if not answers:
            self.wrong.append(f"{kind}: no answer at all")


def run(
    stage: Stage, work: Path, *, rounds: int, threads: Sequence[str], processes: Sequence[str]
) -> Seen:
    """Write for some rounds, while readers of some kinds ask in threads and in processes."""
    root = copied(stage.at(("init", "references", "night")), work / "archive")
    seen = Seen()
    over = threading.Event()
    answers: list[tuple[str, list[Counts | str]]] = [(kind, []) for kind in threads]
    asking = [threading.Thread(target=_ask, args=(root, *one, over)) for one in answers]
    others = [_start(root, kind) for kind in processes]
    for process in others:
        assert process.stdout is not None
        process.stdout.readline()  # it has seen something
    for thread in asking:
        thread.start()
    try:
        for _ in range(rounds):
            seen.publications += _write(root, stage.raw, lambda: _all_look(answers))
    finally:
        over.set()
        for thread in asking:
            thread.join()
        told = [
            (kind, process.communicate()[0])
            for kind, process in zip(processes, others, strict=True)
        ]
    for kind, some in answers:
        seen.add(some, kind)
    for kind, text in told:
        seen.add([json.loads(line) for line in text.splitlines()], kind)
    return seen


def _all_look(answers: Sequence[tuple[str, list[Counts | str]]]) -> None:
    """Wait until each thread has asked once more: an answer may have begun before."""
    before = [len(some) for _, some in answers]
    while any(len(some) < n + 2 for (_, some), n in zip(answers, before, strict=True)):
        time.sleep(0.01)


def _write(root: Path, raw: Path, look: Callable[[], None]) -> int:
    """From the first state to the last and back; returns the publications made.

    However fast that is, a state between is looked at.
    """
    second = NIGHT.replace(day=11)
    ingest(root, [raw / "late"], workers=1)
    ingest(root, [raw / "second"], workers=1)
    look()
    ingest(root, [raw / "changed"], workers=1)  # the same counts: other rows
    compact(root, workers=1)  # the same rows: other files
    withdraw(root, [NIGHT], workers=1)
    vacuum(root, older_than_days=0)
    withdraw(root, [second], workers=1)
    ingest(root, [raw / "night"], workers=1)
    vacuum(root, older_than_days=0)
    return 7


def _ask(root: Path, kind: str, answers: list[Counts | str], over: threading.Event) -> None:
    while not over.is_set():
        try:
            answers.append(KINDS[kind](root))
        except Exception as error:
            answers.append(repr(error))


def _start(root: Path, kind: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(REPO), str(REPO / "tests")])
    return subprocess.Popen(
        [sys.executable, "-m", "torture.readers", str(root), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def main(root: Path, kind: str, wait: IO[str]) -> None:
    """Ask until the input ends."""
    over = threading.Event()
    threading.Thread(target=lambda: (wait.read(), over.set()), daemon=True).start()
    print(json.dumps(KINDS[kind](root)), flush=True)
    answers: list[Counts | str] = []
    _ask(root, kind, answers, over)
    print("\n".join(map(json.dumps, answers)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.stdin)
