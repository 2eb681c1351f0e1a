"""The archive that is served: whatever is published, one published state an answer.

Each request takes what is current when it comes, and keeps it to its end; the state before goes
when its last request does. Nothing is ever written but what a large question spills.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import xxhash

from queries.connection import Session, connect
from queries.curves.cache import ByteCache
from queries.curves.reader import CurveReader
from queries.named import query
from service.settings import Settings
from store.errors import NightlakeError
from store.hold import hold_current
from store.layout import Layout
from store.snapshot import Snapshot


class State:
    """One published state, open for questions from many threads.

    Attributes
    ----------
    reader : of light curves.
    version : tells this state of this archive, as this release shows it, from any other.
    """

    def __init__(self, snapshot: Snapshot, settings: Settings, cache: ByteCache) -> None:
        self.snapshot, self._settings = snapshot, settings
        self.cache = cache
        self.reader = CurveReader(snapshot, cache)
        # A number may come again after an archive was made anew; its manifests do not. Another
        # release may answer in other words.
        told = json.dumps(
            [snapshot.groups, settings.programs, version("nightlake")], sort_keys=True
        )
        self.version = f"{snapshot.number}-{xxhash.xxh3_64_hexdigest(told.encode())}"
        self.programs = settings.served_programs
        self._opening = threading.Lock()
        self._session: Session | None = None
        self._users = 1

    @property
    def session(self) -> Session:
        """DuckDB over the state, opened when it is first needed."""
        with self._opening:
            if self._session is None:
                self._session = connect(self.snapshot, self._settings.memory_limit, self.cache)
            return self._session

    @cached_property
    def shows_all(self) -> bool:
        """Whether no image is of a programme that is not shown."""
        if self.programs is None:
            return True
        rows = self.session.rows(query("programs").sql)
        return all(program in self.programs for (program,) in rows)

    def join(self) -> bool:
        """One more user; False if it is closed already."""
        with self._opening:
            if not self._users:
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """One user less; the last one closes it."""
        with self._opening:
            self._users -= 1
            if self._users:
                return
            session, self._session = self._session, None
        self.reader.close()
        if session is not None:
            # It waits for questions that nobody waits for any more: not on the event loop.
            threading.Thread(target=session.close, name="nightlake-close", daemon=False).start()


class Served:
    """An archive that follows what is published.

    Raises
    ------
    store.errors.NotAnArchiveError, DamagedArchiveError : there is none to serve.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._layout = Layout(settings.archive)
        self._cache = ByteCache(settings.cache_mb << 20)
        self._changing = threading.Lock()
        self._link = ""
        self._state = self._open()

    @property
    def root(self) -> Path:
        """The archive's folder."""
        return self._layout.root

    @property
    def publication(self) -> int:
        """Number of what was shown last."""
        return self._state.snapshot.number

    @property
    def changed(self) -> bool:
        """Whether something else is published than what was shown last."""
        return self._read_link() != self._link

    def acquire(self) -> State:
        """What is published now; whoever asks for it must `leave` it.

        A link that cannot be read leaves the state as it was: see `health`.
        """
        if self.changed:
            with suppress(NightlakeError):
                self.refresh()
        while not (state := self._state).join():
            pass  # it was replaced in between
        return state

    @contextmanager
    def lease(self) -> Iterator[State]:
        """The same for the time of a `with`."""
        state = self.acquire()
        try:
            yield state
        finally:
            state.leave()

    def refresh(self) -> None:
        """Show what is published now.

        Raises
        ------
        NightlakeError : it cannot be opened; what was shown stays.
        """
        with self._changing:
            if self.changed:
                self._state, former = self._open(), self._state
                former.leave()

    def health(self) -> str:
        """What is wrong, in a word; nothing if all is well."""
        if not self._read_link():
            return "the archive cannot be read"
        return "what is published cannot be opened" if self.changed else ""

    def close(self) -> None:
        """Let go; requests that are under way end first."""
        self._state.leave()

    def _open(self) -> State:
        hold = hold_current(self._layout.root)
        try:
            state = State(hold.snapshot, self.settings, self._cache)
        finally:
            hold.release()
        self._link = f"publications/{self._layout.publication(hold.snapshot.number).name}"
        return state

    def _read_link(self) -> str:
        try:
            return os.readlink(self._layout.current)  # noqa: PTH115  # each request looks
        except OSError:
            return ""
