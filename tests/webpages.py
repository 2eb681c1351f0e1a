"""What an HTML file holds, by the standard library's parser: another than wrote it, or shows it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

# Elements that have no end tag.
_VOID = {"meta", "link", "br", "img", "input", "hr"}
_REFERRING = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"}


class Page(HTMLParser):
    """A page that was read: its words, and what of it is not as it should be.

    Parameters
    ----------
    path : the file.

    Attributes
    ----------
    text : its words outside of styles, one blank between them.
    tags : the name of every element.
    references : every address that an attribute or a style names.
    ids : of its elements, in order.
    faults : tags that close nothing, or are never closed.
    sections : the words of each section, by its id.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.faults: list[str] = []
        self.sections: dict[str, str] = {}
        self.handlers: list[str] = []
        self._open: list[str] = []
        self._words: list[str] = []
        self._section: str | None = None
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]
        self.text = " ".join(" ".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self._open[-1:]}")
        else:
            self._open.pop()
        if tag == "section":
            self._section = None

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.references += re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", data)
            return
        self._words.append(data)
        if self._section is not None:
            so_far = self.sections[self._section]
            self.sections[self._section] = " ".join(f"{so_far} {data}".split())

    def _seen(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            value = value or ""
            if name in _REFERRING:
                self.references.append(value)
            self.references += re.findall(r"url\(([^)]*)\)", value)
            if name == "id":
                self.ids.append(value)
            if name.startswith("on"):
                self.handlers.append(name)
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self.sections[self._section] = ""
