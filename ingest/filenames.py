"""What a ZTF file name says, and which files of a folder are catalogues.

A name's fraction of the day is up to 118 s from the exposure's start: it identifies, and is
never a time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ingest.errors import NothingToIngestError
from store.channel import FILTER_IDS
from transforms.identifiers import rcid as rcid_of

Kind = Literal["psfcat", "refpsfcat"]

_CHANNEL = r"(?P<field>\d{6})_(?P<filtercode>z[gri])_c(?P<ccdid>0[1-9]|1[0-6])"
_NAMES: dict[Kind, re.Pattern[str]] = {
    "psfcat": re.compile(
        rf"ztf_(?P<filefracday>\d{{14}})_{_CHANNEL}_[a-z]_q(?P<qid>[1-4])_psfcat\.fits", re.ASCII
    ),
    "refpsfcat": re.compile(rf"ztf_{_CHANNEL}_q(?P<qid>[1-4])_refpsfcat\.fits", re.ASCII),
}


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What a catalogue's name says; `filefracday` (yyyymmdd and fraction) only of a psfcat."""

    kind: Kind
    field: int
    filtercode: str
    ccdid: int
    qid: int
    filefracday: int | None = None

    @property
    def fid(self) -> int:
        """Filter: 1 = g, 2 = r, 3 = i."""
        return FILTER_IDS[self.filtercode]

    @property
    def rcid(self) -> int:
        """Readout channel, 0–63."""
        return rcid_of(self.ccdid, self.qid)


def parse_name(name: str) -> NameFacts | None:
    """What the name of a psfcat or refpsfcat says; None if it is no such name."""
    for kind, pattern in _NAMES.items():
        if match := pattern.fullmatch(name):
            said = match.groupdict()
            fraction = said.get("filefracday")
            return NameFacts(
                kind,
                int(said["field"]),
                said["filtercode"],
                int(said["ccdid"]),
                int(said["qid"]),
                int(fraction) if fraction else None,
            )
    return None


def find_catalogues(paths: Iterable[str | Path], kind: Kind = "psfcat") -> list[Path]:
    """Catalogues of one kind in folders, searched to the bottom, and the files that are named.

    Folders give the files that end in `_<kind>.fits`, sorted by path; hidden ones are left out,
    and a folder reached twice (overlapping paths, a loop of links) counts once. A file named
    outright is taken whatever its name. Dangling links, and folders that cannot be listed, are
    given too, so that reading reports them.

    Raises
    ------
    NothingToIngestError : a path does not exist, or nothing was found in all of them.
    """
    roots = [Path(path) for path in paths]
    found: dict[str, Path] = {}  # by absolute path: a file given twice is read once
    seen: set[tuple[int, int]] = set()
    for root in roots:
        if root.is_dir():
            files: Iterable[Path] = _walk(root, f"_{kind}.fits", seen)
        elif os.path.lexists(root):
            files = [root]
        else:
            raise NothingToIngestError(root, kind, what="no such file or folder")
        for file in files:
            found.setdefault(str(file.absolute()), file)
    if not found:
        raise NothingToIngestError(", ".join(map(str, roots)) or "(no path)", kind)
    return list(found.values())


def _walk(top: Path, suffix: str, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """The files below a folder, in the order of their paths; however deep, nothing recurs."""
    waiting = [(top, True)]  # files and folders, the next one last
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as listing:
                found = sorted((entry.name, _is_folder(entry)) for entry in listing)
        except OSError:
            yield path  # reading it will say what is wrong with it
            continue
        waiting += (
            (path / name, is_folder)
            for name, is_folder in reversed(found)
            if not name.startswith(".") and (is_folder or name.endswith(suffix))
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
