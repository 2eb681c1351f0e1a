"""What a disk may hold after power was lost, and whether the archive survives it.

What is known to last is what was synced: a file's content by a sync of the file, a name by a sync
of its folder. Of the rest any part may be there: content may be missing, cut off or zeros; a new
name may be there or not; a rename may be undone. A rename is never half done.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from store.errors import NightlakeError
from store.layout import Layout
from store.snapshot import Snapshot, open_snapshot
from store.verify import verify
from torture.edge import Edge, Killed, Site, Step, copied, installed, kill_at
from torture.scenario import (
    OPERATIONS,
    Operation,
    Stage,
    another_start,
    content,
    difference,
)

# Nothing of it; all names without content; everything; the last names alone; a part of all.
VARIANTS = ("lost", "names", "all", "last", "mixed")


@dataclass(eq=False)
class Node:
    """A file, a folder or a link: as programs see it, and what of it lasts."""

    text: str | None = None
    data: bytearray | None = None
    lasting_data: bytes = b""
    names: dict[str, Node] = field(default_factory=dict)
    lasting: dict[str, Node] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)

    @property
    def is_folder(self) -> bool:
        return self.text is None and self.data is None


@dataclass(eq=False)
class Pending:
    """A name that came (with its node) or went; it may go only once `other` has come."""

    name: str
    node: Node | None
    other: Pending | None = None
    lasts: bool = False


def read_tree(path: Path) -> Node:
    """A folder as it is on disk; all of it lasts."""
    if path.is_symlink():
        return Node(text=str(path.readlink()))
    if path.is_file():
        data = path.read_bytes()
        return Node(data=bytearray(data), lasting_data=data)
    node = Node()
    if path.is_dir():
        node.names = {entry.name: read_tree(entry) for entry in path.iterdir()}
        node.lasting = dict(node.names)
    return node


class Disk:
    """The disk below `top` after each change of a log."""

    def __init__(self, top: Path, tree: Node) -> None:
        self._top = top
        self._tree = tree
        self._opened: dict[int, Node] = {}

    def apply(self, entries: Iterable[tuple]) -> None:
        """Make changes."""
        for call, *args in entries:
            getattr(self, f"_{call}")(*args)

    def _find(self, path: str) -> Node:
        node = self._tree
        for name in Path(path).relative_to(self._top).parts:
            node = node.names[name]
        return node

    def _folder(self, path: str) -> tuple[Node, str]:
        return self._find(str(Path(path).parent)), Path(path).name

    def _add(self, path: str, node: Node) -> Pending:
        folder, name = self._folder(path)
        folder.names[name] = node
        folder.pending.append(Pending(name, node))
        return folder.pending[-1]

    def _take(self, path: str, other: Pending | None = None) -> None:
        folder, name = self._folder(path)
        if other is None or folder.names[name] is other.node:
            del folder.names[name]
        folder.pending.append(Pending(name, None, other))

    def _open(self, number: int, path: str, flags: int) -> None:
        if flags & os.O_CREAT:
            folder, name = self._folder(path)
            if name not in folder.names:
                self._add(path, Node(data=bytearray()))
        node = self._find(path)
        if flags & os.O_TRUNC and node.data is not None:
            node.data.clear()
        self._opened[number] = node

    def _write(self, number: int, data: bytes) -> None:
        node = self._opened[number]
        assert node.data is not None
        node.data += data

    def _fsync(self, number: int) -> None:
        node = self._opened[number]
        if node.data is not None:
            node.lasting_data = bytes(node.data)
        else:
            node.lasting = dict(node.names)
            for one in node.pending:
                one.lasts = True
            node.pending.clear()

    def _replace(self, old: str, new: str) -> None:
        self._take(old, self._add(new, self._find(old)))

    def _symlink(self, text: str, path: str) -> None:
        self._add(path, Node(text=text))

    def _mkdir(self, path: str) -> None:
        self._add(path, Node())

    def _unlink(self, path: str) -> None:
        self._take(path)

    _rmdir = _unlink

    def write(self, target: Path, variant: str, seed: int) -> Path:
        """What is found at `target` when power is back."""
        rng = random.Random(f"{variant} {seed}")
        keep: Callable[[bool], bool] = {
            "lost": lambda last: False,
            "names": lambda last: True,
            "all": lambda last: True,
            "last": lambda last: last,
            "mixed": lambda last: rng.random() < 0.5,
        }[variant]
        _write(self._tree, target, variant, keep, rng, set())
        return target


def _write(
    node: Node, target: Path, variant: str, keep: Callable[[bool], bool], rng: random.Random,
    come: set[Pending],
) -> None:  # fmt: skip
    if node.text is not None:
        target.symlink_to(node.text)
    elif node.data is not None:
        target.write_bytes(_data(node, variant, rng))
    else:
        target.mkdir(parents=True)
        names = dict(node.lasting)
        for one in node.pending:
            last = one is node.pending[-1] or one is node.pending[-1].other
            if one.node is not None:
                if keep(last):
                    come.add(one)
                    names[one.name] = one.node
            elif one.other in come or (may_go(one) and keep(last)):
                names.pop(one.name, None)
        for name, child in sorted(names.items()):
            _write(child, target / name, variant, keep, rng, come)


def may_go(one: Pending) -> bool:
    """Whether a name may be gone: one that was renamed only if the new name lasts."""
    return one.other is None or one.other.lasts


def _data(node: Node, variant: str, rng: random.Random) -> bytes:
    """A file's content: as synced; or, where that is not all of it, anything between."""
    assert node.data is not None
    whole = bytes(node.data)
    if variant == "lost":
        return node.lasting_data
    if variant == "names":
        return node.lasting_data if node.lasting_data == whole else bytes(len(whole))
    if variant in ("all", "last"):
        return whole
    choices = [node.lasting_data, whole, whole[: len(whole) // 2], bytes(len(whole))]
    return whole if node.lasting_data == whole else rng.choice(choices)


@dataclass
class Run:
    """An operation that was run, with the log of its changes."""

    stage: Stage
    operation: Operation
    top: Path
    before: Path
    edge: Edge
    begun: int = 0
    error: BaseException | None = None

    def disk_after(self, changes: int) -> Disk:
        """The disk after so many changes."""
        disk = Disk(self.top, read_tree(self.before))
        disk.apply(self.edge.log[:changes])
        return disk


def record(
    stage: Stage,
    name: str,
    work: Path,
    *,
    without: Site | None = None,
    killed_at: int | None = None,
    unsettled: bool = False,
) -> Run:
    """Run an operation and keep its changes.

    `killed_at` kills it at a step first; `unsettled` begins with the operation before it, killed
    when its publication is current and nobody has synced that.
    """
    operation = OPERATIONS[name]
    top = work / "recorded"
    before = stage.before(operation) if not unsettled else stage.at(operation.after[:-1])
    before.parent.mkdir(parents=True, exist_ok=True)
    copied(before.parent, top)
    edge = Edge(without=without)
    run = Run(stage, operation, top, before.parent, edge)
    root = top / "archive"

    def kill_unsettled(step: Step) -> None:
        if any(call == "replace" and args[-1] == str(root / "current") for call, *args in edge.log):
            raise Killed(step)

    with installed(edge):
        first = operation
        if killed_at is not None:
            edge.before = kill_at(killed_at)
        elif unsettled:
            first, edge.before = OPERATIONS[operation.after[-1]], kill_unsettled
        if edge.before is not None:
            with suppress(Killed):
                first.run(root, stage.raw, 1)
            edge.before = None
            run.begun = len(edge.log)
        try:
            operation.run(root, stage.raw, 1)
        except (NightlakeError, OSError) as error:
            run.error = error
    return run


def changes_of(run: Run) -> list[int]:
    """After which changes to look: opening a folder is none."""
    return [run.begun] + [
        number + 1
        for number, (call, *args) in enumerate(run.edge.log)
        if number >= run.begun and (call != "open" or args[2] & os.O_CREAT)
    ]


def lose_power(
    run: Run, changes: int, variant: str, work: Path, *, resume: bool = True
) -> list[str]:
    """Lose power after so many changes: what is wrong with what is found, and after going on."""
    top = copied(Path("/nonexistent"), work / "found")
    run.disk_after(changes).write(top, variant, changes)
    root = top / "archive"
    done = changes == changes_of(run)[-1]
    wanted = run.stage.after(run.operation)
    wrong = []
    if (root / "archive.json").exists():
        wrong += check_found(root, run, done, wanted)
    elif run.operation.after or done:
        wrong.append("no archive is found")
    if wrong or not resume:
        return wrong
    with another_start():
        try:
            run.operation.run(root, run.stage.raw, 1)
        except (NightlakeError, OSError) as error:
            return [f"it cannot go on: {error!r}"]
    different = difference(content(root), content(wanted))
    return [f"not as undisturbed: {name}" for name in different]


def check_found(root: Path, run: Run, done: bool, wanted: Path) -> list[str]:
    """What is wrong with an archive that is found."""
    last = open_snapshot(wanted).number
    try:
        snapshot = open_snapshot(root)
        wrong = [str(finding) for finding in verify(root)]
        if not wrong and (root / "publications").is_dir():
            # Vacuum takes what was current before it, so that it is looked up where it still is.
            undisturbed = [Layout(wanted), Layout(run.stage.before(run.operation))]
            known = next(one for one in undisturbed if one.publication(snapshot.number).exists())
            if snapshot.groups != Snapshot(known, snapshot.number).groups:
                wrong.append(f"publication {snapshot.number} is none of an undisturbed run")
            wrong += broken_links(root)
    except (NightlakeError, OSError) as error:
        return [f"it cannot be read: {error!r}"]
    if done and snapshot.number != last:
        wrong.append(f"publication {last} was made, {snapshot.number} is found")
    return wrong


def broken_links(root: Path) -> list[str]:
    """Links of any publication, current or not, that lead nowhere."""
    return [
        f"{path} leads nowhere"
        for folder in (root / "publications").glob("[0-9]*")
        for path in folder.rglob("*")
        if path.is_symlink() and not path.exists()
    ]


def run_all(
    stage: Stage,
    work: Path,
    *,
    names: Sequence[str] = tuple(OPERATIONS),
    variants: Sequence[str] = VARIANTS,
    every: int = 1,
) -> tuple[int, list[str]]:
    """Lose power at every step (or at some) of every operation: how often, and what is wrong."""
    count, wrong = 0, []
    for name in names:
        one = record(stage, name, work)
        changes = changes_of(one)
        for position, at in enumerate([*changes[::every], changes[-1]]):
            for variant in variants if every == 1 else [variants[position % len(variants)]]:
                count += 1
                found = lose_power(one, at, variant, work)
                wrong += [f"{name} at {at} of {changes[-1]}, {variant}: {what}" for what in found]
    return count, wrong
