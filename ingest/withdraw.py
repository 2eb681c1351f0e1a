"""Withdrawal: nights that are published no longer. What was published stays until `vacuum`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.repack import publish_with_periods, without_rows
from ingest.standing import Gone
from store import disk
from store.arrow import as_arrow
from store.contract import REFUSALS
from store.errors import UnknownNightError
from store.executor import Executor
from store.files import check_intact, write_table
from store.layout import Layout
from store.locks import staged
from store.manifest import REFUSALS as REFUSALS_GROUP
from store.manifest import Manifest, night_group
from store.snapshot import Snapshot, open_snapshot


def withdraw(root: Path, nights: Sequence[date], *, workers: int | None = None) -> Snapshot:
    """Publish the archive without some nights, all of them at once.

    Each night's detections, images and exposures go, its row of `nights`, and what was refused of
    it, files that were refused whole among them.

    Raises
    ------
    UnknownNightError : one or several of the nights are not there; nothing is withdrawn.
    ArchiveBusyError : one of them is being ingested; nothing is withdrawn.
    DamagedArchiveError : a file that holds rows of other nights too is not what was published.
    """
    layout = Layout(root)
    groups = {night_group(night): night for night in sorted(set(nights))}
    _check_there(root, groups)
    with ExitStack() as held:
        for group in groups:
            held.enter_context(staged(layout, group, wait=False))
        _check_there(root, groups)  # nobody changes them any more
        held.enter_context(staged(layout, REFUSALS_GROUP, wait=True))
        held.enter_context(disk.writing(root))
        executor = held.enter_context(Executor(workers))

        def remaining(snapshot: Snapshot) -> dict[str, Manifest]:
            staging = layout.staging(next(iter(groups)))
            disk.make_folder(staging)
            changed = {group: Manifest.of(group, ()) for group in groups}
            gone = Gone(nights=tuple(groups.values()))
            changed |= without_rows(snapshot, gone.nights, gone, staging, executor)
            refusals = snapshot.manifest(REFUSALS_GROUP)
            changed[REFUSALS_GROUP] = _without(layout, refusals, gone.nights)
            disk.discard(staging)
            return changed

        reason = f"withdrawal of {', '.join(map(str, groups.values()))}"
        return publish_with_periods(open_snapshot(root), remaining, reason)


def _check_there(root: Path, groups: Mapping[str, date]) -> None:
    """Refuse nights that are not published now."""
    standing = open_snapshot(root).groups
    missing = [str(night) for group, night in groups.items() if group not in standing]
    if missing:
        raise UnknownNightError(root, *missing)


def _without(layout: Layout, refusals: Manifest, nights: Sequence[date]) -> Manifest:
    """The files that were refused whole, without those of some nights."""
    files = []
    for entry in refusals.files:
        rows = pq.read_table(check_intact(layout, entry), schema=REFUSALS.schema())
        gone = pc.is_in(rows["night"], value_set=as_arrow(np.array(nights, "datetime64[D]")))
        kept = rows.filter(pc.invert(gone))
        if kept.num_rows:
            files.append(write_table(layout, REFUSALS, kept, entry.part))
    return Manifest.of(refusals.group, files)
