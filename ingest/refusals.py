"""Refusals in the store, each for as long as it is true.

Refused rows belong to the image whose other rows are published: they stand in the group of its
night (or its field, for a reference) and go with the image, when it is replaced. A file that was
refused whole is of no group: all such stand in one of their own, whatever their night, until a
file of that name is looked at again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from ingest.report import Refusal
from ingest.tables import read_small_table, to_contract
from store import disk
from store.contract import REFUSALS
from store.files import sweep_unfinished, write_table
from store.layout import Layout
from store.locks import staged
from store.manifest import REFUSALS as GROUP
from store.manifest import FileEntry, Manifest
from store.publication import publish
from store.snapshot import Snapshot, open_snapshot

PART = "files"


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A file that was looked at: its name, and the image in it, if that is known.

    `is_new` says that the image has been published from it now and had never been before.
    """

    input_file: str
    pid: int | None = None
    is_new: bool = False

    def strikes(self, refused: dict[str, Any]) -> bool:
        """Whether a refusal of a file of this name is no longer true, or is said anew.

        Two files in two folders may have one name. They are told apart by their images, unless
        this image is new: then the file may have held another one before it was corrected.
        """
        same = self.pid is None or refused["pid"] is None or self.pid == refused["pid"]
        return same or self.is_new


def publish_refusals(
    root: Path,
    refusals: Iterable[Refusal],
    looked_at: Iterable[LookedAt],
    anew: Collection[date] = (),
) -> Snapshot:
    """Record the files that were refused whole; what is no longer true is taken out.

    Parameters
    ----------
    refusals : of this run, those of rows included: they are left to their group.
    looked_at : the other files that this run looked at.
    anew : nights of which nothing is true any more but what this run says.
    """
    layout = Layout(root)
    new = [refusal for refusal in refusals if refusal.n_rows is None]
    by_name: dict[str, list[LookedAt]] = {}
    for one in (*looked_at, *(LookedAt(refusal.input_file, refusal.pid) for refusal in new)):
        by_name.setdefault(one.input_file, []).append(one)
    with staged(layout, GROUP, wait=True), disk.writing(root):
        sweep_unfinished(layout, PART)
        snapshot = open_snapshot(root)
        standing = read_small_table(layout, snapshot.manifest(GROUP), REFUSALS)
        true = [
            row["night"] not in anew
            and not any(one.strikes(row) for one in by_name.get(row["input_file"], ()))
            for row in standing.iter_rows(named=True)
        ]
        table = _table(standing.filter(pl.Series(true, dtype=pl.Boolean)), new)
        files = [write_table(layout, REFUSALS, table, PART)] if table.num_rows else []
        return publish(root, {GROUP: Manifest.of(GROUP, files)}, "refusals")


def refused_rows(
    layout: Layout, part: str, standing: Manifest, kept: pl.DataFrame, new: Iterable[Refusal]
) -> list[FileEntry]:
    """The file of a group's refused rows; none if there are none.

    Parameters
    ----------
    part : name of the group's files.
    standing : what is published of the group.
    kept : `input_file` and `input_checksum` of the group's images that are not replaced: what was
        refused of them stands.
    new : refusals of this run; those of whole files are left out.
    """
    of_image = ["input_file", "input_checksum"]
    stands = (
        read_small_table(layout, standing, REFUSALS)
        .filter(pl.col("n_rows").is_not_null())
        .join(kept.select(of_image), on=of_image, how="semi")
    )
    table = _table(stands, [refusal for refusal in new if refusal.n_rows is not None])
    return [write_table(layout, REFUSALS, table, part)] if table.num_rows else []


def _table(standing: pl.DataFrame, new: Iterable[Refusal]) -> pa.Table:
    """Standing refusals and new ones in the contract's schema; those that say the same are one."""
    added = pl.DataFrame([asdict(refusal) for refusal in new], schema=standing.schema)
    return to_contract(pl.concat([standing, added]).unique(), REFUSALS)
