"""Parameters that narrow light curves, and the places that they are asked for at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import polars as pl
from fastapi import Depends, Query
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, Field
from starlette.requests import Request

from queries.selection import DEFAULT_RADIUS_ARCSEC, Selection
from service.errors import BadRequestError, LimitError
from service.settings import Settings

Oid = Annotated[int, Field(ge=0, lt=2**63)]
Oids = Annotated[
    list[Oid] | None,
    Query(description="Object id; may be given several times.", examples=[[633207400012345]]),
]
Ra = Annotated[float | None, Query(description="Centre, degrees (ICRS).", examples=[255.577])]
Dec = Annotated[
    float | None, Query(ge=-90, le=90, description="Centre, degrees (ICRS).", examples=[12.284])
]
Radius = Annotated[float, Query(gt=0, description="Radius, arcsec.", examples=[2.0])]
Format = Annotated[
    str | None,
    Query(
        alias="format",
        description="json, csv, votable (BINARY2), votable_text, parquet or arrow; "
        "without it the header Accept decides, and then json.",
        examples=["csv"],
    ),
]


class Narrowing(BaseModel):
    """Which rows of the light curves are wanted."""

    filters: list[str] | None = Field(None, description="zg, zr, zi.", examples=[["zr"]])
    fields: list[Annotated[int, Field(ge=0, lt=2**15)]] | None = Field(
        None, description="Survey fields.", examples=[[633]]
    )
    hmjd_from: float | None = Field(None, description="Earliest time, heliocentric MJD.")
    hmjd_to: float | None = Field(None, description="Latest time, heliocentric MJD.")
    flags_mask: int = Field(
        0, ge=0, lt=2**16, description="Leave out rows of which catflags has one of these bits."
    )
    all_images: bool = Field(False, description="Rows of images that were judged bad, too.")
    min_epochs: int = Field(
        1, ge=1, lt=2**31, description="Leave out objects with fewer rows, and rows of none."
    )
    group: bool = Field(
        False, description="All objects of its place with each object: all fields and filters."
    )
    upper_limits: bool = Field(
        False, description="A row for each image that covered an object and did not measure it."
    )
    collection: str | None = Field(
        None, description="Ask what was imported by this name instead.", max_length=200
    )
    columns: list[str] | None = Field(
        None, description="Only these columns.", examples=[["oid", "hmjd", "mag", "magerr"]]
    )

    def of(self, selection: Selection) -> Selection:
        """The selection, narrowed.

        Raises
        ------
        UnknownFilterError, BadSelectionError
        """
        return selection.narrowed(
            filters=self.filters,
            fields=self.fields,
            hmjd=(self.hmjd_from, self.hmjd_to),
            flags_mask=self.flags_mask,
            all_images=self.all_images,
            min_epochs=self.min_epochs,
            group=self.group,
            upper_limits=self.upper_limits,
        )

    def shown(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The columns that are wanted.

        Raises
        ------
        BadRequestError : there is no such column.
        """
        if not self.columns:
            return frame
        wanted = [name for one in self.columns for name in one.split(",") if name]
        for name in wanted:
            if name not in frame.columns:
                raise BadRequestError(
                    f"there is no column {name}", f"There are {', '.join(frame.columns)}."
                )
        return frame.select(list(dict.fromkeys(wanted)))


def _narrowing(
    filters: Annotated[
        list[str] | None,
        Query(alias="filter", description="zg, zr or zi; several times.", examples=[["zr"]]),
    ] = None,
    fields: Annotated[
        list[Annotated[int, Field(ge=0, lt=2**15)]] | None,
        Query(alias="field", description="Survey field; several times.", examples=[[633]]),
    ] = None,
    hmjd_from: Annotated[
        float | None, Query(description="Earliest time, heliocentric MJD.", examples=[58300.0])
    ] = None,
    hmjd_to: Annotated[
        float | None, Query(description="Latest time, heliocentric MJD.", examples=[59000.0])
    ] = None,
    flags_mask: Annotated[
        int,
        Query(ge=0, lt=2**16, description="Leave out rows with one of these bits of catflags."),
    ] = 0,
    all_images: Annotated[
        bool, Query(description="Rows of images that were judged bad, too.")
    ] = False,
    min_epochs: Annotated[
        int, Query(ge=1, lt=2**31, description="Leave out objects with fewer rows.")
    ] = 1,
    group: Annotated[bool, Query(description="All objects of its place with each object.")] = False,
    upper_limits: Annotated[
        bool, Query(description="A row for each image that covered an object unseen, too.")
    ] = False,
    collection: Annotated[
        str | None, Query(max_length=200, description="Ask what was imported by this name.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        Query(description="Only these columns, apart by commas.", examples=[["oid,hmjd,mag"]]),
    ] = None,
) -> Narrowing:
    return Narrowing(
        filters=filters,
        fields=fields,
        hmjd_from=hmjd_from,
        hmjd_to=hmjd_to,
        flags_mask=flags_mask,
        all_images=all_images,
        min_epochs=min_epochs,
        group=group,
        upper_limits=upper_limits,
        collection=collection,
        columns=columns,
    )


Narrowed = Annotated[Narrowing, Depends(_narrowing)]


async def refuse_others(request: Request) -> None:
    """Let no parameter pass that is not read: a misspelt one would change nothing, unseen.

    Raises
    ------
    BadRequestError : there is no such parameter.
    """
    known = _names(request.scope["route"].dependant)
    for name in request.query_params:
        if name not in known:
            raise BadRequestError(
                f"there is no parameter {name[:40]}", f"There are {', '.join(sorted(known))}."
            )


def _names(dependant: Dependant) -> set[str]:
    """Of the parameters that a handler, and what it depends on, take from the address."""
    return {one.alias for one in dependant.query_params}.union(*map(_names, dependant.dependencies))


def of_ids(oids: Sequence[int], settings: Settings) -> Selection:
    """Some objects, no more than one request may ask for.

    Raises
    ------
    LimitError, BadSelectionError
    """
    if len(oids) > settings.max_ids:
        raise LimitError(f"{len(oids):,} ids", settings.max_ids)
    return Selection.of_objects(oids)


def of_cone(
    ra: float | None, dec: float | None, radius_arcsec: float, most_arcsec: float
) -> Selection:
    """A circle, no wider than one request may ask for.

    Raises
    ------
    LimitError, BadConeError, BadRequestError
    """
    if ra is None or dec is None:
        raise BadRequestError("no place is given", "Give oid, or ra and dec in degrees (ICRS).")
    if radius_arcsec > most_arcsec:
        raise LimitError(f"radius {radius_arcsec:g} arcsec", most_arcsec, " arcsec")
    return Selection.of_cone(ra, dec, radius_arcsec)


__all__ = [
    "DEFAULT_RADIUS_ARCSEC",
    "Narrowed",
    "Narrowing",
    "of_cone",
    "of_ids",
    "refuse_others",
]
