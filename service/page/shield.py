"""What no page sends is refused, and browsers are told to fetch nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from dash import Dash
from dash.exceptions import DashException
from flask import Flask, Response, abort, request

# All that a page needs comes from the service itself: whatever it is made to hold, a browser
# fetches nothing from elsewhere.
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'"
)
_CALLBACKS = "/_dash-update-component"


def shield(server: Flask, app: Dash) -> None:
    """Answer requests that are none by 4xx, and tell browsers the policy."""

    @server.before_request
    def refuse_what_no_page_sends() -> None:
        if request.path == _CALLBACKS and not _is_callback(app, request.get_json(silent=True)):
            abort(400)

    @server.errorhandler(DashException)
    def refused(error: DashException) -> Response:
        # Inputs that no callback has, files of packages that there are not: a page asks for none.
        return Response("there is no such thing\n", 400, content_type="text/plain; charset=utf-8")

    @server.after_request
    def tell_policy(response: Response) -> Response:
        if response.mimetype == "text/html":
            response.headers["content-security-policy"] = POLICY
        return response


def _is_callback(app: Dash, body: Any) -> bool:
    """Whether a request's JSON has the form that Dash's page gives it."""
    if not (isinstance(body, dict) and isinstance(body.get("output"), str)):
        return False
    if body["output"] not in app.callback_map:
        return False
    given = [body.get("inputs", []), body.get("state", [])]
    if not all(isinstance(part, list) and all(map(_is_given, part)) for part in given):
        return False
    outputs = body.get("outputs")
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return isinstance(body.get("changedPropIds", []), list) and all(map(_is_named, outputs))


def _is_given(one: Any) -> bool:
    """One value, or those of a pattern."""
    return all(map(_is_named, one)) if isinstance(one, list) else _is_named(one)


def _is_named(one: Any) -> bool:
    if isinstance(one, list):
        return all(map(_is_named, one))
    return isinstance(one, dict) and {"id", "property"} <= one.keys()
