"""A table as a page: what a browser shows of an answer."""

from __future__ import annotations

from html import escape

import polars as pl
import pyarrow as pa

from products.arrow_text import arrays, cells, escaped
from products.fields import Field

_STYLE = (
    "body{font:14px system-ui,sans-serif;margin:1rem;color-scheme:light dark}"
    "table{border-collapse:collapse}th,td{padding:.15rem .6rem;text-align:right}"
    "thead th{position:sticky;top:0;background:Canvas}tr:nth-child(even) td{background:#8881}"
)


class HtmlTable:
    """One table with the units below the names, the descriptions as titles of these."""

    def __init__(self, fields: list[Field], title: str) -> None:
        self._fields, self._title = fields, title

    def head(self) -> bytes:
        """All up to the first row."""
        names = "".join(
            f'<th scope="col" title="{escape(f.description, quote=True)}">{escape(f.name)}</th>'
            for f in self._fields
        )
        units = "".join(f"<th>{escape(field.unit)}</th>" for field in self._fields)
        title = escape(self._title)
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{title}</title><style>{_STYLE}</style></head>\n<body><h1>{title}</h1>\n"
            f"<table><thead><tr>{names}</tr><tr>{units}</tr></thead>\n<tbody>\n"
        ).encode()

    def rows(self, frame: pl.DataFrame | pa.Table) -> bytes:
        """A row each."""
        columns = escaped(arrays(frame, self._fields))
        row = b"<tr><td>"
        return row + cells(columns, b"</td><td>", b"</td></tr>\n" + row).removesuffix(row)

    def tail(self) -> bytes:
        """What closes the page."""
        return b"</tbody></table></body></html>\n"


def error_page(message: str) -> bytes:
    """A page that says what went wrong."""
    said = escape(message)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Error</title>'
        f"</head><body><h1>Error</h1><p>{said}</p></body></html>\n"
    ).encode()
