"""Repair: what can be made anew from manifests and data files is, and unfinished files go.

    unfinished   files that killed processes left are removed, if nobody is making any
    current      the link, if it is lost: the newest publication is there whole, for it has its
                 number only then; so it is finished
    links        and HATS metadata: published once more, all of them anew   (`republish`)

What a night or a reference lacks is not guessed: `verify` says what must be given again. Old
publications and what only they need are for `vacuum`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from store import disk
from store.atomic import replace_link
from store.errors import ArchiveBusyError, DamagedArchiveError
from store.files import sweep_unfinished
from store.layout import Layout
from store.locks import nobody_stages
from store.publication import republish
from store.settings import read_settings
from store.snapshot import Snapshot, current_snapshot


def repair(root: Path) -> Snapshot:
    """Make links and HATS metadata anew, finish a publication, and remove unfinished files.

    Raises
    ------
    DamagedArchiveError : a manifest, or the record of a publication, is not what was published.
    UnwritableArchiveError : the archive cannot be written.
    """
    read_settings(root)
    layout = Layout(root)
    with disk.writing(root):
        with suppress(ArchiveBusyError), nobody_stages(layout):
            sweep_unfinished(layout, "")
        if not _leads_somewhere(layout):
            _find_current(layout)
    return republish(root)


def _leads_somewhere(layout: Layout) -> bool:
    """Whether `current` is a link to a publication that is there."""
    try:
        return current_snapshot(layout).folder.is_dir()
    except DamagedArchiveError:
        return False


def _find_current(layout: Layout) -> None:
    """Point `current` at the newest publication, if all that it says can be read."""
    numbers = [int(path.name) for path in layout.publications.iterdir() if path.name.isdigit()]
    if numbers:
        newest = Snapshot(layout, max(numbers))
        for group in newest.groups:
            newest.manifest(group)
        replace_link(layout.current, newest.folder)
