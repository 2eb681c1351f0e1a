"""The catalogues of light curves: one lasting folder a build, which publications link to.

Nights are published often, and light curves are built now and then: a publication that does not
change them has one link for each of their tables, however many pixels there are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from store import disk
from store.atomic import checksum
from store.layout import Layout
from store.manifest import LIGHTCURVES


def link_built(
    layout: Layout,
    table: str,
    target: Path,
    groups: Mapping[str, str],
    make: Callable[[Path], None],
    *,
    anew: bool,
) -> None:
    """Link `target` to the folder of a table of light curves, which is made if it is not there.

    Parameters
    ----------
    groups : checksums of all manifests: those of light curves name the folder.
    make : fills the folder that it is given.
    anew : make it, whatever is there; what leads there finds nothing for a moment.
    """
    built = sorted(item for item in groups.items() if item[0].startswith(LIGHTCURVES))
    folder = layout.catalogue_folder(table, checksum(json.dumps(built).encode()))
    if anew or not folder.is_dir():
        making = folder.with_name(f".{folder.name}.partial")
        disk.remove_tree(making)  # begun by a process that was killed
        make(making)
        for path, _, _ in os.walk(making):
            disk.sync_folder(Path(path))
        disk.remove_tree(folder)
        disk.rename(making, folder)
    disk.sync_folder(folder.parent)
    disk.make_link(target, os.path.relpath(folder, target.parent))
