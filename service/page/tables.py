"""Tables as HTML that the browser takes as it is (assets/page.js puts it in).

As components of Dash three hundred rows take a browser half a minute.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from dash import html
from markupsafe import Markup

_CELL = {
    False: Markup("<td>{}</td>"),
    True: Markup('<td class="words">{}</td>'),
}
_HEAD = {
    False: Markup('<th scope="col">{}</th>'),
    True: Markup('<th scope="col" class="words">{}</th>'),
}
_ROW = Markup("<tr>{}</tr>")


def table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], label: str, words: Collection[int] = ()
) -> html.Div:
    """Rows that scroll in a box of their own; `words` are columns not of numbers.

    Cells are text, or what `link` and others below make.
    """
    head = _row(_HEAD, header, words)
    body = Markup("").join(_row(_CELL, row, words) for row in rows)
    text = Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(head, body)
    return html.Div(
        className="scroll", tabIndex=0, role="region",
        **{"aria-label": label, "data-html": str(text)},
    )  # fmt: skip


def link(text: object, href: str, css: str = "", title: str = "") -> Markup:
    """A link in a cell."""
    pattern = Markup('<a href="{}" class="{}" title="{}">{}</a>')
    return pattern.format(href, css, title, text)


def period_button(period: str) -> Markup:
    """A button that folds by a period, days."""
    pattern = Markup('<button type="button" data-period="{0}" title="Fold by {0} d">{0}</button>')
    return pattern.format(period)


def tag(text: str, kind: str, title: str) -> Markup:
    """A word that marks a row."""
    return Markup('<span class="tag {}" title="{}">{}</span>').format(kind, title, text)


def number(value: Any, digits: int = 2) -> str:
    """A value in so many decimals; an en dash where there is none."""
    if not isinstance(value, int | float) or value != value:
        return "–"
    return f"{value:,.{digits}f}".replace("-", "−")


def counted(n: int, what: str) -> str:
    """1 point, 1,234 points."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _row(patterns: dict[bool, Markup], cells: Sequence[Any], words: Collection[int]) -> Markup:
    written = (patterns[i in words].format(cell) for i, cell in enumerate(cells))
    return _ROW.format(Markup("").join(written))
