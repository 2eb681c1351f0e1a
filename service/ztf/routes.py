"""HTTP of `nph_light_curves`: GET and POST, and errors in the format that was asked for."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from fastapi import FastAPI
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from products.fields import Writer
from products.html_table import HtmlTable, error_page
from products.ipac import IpacTable
from products.separated import Separated
from products.votable import TableData, error_document
from service.answers import Form, answer
from service.core import Service
from service.errors import BadRequestError, Problem, problem_of
from service.ztf.columns import FIELDS, TEXT_FIELDS, hexadecimal
from service.ztf.document import DESCRIPTION, MEDIA_TYPES, OF_ADDRESS, OF_FORM, RESPONSES, SUMMARY
from service.ztf.request import FORMATS, format_of, parse
from service.ztf.rules import rows
from store.errors import NightlakeError

PATH = "/cgi-bin/ZTF/nph_light_curves"
TITLE = "Light curves"
MEANING = "Light curves: detections object by object, in the order of time."


class _Text:
    """CSV or TSV with CCD and quadrant as hexadecimal numbers."""

    def __init__(self, separator: str) -> None:
        self._writer = Separated(TEXT_FIELDS, separator)
        self.head, self.tail = self._writer.head, self._writer.tail

    def rows(self, frame: pa.Table) -> bytes:
        """A line each."""
        return self._writer.rows(hexadecimal(frame))


_WRITERS: dict[str, tuple[Callable[[Any], Writer], str]] = {
    "VOTABLE": (lambda _: TableData(FIELDS, MEANING), ".xml"),
    "IPAC_TABLE": (lambda _: IpacTable(FIELDS), ".tbl"),
    "HTML": (lambda _: HtmlTable(FIELDS, TITLE), ""),
    "CSV": (lambda _: _Text(","), ".csv"),
    "TSV": (lambda _: _Text("\t"), ".tsv"),
}
FORMS = {
    name: Form(MEDIA_TYPES[name], writer, suffix=suffix)
    for name, (writer, suffix) in _WRITERS.items()
}


async def light_curves(request: Request) -> Response:
    """Light curves by ID, POS or CIRCLE."""
    name = FORMATS[0]
    try:
        address = request.query_params.multi_items()
        name = format_of(address)  # what its form is wrong in is told in it, too
        pairs = address + await _form(request)
        name = format_of(pairs)
        wanted = parse(pairs, Service.of(request).settings)
        return await answer(
            request, lambda state, job: rows(state, job, wanted), FORMS[name], name="lightcurves"
        )
    except NightlakeError as error:
        return _told(name, problem_of(error))


def add(app: FastAPI) -> None:
    """Add the API to the application."""
    for method, said in (("GET", OF_ADDRESS), ("POST", OF_FORM)):
        app.add_api_route(
            PATH, light_curves, methods=[method], tags=["ZTF"], summary=SUMMARY,
            description=DESCRIPTION, response_class=Response, responses=RESPONSES,
            openapi_extra=said,
        )  # fmt: skip


async def _form(request: Request) -> list[tuple[str, str]]:
    """Names and values of a form; none of GET.

    Raises
    ------
    BadRequestError
    """
    if request.method != "POST":
        return []
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        if await request.body():
            raise BadRequestError(
                f"content type {kind!r} is no form", "Send application/x-www-form-urlencoded."
            )
        return []
    pairs = []
    try:
        async with request.form(max_files=16, max_fields=20_000) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    raise BadRequestError(f"{name} is a file", "Send fields only.")
                pairs.append((name, value))
    except HTTPException as error:
        if error.status_code != 400:
            raise
        hint = "Send application/x-www-form-urlencoded."
        raise BadRequestError("the form cannot be read", hint) from error
    return pairs


def _told(name: str, problem: Problem) -> Response:
    """A problem in a format of the API; what a request does wrong is 400 there."""
    status = 400 if problem.status < 500 else problem.status
    message = str(problem)
    if name == "VOTABLE":
        data, kind = error_document(message), FORMS[name].media_type
    elif name == "HTML":
        data, kind = error_page(message), "text/html"
    elif name == "IPAC_TABLE":
        said = message.replace('"', "'")
        data, kind = f'[struct stat="ERROR", msg="{said}"]\n'.encode(), "text/plain"
    else:
        text = io.StringIO()
        writer = csv.writer(text, delimiter="," if name == "CSV" else "\t", lineterminator="\n")
        # Clients of the API take what begins with < for an error, whatever the status.
        writer.writerows([["<error>", "message"], [problem.code, message]])
        data, kind = text.getvalue().encode(), FORMS[name].media_type
    headers = {"retry-after": "2"} if status == 503 else None
    return Response(data, status, headers=headers, media_type=kind)
