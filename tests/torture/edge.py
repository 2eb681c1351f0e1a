"""What stands in for `os` and `fcntl` in `store.disk`: counts each change, and may prevent it."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from store import disk

REPO = Path(__file__).resolve().parents[2]
_PASSED_OVER = {"store/disk.py", "store/locks.py"}


class Killed(BaseException):
    """The process ends here: nothing that comes after reaches the disk."""


class Step(NamedTuple):
    """A change that is about to be made."""

    number: int
    call: str
    site: str


class Site(NamedTuple):
    """Where in the code a sync, a rename or a lock stands, as `store/atomic.py:45`."""

    kind: str
    place: str


Before = Callable[[Step], None]


class Edge:
    """`os` and `fcntl` of `store.disk`: keeps a log of all changes that were made.

    Parameters
    ----------
    before : called before each change; may raise in its place.
    without : the call that is left out, as if the code did not have it. A rename that is left out
        makes its target anew, bit by bit: no code works that does nothing in its place.
    """

    def __init__(self, before: Before | None = None, without: Site | None = None) -> None:
        self.before = before
        self.without = without
        self.log: list[tuple] = []
        self.reached: set[Site] = set()
        self.steps = 0
        self._opened = 0
        self._numbers: dict[int, int] = {}
        self._guard = threading.Lock()

    def __getattr__(self, name):
        return getattr(os if hasattr(os, name) else fcntl, name)

    def open(self, path, flags, mode=0o777):
        if flags & os.O_CREAT:
            self._step("open")
        with self._guard:
            handle = os.open(path, flags, mode)
            self._opened += 1
            self._numbers[handle] = self._opened
            self.log.append(("open", self._opened, os.fspath(path), flags))
            return handle

    def close(self, handle):
        with self._guard:
            self._numbers.pop(handle, None)
            os.close(handle)

    def write(self, handle, data):
        self._step("write")
        with self._guard:
            size = os.write(handle, data)
            self.log.append(("write", self._numbers[handle], bytes(data[:size])))
            return size

    def fsync(self, handle):
        if self._left_out("fsync"):
            return
        self._step("fsync")
        with self._guard:
            self.log.append(("fsync", self._numbers[handle]))

    def replace(self, old, new):
        if self._left_out("rename"):
            self._make_anew(Path(old), Path(new))
            return
        self._step("replace")
        with self._guard:
            os.replace(old, new)  # noqa: PTH105
            self.log.append(("replace", os.fspath(old), os.fspath(new)))

    def symlink(self, text, path):
        self._change("symlink", text, path)

    def mkdir(self, path):
        self._change("mkdir", path)

    def unlink(self, path):
        self._change("unlink", path)

    def rmdir(self, path):
        self._change("rmdir", path)

    def flock(self, handle, how):
        if not self._left_out("lock"):
            fcntl.flock(handle, how)

    def _change(self, call, *args):
        self._step(call)
        with self._guard:
            getattr(os, call)(*args)
            self.log.append((call, *map(os.fspath, args)))

    def _step(self, call):
        with self._guard:
            self.steps += 1
            step = Step(self.steps, call, _place())
        if self.before is not None:
            self.before(step)

    def _left_out(self, kind):
        site = Site(kind, _place())
        self.reached.add(site)
        return site == self.without

    def _make_anew(self, old, new):
        """What a rename does, in many steps."""
        if new.is_symlink() or new.is_file():
            self.unlink(new)
        if old.is_symlink():
            self.symlink(str(old.readlink()), new)
            self.unlink(old)
        elif old.is_dir():
            self.mkdir(new)
            for path in sorted(old.iterdir()):
                self._make_anew(path, new / path.name)
            self.rmdir(old)
        else:
            handle = self.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            data = old.read_bytes()
            for half in (data[: len(data) // 2], data[len(data) // 2 :]):
                self.write(handle, half)
            self.close(handle)
            self.unlink(old)


def _place() -> str:
    """The line of the store or the ingest that the change was asked for in."""
    frame = sys._getframe(2)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(str(REPO)):
            place = path[len(str(REPO)) + 1 :]
            if place.startswith(("store/", "ingest/")) and place not in _PASSED_OVER:
                return f"{place}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


@contextmanager
def installed(edge: Edge) -> Iterator[Edge]:
    """`edge` at the archive's edge to the file system."""
    kept = disk.os, disk.fcntl
    disk.os = disk.fcntl = edge
    try:
        yield edge
    finally:
        disk.os, disk.fcntl = kept


def kill_at(number: int) -> Before:
    """End the process at a step: it changes nothing from there on."""

    def before(step: Step) -> None:
        if step.number >= number:
            raise Killed(step)

    return before


def copied(source: Path, target: Path) -> Path:
    """A copy of an archive, at `target`."""
    deadline = time.monotonic() + 300
    while target.exists():
        try:
            shutil.rmtree(target)
        except OSError:  # a worker of the process that was killed last writes on for a moment
            if time.monotonic() > deadline:
                raise
    if source.exists():
        shutil.copytree(source, target, symlinks=True)
    return target
