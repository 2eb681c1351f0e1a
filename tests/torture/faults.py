"""The disk refuses the n-th change, for every n."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from store.errors import NightlakeError, UnsettledPublicationError
from store.snapshot import open_snapshot
from store.verify import verify
from torture.edge import Before, Edge, Step, copied, installed
from torture.scenario import OPERATIONS, Stage, content, difference


@dataclass(frozen=True)
class Fault:
    """What the system says, from the n-th change on; of which calls; and for how long."""

    number: int
    calls: frozenset[str] | None = None
    lasting: bool = False

    @property
    def words(self) -> str:
        """What the error that the user sees must say."""
        return os.strerror(self.number)


_GROWING = frozenset({"open", "write", "replace", "symlink", "mkdir"})
FAULTS = {
    "disk full": Fault(errno.ENOSPC, _GROWING, lasting=True),
    "input/output error": Fault(errno.EIO),
    "no permission": Fault(errno.EACCES, lasting=True),
}


def refusing(fault: Fault, at: int) -> Before:
    """Refuse the change `at`, or the first after it that the fault concerns."""
    refused = []

    def before(step: Step) -> None:
        if step.number < at or (refused and not fault.lasting):
            return
        if fault.calls is None or step.call in fault.calls:
            refused.append(step)
            raise OSError(fault.number, os.strerror(fault.number), "the file")

    return before


class FullDisk(Edge):
    """A disk that is full in the middle of the n-th change, when that is a write."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def write(self, handle, data):
        if self.steps + 1 == self._at and len(data) > 1:
            self.before = refusing(FAULTS["disk full"], self._at + 1)
            return super().write(handle, data[: len(data) // 2])
        return super().write(handle, data)


def steps_of(stage: Stage, name: str, work: Path) -> int:
    """How many changes an operation makes."""
    operation = OPERATIONS[name]
    root = copied(stage.before(operation), work / "archive")
    with installed(Edge()) as edge:
        operation.run(root, stage.raw, 1)
    return edge.steps


def states_of(stage: Stage, name: str) -> dict[int, dict[str, str]]:
    """The groups of each publication that an archive may be at, before, in and after."""
    operation = OPERATIONS[name]
    after = stage.after(operation)
    first = 0
    if operation.after:
        first = open_snapshot(stage.before(operation)).number
    last = open_snapshot(after)
    return {n: type(last)(last.layout, n).groups for n in range(first, last.number + 1)}


def disturb(stage: Stage, name: str, edge: Edge, words: str, work: Path) -> list[str]:
    """Run an operation with a fault, and once more without it; returns what is wrong after it."""
    operation = OPERATIONS[name]
    root = copied(stage.before(operation), work / "archive")
    wrong = []
    states = states_of(stage, name)
    first, error = min(states), None
    with installed(edge):
        try:
            operation.run(root, stage.raw, 1)
        except NightlakeError as said:
            error = said
            if words not in str(said):
                wrong.append(f"the error does not say {words!r}: {said}")
        except OSError as said:
            wrong.append(f"an error that is not ours: {said!r}")
    if (root / "archive.json").exists():
        wrong += [f"unsound after the fault: {finding}" for finding in verify(root)]
        snapshot = open_snapshot(root)
        if snapshot.groups != states.get(snapshot.number):
            wrong.append(f"publication {snapshot.number} is none of an undisturbed run")
        # Others publish what was refused after the night, and may fail at that.
        if error is not None and name in ("withdrawal", "repair", "compaction"):
            settled = not isinstance(error, UnsettledPublicationError)
            if (snapshot.number == first) != settled:
                wrong.append(f"publication {snapshot.number} after: {error}")
    elif error is None:
        wrong.append("no archive, and no error")
    operation.run(root, stage.raw, 1)
    different = difference(content(root), content(stage.after(operation)))
    wrong += [f"not as undisturbed: {name}" for name in different]
    return wrong + [str(finding) for finding in verify(root)]


def run(
    stage: Stage, work: Path, sample: int | None = None, names: Sequence[str] = tuple(OPERATIONS)
) -> tuple[int, list[str]]:
    """Every fault at every step (or `sample` of them, spread over all): how many, what is wrong."""
    wrong: list[str] = []
    count = 0
    for name in names:
        steps = steps_of(stage, name, work)
        chosen = range(1, steps + 1)
        for kind, fault in FAULTS.items():
            every = max(1, steps // sample) if sample else 1
            # Each kind of fault begins elsewhere, so that a sample meets more of the steps.
            for at in chosen[(count * 7) % every :: every]:
                edges = [Edge(refusing(fault, at))]
                if fault.number == errno.ENOSPC:
                    edges.append(FullDisk(at))
                for edge in edges:
                    count += 1
                    found = disturb(stage, name, edge, fault.words, work)
                    wrong += [f"{name}, {kind} at {at} of {steps}: {what}" for what in found]
    return count, wrong
