"""The operations that are disturbed, on nights of a few rows.

An operation may be run again after it was disturbed, and then ends where it would have ended.
Add an operation to `OPERATIONS`, and all harnesses disturb it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from catalogues import scatter, write_psfcat, write_refpsfcat

import ingest.batch as batch
import ingest.version as version
from ingest.compact import compact
from ingest.pipeline import ingest
from ingest.references import add_references
from ingest.rematch import rematch
from ingest.withdraw import withdraw
from products.lightcurves import sources
from products.lightcurves.job import build
from store.manifest import night_group
from store.publication import create_archive, republish
from store.settings import ArchiveSettings
from store.snapshot import open_snapshot
from store.vacuum import vacuum
from torture.edge import copied

NIGHT, SECOND = date(2024, 1, 10), date(2024, 1, 11)
ROWS = 6


@dataclass(frozen=True)
class Operation:
    """Something done to an archive.

    `after` names the operations that the archive has seen before it; `run` takes the archive, the
    folder of inputs and the number of workers.
    """

    name: str
    after: tuple[str, ...]
    run: Callable[[Path, Path, int], None]


def write_inputs(raw: Path) -> Path:
    """The inputs of all operations."""
    rng = np.random.default_rng(1)
    places = {ccdid: scatter(rng, ROWS, ra=ra) for ccdid, ra in ((7, 150.0), (8, 152.5))}
    for ccdid, (ra, dec) in places.items():
        write_refpsfcat(raw / "references", ra, dec, ccdid=ccdid)
        write_psfcat(raw / "night", ra, dec, ccdid=ccdid)
        write_psfcat(raw / "second", ra, dec, ccdid=ccdid, obsmjd=60320.3)
    ra, dec = places[7]
    write_psfcat(raw / "late", ra, dec, obsmjd=60319.4, mag=np.linspace(-8, -7, ROWS))
    write_psfcat(raw / "changed", ra, dec, mag=np.linspace(-9, -8, ROWS))
    write_refpsfcat(raw / "better", ra, dec, mag=np.linspace(-9, -8, ROWS))
    for night, name in (("night", "bad"), ("second", "worse")):
        (raw / night / f"{name}_psfcat.fits").write_bytes(b"not FITS")
    return raw


def _ingest(*folders: str) -> Callable[[Path, Path, int], None]:
    def run(root: Path, raw: Path, workers: int) -> None:
        ingest(root, [raw / folder for folder in folders], workers=workers)

    return run


def _init(root: Path, raw: Path, workers: int) -> None:
    if not (root / "archive.json").exists():
        create_archive(root, ArchiveSettings(name="torture"))


def _references(folder: str) -> Callable[[Path, Path, int], None]:
    def run(root: Path, raw: Path, workers: int) -> None:
        add_references(root, [raw / folder], workers=workers)

    return run


def _withdraw(root: Path, raw: Path, workers: int) -> None:
    if night_group(NIGHT) in open_snapshot(root).groups:
        withdraw(root, [NIGHT], workers=workers)


def _vacuum(root: Path, raw: Path, workers: int) -> None:
    vacuum(root, older_than_days=0)


def _rematch(root: Path, raw: Path, workers: int) -> None:
    rematch(root, workers=workers)


def _compact(root: Path, raw: Path, workers: int) -> None:
    compact(root, max_rows=ROWS, workers=workers)  # so few that pixels are split


def _repair(root: Path, raw: Path, workers: int) -> None:
    if open_snapshot(root).record["reason"] != "repair":
        republish(root)


def _build(root: Path, raw: Path, workers: int) -> None:
    build(root, workers=workers)


_BASE = ("init", "references", "night")
_PERIOD = (*_BASE, "second night", "compaction")
OPERATIONS = {
    one.name: one
    for one in (
        Operation("init", (), _init),
        Operation("references", ("init",), _references("references")),
        Operation("night", ("init", "references"), _ingest("night")),
        Operation("second night", _BASE, _ingest("second")),
        Operation("nights", ("init", "references"), _ingest("night", "second")),
        Operation("late", _BASE, _ingest("late")),
        Operation("replacement", _BASE, _ingest("changed")),
        Operation("better references", _BASE, _references("better")),
        Operation("withdrawal", (*_BASE, "late"), _withdraw),
        Operation("repair", (*_BASE, "late"), _repair),
        Operation("rematch", (*_BASE, "better references"), _rematch),
        Operation("compaction", (*_BASE, "second night"), _compact),
        Operation("replacement in a period", _PERIOD, _ingest("changed")),
        Operation("withdrawal from a period", _PERIOD, _withdraw),
        Operation("build", (*_BASE, "second night"), _build),
        Operation("build after a night", (*_BASE, "build", "second night"), _build),
        Operation("vacuum", (*_BASE, "late", "replacement"), _vacuum),
    )
}
# One channel of a field each: of use only to who writes at the same time as another.
CHANNELS = {
    one.name: one
    for one in (
        Operation(
            "channel 7", ("init",), _references("references/ztf_000600_zr_c07_q4_refpsfcat.fits")
        ),
        Operation(
            "channel 8", ("init",), _references("references/ztf_000600_zr_c08_q4_refpsfcat.fits")
        ),
    )
}


class Stage:
    """Archives before and after each operation undisturbed; each is made once, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.raw = write_inputs(folder / "raw")

    def before(self, operation: Operation) -> Path:
        """The archive that the operation is run on; for `init` there is none."""
        return self.at(operation.after)

    def after(self, operation: Operation) -> Path:
        """The archive after it."""
        return self.at((*operation.after, operation.name))

    def at(self, names: tuple[str, ...]) -> Path:
        """The archive after the operations named."""
        path = self.folder / ("-".join(names) or "nothing") / "archive"
        if names and not path.exists():
            copied(self.at(names[:-1]), path)
            (OPERATIONS | CHANNELS)[names[-1]].run(path, self.raw, 1)
        return path


