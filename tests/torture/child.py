"""Processes to be killed: `python -m torture.child` reads jobs, a line each, and forks one a job.

Forked from a process that has imported everything and run nothing, they begin at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torture.edge import REPO, Edge, Step, installed


class DeadlyEdge(Edge):
    """An edge at which the process is killed, in the middle of a step if that is a write."""

    def __init__(self, at: int) -> None:
        super().__init__(self._die)
        self._at = at

    def _die(self, step: Step) -> None:
        if step.number == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, handle, data):
        if self.steps + 1 == self._at:
            os.write(handle, data[: len(data) // 2])
        return super().write(handle, data)


class Nursery:
    """Starts processes that run an operation each."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, **job: Any) -> int:
        """Start one; returns its id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> int:
        """Wait for its end; returns its exit code, or less than 0 for the signal that ended it."""
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


@contextmanager
def nursery() -> Iterator[Nursery]:
    """A process that starts others."""
    paths = os.pathsep.join([str(REPO), str(REPO / "tests")])
    with subprocess.Popen(
        [sys.executable, "-m", "torture.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as process:
        try:
            yield Nursery(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def serve() -> None:
    """Read jobs; say each one's process, and then how it ended."""
    from ingest.compile import compile_ingest
    from torture.scenario import OPERATIONS, steady

    compile_ingest()
    with steady():
        for line in sys.stdin:
            job = json.loads(line)
            pid = os.fork()
            if pid == 0:
                os._exit(_run(OPERATIONS[job["operation"]].run, job))
            print(pid, flush=True)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _run(run: Any, job: dict[str, Any]) -> int:
    os.dup2(2, 1)  # what it prints is no answer
    root, raw, workers = Path(job["root"]), Path(job["raw"]), job["workers"]
    try:
        if job["step"] is None:
            run(root, raw, workers)
        else:
            with installed(DeadlyEdge(job["step"])):
                run(root, raw, workers)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    serve()
