"""Processes that are ended by SIGKILL, at every numbered step and at random times."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from store.errors import ArchiveBusyError, NightlakeError
from store.verify import verify
from torture.child import Nursery
from torture.edge import copied
from torture.scenario import OPERATIONS, Operation, Stage, content, difference, rows


@dataclass
class Tally:
    """What came of some kills."""

    started: int = 0
    kills: int = 0
    recoveries: int = 0
    lost_rows: int = 0
    doubled_rows: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another's in."""
        for name in ("started", "kills", "recoveries", "lost_rows", "doubled_rows"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.wrong += other.wrong


def kill_at_steps(
    stage: Stage, nursery: Nursery, name: str, steps: Iterable[int], work: Path
) -> Tally:
    """Kill a process at each of some steps."""
    tally = Tally()
    operation = OPERATIONS[name]
    for step in steps:
        root = copied(stage.before(operation), work / "archive")
        nursery.start(
            operation=name, root=str(root), raw=str(stage.raw), workers=1, step=step
        )  # fmt: skip
        _judge(stage, operation, root, nursery.end(), tally, f"{name} at step {step}")
    return tally


def kill_at_random(
    stage: Stage, nursery: Nursery, name: str, times: int, work: Path, *, workers: int, seed: int
) -> Tally:
    """Kill a process, and those it started, at random times between its start and its end."""
    tally = Tally()
    operation = OPERATIONS[name]
    rng = random.Random(f"{name} {seed}")
    longest = 0.0
    for number in range(-1, times):
        root = copied(stage.before(operation), work / "archive")
        began = time.monotonic()
        pid = nursery.start(
            operation=name, root=str(root), raw=str(stage.raw), workers=workers, step=None
        )  # fmt: skip
        if number >= 0:  # the first is left alone, and tells how long it takes
            delay = rng.uniform(0, longest)
            time.sleep(delay)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = nursery.end()
        if number < 0:
            longest = time.monotonic() - began
            assert status == 0, f"{name} fails undisturbed"
        else:
            what = f"{name} after {delay * 1000:.0f} ms, {workers} workers"
            _judge(stage, operation, root, status, tally, what)
    return tally


def _judge(
    stage: Stage, operation: Operation, root: Path, status: int, tally: Tally, what: str
) -> None:
    """Look at what a process left, go on from it, and compare the end."""
    tally.started += 1
    tally.kills += status == -signal.SIGKILL
    wrong = [] if status in (0, -signal.SIGKILL) else [f"it ended with {status}"]
    try:
        if (root / "archive.json").exists():
            wrong += [f"found: {finding}" for finding in verify(root)]
        _go_on(operation, root, stage.raw)
        wrong += [str(finding) for finding in verify(root)]
    except (NightlakeError, OSError) as error:
        tally.wrong.append(f"{what}: {error!r}")
        return
    after = stage.after(operation)
    found, wanted = rows(root), rows(after)
    tally.lost_rows += sum((wanted - found).values())
    tally.doubled_rows += sum(count - 1 for count in found.values())
    wrong += [f"not as undisturbed: {n}" for n in difference(content(root), content(after))]
    tally.recoveries += not wrong
    tally.wrong += [f"{what}: {one}" for one in wrong]


def _go_on(operation: Operation, root: Path, raw: Path) -> None:
    """Run it again: at once, although the kernel may not yet have taken the locks away."""
    deadline = time.monotonic() + 300
    while True:
        try:
            return operation.run(root, raw, 1)
        except ArchiveBusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def spread(steps: int, sample: int | None, offset: int = 0) -> Sequence[int]:
    """All steps, or `sample` of them, evenly spread."""
    every = max(1, steps // sample) if sample else 1
    return range(1 + offset % every, steps + 1, every)
