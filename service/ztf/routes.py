"""HTTP of `nph_light_curves`: GET and POST, and errors in the format that was asked for."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
from fastapi import FastAPI
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from products.html_table import HtmlTable, error_page
from products.ipac import IpacTable
from products.separated import Separated
from products.votable import MEDIA_TYPE, TableData, error_document
from service.answers import Form, answer
from service.core import Service
from service.errors import BadRequestError, Problem, problem_of
from service.ztf.columns import FIELDS, TEXT_FIELDS, hexadecimal
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


FORMS = {
    "VOTABLE": Form(MEDIA_TYPE, lambda _: TableData(FIELDS, MEANING), suffix=".xml"),
    "IPAC_TABLE": Form("text/plain", lambda _: IpacTable(FIELDS), suffix=".tbl"),
    "HTML": Form("text/html", lambda _: HtmlTable(FIELDS, TITLE)),
    "CSV": Form("text/csv", lambda _: _Text(","), suffix=".csv"),
    "TSV": Form("text/tab-separated-values", lambda _: _Text("\t"), suffix=".tsv"),
}


async def light_curves(request: Request) -> Response:
    """Light curves by ID, POS or CIRCLE."""
    name = FORMATS[0]
    try:
        pairs = await _pairs(request)
        name = format_of(pairs)
        wanted = parse(pairs, Service.of(request).settings)
        return await answer(
            request, lambda state, job: rows(state, job, wanted), FORMS[name], name="lightcurves"
        )
    except NightlakeError as error:
        return _told(name, problem_of(error))


def add(app: FastAPI) -> None:
    """Add the API to the application."""
    app.add_route(PATH, light_curves, methods=["GET", "POST"], include_in_schema=False)


async def _pairs(request: Request) -> list[tuple[str, str]]:
    """Names and values of the address and of a form."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            async with request.form(max_files=16, max_fields=20_000) as form:
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        raise BadRequestError(f"{name} is a file", "Send fields only.")
                    pairs.append((name, value))
        elif await request.body():
            raise BadRequestError(
                f"content type {kind!r} is no form", "Send application/x-www-form-urlencoded."
            )
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
