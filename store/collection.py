"""A publication as a HATS collection: detections, their margin, and the index of their ids.

    ARCHIVE/collection.properties -> current/archive.properties      names publications/000007/…
    ARCHIVE/publications/000007/collection.properties                names what lies beside it

Whoever opens ARCHIVE reads the first file once, and from then on the publication that it names,
whatever is published meanwhile: never a mixture. The second makes each publication a collection.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from store import disk
from store.contract import DETECTIONS_INDEX
from store.hats import (
    COMMON_METADATA,
    HATS_VERSION,
    PROPERTIES,
    write_common_metadata,
    write_properties,
)
from store.layout import INDEX, MARGIN, Layout
from store.links import changed_links, digest_of, holds_exactly, links_in
from store.manifest import REFERENCES, FileEntry
from store.settings import ArchiveSettings
from store.snapshot import Snapshot

OWN_PROPERTIES, ARCHIVE_PROPERTIES = "collection.properties", "archive.properties"
METADATA = "_metadata"


def write_collection(
    folder: Path, below: str, settings: ArchiveSettings, groups: Mapping[str, str]
) -> None:
    """Write both files of properties of the publication in `folder`, `below` the archive."""
    for name, prefix in ((OWN_PROPERTIES, ""), (ARCHIVE_PROPERTIES, f"{below}/")):
        write_properties(folder / name, collection_properties(folder, prefix, settings, groups))


def collection_properties(
    folder: Path, prefix: str, settings: ArchiveSettings, groups: Mapping[str, str]
) -> dict[str, str]:
    """What a collection is made of, its catalogues' names preceded by `prefix`.

    The index is named only if it has all references: one that lacks some loses their rows.
    """
    properties = {
        "obs_collection": settings.name,
        "hats_primary_table_url": f"{prefix}detections",
    }
    if settings.margin_arcsec:
        margin = f"{prefix}{MARGIN}"
        properties |= {"all_margins": margin, "default_margin": margin}
    indexed = {path.stem for path in (folder / INDEX / "dataset").glob("*.parquet")}
    fields = {group.removeprefix(REFERENCES) for group in groups if group.startswith(REFERENCES)}
    if fields and fields == indexed:
        properties |= {"all_indexes": f"oid {prefix}{INDEX}", "default_index": "oid"}
    return properties


def link_index(
    layout: Layout,
    settings: ArchiveSettings,
    target: Path,
    parent: Snapshot | None,
    old: list[FileEntry],
    new: list[FileEntry],
    n_rows: int,
) -> None:
    """The index of a publication: the parent's folder where nothing changed, else a new one.

    Without a `parent` the folder is made anew, whatever it holds.
    """
    somewhere = layout.index_folder("any")
    before = links_in(parent.catalogue(INDEX) / "dataset") if parent else {}
    links = changed_links(layout, somewhere, before, old, new)
    folder = layout.index_folder(digest_of(links))
    if parent is None or not holds_exactly(folder, links, [METADATA, COMMON_METADATA]):
        _make_index(folder, links, target.parent / ".index")
    disk.sync_folder(folder)
    disk.make_folder(target)
    disk.make_link(target / "dataset", os.path.relpath(folder, target))
    properties = {
        "obs_collection": f"{settings.name}_{INDEX}",
        "dataproduct_type": "index",
        "hats_primary_table_url": f"{settings.name}_detections",
        "hats_index_column": "oid",
        "hats_nrows": n_rows,
        "hats_version": HATS_VERSION,
        "hats_builder": "nightlake",
        "obs_description": DETECTIONS_INDEX.description,
    }
    write_properties(target / PROPERTIES, properties)


def _make_index(folder: Path, links: Mapping[str, str], making: Path) -> None:
    """The immutable folder of links to index files, and `_metadata`, which lists their contents."""
    disk.make_folder(making)
    for name, text in links.items():
        disk.make_link(making / name, text)
    write_common_metadata(making, DETECTIONS_INDEX)
    contents = pq.read_metadata(making / COMMON_METADATA)
    for name, text in sorted(links.items()):
        # As the link will lead from the folder's place.
        path = Path(os.path.normpath(folder / text))
        if path.exists():  # what a damaged archive lacks is not for a repair to stumble over
            footer = pq.read_metadata(path)
            footer.set_file_path(name)
            contents.append_row_groups(footer)
    sink = pa.BufferOutputStream()
    contents.write_metadata_file(sink)
    disk.write_file(making / METADATA, memoryview(sink.getvalue()))
    if _is_same(making, folder):
        # What is current leads to it: it must never be missing.
        disk.remove_tree(making)
        return
    disk.make_folder(folder.parent)
    disk.remove_tree(folder)
    disk.rename(making, folder)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two folders of files and links hold the same."""
    return other.is_dir() and _content(one) == _content(other)


def _content(folder: Path) -> dict[str, str | bytes]:
    return {
        path.name: str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.iterdir()
    }
