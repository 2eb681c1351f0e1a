"""What OpenAPI says of answers and bodies: the one shape of errors, formats, examples."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Error(BaseModel):
    """The one shape of errors."""

    code: str = Field(description="What kind it is: stable, for programs.")
    message: str = Field(description="What is wrong.")
    hint: str = Field(description="What to do about it.")


class ColumnSaid(BaseModel):
    """What is known of a column."""

    name: str
    unit: str
    ucd: str
    description: str


class Rows(BaseModel):
    """Rows as JSON."""

    description: str = Field(description="What the rows are.")
    columns: list[ColumnSaid]
    rows: list[dict[str, Any]]


_ROW = {"oid": 633207400012345, "hmjd": 60319.2037, "mag": 18.145277, "filtercode": "zr"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
UNCHANGED = {"description": "The client has this answer already: see ETag and If-None-Match."}
ROWS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Rows,
        "description": "Rows, in the format that was asked for.",
        "content": {
            "application/json": {
                "example": {
                    "description": "Light curves",
                    "columns": [{"name": "oid", "unit": "", "ucd": "meta.id;meta.main",
                                 "description": "Object id"}],
                    "rows": [_ROW],
                }
            },
            "text/csv": {
                "schema": {"type": "string"},
                "example": "oid,hmjd,mag,filtercode\n633207400012345,60319.2037,18.145277,zr\n",
            },
            "application/x-votable+xml": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": _BINARY,
            "application/vnd.apache.arrow.stream": _BINARY,
        },
    },
    304: UNCHANGED,
}  # fmt: skip


def _problem(description: str, **example: str) -> dict[str, Any]:
    content = {"application/json": {"example": example}} if example else {}
    return {"model": Error, "description": description, "content": content}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: _problem(
        "What is asked for is no question, or more than one request may ask.",
        code="limit",
        message="radius 900 arcsec: 600 arcsec are the most",
        hint="Ask for less at once, several times.",
    ),
    403: _problem("It would tell of programmes that are not shown."),
    404: _problem("It is not in the archive.", code="unknown_object", message="…", hint="…"),
    406: _problem("There is no such format."),
    408: _problem("The request did not come in time."),
    413: _problem("The request is too long."),
    422: _problem("A parameter is not of its kind."),
    503: _problem("Too many wait already: try again soon."),
}
EXAMPLES: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}, "example": "ra,dec\n255.577,12.284\n"},
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {
                "oids": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "positions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "ra": {"type": "number"},
                            "dec": {"type": "number", "minimum": -90, "maximum": 90},
                            "radius_arcsec": {"type": "number", "exclusiveMinimum": 0},
                        },
                        "required": ["ra", "dec"],
                    },
                },
            },
        },
        "example": {"positions": [{"ra": 255.577, "dec": 12.284}]},
    },
    "application/x-votable+xml": {"schema": {"type": "string"}},
    "application/vnd.apache.parquet": _BINARY,
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"table": {"type": "string", "format": "binary"}},
        }
    },
}
