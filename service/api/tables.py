"""HTTP of objects, nights, images and named queries: tables of a moderate size, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Path, Query, Request
from pydantic import BeforeValidator
from starlette.responses import JSONResponse, Response

from queries.answers import answer as answered
from queries.named import offered, query, query_names
from queries.parameters import parse_night
from queries.selection import DEFAULT_RADIUS_ARCSEC, Selection
from service.answers import answer
from service.api import objects
from service.api.documents import PROBLEMS, ROWS
from service.api.forms import choose, form
from service.api.narrowing import Dec, Format, Oid, Oids, Ra, Radius, of_cone, of_ids
from service.archive import State
from service.core import Service
from service.desk import Job
from service.errors import BadRequestError, PrivateError
from store.errors import UnknownNightError

router = APIRouter(prefix="/api/v1")
# Apart, for its parameters are those of the query.
by_name = APIRouter(prefix="/api/v1")

MOST_ROWS = 100_000
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of one page.")]
Offset = Annotated[int, Query(ge=0, lt=2**31, description="Rows that are passed over.")]
# Of these every row is of one image: they are shown without those of other programmes.
_OF_NO_PROGRAM = {"nights", "neighbours"}
_RESERVED = {"format", "limit", "offset"}


@router.get(
    "/objects", tags=["objects"], responses=ROWS | PROBLEMS, summary="Objects about a place"
)
async def objects_about(
    request: Request,
    oid: Oids = None,
    ra: Ra = None,
    dec: Dec = None,
    radius: Radius = DEFAULT_RADIUS_ARCSEC,
    statistics: Annotated[
        bool, Query(description="The statistics of their light curves, as of the last build.")
    ] = False,
    limit: Limit = 1000,
    offset: Offset = 0,
    file_format: Format = None,
) -> Response:
    """Reference sources by id, or in a circle: the nearest first."""
    settings = Service.of(request).settings
    if oid and (ra is not None or dec is not None):
        raise BadRequestError("oid and a place are given", "Give one of them.")
    place = of_ids(oid, settings) if oid else of_cone(ra, dec, radius, settings.max_radius_arcsec)
    return await _objects(request, place, statistics, limit, offset, file_format)


@router.get("/objects/{oid}", tags=["objects"], responses=ROWS | PROBLEMS, summary="One object")
async def one_object(
    request: Request,
    oid: Annotated[Oid, Path(description="Object id.", examples=[633207400012345])],
    statistics: Annotated[bool, Query(description="The statistics of its light curve.")] = False,
    file_format: Format = None,
) -> Response:
    """The reference source of an object."""
    return await _objects(request, Selection.of_objects(oid), statistics, 1, 0, file_format)


async def _objects(
    request: Request,
    place: Selection,
    statistics: bool,
    limit: int,
    offset: int,
    file_format: str | None,
) -> Response:
    def table(state: State, job: Job) -> pl.DataFrame:
        found = objects.found(state, place)
        if not statistics:
            return found
        if not state.shows_all:
            raise PrivateError("statistics of whole light curves")
        return objects.with_statistics(state, job, found)

    meaning = "Reference sources: what detections are matched to."
    return await _page(request, table, meaning, limit, offset, file_format, name="objects")


@router.get("/nights", tags=["nights"], responses=ROWS | PROBLEMS, summary="The nights")
async def nights(
    request: Request, limit: Limit = 10_000, offset: Offset = 0, file_format: Format = None
) -> Response:
    """The nights of the archive, first to last."""

    def table(state: State, job: Job) -> pl.DataFrame:
        return answered(state.session, "nights", {}, job.stop)

    meaning = query("nights").meaning
    return await _page(request, table, meaning, limit, offset, file_format, name="nights")


@router.get(
    "/nights/{night}/images",
    tags=["nights"],
    responses=ROWS | PROBLEMS,
    summary="Images of a night",
)
async def images(
    request: Request,
    night: Annotated[
        date,
        BeforeValidator(parse_night),
        Path(description="A night: a UTC date.", examples=["2024-01-10"]),
    ],
    limit: Limit = MOST_ROWS,
    offset: Offset = 0,
    file_format: Format = None,
) -> Response:
    """The quadrant images of one night, in the order they were taken."""

    def table(state: State, job: Job) -> pl.DataFrame:
        frame = state.session.sql(
            query("public_images_of_night").sql,
            {"night": night, "programs": list(state.programs or ()) or None},
            stop=job.stop,
        )
        if frame.is_empty() and night not in answered(state.session, "nights", {})["night"]:
            raise UnknownNightError(state.snapshot.layout.root, str(night))
        return frame

    meaning = query("images_of_night").meaning
    return await _page(request, table, meaning, limit, offset, file_format, name=f"images-{night}")


@router.get("/queries", tags=["queries"], summary="The named queries")
async def queries(request: Request) -> Response:
    """Every named query: what it means, what it takes, what its columns are."""
    listed = [_described(name) for name in query_names()]
    return JSONResponse({"queries": listed})


@by_name.get(
    "/queries/{name}", tags=["queries"], responses=ROWS | PROBLEMS, summary="Answer a named query"
)
async def one_query(
    request: Request,
    name: Annotated[str, Path(max_length=100, examples=["nights"])],
    limit: Limit = 10_000,
    offset: Offset = 0,
    file_format: Format = None,
) -> Response:
    """The answer of a query of the library; its parameters are given by their names."""
    named = offered(name)
    takes = {parameter.name for parameter in named.parameters}
    given: dict[str, Any] = {}
    for key, value in request.query_params.multi_items():
        if key in _RESERVED - takes:
            continue
        if key in given:
            raise BadRequestError(f"{key} is given several times", "Give it once.")
        given[key] = value
    if "limit" in takes:
        given.setdefault("limit", str(limit))
    named.bind(given)

    def table(state: State, job: Job) -> pl.DataFrame:
        if name not in _OF_NO_PROGRAM and not state.shows_all:
            raise PrivateError(f"query {name}")
        return answered(state.session, name, given, job.stop)

    return await _page(request, table, named.meaning, limit, offset, file_format, name=name)


def _described(name: str) -> dict[str, Any]:
    named = offered(name)
    takes = [
        {"name": one.name, "type": one.type, "meaning": one.meaning, "default": one.default}
        for one in named.parameters
    ]
    columns = [{"name": column, "unit": unit} for column, unit in named.columns.items()]
    return {"name": name, "meaning": named.meaning, "parameters": takes, "columns": columns}


async def _page(
    request: Request,
    table: Callable[[State, Job], pl.DataFrame],
    meaning: str,
    limit: int,
    offset: int,
    file_format: str | None,
    *,
    name: str,
) -> Response:
    """A page of a table, with a link to the next if there is one."""
    chosen = choose(file_format, request.headers.get("accept", ""))
    more = False

    def frames(state: State, job: Job) -> Iterator[pl.DataFrame]:
        nonlocal more
        frame = table(state, job)
        more = frame.height > offset + limit
        yield frame.slice(offset, limit)

    response = await answer(request, frames, form(chosen, meaning), name=name, heavy=True)
    if more:
        following = request.url.include_query_params(offset=offset + limit, limit=limit)
        # Without a host: a proxy may have another.
        response.headers["link"] = f'<{following.path}?{following.query}>; rel="next"'
    return response
