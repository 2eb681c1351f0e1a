"""What ends a question before its time: Ctrl-C, or whoever holds its `Stop`.

DuckDB looks for signals itself, but does not hear all of them: one in four left the query to run
to its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import duckdb

_POLL_S = 0.1
_RETRY_S = 0.05

Answer = TypeVar("Answer")


class Stop:
    """Ends the questions that watch for it, from another thread; for one piece of work."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._changing = threading.Lock()
        self._watching: dict[duckdb.DuckDBPyConnection, threading.Event] = {}

    def now(self) -> None:
        """End what watches, and what will."""
        with self._changing:
            self._stopped.set()
            for connection, done in self._watching.items():
                _end(connection, done)

    @contextmanager
    def watched(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Questions of a connection end early, with DuckDB's error, when it is called."""
        done = threading.Event()
        with self._changing:
            self._watching[connection] = done
            if self._stopped.is_set():
                _end(connection, done)
        try:
            yield
        finally:
            with self._changing:
                done.set()
                del self._watching[connection]


def _end(connection: duckdb.DuckDBPyConnection, done: threading.Event) -> None:
    # Again and again: an interrupt that comes before the query has started is forgotten.
    def interrupt() -> None:
        while True:
            connection.interrupt()
            if done.wait(_RETRY_S):
                return

    threading.Thread(target=interrupt, name="nightlake-stop", daemon=True).start()


def interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], Answer]) -> Answer:
    """What `work` returns, or KeyboardInterrupt as soon as Ctrl-C is pressed.

    The work is done in a thread of its own, so that the main one hears the signal. Called from
    another thread, which hears none, it is simply done.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    answers: list[Answer] = []
    errors: list[BaseException] = []
    left, done = threading.Event(), threading.Event()

    def run() -> None:
        try:
            if not left.is_set():
                answers.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="nightlake-query", daemon=True)
    try:
        thread.start()
        # The kernel may hand the signal to any thread, which does not wake this one.
        while not done.wait(_POLL_S):
            pass
    except KeyboardInterrupt:
        # Whatever begins from here on has nothing to do: the signal may come before the thread.
        left.set()
        # Again and again: an interrupt that comes before the query has started is forgotten.
        while thread.is_alive() and not done.wait(_RETRY_S):
            connection.interrupt()
        raise
    finally:
        if thread.is_alive():
            thread.join()
    if errors:
        raise errors.pop()
    return answers.pop()
