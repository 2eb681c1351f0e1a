"""Ctrl-C while DuckDB works.

DuckDB looks for signals itself, but does not hear all of them: one in four left the query to run
to its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import duckdb

_POLL_S = 0.1
_RETRY_S = 0.05

Answer = TypeVar("Answer")


def interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], Answer]) -> Answer:
    """What `work` returns, or KeyboardInterrupt as soon as Ctrl-C is pressed.

    The work is done in a thread of its own, so that the main one hears the signal. Called from
    another thread, which hears none, it is simply done.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    answers: list[Answer] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="nightlake-query", daemon=True)
    thread.start()
    try:
        # The kernel may hand the signal to any thread, which does not wake this one.
        while not done.wait(_POLL_S):
            pass
    except KeyboardInterrupt:
        # Again and again: an interrupt that comes before the query has started is forgotten.
        while not done.wait(_RETRY_S):
            connection.interrupt()
        raise
    finally:
        thread.join()
    if errors:
        raise errors.pop()
    return answers.pop()
