"""Light curves as the SNAD viewer asks for them: `/api/v3/data/DR/oid/full/json` and `/circle/…`.

Each object is one member: `{oid: {meta: {…}, lc: [{mjd, mag, magerr, clrcoeff}]}}`. The epochs
are the good ones, as in the data releases that it was made for: `catflags` 0; `mjd` is hmjd.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
import polars as pl
from fastapi import APIRouter, FastAPI, Path, Query, Request
from starlette.responses import Response

from products.arrow_text import joined, json_objects
from queries.selection import Selection
from service.answers import Form, answer
from service.api.documents import PROBLEMS, UNCHANGED
from service.api.narrowing import Oid, of_cone, of_ids
from service.archive import State
from service.core import Service
from service.curves import OBJECTS_AT_ONCE, curves, objects_within
from service.desk import Job

router = APIRouter(prefix="/api/v3/data/{dr}", tags=["SNAD"])
_EXAMPLE = {
    "633207400012345": {
        "meta": {
            "nobs": 2, "ngoodobs": 1, "duration": 0.0, "filter": "zr", "fieldid": 633, "rcid": 27,
            "coord": {"ra": 255.577, "dec": 12.284},
        },
        "lc": [{"mjd": 58303.2041, "mag": 18.145, "magerr": 0.035, "clrcoeff": 0.105}],
    }
}  # fmt: skip
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An object of objects: what is known of each, and its epochs.",
        "content": {"application/json": {"example": _EXAMPLE}},
    },
    304: UNCHANGED,
    **PROBLEMS,
}
Release = Annotated[
    str, Path(max_length=20, description="Any: there is one archive.", examples=["latest"])
]


@router.get("/oid/full/json", responses=_RESPONSES, summary="Light curves of objects")
async def by_oid(
    request: Request,
    dr: Release,
    oid: Annotated[
        list[Oid],
        Query(min_length=1, description="Object id; several times.", examples=[[633207400012345]]),
    ],
) -> Response:
    """The light curves of some objects."""
    selection = of_ids(oid, Service.of(request).settings)
    return await _answer(request, lambda state: list(selection.oids or ()))


@router.get("/circle/full/json", responses=_RESPONSES, summary="Light curves in a circle")
async def by_circle(
    request: Request,
    dr: Release,
    ra: Annotated[float, Query(description="Centre, degrees (ICRS).", examples=[255.577])],
    dec: Annotated[
        float, Query(ge=-90, le=90, description="Centre, degrees (ICRS).", examples=[12.284])
    ],
    radius_arcsec: Annotated[float, Query(gt=0, description="Radius, arcsec.", examples=[2.0])],
) -> Response:
    """The light curves of the objects in a circle."""
    cone = of_cone(ra, dec, radius_arcsec, Service.of(request).settings.max_radius_arcsec)

    def oids(state: State) -> list[int]:
        assert cone.circles is not None
        return list(objects_within(state, cone.circles)[0]["oid"])

    return await _answer(request, oids)


async def _answer(request: Request, oids: Callable[[State], list[int]]) -> Response:
    def frames(state: State, job: Job) -> Iterator[pl.DataFrame]:
        wanted = oids(state)
        for begin in range(0, max(len(wanted), 1), OBJECTS_AT_ONCE):
            some = tuple(sorted(wanted[begin : begin + OBJECTS_AT_ONCE]))
            at = state.reader.located(some)
            place = pl.DataFrame({"oid": at.oid, "objra": at.ra_deg, "objdec": at.dec_deg})
            selection = Selection(oids=some, all_images=True, missing_ok=True)
            for frame in curves(state, job, selection):
                yield frame.join(place, on="oid", how="left", maintain_order="left")

    return await answer(request, frames, Form("application/json", lambda first: _Members()))


def good(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of objects that have a time and a magnitude, object by object."""
    there = pl.all_horizontal(pl.col("oid", "hmjd", "mag").is_not_null())
    clean = pl.col("catflags").fill_null(0) == 0
    return frame.filter(there).with_columns(good=clean)


class _Members:
    """Members of one JSON object, by their ids."""

    def __init__(self) -> None:
        self._any = False

    def head(self) -> bytes:
        """Its beginning."""
        return b"{"

    def rows(self, frame: pl.DataFrame) -> bytes:
        """A member for each object of a frame, whose rows follow each other."""
        return b"".join(self._member(curve) for curve in _curves(good(frame)))

    def tail(self) -> bytes:
        """Its end."""
        return b"}\n"

    def _member(self, curve: pl.DataFrame) -> bytes:
        clean = curve.filter(curve["good"])
        points = json_objects(
            [
                (name, clean[column].to_arrow())
                for name, column in (("mjd", "hmjd"), ("mag", "mag"), ("magerr", "magerr"),
                                     ("clrcoeff", "clrcoeff"))
            ]
        )  # fmt: skip
        times = clean["hmjd"]
        meta = {
            "nobs": curve.height,
            "ngoodobs": clean.height,
            "duration": float(times.max() - times.min()) if clean.height else 0.0,  # type: ignore[operator, arg-type]
            "filter": curve["filtercode"][0],
            "fieldid": curve["field"][0],
            "rcid": curve["rcid"][0],
            "coord": {"ra": curve["objra"][0], "dec": curve["objdec"][0]},
        }
        head = f'{"," if self._any else ""}"{curve["oid"][0]}":{{"meta":{json.dumps(meta)},"lc":['
        self._any = True
        return head.encode() + joined(points, ",") + b"]}"


def _curves(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows of each object."""
    oid = frame["oid"].to_numpy()
    starts = np.flatnonzero(np.diff(oid, prepend=-1))
    for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), oid.size], strict=True):
        yield frame.slice(begin, end - begin)


def add(app: FastAPI) -> None:
    """Add them to the application."""
    app.include_router(router)
