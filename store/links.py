"""The links of a publication: to files, and to folders of links, one a pixel.

A pixel's folder is named by the checksum of its links and is never changed: publications in which
the pixel is the same share it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from store import disk
from store.atomic import checksum
from store.layout import HealpixPixel, Layout
from store.manifest import FileEntry
from store.snapshot import Snapshot


def link_files(
    layout: Layout,
    target: Path,
    parent: Snapshot | None,
    old: list[FileEntry],
    new: list[FileEntry],
) -> None:
    """Link a table's files: the parent's, without the old ones and with the new."""
    links = links_in(parent.folder / target.name) if parent else {}
    for name, text in changed_links(layout, target, links, old, new).items():
        disk.make_link(target / name, text)


def link_pixels(
    layout: Layout,
    table: str,
    target: Path,
    parent: Snapshot | None,
    old: list[FileEntry],
    new: list[FileEntry],
) -> list[HealpixPixel]:
    """Link every pixel's folder: the parent's where nothing changed, else a new one."""
    old_in, new_in = _by_pixel(old), _by_pixel(new)
    # From folders that lie as deep the same words lead to the same folder.
    siblings = parent is not None and _depth(parent.catalogue(table)) == _depth(target)
    standing = parent.pixels(table) if parent else []
    pixels: list[HealpixPixel] = []
    for pixel in sorted({*standing, *old_in, *new_in}):
        at = target / "dataset" / pixel.hats_path
        before = parent.catalogue(table) / "dataset" / pixel.hats_path if parent else None
        if before and pixel not in old_in and pixel not in new_in:
            text = str(before.readlink())
            if not siblings:
                text = os.path.relpath(os.path.realpath(before), os.path.realpath(at.parent))
        else:
            somewhere = layout.pixel_folder(table, pixel, "")
            links = changed_links(
                layout,
                somewhere,
                links_in(before) if before else {},
                old_in.get(pixel, []),
                new_in.get(pixel, []),
            )
            if not links:
                continue
            lasting = layout.pixel_folder(table, pixel, digest_of(links))
            _make_pixel_folder(lasting, links)
            text = os.path.relpath(lasting, at.parent)
        disk.make_folder(at.parent)
        disk.make_link(at, text)
        pixels.append(pixel)
    return pixels


def _depth(folder: Path) -> int:
    return len(folder.resolve().parts)


def _by_pixel(files: list[FileEntry]) -> dict[HealpixPixel, list[FileEntry]]:
    grouped: dict[HealpixPixel, list[FileEntry]] = {}
    for entry in files:
        if entry.pixel is not None:
            grouped.setdefault(entry.pixel, []).append(entry)
    return grouped


def digest_of(links: Mapping[str, str]) -> str:
    """What a folder of exactly these links is named by."""
    return checksum("\n".join(f"{name} {text}" for name, text in sorted(links.items())).encode())


def _make_pixel_folder(folder: Path, links: Mapping[str, str]) -> None:
    """The immutable folder that holds exactly `links`, made if it is not there yet.

    Nothing leads to it before it lasts, so that it needs no rename.
    """
    if not holds_exactly(folder, links):
        disk.remove_tree(folder)  # begun by a process that was killed, or damaged
        disk.make_folder(folder)
        for name, text in links.items():
            disk.make_link(folder / name, text)
    disk.sync_folder(folder)


def holds_exactly(folder: Path, links: Mapping[str, str], others: Collection[str] = ()) -> bool:
    """Whether a folder holds these links and the `others`, and nothing else."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    return names == {*links, *others} and links_in(folder) == dict(links)


def links_in(folder: Path) -> dict[str, str]:
    """The links in `folder`, as written."""
    if not folder.is_dir():
        return {}
    return {path.name: str(path.readlink()) for path in folder.iterdir() if path.is_symlink()}


def changed_links(
    layout: Layout,
    folder: Path,
    links: Mapping[str, str],
    old: list[FileEntry],
    new: list[FileEntry],
) -> dict[str, str]:
    """`links`, to be written in `folder`, without the old files and with the new ones."""
    changed = dict(links)
    for entry in old:
        changed.pop(f"{entry.part}.parquet", None)
    for entry in new:
        changed[f"{entry.part}.parquet"] = os.path.relpath(layout.root / entry.path, folder)
    return changed
