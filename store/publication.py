"""Publication: a new state of the archive, made beside the old one and current by one rename.

manifests   each changed group's list of files, under its checksum
folder      links to every file of every group, HATS metadata, publication.json
sync        of every name that it leads to, then of the folder itself
rename      of the folder to its number, then of the link `current`
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from store import disk
from store.atomic import replace_link, sweep
from store.built import link_built
from store.collection import (
    ARCHIVE_PROPERTIES,
    OWN_PROPERTIES,
    link_index,
    write_collection,
)
from store.columns import Table
from store.contract import STORED_TABLES
from store.errors import (
    ChangedMeanwhileError,
    DamagedArchiveError,
    PartitionChangedError,
    UnsettledPublicationError,
)
from store.hats import write_catalogue_metadata, write_listing
from store.id_index import with_index, with_indexes
from store.layout import (
    CATALOGUES,
    INDEX,
    LIGHTCURVE_TABLES,
    PIXEL_TABLES,
    SPATIAL_TABLES,
    Layout,
)
from store.links import link_files, link_pixels
from store.locks import locked
from store.manifest import IMPORTS, LIGHTCURVES, REFERENCES, FileEntry, Manifest, write_manifest
from store.partition import Partition
from store.point_map import Counts, read_point_map, sum_cells, write_point_map
from store.settings import ArchiveSettings, create_folders, finish_creation, read_settings
from store.snapshot import Snapshot, open_snapshot


def create_archive(root: Path, settings: ArchiveSettings) -> Snapshot:
    """Create an empty archive and publish its first, empty state."""
    layout = create_folders(root)
    with disk.writing(root):
        change = _Change("init", Partition(settings.partition_order), {}, [], [])
        snapshot = _make_current(layout, settings, change, 0, None)
        # Before the name archive.json, which says that all this is an archive.
        disk.sync_folder(root)
        finish_creation(layout, settings)
    return snapshot


def publish(
    root: Path,
    changed: Mapping[str, Manifest],
    reason: str,
    *,
    seen: Snapshot | None = None,
    partition: Partition | None = None,
    check: Callable[[Snapshot], None] | None = None,
) -> Snapshot:
    """Publish new manifests of some groups; the others stay as they are.

    A manifest without files takes its group out. If nothing differs from what is current, no
    publication is made and the current one is returned.

    Parameters
    ----------
    changed : the new manifest of each changed group.
    reason : why, for the archive's history; one line.
    seen : what the manifests were made from. Whoever holds the locks of all groups that they
        change, and cuts nothing by pixel, need not say.
    partition : how the sky is cut from now on, if that changes too.
    check : called with what is current, once nobody else can publish; raises to publish nothing.

    Raises
    ------
    PartitionChangedError : the sky is cut in other pixels than it was when `seen` was current.
    ChangedMeanwhileError : a group of `changed` is no longer what it was then; or another group
        has come or changed since, and lies in pixels that are split now.
    UnwritableArchiveError : the archive cannot be written; it is left as it was.
    UnsettledPublicationError : it is published, but may not outlive a loss of power.
    """
    layout = Layout(root)
    settings = read_settings(root)
    with locked(layout, "commit", wait=True), disk.writing(root):
        parent = open_snapshot(root)
        _clear(layout, parent.number)
        if seen is not None:
            _refuse_changed(seen, parent, changed)
            _refuse_uncut(seen, parent, changed, partition or parent.partition)
        if check is not None:
            check(parent)
        pixels = partition or parent.partition
        changed = with_indexes(parent, changed, pixels, settings.match_radius_arcsec)
        before = [parent.manifest(group) for group in changed]
        groups = dict(parent.groups)
        for group, manifest in changed.items():
            if manifest.files:
                groups[group] = write_manifest(layout, manifest)
            else:
                groups.pop(group, None)
        if groups == parent.groups and pixels == parent.partition:
            snapshot = parent  # whoever made it may have been killed before it was settled
        else:
            change = _Change(reason, pixels, groups, before, list(changed.values()))
            snapshot = _make_current(layout, settings, change, parent.number + 1, parent)
        _settle(snapshot)
        return snapshot


def _refuse_changed(seen: Snapshot, now: Snapshot, groups: Iterable[str]) -> None:
    """Refuse what was made from another state of some groups, or for other pixels."""
    root = now.layout.root
    if seen.partition.version != now.partition.version:
        raise PartitionChangedError(root, "the sky was cut in other pixels")
    changed = [group for group in groups if seen.groups.get(group) != now.groups.get(group)]
    if changed:
        raise ChangedMeanwhileError(root, f"{', '.join(changed)} changed")


def _refuse_uncut(
    seen: Snapshot, now: Snapshot, groups: Iterable[str], partition: Partition
) -> None:
    """Refuse to split pixels in which other groups have published files meanwhile."""
    split = partition.split - now.partition.split
    others = set(now.groups.items()) - set(seen.groups.items()) if split else set()
    for group, _ in sorted(others):
        # References and imports stay at the base order, light curves are built anew.
        if group in groups or group.startswith((REFERENCES, LIGHTCURVES, IMPORTS)):
            continue
        if any(entry.pixel in split for entry in now.manifest(group).files):
            raise ChangedMeanwhileError(now.layout.root, f"{group} came")


def republish(root: Path) -> Snapshot:
    """Publish what is published once more, every link and all metadata made anew.

    This mends whatever happened to links, folders of links and HATS metadata. Data files and
    manifests stay as they are.

    Raises
    ------
    DamagedArchiveError : a manifest is not what was published.
    """
    layout = Layout(root)
    settings = read_settings(root)
    with locked(layout, "commit", wait=True), disk.writing(root):
        standing = open_snapshot(root)
        manifests = [standing.manifest(group) for group in standing.groups]
        return publish_anew(layout, settings, standing, manifests, "repair")


def publish_anew(
    layout: Layout,
    settings: ArchiveSettings,
    standing: Snapshot,
    manifests: list[Manifest],
    reason: str,
) -> Snapshot:
    """Publish `manifests`, all there are, after `standing`; every link and all metadata are new.

    For who holds the lock `commit`.
    """
    _clear(layout, standing.number)
    manifests = [_indexed(layout, settings, standing.partition, one) for one in manifests]
    groups = {manifest.group: write_manifest(layout, manifest) for manifest in manifests}
    change = _Change(reason, standing.partition, groups, [], manifests)
    snapshot = _make_current(layout, settings, change, standing.number + 1, None)
    _settle(snapshot)
    return snapshot


def _indexed(
    layout: Layout, settings: ArchiveSettings, partition: Partition, manifest: Manifest
) -> Manifest:
    """A manifest of references with its index made anew, if its files can be read."""
    if not manifest.group.startswith(REFERENCES):
        return manifest
    try:
        return with_index(layout, manifest, partition, settings.match_radius_arcsec)
    except DamagedArchiveError:
        return manifest


@dataclass(frozen=True, slots=True)
class _Change:
    """From one state to the next: all groups after it, and the manifests that went and came."""

    reason: str
    partition: Partition
    groups: Mapping[str, str]
    before: list[Manifest]
    after: list[Manifest]


def _make_current(
    layout: Layout,
    settings: ArchiveSettings,
    change: _Change,
    number: int,
    parent: Snapshot | None,
) -> Snapshot:
    """Build publication `number` beside the others, then make it current by one rename.

    Without a `parent` every link is made anew from the manifests that came.
    """
    making = layout.publications / f".{number:06d}.partial"
    disk.make_folder(making)
    rows = _build_folder(layout, settings, making, parent, change)
    below = layout.relative(layout.publication(number))
    write_collection(making, below, settings, change.groups)
    record = {
        "format": settings.format,
        "number": number,
        "parent": number - 1 if number else None,
        "published": datetime.now(UTC).isoformat(timespec="seconds"),
        "reason": change.reason,
        "partition": change.partition.record(),
        "rows": rows,
        "manifests": dict(sorted(change.groups.items())),
    }
    text = json.dumps(record, indent=1) + "\n"
    disk.write_file(making / "publication.json", text.encode())
    _sync_names(layout, change)
    _sync_tree(making)
    target = layout.publication(number)
    disk.rename(making, target)
    disk.sync_folder(layout.publications)
    for table in CATALOGUES:
        if table not in LIGHTCURVE_TABLES or _are_built(change.groups):
            _show(layout, table, table)
        else:
            _hide(layout, table)
    _show(layout, OWN_PROPERTIES, ARCHIVE_PROPERTIES)
    replace_link(layout.current, target)
    return Snapshot(layout, number)


def _settle(snapshot: Snapshot) -> None:
    """Make the link `current` last: from now on the publication outlives a loss of power."""
    root = snapshot.layout.root
    try:
        disk.sync_folder(root)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnsettledPublicationError(root, snapshot.number, reason) from error


def _show(layout: Layout, name: str, what: str) -> None:
    """A part of the publication under a name in the archive, through `current`."""
    link = layout.root / name
    if not (link.is_symlink() and link.readlink() == Path(layout.current.name, what)):
        replace_link(link, layout.current / what)


def _hide(layout: Layout, name: str) -> None:
    """Remove what `_show` showed under a name, and nothing else."""
    link = layout.root / name
    if link.is_symlink() and link.readlink() == Path(layout.current.name, name):
        disk.remove(link)


def _sync_names(layout: Layout, change: _Change) -> None:
    """Make all names that the publication leads to last, whoever made them.

    A process that was killed may have left files and folders that this one found good, and that
    nobody has synced.
    """
    named = {layout.root / entry.path for manifest in change.after for entry in manifest.files}
    named |= {layout.manifest(group, digest) for group, digest in change.groups.items()}
    folders = {above for path in named for above in path.parents}
    folders |= {layout.pixels, *layout.pixels.glob("*"), *layout.pixels.glob("*/*")}
    for folder in sorted(folders, reverse=True):
        # What a damaged archive lacks is not for a repair to stumble over.
        if folder.is_relative_to(layout.root) and folder.is_dir():
            disk.sync_folder(folder)


def _clear(layout: Layout, current: int) -> None:
    """Remove what publications that were killed left; nobody but the lock's holder makes such."""
    kinds = [folder for folder in layout.manifests.iterdir() if folder.is_dir()]
    for folder in (layout.root, layout.publications, layout.manifests, *kinds):
        sweep(folder)
    # Else an `init` after the loss of archive.json would take all the rest away.
    disk.remove(layout.init_mark)
    for folder in layout.publications.iterdir():
        if folder.name.isdigit() and int(folder.name) > current:
            disk.remove_tree(folder)  # never current