@contextmanager
def steady() -> Iterator[None]:
    """Code and machine that stay the same, whoever edits a file meanwhile."""
    kept = version._PACKAGES, batch._boot, sources.recipe
    version._PACKAGES = ()
    version.code_version.cache_clear()
    sources.recipe = lambda: "this code"
    batch._boot = lambda: "this start"
    try:
        yield
    finally:
        version._PACKAGES, batch._boot, sources.recipe = kept
        version.code_version.cache_clear()


@contextmanager
def another_start() -> Iterator[None]:
    """The machine was started again."""
    kept, batch._boot = batch._boot, lambda: "another start"
    try:
        yield
    finally:
        batch._boot = kept


def content(root: Path) -> dict[str, object]:
    """All that an archive holds, but for dates of publication, locks and scratch."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith(("locks/", "scratch/")) or name == ".nightlake-init":
            continue  # the mark of `init` goes at the latest with the next publication
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            if holds_anything(path) or not name.startswith(("data/", "pixels/")):
                found[name] = "folder"  # an empty one among the data is as good as none
        elif path.name == "publication.json" and path.stat().st_size:
            found[name] = json.loads(path.read_text()) | {"published": None}
        else:
            found[name] = path.read_bytes()
    return found


def holds_anything(folder: Path) -> bool:
    """Whether there is a file or a link below a folder."""
    return any(path.is_symlink() or not path.is_dir() for path in folder.rglob("*"))


def difference(found: dict[str, object], wanted: dict[str, object]) -> list[str]:
    """Names that only one of two archives has, or that differ."""
    return sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))


def rows(root: Path) -> Counter[tuple[int, int, int]]:
    """How often each detection (expid, rcid, sourceid) is published."""
    files = open_snapshot(root).files("detections")
    if not files:
        return Counter()
    frame = pl.read_parquet(files, columns=["expid", "rcid", "sourceid"])
    return Counter(frame.rows())
