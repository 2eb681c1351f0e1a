"""HTTP of light curves: by ids, by a cone, or for a table of positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

import polars as pl
from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from queries.selection import DEFAULT_RADIUS_ARCSEC, Selection
from service.answers import answer
from service.api.documents import EXAMPLES, PROBLEMS, ROWS
from service.api.forms import choose, form
from service.api.narrowing import (
    Dec,
    Format,
    Narrowed,
    Narrowing,
    Oids,
    Ra,
    Radius,
    of_cone,
    of_ids,
)
from service.api.uploads import Upload, selection_of
from service.archive import State
from service.core import Service
from service.curves import OBJECTS_AT_ONCE, curves, objects_within
from service.desk import Job
from service.errors import BadRequestError, LimitError

router = APIRouter(prefix="/api/v1", tags=["light curves"])

_MEANING = "Light curves: detections by filter, object and time, with what their images say."
# These look around every object at once.
_MOST_AT_ONCE = 100
Of = Annotated[
    Literal["detections", "objects"],
    Query(
        description="Of a cone: what was measured in it, or the whole curves of the objects whose "
        "reference source lies in it, in the order of the sky."
    ),
]


@router.get("/lightcurves", responses=ROWS | PROBLEMS, summary="Light curves by id or place")
async def by_id_or_place(
    request: Request,
    narrowing: Narrowed,
    oid: Oids = None,
    ra: Ra = None,
    dec: Dec = None,
    radius: Radius = DEFAULT_RADIUS_ARCSEC,
    of: Of = "detections",
    file_format: Format = None,
) -> Response:
    """Every detection of some objects, or of a circle on the sky.

    Flagged detections come too (see `catflags`), those of images that were judged bad do not. Rows
    are ordered by filter, object and time; those without an object come last.
    """
    settings = Service.of(request).settings
    if oid and (ra is not None or dec is not None):
        raise BadRequestError("oid and a place are given", "Give one of them.")
    if oid:
        selection = of_ids(oid, settings)
    elif of == "objects":
        cone = of_cone(ra, dec, radius, settings.max_radius_arcsec)
        return await _objects(request, narrowing, cone, file_format)
    else:
        selection = of_cone(ra, dec, radius, settings.max_detections_radius_arcsec)
    return await _answer(request, narrowing, selection, file_format)


@router.post(
    "/lightcurves",
    responses=ROWS | PROBLEMS,
    summary="Light curves for a table of positions or ids",
    openapi_extra={"requestBody": {"required": True, "content": EXAMPLES}},
)
async def by_table(
    request: Request,
    narrowing: Narrowed,
    radius: Radius = DEFAULT_RADIUS_ARCSEC,
    file_format: Format = None,
) -> Response:
    """Every detection about each position of a table; `position` is its row, from 0.

    The table is the body, or the file of a form: CSV, VOTable, Parquet or JSON with columns ra and
    dec (degrees, ICRS) and perhaps radius_arcsec, or with a column oid.
    """
    settings = Service.of(request).settings
    upload = await _upload(request)
    service = Service.of(request)
    selection = await service.queries.run(
        service.job(), lambda: selection_of(upload, radius, settings)
    )
    return await _answer(request, narrowing, selection, file_format)


async def _answer(
    request: Request, narrowing: Narrowing, selection: Selection, file_format: str | None
) -> Response:
    chosen = choose(file_format, request.headers.get("accept", ""))
    wanted = narrowing.of(selection)
    if wanted.group or wanted.upper_limits:
        n = len(wanted.oids or ()) or (wanted.circles.ra_deg.size if wanted.circles else 0)
        if n > _MOST_AT_ONCE:
            raise LimitError(f"groups or upper limits of {n:,}", _MOST_AT_ONCE)

    def frames(state: State, job: Job) -> Iterator[pl.DataFrame]:
        for frame in curves(state, job, wanted, narrowing.collection):
            yield narrowing.shown(frame)

    return await answer(request, frames, form(chosen, _MEANING), name="lightcurves")


async def _objects(
    request: Request, narrowing: Narrowing, cone: Selection, file_format: str | None
) -> Response:
    """The curves of the objects in a cone, some at a time."""
    chosen = choose(file_format, request.headers.get("accept", ""))
    wanted = narrowing.of(cone)
    if wanted.group or wanted.upper_limits or narrowing.collection:
        raise BadRequestError(
            "of=objects goes not with group, upper_limits and collection", "Ask by oid."
        )

    def frames(state: State, job: Job) -> Iterator[pl.DataFrame]:
        assert wanted.circles is not None
        found, _ = objects_within(state, wanted.circles)
        if wanted.fids is not None:
            found = found.filter(pl.col("fid").is_in(wanted.fids))
        oids = found["oid"].to_list()
        for begin in range(0, max(len(oids), 1), OBJECTS_AT_ONCE):
            some = tuple(sorted(oids[begin : begin + OBJECTS_AT_ONCE]))
            part = replace(wanted, circles=None, oids=some, missing_ok=True)
            for frame in curves(state, job, part):
                yield narrowing.shown(frame)

    return await answer(request, frames, form(chosen, _MEANING), name="lightcurves")


async def _upload(request: Request) -> Upload:
    """The table that is sent: the body, or the one file of a form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        return Upload(await request.body(), kind)
    async with request.form(max_files=1, max_fields=16) as sent:
        for value in sent.values():
            if isinstance(value, UploadFile):
                name, said = value.filename or "", value.content_type or ""
                return Upload(await value.read(), said, name)
    raise BadRequestError("the form has no file", "Send the table as a file, or as the body.")
