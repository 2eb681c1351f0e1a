"""A demo's archive with an RR Lyrae, and its pages, for all tests that only look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from fastapi import FastAPI
from serving import listening

from nightlake import Archive
from nightlake.demo import SMALL, Star, find_star
from service.archive import Served
from service.page.app import PageRoute
from service.page.stars import Source
from service.settings import Settings
from simulate.survey import simulate_survey


@dataclass(frozen=True)
class Sky:
    """An archive, and a star in it whose truth is known."""

    root: Path
    star: Star

    @property
    def searched(self) -> str:
        return f"{self.star.ra:.6f} {self.star.dec:.6f}"


@pytest.fixture(scope="session")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Sky:
    folder = tmp_path_factory.mktemp("page")
    survey = simulate_survey(folder / "raw", replace(SMALL, bad_fraction=0.1), workers=1)
    with Archive.create(folder / "archive", name="page") as archive:
        archive.add_references(folder / "raw" / "ref", workers=1)
        archive.ingest(folder / "raw" / "sci", workers=1)
        archive.build("lightcurves", workers=1)
    return Sky(folder / "archive", find_star(survey.sources_truth))


@pytest.fixture(scope="session")
def served(sky: Sky) -> Iterator[Served]:
    served = Served(Settings(sky.root, programs="all"))
    yield served
    served.close()


@pytest.fixture(scope="session")
def source(served: Served) -> Source:
    return Source(served)


@pytest.fixture(scope="session")
def route(served: Served) -> PageRoute:
    return PageRoute(served)


@pytest.fixture(scope="session")
def address(route: PageRoute) -> Iterator[str]:
    """The pages at an address that a browser can open."""
    app = FastAPI()
    app.router.routes.append(route)
    with listening(app) as address:
        yield address


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


@pytest.fixture(scope="session")
def get(address: str) -> Callable[[str], Answer]:
    """Ask for a path."""

    def ask(path: str) -> Answer:
        try:
            with urlopen(f"{address}{path}", timeout=300) as answer:
                return Answer(answer.status, _lower(answer.headers), answer.read())
        except HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers), error.read())

    return ask


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
