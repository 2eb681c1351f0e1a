"""Refusals whose night is not known: kept in a group of their own, where SQL can see them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pyarrow as pa

from ingest.report import Refusal
from ingest.tables import read_small_table, to_contract
from store.contract import REFUSALS
from store.files import write_table
from store.layout import Layout
from store.locks import locked
from store.manifest import REFUSALS as GROUP
from store.manifest import FileEntry, Manifest
from store.publication import publish
from store.snapshot import Snapshot, open_snapshot

PART = "unknown-night"


def publish_refusals(root: Path, refusals: Iterable[Refusal], cleared: set[str]) -> Snapshot:
    """Record the refusals that name no night; those of the `cleared` files are taken out.

    Parameters
    ----------
    refusals : any; those with a night are left to the night's own group.
    cleared : names of input files that this run looked at.
    """
    layout = Layout(root)
    new = [refusal for refusal in refusals if refusal.night is None]
    with locked(layout, GROUP, wait=True):
        snapshot = open_snapshot(root)
        standing = read_small_table(layout, snapshot.manifest(GROUP), REFUSALS)
        looked_at = cleared | {refusal.input_file for refusal in new}
        kept = standing.filter(~pl.col("input_file").is_in(looked_at))
        table = refusals_table(kept, new)
        files = [write_table(layout, REFUSALS, table, PART)] if table.num_rows else []
        return publish(root, {GROUP: Manifest.of(GROUP, files)}, "refusals")


def refusals_table(standing: pl.DataFrame, new: Iterable[Refusal]) -> pa.Table:
    """Standing refusals and new ones, sorted, in the contract's schema."""
    added = pl.DataFrame([asdict(refusal) for refusal in new], schema=standing.schema)
    return to_contract(pl.concat([standing, added]), REFUSALS)


def refusals_entry(
    layout: Layout, part: str, standing: Manifest, new: list[Refusal], cleared: set[str]
) -> list[FileEntry]:
    """The refusals file of a night's group: what stands, less the files looked at, and the new."""
    kept = read_small_table(layout, standing, REFUSALS).filter(~pl.col("input_file").is_in(cleared))
    table = refusals_table(kept, new)
    return [write_table(layout, REFUSALS, table, part)] if table.num_rows else []
