"""The pages as a part of the service: Dash behind the paths that are its own.

Dash runs on Flask, in threads of its own: a callback that looks for a period for a second never
holds up the event loop that the API answers from.
"""

from __future__ import annotations

from pathlib import Path

from dash import Dash, dcc, html
from fastapi import FastAPI
from flask import Flask
from markupsafe import escape
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from service.archive import Served
from service.page.bridge import Bridge
from service.page.downloads import downloads
from service.page.shield import shield
from service.page.stars import Source
from service.page.wiring import wire

_OWN = ("/", "/archive", "/favicon.ico")
_BELOW = ("/_dash-", "/_favicon", "/assets/", "/page/")
_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<meta name="color-scheme" content="light dark">
<title>{%title%}</title>
<link rel="icon" href="data:,">
{%css%}
</head>
<body>
{%app_entry%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>"""


def make_page(served: Served, root_path: str = "") -> Dash:
    """The pages of an archive; its `server` is a WSGI application.

    Parameters
    ----------
    root_path : the path below which a proxy offers the service.
    """
    base = f"{root_path.rstrip('/')}/"
    source = Source(served)
    # A name of its own: Dash would look for assets beside whoever runs.
    server = Flask(__name__)
    server.register_blueprint(downloads(source, "/"))
    app = Dash(
        __name__,
        server=server,
        assets_folder=str(Path(__file__).parent / "assets"),
        requests_pathname_prefix=base,
        routes_pathname_prefix="/",
        serve_locally=True,
        include_assets_files=True,
        suppress_callback_exceptions=True,
        title=f"Nightlake · {escape(source.archive_name)}",
        update_title="",
        index_string=_INDEX,
        add_log_handler=False,
    )
    app.layout = html.Div(
        [
            dcc.Location(id="address", refresh="callback-nav"),
            dcc.Store(id="theme", data=""),
            html.Div(id="page"),
        ]
    )
    wire(app, source, base)

    shield(server, app)
    return app


class PageRoute(BaseRoute):
    """The paths that are the page's own; all others are somebody else's, or nobody's."""

    # As the access log and the metrics name it.
    path = "page"

    def __init__(self, served: Served, root_path: str = "") -> None:
        self._bridge = Bridge(make_page(served, root_path).server, served.settings.max_seconds)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for a page."""
        path = scope.get("path", "")
        own = path in _OWN or path.startswith(_BELOW)
        return (
            (Match.FULL, {"route": self}) if own and scope["type"] == "http" else (Match.NONE, {})
        )

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it."""
        await self._bridge(scope, receive, send)


def add(app: FastAPI) -> None:
    """Add the pages to the service."""
    service = app.state.service
    app.router.routes.append(PageRoute(service.served, service.settings.root_path))
