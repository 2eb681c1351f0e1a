"""Which files hold rows of a night: its own, and those of the periods that it was compacted in."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from store.manifest import FileEntry, Manifest, night_group
from store.periods import Period
from store.snapshot import Snapshot


def files_of_night(snapshot: Snapshot, night: date) -> list[FileEntry]:
    """All files that hold rows of a night, of every table; those of periods last.

    Raises
    ------
    DamagedArchiveError : a manifest is not what was published.
    """
    own = snapshot.manifest(night_group(night)).files
    return [*own, *(entry for period in periods_of(snapshot, [night]) for entry in period.files)]


def periods_of(snapshot: Snapshot, nights: Collection[date]) -> list[Manifest]:
    """The periods that hold rows of any of `nights`; of each, the files that do."""
    found = []
    for group in snapshot.groups:
        period = Period.named(group)
        if period is not None and any(night in period for night in nights):
            files = [e for e in snapshot.manifest(group).files if holds(e, nights)]
            if files:
                found.append(Manifest.of(group, files))
    return found


def most_files(snapshot: Snapshot) -> int:
    """Files of the pixel of detections that holds most of them; 0 where there are none."""
    dataset = snapshot.catalogue("detections") / "dataset"
    folders = [dataset / pixel.hats_path for pixel in snapshot.pixels("detections")]
    return max((sum(1 for _ in folder.iterdir()) for folder in folders), default=0)


def holds(entry: FileEntry, nights: Collection[date]) -> bool:
    """Whether a period's file holds rows of any of `nights`."""
    wanted = {f"{night:%Y%m%d}" for night in nights}
    return not wanted.isdisjoint(entry.nights or ())
