"""A figure as part of an HTML page: SVG whose colours are the page's, so that they change with it.

What matplotlib writes is a document of its own: its prolog, metadata and name spaces go, ids that
nothing refers to go, and the others get a prefix, because a page holds several figures.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from markupsafe import Markup

from products.canvas import GRID, INK, style
from products.plots import FILTER_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of what is drawn in points: a dense scatter, a map of the whole sky.
RASTER_DPI = 150
_COLOURS = {
    "#ffffff": "var(--card)",
    INK: "var(--ink)",
    GRID: "var(--grid)",
    "#7b8794": "var(--edge)",
    "#c4ccd4": "var(--faint)",
    "#f6f8fa": "var(--paper)",
    **{colour: f"var(--{code})" for code, colour in FILTER_COLOURS.items()},
}
_COLOUR = re.compile("|".join(_COLOURS), re.IGNORECASE)
_REFERENCE = re.compile(r"(?:url\(#|^#)([^)]+)\)?")
_XLINK = "{http://www.w3.org/1999/xlink}href"


def inline_svg(figure: Figure, name: str, label: str) -> Markup:
    """`figure` as an <svg> element.

    Parameters
    ----------
    name : of the figure in the page: the prefix of its ids.
    label : what it shows, for whoever does not see it.
    """
    sink = io.BytesIO()
    with style():
        if (engine := figure.get_layout_engine()) is not None:
            # Once: savefig would draw all of it another time only to lay it out.
            engine.execute(figure)
            figure.set_layout_engine("none")
        figure.savefig(
            sink, format="svg", dpi=RASTER_DPI, transparent=True, metadata={"Date": None}
        )
    root = ElementTree.fromstring(sink.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith("}metadata"):
                parent.remove(child)
    wanted = {
        found
        for element in root.iter()
        for value in element.attrib.values()
        for found in _REFERENCE.findall(value)
    }
    for element in root.iter():
        _make_plain(element, name, wanted)
    # As wide as its column; the page says how wide that is.
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-label": label, "class": "figure"}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _make_plain(element: ElementTree.Element, name: str, wanted: set[str]) -> None:
    """Take the element's name space away, and make its ids and colours the page's."""
    element.tag = element.tag.rpartition("}")[2]
    attributes = {}
    for key, value in element.attrib.items():
        if key == "id":
            if value in wanted:
                attributes["id"] = f"{name}-{value}"
            continue
        if key == _XLINK and not value.startswith("#"):
            attributes["href"] = "".join(value.split())  # a picture, as data
            continue
        renamed = _REFERENCE.sub(
            lambda found: found[0].replace(f"#{found[1]}", f"#{name}-{found[1]}"), value
        )
        attributes["href" if key == _XLINK else key] = (
            _COLOUR.sub(lambda found: _COLOURS[found[0].lower()], renamed)
            if key == "style"
            else renamed
        )
    element.attrib.clear()
    element.attrib.update(attributes)
