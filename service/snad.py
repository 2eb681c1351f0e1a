"""Light curves as the SNAD viewer asks for them: `/api/v3/data/DR/oid/full/json` and `/circle/…`.

Each object is one member: `{oid: {meta: {…}, lc: [{mjd, mag, magerr, clrcoeff}]}}`. The epochs
are the good ones, as in the data releases that it was made for: `catflags` 0; `mjd` is hmjd.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import polars as pl
from fastapi import APIRouter, FastAPI, Path, Query, Request
from starlette.responses import Response

from queries.selection import Selection
from service.answers import Form, answer
from service.api.documents import PROBLEMS
from service.api.narrowing import Oid, of_cone, of_ids
from service.archive import State
from service.core import Service
from service.curves import OBJECTS_AT_ONCE, curves, objects_within
from service.desk import Job

router = APIRouter(prefix="/api/v3/data/{dr}", tags=["SNAD"])
Release = Annotated[str, Path(max_length=20, description="Any: there is one archive.")]
_LETTERS = {1: "zg", 2: "zr", 3: "zi"}


@router.get("/oid/full/json", responses=PROBLEMS, summary="Light curves of objects")
async def by_oid(
    request: Request, dr: Release, oid: Annotated[list[Oid], Query(min_length=1)]
) -> Response:
    """The light curves of some objects."""
    selection = of_ids(oid, Service.of(request).settings)
    return await _answer(request, lambda state: list(selection.oids or ()))


@router.get("/circle/full/json", responses=PROBLEMS, summary="Light curves in a circle")
async def by_circle(
    request: Request,
    dr: Release,
    ra: Annotated[float, Query(description="Degrees, ICRS.")],
    dec: Annotated[float, Query(ge=-90, le=90, description="Degrees, ICRS.")],
    radius_arcsec: Annotated[float, Query(gt=0, description="Arcsec.")],
) -> Response:
    """The light curves of the objects in a circle."""
    cone = of_cone(ra, dec, radius_arcsec, Service.of(request).settings.max_radius_arcsec)

    def oids(state: State) -> list[int]:
        assert cone.circles is not None
        return list(objects_within(state, cone.circles)[0]["oid"])

    return await _answer(request, oids)


async def _answer(request: Request, oids: object) -> Response:
    def frames(state: State, job: Job) -> Iterator[pl.DataFrame]:
        wanted = oids(state)  # type: ignore[operator]
        for begin in range(0, max(len(wanted), 1), OBJECTS_AT_ONCE):
            some = tuple(sorted(wanted[begin : begin + OBJECTS_AT_ONCE]))
            at = state.reader.located(some)
            place = pl.DataFrame({"oid": at.oid, "objra": at.ra_deg, "objdec": at.dec_deg})
            selection = Selection(oids=some, all_images=True, missing_ok=True)
            for frame in curves(state, job, selection):
                yield documents(frame.join(place, on="oid", how="left", maintain_order="left"))

    return await answer(request, frames, Form("application/json", lambda first: _Members()))


def documents(frame: pl.DataFrame) -> pl.DataFrame:
    """One row an object: `oid`, and its `document` as a structure."""
    good = pl.col("catflags").fill_null(0) == 0
    frame = frame.filter(pl.col("oid").is_not_null(), pl.col("hmjd").is_not_null())
    frame = frame.filter(pl.col("mag").is_not_null())
    point = pl.struct(mjd="hmjd", mag="mag", magerr="magerr", clrcoeff="clrcoeff")
    meta = pl.struct(
        nobs=pl.len(),
        ngoodobs=good.sum(),
        duration=(pl.col("hmjd").filter(good).max() - pl.col("hmjd").filter(good).min()).fill_null(
            0.0
        ),
        filter=pl.col("filtercode").first(),
        fieldid=pl.col("field").first(),
        rcid=pl.col("rcid").first(),
        coord=pl.struct(ra=pl.col("objra").first(), dec=pl.col("objdec").first()),
    )
    return frame.group_by("oid", maintain_order=True).agg(meta=meta, lc=point.filter(good))


class _Members:
    """Members of one JSON object, by their ids."""

    def __init__(self) -> None:
        self._any = False

    def head(self) -> bytes:
        return b"{"

    def rows(self, frame: pl.DataFrame) -> bytes:
        lines = frame.select("meta", "lc").write_ndjson().splitlines()
        members = [f'"{oid}":{line}' for oid, line in zip(frame["oid"], lines, strict=True)]
        between = "," if self._any else ""
        self._any = True
        return (between + ",".join(members)).encode()

    def tail(self) -> bytes:
        return b"}\n"


def add(app: FastAPI) -> None:
    """Add them to the application."""
    app.include_router(router)
