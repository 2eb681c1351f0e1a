"""What an archive's JSON says is checked before it is believed: an archive may come from anyone.

Names in it become paths that are read, written and removed, and numbers in it become sizes. None
may lead out of the archive, and none may be what Nightlake never writes.
"""

from __future__ import annotations

import json
import os
import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

from store.atomic import open_regular
from store.errors import DamagedArchiveError
from store.layout import MAP_ORDER

# A manifest of 10,000 files takes 3 MB.
MAX_JSON_BYTES = 1 << 28
MOST = 2**53
BACKUP = "Restore the archive from a backup."

_GROUP = re.compile(
    r"nights/(\d{8})|references/\d{6}|periods/(\d{8})-(\d{8})|lightcurves/[0-2]-\d{1,3}|refusals"
    r"|(?:imports|matchfiles)/[a-z][a-z0-9_]{0,63}-[0-9a-f]{16}",
    re.ASCII,
)
_DIGEST = re.compile(r"[0-9a-f]{32}")
_TABLE = re.compile(r"[a-z][a-z_]*")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PATH = re.compile(r"data(/[A-Za-z0-9][A-Za-z0-9_-]*){1,3}\.parquet")
_NIGHT = re.compile(r"\d{8}", re.ASCII)


def read_json(path: Path) -> Any:
    """What a JSON file says.

    Raises
    ------
    OSError : it cannot be read.
    ValueError : it is no JSON, or too large, or too deep, to be any of an archive's.
    """
    return parse_json(read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """A file's bytes; ValueError if they are too many for any JSON of an archive's."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_JSON_BYTES:
            raise ValueError(f"has {size} bytes, too many for what it should be")
        return file.read(size)


def parse_json(data: bytes) -> Any:
    """What JSON says; ValueError if it is none, or too deep."""
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error


def check_publication(record: Any, where: Path) -> dict[str, Any]:
    """The record of a publication, of whatever format.

    Raises
    ------
    DamagedArchiveError : something in it is what no Nightlake writes.
    """
    with _refusing(where, "publication.json"):
        manifests, rows = record["manifests"], record["rows"]
        for group, digest in manifests.items():
            _need(_is_group(group), "group", group)
            _need(_is_text(digest, _DIGEST), "checksum", digest)
        for table, count in rows.items():
            _need(_is_text(table, _TABLE) and _is_count(count), f"rows of {table}", count)
        partition = record["partition"]
        _need(_is_count(partition["order"], 29), "partition order", partition["order"])
        _need(_is_count(partition["version"]), "partition version", partition["version"])
        for order, npix in partition.get("split", ()):
            _need(_is_pixel(order, npix), "split pixel", [order, npix])
        _need(_is_count(record["format"]), "format", record["format"])
        _need(isinstance(record["reason"], str), "reason", record["reason"])
        moment = datetime.fromisoformat(record["published"])
        _need(moment.tzinfo is not None, "time of publication", record["published"])
    return dict(record)


def check_manifest(raw: Any, where: Path) -> dict[str, Any]:
    """What a manifest says, of whatever format.

    Raises
    ------
    DamagedArchiveError : something in it is what no Nightlake writes.
    """
    with _refusing(where, "the manifest"):
        _need(_is_group(raw["group"]), "group", raw["group"])
        name = raw["group"].rpartition("/")[2]
        _need(where.name.startswith(f"{name}-"), "group", raw["group"])
        for entry in raw["files"]:
            for member, pattern in (
                ("table", _TABLE), ("part", _PART), ("path", _PATH), ("checksum", _DIGEST)
            ):  # fmt: skip
                _need(_is_text(entry[member], pattern), member, entry[member])
            _need(_is_count(entry["rows"]), "number of rows", entry["rows"])
            _need(_is_count(entry["bytes"]), "number of bytes", entry["bytes"])
            order, npix, cells = entry.get("order"), entry.get("npix"), entry.get("cells")
            both = order is None and npix is None
            _need(both or _is_pixel(order, npix), "pixel", [order, npix])
            _need(cells is None or _are_cells(cells, order), "rows by cell", cells)
            nights = entry.get("nights") or ()
            _need(all(_is_night(night) for night in nights), "nights", nights)
    return dict(raw)


class _refusing:  # noqa: N801 - reads as a verb
    """What is not of the form that was looked for, as one error of ours."""

    def __init__(self, where: Path, name: str) -> None:
        self._where, self._name = where, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, AttributeError | LookupError | TypeError | ValueError):
            text = str(error) if isinstance(error, _Impossible) else "it is not of its form"
            what = f"{self._name} is none that Nightlake writes ({text})"
            raise DamagedArchiveError(what, where=self._where, hint=BACKUP) from error


class _Impossible(ValueError):  # noqa: N818 - never seen outside
    """A value that Nightlake never writes."""


def _need(holds: bool, name: str, value: object) -> None:
    if not holds:
        text = repr(value)
        raise _Impossible(f"{name}: {text[:80]}{'…' if len(text) > 80 else ''}")


def _is_text(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and len(value) < 200 and pattern.fullmatch(value) is not None


def _is_count(value: object, most: int = MOST) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_pixel(order: Any, npix: Any) -> bool:
    return _is_count(order, 29) and _is_count(npix, 12 * 4**order - 1)


def _are_cells(cells: Any, order: Any) -> bool:
    wanted = 4 ** max(0, MAP_ORDER - order)
    return len(cells) == wanted and all(_is_count(count) for count in cells)


def _is_night(text: object) -> bool:
    if not _is_text(text, _NIGHT):
        return False
    spelled = str(text)
    date(int(spelled[:4]), int(spelled[4:6]), int(spelled[6:]))  # ValueError if there is none
    return True


def _is_group(name: object) -> bool:
    if not _is_text(name, _GROUP):
        return False
    match = _GROUP.fullmatch(str(name))
    return match is not None and all(_is_night(night) for night in match.groups() if night)
