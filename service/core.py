"""What every handler works with: the archive, the threads, the settings."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from service.archive import Served, State
from service.desk import Desk, Job
from service.metrics import PUBLICATION, WAITING
from service.settings import Settings


class Service:
    """The parts of one worker; `of` finds them from a request."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.served = Served(settings)
        self.curves = Desk("curves", settings.threads, settings.max_waiting)
        self.queries = Desk("queries", settings.query_threads, settings.max_waiting)

    @staticmethod
    def of(request: Request) -> Service:
        """That of the application which a request came to."""
        service: Service = request.app.state.service
        return service

    def job(self) -> Job:
        """The work for one answer."""
        return Job(self.settings.max_seconds)

    async def acquire(self) -> State:
        """What is published now; whoever asks for it must `leave` it."""
        if self.served.changed:
            return await asyncio.to_thread(self.served.acquire)
        return self.served.acquire()

    async def follow(self, every_s: float = 1.0) -> None:
        """Keep up with what is published while nobody asks: what is held cannot be vacuumed."""
        while True:
            self.observe()
            await asyncio.sleep(every_s)
            if self.served.changed:
                state = await asyncio.to_thread(self.served.acquire)
                state.leave()

    def observe(self) -> None:
        """Note how this worker stands, for whichever worker is asked for the metrics of all."""
        PUBLICATION.set(self.served.publication)
        WAITING.labels("curves").set(self.curves.waiting)
        WAITING.labels("queries").set(self.queries.waiting)

    def close(self) -> None:
        """Let go of everything."""
        self.curves.close()
        self.queries.close()
        self.served.close()