def _build_folder(
    layout: Layout,
    settings: ArchiveSettings,
    folder: Path,
    parent: Snapshot | None,
    change: _Change,
) -> dict[str, int]:
    """Fill a publication's folder with links; returns the rows of each table."""
    removed = [entry for manifest in change.before for entry in manifest.files]
    added = [entry for manifest in change.after for entry in manifest.files]
    rows: dict[str, int] = {}
    for name, table in STORED_TABLES.items():
        old = [entry for entry in removed if entry.table == name]
        new = [entry for entry in added if entry.table == name]
        rows[name] = (parent.rows(name) if parent else 0) + sum(e.rows for e in new)
        rows[name] -= sum(e.rows for e in old)
        target = folder / name
        if name == INDEX:
            link_index(layout, settings, target, parent, old, new, rows[name])
            continue
        if name in LIGHTCURVE_TABLES:
            if _are_built(change.groups):
                make = partial(_fill_table, layout, settings, parent, change, table, old, new, rows)
                link_built(layout, name, target, change.groups, make, anew=parent is None)
            continue
        _fill_table(layout, settings, parent, change, table, old, new, rows, target)
    return rows


def _fill_table(
    layout: Layout,
    settings: ArchiveSettings,
    parent: Snapshot | None,
    change: _Change,
    table: Table,
    old: list[FileEntry],
    new: list[FileEntry],
    rows: Mapping[str, int],
    target: Path,
) -> None:
    """Link the files of a table in `target`, and make a catalogue of it if it is one."""
    name = table.name
    disk.make_folder(target)
    if name in PIXEL_TABLES:
        pixels = link_pixels(layout, name, target, parent, old, new)
        if name in SPATIAL_TABLES:
            write_catalogue_metadata(target, table, settings, pixels, rows[name])
        else:
            write_listing(target, pixels)
    else:
        link_files(layout, target, parent, old, new)
    if name in CATALOGUES:
        counts = _changed_counts(parent, name, old, new)
        if counts.sum() != rows[name] or counts.min() < 0:  # the parent's map was damaged
            counts = _counted_anew(layout, change.groups, name)
        write_point_map(target, counts)


def _are_built(groups: Iterable[str]) -> bool:
    """Whether there are light curves."""
    return any(group.startswith(LIGHTCURVES) for group in groups)


def _changed_counts(
    parent: Snapshot | None, table: str, old: list[FileEntry], new: list[FileEntry]
) -> Counts:
    """The rows of a catalogue by cell of the sky, from those of the parent."""
    counts = sum_cells(new) - sum_cells(old)
    if parent is None or not parent.rows(table):
        return counts
    try:
        return counts + read_point_map(parent.catalogue(table))
    except (OSError, ValueError):
        return counts


def _counted_anew(layout: Layout, groups: Mapping[str, str], table: str) -> Counts:
    """The same, from all manifests."""
    entries: list[FileEntry] = []
    for group, digest in groups.items():
        files = Manifest.read(layout.manifest(group, digest), digest).files
        entries += [entry for entry in files if entry.table == table]
    return sum_cells(entries)


def _sync_tree(folder: Path) -> None:
    """Make the names below a publication's folder last; its files do since they were written."""
    for path, _, _ in os.walk(folder):
        disk.sync_folder(Path(path))
