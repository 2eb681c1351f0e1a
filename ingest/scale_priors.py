"""Priors of the scale check: the pixel scales that the images of a night should have.

Of each channel (readout channel and filter) the first is taken that it has: headers that were
given, the median of the archive's own good images of nights before, the ideal camera. A night is
never judged by itself, nor by a later one: files that come late are judged as the others were, and
nights that come one by one, in their order, as nights that come all at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import date

import numpy as np
import polars as pl

from ingest.prior import Channel, Prior, prior_grid
from ingest.tables import read_small_table
from store.atomic import checksum
from store.contract import IMAGES
from store.errors import DamagedArchiveError
from store.files import check_intact
from store.layout import Layout
from store.manifest import Manifest
from store.snapshot import Snapshot
from transforms.focal_plane import ideal_scales
from transforms.pixel_scale import Grid
from transforms.scale_prior import (
    MOST_IMAGES,
    archive_prior,
    choose_prior,
    is_prior_material,
)
from transforms.sphere import Floats
from transforms.wcs_cards import read_cards

# Of the nights before, the latest: a camera changes, and no ingest should read a whole archive.
NIGHTS_BEFORE = 30


def find_priors(
    snapshot: Snapshot,
    night: date,
    channels: Iterable[Channel],
    given: Mapping[tuple[int, int | None], Floats],
) -> dict[Channel, Prior]:
    """The prior of each channel for one night.

    Parameters
    ----------
    snapshot : where nights before are looked for.
    given : scales (g,) of readout channel and filter; of any filter where that is None.
    """
    wanted = sorted(set(channels))
    if not wanted:
        return {}
    grid = prior_grid()
    unknown = np.full(len(grid.x), np.nan)
    from_given = np.array([given.get(c, given.get((c[0], None), unknown)) for c in wanted])
    without = [
        c for c, known in zip(wanted, np.isfinite(from_given[:, 0]), strict=True) if not known
    ]
    from_archive = np.full(from_given.shape, np.nan)
    if without:
        rows = [wanted.index(one) for one in without]
        from_archive[rows] = _archive_scales(snapshot, night, without, grid)
    ideal = ideal_scales([rcid for rcid, _ in wanted], grid)
    scales, sources = choose_prior(from_given, from_archive, ideal)
    scales = np.round(scales, 9)  # a nanoarcsecond: the last bits are the processor's own
    return {
        channel: Prior(source, checksum(one.tobytes()), one)
        for channel, source, one in zip(wanted, sources, scales, strict=True)
    }


def _archive_scales(snapshot: Snapshot, night: date, channels: list[Channel], grid: Grid) -> Floats:
    """Medians over good images of nights before (m, g), the latest first; NaN where too few."""
    cards: list[str] = []
    of_channel: list[int] = []
    room = dict.fromkeys(channels, MOST_IMAGES)
    number = {channel: i for i, channel in enumerate(channels)}
    for group in _nights_before(snapshot, night):
        # A night that is damaged keeps none of the others from being ingested; `verify` tells.
        with suppress(DamagedArchiveError):
            for rcid, fid, text in _material(snapshot.layout, snapshot.manifest(group), room):
                cards.append(text)
                of_channel.append(number[rcid, fid])
                room[rcid, fid] -= 1
        if not any(room.values()):
            break
    prior, _ = archive_prior(read_cards(cards), grid, np.array(of_channel), len(channels))
    return prior


def _nights_before(snapshot: Snapshot, night: date) -> list[str]:
    """Groups of the latest nights before one, the latest first."""
    last = f"nights/{night:%Y%m%d}"
    before = [group for group in snapshot.groups if group.startswith("nights/") and group < last]
    return sorted(before, reverse=True)[:NIGHTS_BEFORE]


def _material(
    layout: Layout, manifest: Manifest, room: Mapping[Channel, int]
) -> list[tuple[int, int, str]]:
    """Readout channel, filter and cards of a night's good images, as many as there is room for."""
    columns = ["pid", "rcid", "fid", "secz", "is_bad", "pixel_scale_arcsec"]
    images = read_small_table(layout, manifest, IMAGES, columns).sort("pid")
    good = is_prior_material(
        images["secz"].fill_null(np.nan).to_numpy(),
        ~images["is_bad"].to_numpy() & images["pixel_scale_arcsec"].is_not_null().to_numpy(),
    )
    wanted: list[int] = []
    for (rcid, fid), some in images.filter(pl.Series(good)).group_by("rcid", "fid"):
        places = room.get((int(rcid), int(fid)), 0)
        pids = some["pid"].sort().to_numpy()
        if len(pids) > places:
            pids = pids[np.linspace(0, len(pids) - 1, places).round().astype(np.int64)]
        wanted += pids.tolist()
    return _cards_of(layout, manifest, wanted)


def _cards_of(
    layout: Layout, manifest: Manifest, pids: Collection[int]
) -> list[tuple[int, int, str]]:
    """Readout channel, filter and cards of some images, in the order of pid."""
    for entry in manifest.files:
        if entry.table == IMAGES.name and pids:
            # A night's cards are 150 MB: only those that are wanted are kept.
            found = pl.scan_parquet(check_intact(layout, entry)).filter(pl.col("pid").is_in(pids))
            return found.sort("pid").select("rcid", "fid", "wcs_cards").collect().rows()
    return []
