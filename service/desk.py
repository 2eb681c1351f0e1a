"""Where work is done: a few threads, each piece of work with a limit of time and an end.

The event loop only speaks HTTP. Light curves and SQL have threads of their own, so that a heavy
question does not keep the light ones waiting.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

from queries.interrupt import Stop
from service.errors import BusyError, ClientGoneError, TimeLimitError
from store.errors import NightlakeError

Result = TypeVar("Result")


class Job:
    """The work for one answer: how long it may take, and whether somebody still waits for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = self._left = seconds
        # What makes an error, not one: its traceback would hold all rows at hand, and this job it.
        self._why: Callable[[], NightlakeError] | None = None
        self._counting = False
        self.stop = Stop()

    def cancel(self) -> None:
        """Nobody waits any more: what runs ends soon."""
        self._end(ClientGoneError)

    def check(self) -> None:
        """Go on only if somebody waits, and there is time.

        Raises
        ------
        ClientGoneError, TimeLimitError
        """
        if self._why is not None:
            raise self._why()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time of a `with` as work, and end it when there is no more.

        Within another of the same job it counts once.

        Raises
        ------
        ClientGoneError, TimeLimitError : it came to its end, by itself or not, too late.
        """
        self.check()
        with self._counted():
            try:
                yield
            except Exception:
                self.check()  # why it was interrupted says more than that it was
                raise
        self.check()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._counting:
            yield
            return
        begin, self._counting = time.monotonic(), True
        with _ALARMS.after(self._left, self._late):
            try:
                yield
            finally:
                self._left -= time.monotonic() - begin
                self._counting = False
        if self._left < 0:
            self._late()

    def _late(self) -> None:
        self._end(partial(TimeLimitError, self._seconds))

    def _end(self, why: Callable[[], NightlakeError]) -> None:
        self._why = self._why or why
        self.stop.now()


_HERE: ContextVar[Job | None] = ContextVar("job", default=None)


def job_here() -> Job | None:
    """The work for an answer that this thread does, for what cannot be given it; or None."""
    return _HERE.get()


class _Alarms:
    """Calls that are due at some time, most of them called off before: one thread for all."""

    def __init__(self) -> None:
        self._due: dict[int, tuple[float, Callable[[], None]]] = {}
        self._changing = threading.Lock()
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def after(self, seconds: float, call: Callable[[], None]) -> Iterator[None]:
        """Call it if the `with` lasts longer, within a tenth of a second."""
        number = next(self._numbers)
        with self._changing:
            self._due[number] = (time.monotonic() + seconds, call)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._watch, name="nightlake-alarms", daemon=True
                )
                self._thread.start()
        try:
            yield
        finally:
            with self._changing:
                self._due.pop(number, None)

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            now = time.monotonic()
            with self._changing:
                late = [number for number, (at, _) in self._due.items() if at <= now]
                calls = [self._due.pop(number)[1] for number in late]
            for call in calls:
                call()


_LOOK_S = 0.1
_ALARMS = _Alarms()


class Desk:
    """Threads of one kind.

    Parameters
    ----------
    threads : at work at once.
    most_waiting : pieces of work that may wait for one; others are turned away.
    """

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"nightlake-{name}")
        self._most, self._at_once = threads + most_waiting, threads
        self._pending = 0

    @property
    def waiting(self) -> int:
        """Pieces of work that wait for a thread."""
        return max(self._pending - self._at_once, 0)

    async def run(self, job: Job, work: Callable[[], Result]) -> Result:
        """What `work` returns, done in a thread.

        Raises
        ------
        BusyError : too many wait already.
        ClientGoneError, TimeLimitError : the job ended.
        """
        if self._pending >= self._most:
            raise BusyError

        def timed() -> Result:
            here = _HERE.set(job)
            try:
                with job.working():
                    return work()
            finally:
                _HERE.reset(here)

        self._pending += 1
        done = asyncio.get_running_loop().run_in_executor(self._pool, timed)
        done.add_done_callback(self._ended)
        # The thread goes on to its end in any case: who is cancelled waits for it no longer.
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            job.cancel()
            raise
        finally:
            # An error's traceback holds this frame, which must not hold the error, and its rows.
            del done

    def close(self) -> None:
        """Take no more work."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended(self, done: asyncio.Future[Result]) -> None:
        self._pending -= 1
        if not done.cancelled():
            done.exception()  # nobody may be left to look at it
