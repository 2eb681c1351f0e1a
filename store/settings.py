"""What an archive is: chosen at `init`, recorded in `archive.json`, constant after that."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from store import disk
from store.atomic import write_whole
from store.errors import (
    ArchiveExistsError,
    ArchiveVersionError,
    DamagedArchiveError,
    NotAnArchiveError,
)
from store.layout import DEFAULT_PARTITION_ORDER, FORMAT_VERSION, Layout
from store.untrusted import read_json

MAX_PARTITION_ORDER = 12
_FOLDERS = ("publications", "manifests", "pixels", "data", "staging", "scratch", "locks")


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """Geocentric position of the telescope, metres (ITRS); Palomar unless said otherwise.

    Palomar's numbers are those of the ZTF light-curve pipeline: Shupe et al., Practical
    Applications of Astropy (SciPy 2018).
    """

    name: str = "palomar"
    x_m: float = -2410346.78217658
    y_m: float = -4758666.82504051
    z_m: float = 3487942.97502457

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.x_m, self.y_m, self.z_m))):
            raise ValueError("position of the site must be numbers")


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Settings of one archive.

    `partition_order` is the HEALPix order that new nights are cut by; `night_offset_hours` is
    added to obsmjd before its UTC date is taken as the night (0 at Palomar, whose nights lie
    within one UTC date); `match_radius_arcsec` is the largest separation of a detection from
    its reference source; rows within `margin_arcsec` of another pixel are kept beside that pixel
    too (0: none are), for crossmatches in LSDB of that radius or less; an image whose pixel scale
    is more than `scale_limit_percent` off its prior's somewhere is judged bad.
    """

    name: str = "nightlake"
    partition_order: int = DEFAULT_PARTITION_ORDER
    match_radius_arcsec: float = 1.5
    night_offset_hours: float = 0.0
    margin_arcsec: float = 5.0
    scale_limit_percent: float = 1.0
    site: SiteSettings = field(default_factory=SiteSettings)
    format: int = FORMAT_VERSION

    def __post_init__(self) -> None:
        # It stands in files of a line a setting.
        if not self.name.isprintable():
            raise ValueError("name must be printable")
        if not 0 <= self.partition_order <= MAX_PARTITION_ORDER:
            raise ValueError(f"partition order must be 0 to {MAX_PARTITION_ORDER}")
        if not 0 < self.match_radius_arcsec <= 60:
            raise ValueError("match radius must be above 0 and at most 60 arcsec")
        if not 0 <= self.margin_arcsec <= 60:
            raise ValueError("margin must be at least 0 and at most 60 arcsec")
        if not 0 < self.scale_limit_percent <= 100:
            raise ValueError("scale limit must be above 0 and at most 100 percent")
        if not -24 < self.night_offset_hours < 24:
            raise ValueError("night offset must be between -24 and 24 hours")


def read_settings(root: Path) -> ArchiveSettings:
    """The settings of the archive at `root`."""
    raw = read_raw_settings(root)
    if raw["format"] != FORMAT_VERSION:
        raise ArchiveVersionError(root, raw["format"], FORMAT_VERSION)
    return parse_settings(root, raw)


def read_raw_settings(root: Path) -> dict[str, Any]:
    """The settings of an archive of whatever format, as they are written; `format` is one."""
    try:
        raw = read_json(Layout(root).settings)
        return {**raw, "format": raw["format"]}
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotAnArchiveError(root) from error
    except OSError as error:
        what = f"archive.json cannot be read ({error.strerror})"
        hint = "Check its permissions, or restore it from a backup."
        raise DamagedArchiveError(what, where=root, hint=hint) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _not_understood(root) from error


def parse_settings(root: Path, raw: dict[str, Any]) -> ArchiveSettings:
    """What `raw` says, in this Nightlake's format."""
    try:
        return ArchiveSettings(**{**raw, "site": SiteSettings(**raw["site"])})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _not_understood(root) from error


def _not_understood(root: Path) -> DamagedArchiveError:
    what = "archive.json cannot be understood"
    return DamagedArchiveError(what, where=root, hint="Restore it from a backup.")


def create_folders(root: Path) -> Layout:
    """Create the folders of a new archive at `root`; `finish_creation` makes it one.

    What an `init` that was killed left behind is taken away first.

    Raises
    ------
    ArchiveExistsError : the folder is an archive, or holds something else.
    UnwritableArchiveError : it cannot be made.
    """
    layout = Layout(root)
    marker = layout.init_mark
    if layout.settings.exists():
        raise ArchiveExistsError(root)
    with disk.writing(root):
        if marker.exists():
            _clear(root, marker)
        elif root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise ArchiveExistsError(root, "is not an empty folder")
        disk.make_lasting_folder(root)
        # The mark lasts before anything else does: what is there without it is never taken away.
        disk.File(marker).close()
        disk.sync_folder(root)
        for folder in _FOLDERS:
            disk.make_folder(root / folder)
    return layout


def _clear(root: Path, marker: Path) -> None:
    """Take away what an `init` that was killed left, but for its mark."""
    for entry in root.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            disk.remove_tree(entry)
        elif entry != marker:
            disk.remove(entry)


def write_settings(layout: Layout, settings: ArchiveSettings) -> None:
    """Write archive.json, so that it lasts."""
    text = json.dumps(asdict(settings), indent=2) + "\n"
    write_whole(layout.settings, text.encode())
    disk.sync_folder(layout.root)


def finish_creation(layout: Layout, settings: ArchiveSettings) -> None:
    """Write archive.json, last of all: from now on the folder is an archive."""
    write_settings(layout, settings)
    # It is an archive already. If the mark is still there, the next publication takes it away.
    disk.discard(layout.init_mark)
