"""Simple Cone Search 1.03: the objects in a circle, for every tool of the Virtual Observatory.

https://www.ivoa.net/documents/REC/DAL/ConeSearch-20080222.html. Errors are VOTables with a PARAM
named Error, and status 200, as the standard wants.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from products.fields import fields_of
from products.votable import VERSION, TableData, quoted, text
from queries.columns import describe
from queries.selection import Selection
from service.answers import Form, answer
from service.api.documents import UNCHANGED
from service.api.objects import found
from service.archive import State
from service.core import Service
from service.desk import Job
from service.errors import BadRequestError, LimitError, problem_of
from store.columns import Column
from store.errors import NightlakeError

PATH = "/scs"
_MEDIA_TYPE = "text/xml;content=x-votable"
_UCDS = {"oid": "ID_MAIN", "ra": "POS_EQ_RA_MAIN", "dec": "POS_EQ_DEC_MAIN"}
_MEANING = "Reference sources: what detections are matched to."
_PARAMETERS = (
    ("RA", {"type": "number"}, 255.577, "Centre, degrees (ICRS)."),
    ("DEC", {"type": "number", "minimum": -90, "maximum": 90}, 12.284, "Centre, degrees (ICRS)."),
    ("SR", {"type": "number", "minimum": 0}, 0.0028, "Radius, degrees; 0 is the columns alone."),
)


async def cone_search(request: Request) -> Response:
    """The objects within SR degrees of RA, DEC; SR 0 is the columns alone."""
    try:
        given = _given(request)
        wanted = _cone(given, Service.of(request).settings.max_radius_arcsec)
        empty = float(given["SR"]) == 0

        def frames(state: State, job: Job) -> Iterator[pl.DataFrame]:
            frame = found(state, wanted).with_columns(pl.col("oid").cast(pl.String))
            yield frame.clear() if empty else frame

        return await answer(request, frames, Form(_MEDIA_TYPE, _writer))
    except NightlakeError as error:
        problem = problem_of(error)
        status = problem.status if problem.status >= 500 else 200
        return Response(_error(str(problem)), status, media_type=_MEDIA_TYPE)


def add(app: FastAPI) -> None:
    """Add it to the application."""
    example = _error("SR is no number. Give degrees.").decode()
    content = {_MEDIA_TYPE: {"schema": {"type": "string"}}}
    wrong = {_MEDIA_TYPE: {"schema": {"type": "string"}, "example": example}}
    app.add_api_route(
        PATH, cone_search, tags=["VO"], summary="Simple Cone Search (1.03): objects about a place",
        description=(
            "The objects in a circle as a VOTable. Names are taken in any case of letters; others, "
            "as VERB, are passed over. What is no question is a VOTable as well, with a PARAM "
            "named Error and status 200: so the standard wants it."
        ),
        response_class=Response,
        responses={
            200: {"description": "A VOTable of objects, or of what is wrong.", "content": wrong},
            304: UNCHANGED,
            503: {"description": "Too many wait already: try again soon.", "content": content},
        },
        openapi_extra={
            "parameters": [
                {"name": name, "in": "query", "required": True, "schema": schema,
                 "example": value, "description": meaning}
                for name, schema, value, meaning in _PARAMETERS
            ]
        },
    )  # fmt: skip


def _writer(first: pl.DataFrame) -> TableData:
    known: dict[str, Column] = describe(first.columns)
    fields = [
        replace(one, ucd=_UCDS.get(one.name, one.ucd.replace(";meta.main", "")),
                width=19 if one.name == "oid" else one.width)
        for one in fields_of(first.schema, known)
    ]  # fmt: skip
    return TableData(fields, _MEANING)


def _given(request: Request) -> dict[str, str]:
    """The three numbers, by their names in any case."""
    given = {name.upper(): value for name, value in request.query_params.multi_items()}
    for name in ("RA", "DEC", "SR"):
        try:
            float(given[name])
        except KeyError:
            raise BadRequestError(f"{name} is missing", "Give RA, DEC and SR in degrees.") from None
        except ValueError:
            raise BadRequestError(f"{name} is no number", "Give degrees.") from None
    return given


def _cone(given: dict[str, str], most_arcsec: float) -> Selection:
    ra, dec, radius_deg = (float(given[name]) for name in ("RA", "DEC", "SR"))
    if radius_deg * 3600 > most_arcsec * 1.001:
        raise LimitError(f"SR {radius_deg:g} degrees", most_arcsec, " arcsec")
    return Selection.of_cone(ra, dec, radius_deg * 3600 if radius_deg else 1.0)


def _error(message: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="{VERSION}"'
        ' xmlns="http://www.ivoa.net/xml/VOTable/v1.3">\n'
        '<RESOURCE type="results">\n'
        f'<INFO name="QUERY_STATUS" value="ERROR">{text(message)}</INFO>\n'
        f'<PARAM name="Error" ID="Error" datatype="char" arraysize="*" value={quoted(message)}/>\n'
        "</RESOURCE>\n</VOTABLE>\n"
    ).encode()
